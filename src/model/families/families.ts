/** The families this version reads, in the order in which they are tried. */
import { fail } from '../../errors.ts';
import type { Family } from './family.ts';
import { gpt2 } from './gpt2.ts';
import { transformerLens } from './transformer-lens.ts';

export const families: readonly Family[] = [gpt2, transformerLens];

/** The family of a config.json. @throws naming model_type when none reads it. */
export function familyOf(raw: Readonly<Record<string, unknown>>): Family {
  const family = families.find((candidate) => candidate.matches(raw));
  if (family !== undefined) return family;
  const type = raw['model_type'] === undefined ? 'no "model_type"' : `model_type ${JSON.stringify(raw['model_type'])}`;
  throw fail('checkpoint', 'config.json', `unknown architecture (${type}); supported: ${families.map((f) => f.name).join(', ')}.`);
}
