/**
 * Where the hub and its cache are: options, else the environment variables that Python's huggingface_hub reads
 * (HF_ENDPOINT, HF_HUB_CACHE, HF_HOME, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, ...), else its defaults.
 */
import { fail } from '../../errors.ts';
import { readFile } from '../../platform/file-system.ts';
import { join, resolve } from '../../platform/paths.ts';
import { environment, homeFolder, type Environment } from '../../platform/runtime.ts';

/** How far the download of a file is, in bytes. */
export interface HubProgress {
  readonly file: string;
  /** Bytes. */
  readonly done: number;
  readonly total: number;
}

/** Where the hub and its cache are, and how patient a download is. */
export interface HubOptions {
  /** Default HF_ENDPOINT, or https://huggingface.co. */
  readonly endpoint?: string | undefined;
  /** Default HF_HUB_CACHE, or hub in HF_HOME, or ~/.cache/huggingface/hub. */
  readonly cacheDir?: string | undefined;
  /** Default HF_TOKEN, or the token file that `hf auth login` writes; false sends none. */
  readonly token?: string | false | undefined;
  /** Use only what is in the cache; default HF_HUB_OFFLINE. */
  readonly offline?: boolean | undefined;
  /** Copy files into the snapshot instead of linking them, as is done by itself where links are impossible. */
  readonly copies?: boolean | undefined;
  /** Failed requests in a row that are tried again; default 5. */
  readonly retries?: number | undefined;
  /** Wait before the first of them, doubled each time; default 1000 ms. A Retry-After of the server goes first. */
  readonly retryDelayMs?: number | undefined;
  /** How long the server may be silent; default 30,000 ms. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: HubProgress) => void) | undefined;
}

export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly cacheDir: string;
  readonly token: string | undefined;
  readonly offline: boolean;
  readonly copies: boolean;
  readonly retries: number;
  readonly retryDelayMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (progress: HubProgress) => void;
}

/** @throws 'input' for an endpoint that is no http address, or a token that no header can carry (it is not shown). */
export async function hubSettings(options: HubOptions = {}, env: Environment = environment()): Promise<HubSettings> {
  const home =
    expand(present(env['HF_HOME'])) ??
    join(expand(present(env['XDG_CACHE_HOME'])) ?? join(homeFolder(), '.cache'), 'huggingface');
  const cache =
    options.cacheDir ??
    expand(present(env['HF_HUB_CACHE']) ?? present(env['HUGGINGFACE_HUB_CACHE'])) ??
    join(home, 'hub');
  const endpoint = (options.endpoint ?? present(env['HF_ENDPOINT']) ?? 'https://huggingface.co').replace(/\/+$/, '');
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw fail('input', 'HF_ENDPOINT', `"${endpoint}" is not an http address; e.g. https://huggingface.co.`);
  if (url.username !== '' || url.password !== '')
    throw fail('input', 'HF_ENDPOINT', 'carries a user name; give a token by HF_TOKEN instead.');
  return {
    endpoint,
    cacheDir: resolve(cache),
    token: options.token === false ? undefined : await tokenOf(options.token, home, env),
    offline: options.offline ?? (isTrue(env['HF_HUB_OFFLINE']) || isTrue(env['TRANSFORMERS_OFFLINE'])),
    copies: options.copies ?? false,
    retries: options.retries ?? 5,
    retryDelayMs: options.retryDelayMs ?? 1000,
    timeoutMs: options.timeoutMs ?? 30_000,
    signal: options.signal,
    onProgress: options.onProgress ?? (() => {}),
  };
}

async function tokenOf(given: string | undefined, home: string, env: Environment): Promise<string | undefined> {
  let token = given;
  if (token === undefined && !isTrue(env['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) {
    token = present(env['HF_TOKEN']) ?? present(env['HUGGING_FACE_HUB_TOKEN']);
    token ??= await readFile(expand(present(env['HF_TOKEN_PATH'])) ?? join(home, 'token')).then(
      (bytes) => new TextDecoder().decode(bytes),
      () => undefined,
    );
  }
  token = token?.trim();
  if (token === undefined || token === '') return undefined;
  if (!/^[\x21-\x7e]+$/.test(token))
    throw fail('input', 'HF_TOKEN', 'holds characters that no token has; it should be one word such as hf_...');
  return token;
}

function present(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value;
}

function expand(path: string | undefined): string | undefined {
  return path?.replace(/^~(?=$|\/)/, homeFolder());
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '');
}
