/** The selectors by name. */
import { closest, fail } from '../errors.ts';
import { enumerationSelector } from './enumeration.ts';
import { greedySelector } from './greedy.ts';
import { integerProgramSelector } from './integer-program.ts';
import type { Selector } from './selector.ts';

export type SelectorName = 'enumeration' | 'greedy' | 'integer-program';

/** enumeration: optimal, up to 20 players. greedy: beams and exchanges. integer-program: proven optimal, seconds a size. */
export const SELECTORS: Readonly<Record<SelectorName, Selector>> = {
  enumeration: enumerationSelector,
  greedy: greedySelector,
  'integer-program': integerProgramSelector,
};

/** The selector of a name. @throws 'input' for an unknown one, with a suggestion. */
export function selectorOf(name: string): Selector {
  if (Object.hasOwn(SELECTORS, name)) return SELECTORS[name as SelectorName];
  const names = Object.keys(SELECTORS);
  const [near] = closest(name, names);
  throw fail('input', 'selector', `"${name}" is unknown; did you mean ${near}? There are ${names.join(', ')}.`);
}
