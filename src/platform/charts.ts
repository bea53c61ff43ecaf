/** What figures are drawn with: Observable Plot, and documents for it (linkedom's). Both are loaded when the first figure is drawn. */
import { createRequire } from 'node:module';

type PlotLibrary = typeof import('@observablehq/plot');
interface Tools {
  readonly Plot: PlotLibrary;
  readonly parseHTML: typeof import('linkedom').parseHTML;
}

let loaded: Tools | undefined;

export function plotLibrary(): PlotLibrary {
  return tools().Plot;
}

export function newDocument(): Document {
  return tools().parseHTML('<!doctype html><html><body></body></html>').document;
}

/** As packages where this is source, as one file of the build (scripts/build-package.ts) where it is published. */
function tools(): Tools {
  const require = createRequire(import.meta.url);
  return (loaded ??= import.meta.url.endsWith('.ts')
    ? {
        Plot: require('@observablehq/plot') as PlotLibrary,
        parseHTML: (require('linkedom') as Pick<Tools, 'parseHTML'>).parseHTML,
      }
    : (require('../../bundled/charts.cjs') as Tools));
}
