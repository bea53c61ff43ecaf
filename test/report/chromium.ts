/** A headless Chromium, spoken to over a pipe (Chrome DevTools Protocol); nothing but Node and the browser is needed. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** Where a browser is; undefined where there is none. SPEXLENS_TEST_CHROMIUM names one. */
export const CHROMIUM: string | undefined =
  process.env['SPEXLENS_TEST_CHROMIUM'] ??
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .find((path) => existsSync(path));

export interface Tab {
  /** The value of an expression in the page, as JSON; promises are waited for. */
  evaluate<T>(expression: string): Promise<T>;
  /** Moves the pointer over the first element that matches. */
  hover(selector: string): Promise<void>;
  click(selector: string): Promise<void>;
  /** `Enter`, `ArrowRight`, ... */
  press(key: string): Promise<void>;
  /** A PNG of the whole page. */
  screenshot(): Promise<Buffer>;
  /** What the page's console and policy complained of. */
  readonly complaints: readonly string[];
}

export interface TabOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  readonly print?: boolean;
  readonly script?: boolean;
}

export interface Browser {
  open(url: string, options?: TabOptions): Promise<Tab>;
  close(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

const KEYS: Readonly<Record<string, number>> = {
  Enter: 13,
  ' ': 32,
  Escape: 27,
  Tab: 9,
  End: 35,
  Home: 36,
  ArrowLeft: 37,
  ArrowUp: 38,
  ArrowRight: 39,
  ArrowDown: 40,
};

/** `flags`: of the browser, beside what a headless one needs; default no GPU. */
export async function startChromium(flags: readonly string[] = ['--disable-gpu']): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error('there is no Chromium');
  const folder = mkdtempSync(join(tmpdir(), 'spexlens-chromium-'));
  const child = spawn(
    CHROMIUM,
    ['--headless', '--no-sandbox', ...flags, '--remote-debugging-pipe', `--user-data-dir=${folder}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const [write, read] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, { resolve: (result: Message['result']) => void; reject: (error: Error) => void }>();
  const events = new Set<(message: Message) => void>();
  let last = 0;
  let rest = '';
  read.setEncoding('utf8').on('data', (text: string) => {
    const parts = `${rest}${text}`.split('\0');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const message = JSON.parse(part) as Message;
      if (message.id === undefined) events.forEach((hear) => hear(message));
      else if (message.error !== undefined) waiting.get(message.id)?.reject(new Error(message.error.message));
      else waiting.get(message.id)?.resolve(message.result);
    }
  });
  const send = (method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, { resolve: (result) => resolve({ ...result }), reject });
      write.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`);
    });
  return {
    open: (url, options = {}) => openTab(send, events, url, options),
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      await send('Browser.close').catch(() => child.kill());
      await ended;
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function openTab(
  ask: (method: string, params?: object, sessionId?: string) => Promise<Record<string, unknown>>,
  events: Set<(message: Message) => void>,
  url: string,
  { width = 1100, height = 900, dark = false, print = false, script = true }: TabOptions,
): Promise<Tab> {
  const { targetId } = await ask('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await ask('Target.attachToTarget', { targetId, flatten: true });
  const send = (method: string, params?: object): Promise<Record<string, unknown>> =>
    ask(method, params, sessionId as string);
  const complaints: string[] = [];
  let loaded: () => void = () => {};
  events.add(({ method, sessionId: session, params }) => {
    if (session !== sessionId) return;
    if (method === 'Page.loadEventFired') loaded();
    if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded') complaints.push(JSON.stringify(params));
  });
  for (const domain of ['Page', 'Runtime', 'Log']) await send(`${domain}.enable`);
  await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  await send('Emulation.setEmulatedMedia', {
    media: print ? 'print' : '',
    features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }],
  });
  await send('Emulation.setScriptExecutionDisabled', { value: !script });
  const load = new Promise<void>((resolve) => (loaded = resolve));
  await send('Page.navigate', { url });
  await load;
  const evaluate = async <T>(expression: string): Promise<T> => {
    const answer = (await send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })) as {
      result: { value: T };
      exceptionDetails?: { exception?: { description?: string }; text: string };
    };
    if (answer.exceptionDetails !== undefined)
      throw new Error(answer.exceptionDetails.exception?.description ?? answer.exceptionDetails.text);
    return answer.result.value;
  };
  const middle = (selector: string): Promise<{ x: number; y: number }> =>
    evaluate(`(() => {
      const element = document.querySelector(${JSON.stringify(selector)});
      element.scrollIntoView({ block: 'center' });
      const { left, top, width, height } = element.getBoundingClientRect();
      return { x: left + width / 2, y: top + height / 2 };
    })()`);
  const mouse = (type: string, at: { x: number; y: number }): Promise<unknown> =>
    send('Input.dispatchMouseEvent', { type, ...at, button: type === 'mouseMoved' ? 'none' : 'left', clickCount: 1 });
  return {
    evaluate,
    complaints,
    hover: async (selector) => void (await mouse('mouseMoved', await middle(selector))),
    async click(selector) {
      const at = await middle(selector);
      for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased']) await mouse(type, at);
    },
    async press(key) {
      const text = key === 'Enter' ? '\r' : key === ' ' ? ' ' : undefined;
      const common = { key, windowsVirtualKeyCode: KEYS[key], ...(text === undefined ? {} : { text }) };
      await send('Input.dispatchKeyEvent', { type: 'keyDown', ...common });
      await send('Input.dispatchKeyEvent', { type: 'keyUp', ...common });
    },
    async screenshot() {
      const { cssContentSize } = (await send('Page.getLayoutMetrics')) as {
        cssContentSize: { width: number; height: number };
      };
      const clip = { x: 0, y: 0, ...cssContentSize, scale: 1 };
      const { data } = await send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip });
      return Buffer.from(data as string, 'base64');
    },
  };
}
