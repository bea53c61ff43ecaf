/** HiGHS, the solver of integer programs, loaded on first use. */
import type { Highs } from 'highs';

let loading: Promise<Highs> | undefined;

export function loadHighs(): Promise<Highs> {
  // Its types describe the CommonJS build; what Node imports is the module build, whose default is the loader itself.
  loading ??= import('highs').then((module) =>
    (module as unknown as { readonly default: () => Promise<Highs> }).default(),
  );
  return loading;
}
