/** What figures are drawn with in a page: Observable Plot, and the page's own document. */
import * as Plot from '@observablehq/plot';
import { fail } from '../../errors.ts';

export function plotLibrary(): typeof Plot {
  return Plot;
}

/** @throws 'input' in a worker, which has none. */
export function newDocument(): Document {
  const { document } = globalThis as { readonly document?: Document };
  if (document === undefined)
    throw fail(
      'input',
      'chart',
      'needs a document, and a worker has none; send the record to the page and draw it there.',
    );
  return document;
}
