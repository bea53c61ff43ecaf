/** Showing a value where a cell does not end with it, or in a kernel that does not ask values how they look. */
import { fail } from '../errors.ts';
import { currentKernel } from './kernel.ts';
import { mimeBundle } from './mime-bundle.ts';

/**
 * Draws a value below the cell that runs: a tensor, a model, a cache, attention, a spectrum, a circuit, a result, a patching sweep.
 *
 * @example await show(result);
 * @example await show(result, tslab.display.raw); // in a kernel whose own way of drawing has to be passed
 * @param raw draws one MIME type; default what Deno's kernel has.
 * @throws 'input' for what has no picture, and outside a notebook where no `raw` is given.
 */
export async function show(value: object, raw?: (mime: string, data: string) => void): Promise<void> {
  const bundle = await mimeBundle(value);
  if (raw !== undefined) {
    const [mime, data] = ['text/html', 'text/plain'].flatMap((type) =>
      type in bundle ? [[type, bundle[type]]] : [],
    )[0];
    raw(mime, data);
    return;
  }
  const kernel = currentKernel();
  if (kernel === undefined)
    throw fail(
      'input',
      'show',
      'finds no notebook that draws; pass what draws, (mime, data) => ..., or use mimeBundle.',
    );
  await kernel.draw(bundle);
}
