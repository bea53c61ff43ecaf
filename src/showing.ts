/**
 * Values that show themselves in a notebook: a kernel asks what a cell ends with for `Symbol.for('Jupyter.display')` (Deno's does).
 *
 * Whoever makes such a value marks it here. How it is drawn is notebook/'s affair, which index.ts names; where that is not loaded
 * (spexlens/spectrum alone), a mark is nothing that a kernel calls.
 */
import { fail } from './errors.ts';

/** MIME types to what shows a value: `text/plain` always, `text/html` and `image/svg+xml` where there is a picture of it. */
export type MimeBundle = Readonly<Record<string, string>>;

/** The property that a notebook's kernel calls. */
export const DISPLAY: unique symbol = Symbol.for('Jupyter.display');

type Draw = (value: object) => Promise<MimeBundle>;
let drawing: Draw | undefined;

/** Says who draws what is marked. */
export function drawWith(draw: Draw): void {
  drawing = draw;
}

/** `value` itself, marked: in a notebook it shows itself. The mark is not enumerable: it is in no copy, and in no JSON. */
export function showsItself<T extends object>(value: T): T {
  if (!Object.isExtensible(value))
    throw fail('input', 'showsItself', 'was given a frozen object, which cannot be marked.');
  return Object.defineProperty(value, DISPLAY, {
    configurable: true,
    get(this: object) {
      const draw = drawing;
      return draw && ((): Promise<MimeBundle> => draw(this));
    },
  });
}
