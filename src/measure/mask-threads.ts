/**
 * Threads that answer runs of masks, each with a game of its own: the two ends of the wire.
 *
 * A thread takes one run at a time and sends values back batch by batch. Idle threads do not keep the process alive. A
 * thread that dies, or fails in a way that is a defect, ends the work: what it had sent before stays reported.
 * (Libraries that pool threads, piscina and tinypool, were looked at: they end the thread to abort a task, which throws
 * its compiled kernels and weights away, and they answer a task once, not batch by batch.)
 */
import type { MessagePort, Worker } from '../platform/threads.ts';
import type { Masks } from '../masks.ts';
import { fail, fromPlainError, toPlainError, type PlainError, type SpexlensError } from '../errors.ts';
import type { Game } from '../game.ts';
import type { PromptGame } from '../lens/tokens/prompt-game.ts';

/** Values as they arrive: values[k] belongs to the run's mask rows[k], and so do as many of `more` each where more was asked for. */
export type TakePart = (rows: Int32Array, values: Float64Array, more?: Float32Array) => void;

/** What may be asked of masks anywhere: with `gradients` n more numbers each. */
export type Wanted = 'values' | 'gradients';

/** What may be asked of threads: with `outputs` a number more for each token of an answer. */
export type WantedHere = Wanted | 'outputs';

/** A game of which all of that may be asked. */
export type AskedGame = Game & Pick<PromptGame, 'byToken'>;

export interface MaskThreads {
  readonly count: number;
  /** All threads have built their games. */
  readonly ready: Promise<void>;
  /**
   * Has a free thread answer `masks`; waits for one, first come first served. What `part` throws stops the run.
   * @throws 'backend' when the thread died; what the thread's game throws, 'aborted' with `signal`.
   */
  answer(masks: Masks, wanted: WantedHere, part: TakePart, signal: AbortSignal): Promise<void>;
  /** Ends the threads; work under way fails. */
  close(): void;
}

type ToThread = { readonly masks: Masks; readonly wanted: WantedHere } | { readonly stop: true };
type FromThread =
  | { readonly ready: true }
  | { readonly rows: Int32Array; readonly values: Float64Array; readonly more?: Float32Array }
  | { readonly done: true }
  | { readonly error: PlainError }
  | { readonly dead: PlainError };

