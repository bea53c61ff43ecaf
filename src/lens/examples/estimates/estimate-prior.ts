/**
 * Estimates as a prior: what each foretells of a mask, in columns, for a regression to weigh and a proxy to correct (proxy/prior).
 */
import { fail } from '../../../errors.ts';
import { isKept, type Masks } from '../../../masks.ts';
import type { ExamplePlayer } from '../example-players.ts';
import { ESTIMATE_NAMES, estimateOf, type EstimateName, type EstimateOptions } from './estimates.ts';
import type { LeftOut } from './influence.ts';
import { kernelRegression, KERNEL_REGRESSION } from './kernel-regression.ts';
import { TANGENT_TRAINING, tangentTraining } from './tangent-training.ts';
import type { Trained } from './trained.ts';

/** Those that are no sum over examples, and every estimate. */
export type PriorName = typeof TANGENT_TRAINING | typeof KERNEL_REGRESSION | EstimateName;
export const PRIOR_NAMES: readonly PriorName[] = [TANGENT_TRAINING, KERNEL_REGRESSION, ...ESTIMATE_NAMES];

/** @throws 'input' for a name that is none. */
export function priorNameOf(name: string): PriorName {
  const found = PRIOR_NAMES.find((known) => known === name);
  if (found === undefined) throw fail('input', 'prior', `"${name}" is unknown; there are ${PRIOR_NAMES.join(', ')}.`);
  return found;
}

/** Numbers of masks that cost no training. */
export interface EstimatePrior {
  readonly name: string;
  /** By column, a number a mask. */
  columns(masks: Masks): Promise<readonly Float64Array[]>;
  /** By column, the game that it is, where it is one in closed form. */
  readonly closed: readonly (LeftOut | undefined)[];
}

interface Part {
  readonly closed: readonly (LeftOut | undefined)[];
  columns(masks: Masks): readonly Float64Array[] | Promise<readonly Float64Array[]>;
}

/** The columns of all that are named; what they need of the trained models is computed here, once. */
export async function estimatePrior(
  names: readonly PriorName[],
  trained: Trained,
  players: readonly ExamplePlayer[],
  options: EstimateOptions = {},
): Promise<EstimatePrior> {
  const parts: Part[] = [];
  for (const name of names) parts.push(await partOf(name, trained, players, options));
  return {
    name: names.join(', '),
    closed: parts.flatMap(({ closed }) => closed),
    async columns(masks) {
      const all: Float64Array[] = [];
      for (const part of parts) all.push(...(await part.columns(masks)));
      return all;
    },
  };
}

async function partOf(
  name: PriorName,
  trained: Trained,
  players: readonly ExamplePlayer[],
  options: EstimateOptions,
): Promise<Part> {
  if (name === TANGENT_TRAINING) {
    const tangents = await tangentTraining(trained, players, options);
    return { closed: [undefined], columns: (masks) => tangents.columns(masks) };
  }
  if (name === KERNEL_REGRESSION) {
    const regression = await kernelRegression(trained, players, options);
    return {
      closed: Array.from({ length: regression.width }, () => undefined),
      columns: (masks) => regression.columns(masks),
    };
  }
  const estimate = await estimateOf(name, trained, players, options);
  return { closed: [estimate], columns: (masks) => [foretold(estimate, masks)] };
}

function foretold({ constant, linear, pairs }: LeftOut, masks: Masks): Float64Array {
  const n = linear.length;
  return Float64Array.from({ length: masks.count }, (_, row) => {
    const out = Array.from({ length: n }, (__, i) => i).filter((i) => !isKept(masks, row, i));
    let sum = constant;
    for (const i of out) {
      sum += linear[i];
      if (pairs !== undefined) for (const j of out) sum += pairs[i * n + j];
    }
    return sum;
  });
}
