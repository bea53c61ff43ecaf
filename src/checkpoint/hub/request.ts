/**
 * One HTTP request to the hub: redirects followed by hand, failures tried again, refusals explained.
 *
 * The token goes to the endpoint's own origin and to no other: large files are redirected to storage hosts,
 * which must not see it. Silence, dropped connections, 408, 429 and 5xx are tried again after a wait that
 * doubles, or the one that Retry-After asks for; everything else the hub says is an error at once.
 */
import { fail, SpexlensError } from '../../errors.ts';
import { giveToken, offlineAdvice, OWN_HEADERS, REDIRECT } from '../../platform/http.ts';
import type { HubSettings } from './settings.ts';

export interface HubRequest {
  readonly method: 'GET' | 'HEAD';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** 'relative': a redirect to a whole address, such as a storage host's, is the answer. */
  readonly redirects: 'all' | 'relative';
  /** Statuses that are answers and not errors, beside 2xx. */
  readonly accept?: readonly number[];
  /** What is asked for, as errors name it: `hub org/name config.json`. */
  readonly who: string;
  /** `org/name@revision`, for advice. */
  readonly id: string;
}

const REDIRECTS = 10;
const RETRIED = [408, 429, 500, 502, 503, 504];
/** A server that asks for more patience than this is reported instead of waited for. */
const PATIENCE_MS = 120_000;

/**
 * The hub's answer; its body is not read yet.
 *
 * @throws 'checkpoint' when it stays unreachable or refuses, saying what would help; 'aborted' when stopped.
 */
export async function request(ask: HubRequest, settings: HubSettings): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    let wait = settings.retryDelayMs * 2 ** attempt;
    let reason: string;
    try {
      const response = await follow(ask, settings);
      const { status } = response;
      if (response.ok || ask.accept?.includes(status) === true || (ask.redirects === 'relative' && isRedirect(status)))
        return response;
      await discard(response);
      if (!RETRIED.includes(status)) throw refusal(response, ask, settings);
      reason = `it answers ${status}${status === 429 ? ' (too many requests)' : ''}`;
      const asked = retryAfterMs(response);
      if (asked !== undefined && asked > PATIENCE_MS)
        throw fail(
          'checkpoint',
          ask.who,
          `${settings.endpoint} answers ${status} and asks to come back in ${Math.round(asked / 1000)} s; try again then${status === 429 ? `, or ${giveToken()}` : ''}.`,
        );
      wait = asked ?? wait;
    } catch (error) {
      if (error instanceof SpexlensError) throw error;
      stopIfAborted(settings, ask.who);
      reason = `it cannot be reached (${causeOf(error)}), and there is no folder ${repoOf(ask)} here`;
    }
    if (attempt >= settings.retries) {
      throw fail(
        'checkpoint',
        ask.who,
        `${settings.endpoint} failed ${attempt + 1} times: ${reason}; try again later${offlineAdvice(settings.cacheDir)}.`,
      );
    }
    await pause(wait, settings, ask.who);
  }
}

async function follow(ask: HubRequest, settings: HubSettings): Promise<Response> {
  const home = new URL(settings.endpoint).origin;
  let url = new URL(ask.url);
  for (let hop = 0; ; hop++) {
    const headers: Record<string, string> = { ...OWN_HEADERS, ...ask.headers };
    if (settings.token !== undefined && url.origin === home) headers['authorization'] = `Bearer ${settings.token}`;
    const silence = AbortSignal.timeout(settings.timeoutMs);
    const signal = settings.signal === undefined ? silence : AbortSignal.any([silence, settings.signal]);
    const controller = new AbortController(); // the timeout is for the answer's head, the body has its own
    const abort = (): void => controller.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    let response: Response;
    try {
      signal.throwIfAborted();
      response = await fetch(url, { method: ask.method, headers, redirect: REDIRECT, signal: controller.signal });
    } finally {
      signal.removeEventListener('abort', abort);
    }
    const location = response.headers.get('location');
    if (!isRedirect(response.status) || location === null) return response;
    const next = URL.canParse(location, url.href) ? new URL(location, url.href) : null;
    if (ask.redirects === 'relative' && /^([a-z][a-z\d+.-]*:|\/\/)/i.test(location)) return response;
    await discard(response);
    if (next === null || !/^https?:$/.test(next.protocol))
      throw fail('checkpoint', ask.who, `${url.origin} redirects to something that is no http address.`);
    if (url.protocol === 'https:' && next.protocol === 'http:')
      throw fail(
        'checkpoint',
        ask.who,
        `${url.origin} redirects to ${next.origin} without encryption, which is not followed.`,
      );
    if (hop >= REDIRECTS)
      throw fail('checkpoint', ask.who, `${settings.endpoint} redirects more than ${REDIRECTS} times.`);
    url = next;
  }
}