/** Threads by `start`, whose entries call serveMasks. `name` is the game's, for errors. */
export function createMaskThreads(start: () => Worker, count: number, name: string): MaskThreads {
  let broken: Error | undefined;
  let closing = false;
  const idle: Thread[] = [];
  const waiting: { readonly resolve: (thread: Thread) => void; readonly reject: (error: Error) => void }[] = [];
  const breakDown = (error: Error): void => {
    broken ??= error;
    for (const { reject } of waiting.splice(0)) reject(broken);
  };
  const threads = Array.from({ length: count }, () => createThread(start(), name, breakDown));
  idle.push(...threads);
  const free = async (): Promise<Thread> => {
    if (broken !== undefined) throw broken;
    return idle.shift() ?? new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const ready = Promise.all(threads.map((thread) => thread.ready)).then(() => undefined);
  ready.catch(() => undefined); // who waits for it hears of it; who only asks for answers hears there
  return {
    count,
    ready,
    async answer(masks, wanted, part, signal) {
      const thread = await free();
      try {
        await thread.answer(masks, wanted, part, signal);
      } finally {
        const next = broken === undefined ? waiting.shift() : undefined;
        if (next === undefined) idle.push(thread);
        else next.resolve(thread);
      }
    },
    close() {
      if (closing) return;
      closing = true;
      const closed = fail('aborted', name, 'was disposed, and its threads ended.');
      breakDown(closed);
      for (const thread of threads) thread.close(closed);
    },
  };
}

interface Thread {
  readonly ready: Promise<void>;
  answer(masks: Masks, wanted: WantedHere, part: TakePart, signal: AbortSignal): Promise<void>;
  close(error: Error): void;
}

/** The run a thread is at. */
interface Run {
  readonly part: TakePart;
  readonly settle: (error?: Error) => void;
}

function createThread(worker: Worker, name: string, breakDown: (error: Error) => void): Thread {
  let run: Run | undefined;
  let asked = false;
  let failed: Error | undefined; // thrown by the caller's part
  let dead: Error | undefined;
  const rise = withResolvers();
  rise.promise.catch(() => undefined);
  const die = (error: Error): void => {
    if (dead !== undefined) return;
    dead = error;
    breakDown(error);
    rise.reject(error);
    run?.settle(error);
  };
  worker.unref();
  worker.on('online', () => {
    if (!asked) worker.unref(); // the one above does not outlast the start (Node 20)
  });
  worker.on('error', (error: NodeJS.ErrnoException) => die(deathOf(name, error.message, error.code)));
  worker.on('exit', (code) => die(deathOf(name, `exit code ${code}`)));
  worker.on('message', (message: FromThread) => {
    if ('ready' in message) rise.resolve();
    else if ('dead' in message) die(unwire(name, message.dead));
    else if ('done' in message) run?.settle(failed);
    else if ('error' in message && message.error.kind === undefined)
      die(unwire(name, message.error)); // who knows what state it is in
    else if ('error' in message) run?.settle(failed ?? unwire(name, message.error));
    else if (failed === undefined) {
      try {
        run?.part(message.rows, message.values, message.more);
      } catch (error) {
        failed = error as Error;
        worker.postMessage({ stop: true } satisfies ToThread);
      }
    }
  });
  return {
    ready: rise.promise,
    async answer(masks, wanted, part, signal) {
      if (dead !== undefined) throw dead;
      failed = undefined;
      asked = true;
      worker.ref();
      const stop = (): void => worker.postMessage({ stop: true } satisfies ToThread);
      try {
        await rise.promise; // Deno drops what is sent to a thread that does not listen yet
        await new Promise<void>((resolve, reject) => {
          run = { part, settle: (error) => (error === undefined ? resolve() : reject(error)) };
          worker.postMessage({ masks, wanted } satisfies ToThread);
          if (signal.aborted) stop();
          else signal.addEventListener('abort', stop, { once: true });
        });
      } finally {
        signal.removeEventListener('abort', stop);
        run = undefined;
        asked = false;
        worker.unref();
      }
    },
    close(error) {
      die(error);
      void worker.terminate();
    },
  };
}

/** The thread's end: answers what `port` brings until the thread is ended. */
export function serveMasks(game: AskedGame, port: MessagePort): void {
  const send = (message: FromThread): void => port.postMessage(message);
  let stopping = new AbortController();
  port.on('message', (message: ToThread) => {
    if ('stop' in message) return stopping.abort();
    const { signal } = (stopping = new AbortController());
    const part: TakePart = (rows, values, more) =>
      send({ rows, values: values.slice(), ...(more === undefined ? {} : { more: more.slice() }) });
    askGame(game, message.masks, message.wanted, part, signal).then(
      () => send({ done: true }),
      (error: unknown) => send({ error: toPlainError(error) }),
    );
  });
  send({ ready: true });
}

/** Has `game` answer, on this thread; `part` hears of what comes. */
export async function askGame(
  game: AskedGame,
  masks: Masks,
  wanted: WantedHere,
  part: TakePart,
  signal: AbortSignal,
): Promise<void> {
  const told = (rows: ArrayLike<number>, values: Float64Array, more?: Float32Array): void =>
    part(Int32Array.from(rows), values, more);
  switch (wanted) {
    case 'values':
      await game.value(masks, { signal, onValues: told });
      return;
    case 'gradients':
      await game.gradients?.(masks, { signal, onGradients: told });
      return;
    case 'outputs':
      await game.byToken?.(masks, { signal, onOutputs: told });
      return;
    default:
      wanted satisfies never;
  }
}

/** Says why the thread cannot serve. */
export function reportDeath(error: unknown, port: MessagePort): void {
  port.postMessage({ dead: toPlainError(error) } satisfies FromThread);
}

function unwire(name: string, error: PlainError): Error {
  return error.kind === undefined ? deathOf(name, error.message) : fromPlainError(error);
}

function deathOf(name: string, why: string, code?: string): SpexlensError {
  const cause = code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out of memory' : why;
  return fail(
    'backend',
    name,
    `a thread failed (${cause}); what was reported before is safe. Use fewer threads or a smaller batch size.`,
  );
}

/** Promise.withResolvers, which Node 20 lacks. */
function withResolvers(): {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
} {
  let [resolve, reject]: [() => void, (error: Error) => void] = [() => undefined, () => undefined];
  const promise = new Promise<void>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}
