/** Estimates of what training examples are worth without training again, by name: each a score an example, and so a ranking of players. */
import { fail } from '../../../errors.ts';
import type { ExamplePlayer } from '../example-players.ts';
import { ekFac } from './ek-fac.ts';
import { influences, secondOrderInfluence, type LeftOut } from './influence.ts';
import { tracIn } from './tracin.ts';
import { trak } from './trak.ts';
import type { Trained } from './trained.ts';

export interface EstimateOptions {
  readonly signal?: AbortSignal | undefined;
}

interface Estimate {
  readonly about: string;
  /** What each example's presence adds to f, [N]; in units of f but for trak. */
  scores(trained: Trained, options: EstimateOptions): Promise<{ readonly scores: Float64Array }>;
}

/** What examples are worth without training again, by name. */
export const ESTIMATES = {
  influence: {
    about: 'influence functions, by the curvature at the model trained on everything',
    scores: (trained, options) => influences(trained, options),
  },
  'ek-fac': {
    about: 'the same with the curvature of linear layers in Kronecker factors',
    scores: (trained, options) => ekFac(trained, options),
  },
  tracin: { about: 'gradient products at checkpoints', scores: (trained) => tracIn(trained) },
  trak: { about: 'a linear model on projected gradients', scores: (trained, options) => trak(trained, options) },
} as const satisfies Readonly<Record<string, Estimate>>;

/** Those that give scores. */
export type ScoreName = keyof typeof ESTIMATES;
/** And the one that gives pairs too. */
export type EstimateName = ScoreName | 'second-order influence';
export const ESTIMATE_NAMES: readonly EstimateName[] = [
  ...(Object.keys(ESTIMATES) as ScoreName[]),
  'second-order influence',
];

/** @throws 'input' for a name that is none. */
export function estimateNameOf(name: string): EstimateName {
  const found = ESTIMATE_NAMES.find((known) => known === name);
  if (found === undefined)
    throw fail('input', 'estimates', `"${name}" is unknown; there are ${ESTIMATE_NAMES.join(', ')}.`);
  return found;
}

/** @throws 'input' for a name that is none, or one that gives no scores. */
export function scoreNameOf(name: string): ScoreName {
  if (!Object.hasOwn(ESTIMATES, name))
    throw fail('input', 'screenBy', `"${name}" is unknown; there are ${Object.keys(ESTIMATES).join(', ')}.`);
  return name as ScoreName;
}

/** The estimate over players: additive in their examples' scores, or with pairs. */
export async function estimateOf(
  name: EstimateName,
  trained: Trained,
  players: readonly ExamplePlayer[],
  options: EstimateOptions = {},
): Promise<LeftOut> {
  const groups = players.map(({ place }) => place.rows);
  if (name === 'second-order influence') return secondOrderInfluence(trained, groups, options);
  const { scores } = await ESTIMATES[name].scores(trained, options);
  return {
    constant: trained.values.reduce((sum, x) => sum + x / trained.values.length, 0),
    linear: Float64Array.from(groups, (rows) => -rows.reduce((sum, row) => sum + scores[row], 0)),
  };
}