/** The answer's text. @throws 'checkpoint' when it is longer than `limit` bytes or the server falls silent. */
export async function readBody(response: Response, limit: number, settings: HubSettings, who: string): Promise<string> {
  const decoder = new TextDecoder();
  let [text, length] = ['', 0];
  for await (const part of chunks(response, settings, who)) {
    length += part.length;
    if (length > limit) throw fail('checkpoint', who, `${settings.endpoint} answers with more than ${limit} bytes.`);
    text += decoder.decode(part, { stream: true });
  }
  return text + decoder.decode();
}

/**
 * The body, piece by piece. Ends the connection when the caller stops early.
 *
 * @throws a plain Error when the connection drops or is silent for `timeoutMs`; 'aborted' when stopped.
 */
export async function* chunks(response: Response, settings: HubSettings, who: string): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const stop = (): void => void reader.cancel().catch(() => {});
  settings.signal?.addEventListener('abort', stop, { once: true });
  try {
    for (;;) {
      const silence = new AbortController();
      const silent = sleep(settings.timeoutMs, silence.signal).then((): never => {
        throw new Error(`silent for ${settings.timeoutMs} ms`);
      });
      silent.catch(() => {});
      const next = await Promise.race([reader.read(), silent]).finally(() => silence.abort());
      stopIfAborted(settings, who);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    settings.signal?.removeEventListener('abort', stop);
    await reader.cancel().catch(() => {});
  }
}

/** Waits, unless stopped. @throws 'aborted' */
export async function pause(ms: number, settings: HubSettings, who: string): Promise<void> {
  await sleep(ms, settings.signal).catch(() => {});
  stopIfAborted(settings, who);
}

/** @throws 'aborted' when the caller's signal has fired. */
export function stopIfAborted({ signal }: HubSettings, who: string): void {
  if (signal?.aborted === true)
    throw fail(
      'aborted',
      who,
      'stopped on request; what was downloaded is kept, and the next time goes on from there.',
    );
}

async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new Error('stopped'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted === true) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** `org/name` of what is asked for. */
function repoOf({ id }: Pick<HubRequest, 'id'>): string {
  return id.replace(/@.*/, '');
}

/** Why the hub will not: told from its X-Error-Code, else from the status. */
function refusal(response: Response, { who, id, url }: HubRequest, { endpoint, token }: HubSettings): Error {
  const { status } = response;
  const repo = repoOf({ id });
  const code = response.headers.get('x-error-code');
  const said = `${endpoint} answers ${status}`;
  if (code === 'GatedRepo')
    return fail(
      'checkpoint',
      who,
      `${repo} is gated (${status}): accept its conditions at ${endpoint}/${repo}, and ${giveToken('a token of that account')}${token === undefined ? '' : '; the one that was sent has no access'}.`,
    );
  if (code === 'RevisionNotFound')
    return fail(
      'checkpoint',
      who,
      `${said}: ${repo} has no revision ${JSON.stringify(id.slice(repo.length + 1))}; name a branch, tag or commit.`,
    );
  if (code === 'EntryNotFound') return fail('checkpoint', who, `${said}: there is no such file in ${id}.`);
  if (status === 401 || code === 'RepoNotFound') {
    const advice =
      token === undefined
        ? `check its name, or ${giveToken()} if it is private or gated`
        : 'check its name; the token that was sent is wrong or may not read it';
    return fail(
      'checkpoint',
      who,
      `${said}: there is no model ${repo} that may be read, and no folder of that name here; ${advice}.`,
    );
  }
  if (status === 403)
    return fail(
      'checkpoint',
      who,
      `${said} (forbidden): ${token === undefined ? giveToken(`a token that may read ${repo}`) : `the token that was sent may not read ${repo}`}.`,
    );
  if (status === 404) return fail('checkpoint', who, `${said}: there is no ${new URL(url).pathname}.`);
  const message = response.headers.get('x-error-message');
  return fail(
    'checkpoint',
    who,
    `${said}${message === null ? '' : ` (${JSON.stringify(message.slice(0, 200))})`}; it should answer 200.`,
  );
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** Retry-After as milliseconds from now: seconds or a date. */
function retryAfterMs(response: Response): number | undefined {
  const value = response.headers.get('retry-after')?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,9}(\.\d+)?$/.test(value)) return 1000 * Number(value);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {});
}

/** The innermost cause of a failed fetch: ECONNREFUSED, "other side closed", a timeout. */
export function causeOf(error: unknown): string {
  let inner: unknown = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  if (!(inner instanceof Error)) return String(inner);
  return 'code' in inner && typeof inner.code === 'string' ? inner.code : inner.message;
}
