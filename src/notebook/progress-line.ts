/**
 * How far a long call is, in a notebook: one line below the cell, which replaces itself and ends as the time that it took.
 */
import { markup } from '../report/markup.ts';
import { duration, whole } from '../report/wording.ts';
import { showsItself } from '../showing.ts';
import { currentKernel, type Kernel } from './kernel.ts';

interface Step {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
}
interface Told {
  readonly onProgress?: ((step: Step) => void) | undefined;
}

/** Between two drawings of a stage, in milliseconds. */
const PAUSE = 200;
let lines = 0;

/**
 * What `work` gives, marked to show itself; in a notebook with a line that says how far it is, unless the caller asked to be told.
 */
export async function inNotebook<O extends Told, T extends object>(
  options: O,
  work: (options: O) => Promise<T>,
  kernel = currentKernel(),
): Promise<T> {
  if (kernel === undefined || options.onProgress !== undefined) return showsItself(await work(options));
  const line = createProgressLine(kernel);
  try {
    return showsItself(await work({ ...options, onProgress: line.update }));
  } finally {
    await line.end();
  }
}

/** A line of `kernel`; nothing is drawn before the first step. */
export function createProgressLine(
  kernel: Kernel,
  now: () => number = () => performance.now(),
): { readonly update: (step: Step) => void; readonly end: () => Promise<void> } {
  const id = `spexlens-progress-${++lines}`;
  const began = now();
  let [stage, drawnAt] = ['', -Infinity];
  let drawing = Promise.resolve();
  const draw = (text: string, share: number): void => {
    const bar = markup`<div style="font: 12px system-ui, sans-serif"><progress max="1" value="${share.toFixed(3)}" style="vertical-align: middle"></progress> ${text}</div>`;
    drawing = drawing.then(() => kernel.draw({ 'text/plain': text, 'text/html': bar.html }, id));
  };
  return {
    update({ stage: name, done, total }) {
      if (name === stage && now() - drawnAt < PAUSE) return;
      [stage, drawnAt] = [name, now()];
      draw(`${name} ${whole(done)}/${whole(total)}`, total === 0 ? 1 : done / total);
    },
    async end() {
      if (stage !== '') draw(`done in ${duration((now() - began) / 1000)}`, 1);
      await drawing;
    },
  };
}
