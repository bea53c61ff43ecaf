/**
 * How far a run is and how long it will take: a bar on a terminal, silence elsewhere, and one hint wherever it is read where another
 * backend would save minutes.
 */
import { Presets, SingleBar } from 'cli-progress';
import type { Backend } from '../../src/backend/backend.ts';
import type { LoadOptions } from '../../src/model/model.ts';
import type { Running } from '../command.ts';
import { printable } from '../../src/printable.ts';
import { resolves } from '../package-root.ts';
import { createForecast, timeLeft, type Step } from './forecast.ts';

export interface Progress {
  readonly update: (progress: Step) => void;
  readonly stop: () => void;
}

export interface ProgressOptions {
  /** Masks that the run fits and holds out, default 0. */
  readonly masks?: number;
  /** What it runs on, and where the hint goes; without these there is none. */
  readonly backend?: Pick<Backend, 'name' | 'passedOver'>;
  readonly err?: (text: string) => void;
  /** Milliseconds, for tests. */
  readonly now?: () => number;
}

/** A run of so many seconds is worth a hint. */
const LONG = 60;
/** Before so many milliseconds of a run a forecast is a guess: sixteen masks on a busy machine were said to take two minutes. */
const SURE_MS = 5000;

export function createProgress(
  stream: Pick<NodeJS.WriteStream, 'isTTY'>,
  { masks = 0, backend, err, now = () => performance.now() }: ProgressOptions = {},
): Progress {
  const forecast = createForecast(masks, now);
  let hint = backend !== undefined && err !== undefined && lacksTensorflow(backend);
  let begun: number | undefined; // of the first step
  const bar = stream.isTTY ? createBar(stream as NodeJS.WriteStream) : undefined;
  return {
    stop: () => bar?.stop(),
    update(step) {
      const { rate, phase, run } = forecast(step);
      begun ??= now();
      const spent = now() - begun;
      const sure = run !== undefined && spent >= SURE_MS;
      if (hint && sure && run > LONG) {
        hint = false;
        bar?.stop();
        err?.(
          `this run takes some ${timeLeft(run)} on wasm; \`spexlens install-tensorflow\` (25 s, 0.3 GB) makes it about 3 times faster\n`,
        );
      }
      bar?.update(step, rate, leftText(phase, sure && masks > 0 ? run - spent / 1000 : undefined));
    },
  };
}

/** Seconds left of the present phase, and of the run where they are known. */
function leftText(phase: number | undefined, run: number | undefined): string {
  if (phase === undefined) return '';
  return `${timeLeft(phase)} left${run === undefined || run <= phase ? '' : `, about ${timeLeft(run)} of the run`}`;
}

/** Whether it computes on wasm only because TensorFlow is not installed, or was asked to and it is not. */
function lacksTensorflow({ name, passedOver }: Pick<Backend, 'name' | 'passedOver'>): boolean {
  if (name !== 'wasm') return false;
  const passed = passedOver.filter(({ name: other }) => other.startsWith('tensorflow'));
  return passed.length > 0
    ? passed.some(({ why }) => why.includes('not installed'))
    : !resolves('@tensorflow/tfjs-node-gpu');
}

/** One bar at a time, of the stage that was told of last. */
function createBar(stream: NodeJS.WriteStream): {
  readonly update: (step: Step, rate: number | undefined, left: string) => void;
  readonly stop: () => void;
} {
  let bar: SingleBar | undefined;
  let stage = '';
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    stop,
    update({ stage: name, done, total }, rate, left) {
      const payload = {
        stage: printable(name).padEnd(24),
        rate: rate?.toPrecision(3) ?? '-',
        left,
      };
      if (name !== stage || bar === undefined) {
        stop();
        stage = name;
        bar = new SingleBar(
          {
            stream,
            format: `{stage} {bar} {value}/{total}  {rate}/s  {left}`,
            hideCursor: true,
            clearOnComplete: true,
            barsize: 30,
          },
          Presets.shades_classic,
        );
        bar.start(total, done, payload);
      } else bar.update(done, payload);
      if (done >= total) stop();
    },
  };
}

/** Downloads that show how far they are and stop on Ctrl-C. The signal is read when one begins: without, Ctrl-C ends loading at once. */
export function hubOptions(running: Running, progress: Progress): NonNullable<LoadOptions['hub']> {
  const megabytes = (bytes: number): number => Math.ceil(bytes / 1e6);
  return {
    get signal() {
      return running.signal;
    },
    onProgress: ({ file, done, total }) =>
      progress.update({ stage: `${file} (MB)`, done: megabytes(done), total: megabytes(total) }),
  };
}
