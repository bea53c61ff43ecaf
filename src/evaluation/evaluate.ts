/**
 * What nested sets are worth, measured: one game, the same sizes and the same knock-outs for whoever proposed them.
 *
 * The circuit of an order is its smallest measured set that keeps the target; completeness and minimality are of that set.
 */
import type { Game } from '../game.ts';
import { sizesOfCurve } from '../circuit/sizes.ts';
import { concatMasks } from '../masks.ts';
import { cmd, cpr, mibSizes } from './areas.ts';
import { auroc } from './auroc.ts';
import {
  completenessOf,
  minimalityOf,
  type Completeness,
  type KnockOutOptions,
  type Minimality,
} from './completeness.ts';
import { measureFaithfulness, type Ends } from './faithfulness.ts';
import { masksOfSizes, type NestedSets } from './nested-sets.ts';

export interface EvaluateOptions extends KnockOutOptions {
  readonly ends: Ends;
  /** Share of the metric that a circuit keeps. */
  readonly target: number;
  /** The players of the true circuit, where it is known. */
  readonly truth?: readonly number[] | undefined;
}

/** Faithfulness of the sets of one size. */
export interface SizePoint {
  readonly size: number;
  readonly helping: number;
  readonly mattering: number;
}

export interface MeasuredCircuit {
  /** Increasing. */
  readonly players: readonly number[];
  readonly faithfulness: number;
  readonly completeness: Completeness;
  /** Absent of more than 128 players, whose masks would cost more than all else. */
  readonly minimality?: Minimality | undefined;
}

/** What nested sets are worth: CPR, CMD, AUROC, and the curve behind them. */
export interface Evaluation {
  readonly cpr: number;
  readonly cmd: number;
  /** Of |scores|; absent where no truth is known. */
  readonly auroc?: number | undefined;
  /** By size, increasing. */
  readonly curve: readonly SizePoint[];
  /** Of the sets of players that matter. */
  readonly circuit: MeasuredCircuit;
}

/** Sizes of the measured curve beside those of MIB. */
const SIZES = 33;
const MOST_LEFT_OUT = 128;
const TOLERANCE = 1e-9;

/** Measures `sets`, whose `scores` are judged by the truth. */
export async function evaluateSets(
  game: Game,
  { scores, ...sets }: NestedSets & { readonly scores: Float64Array },
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { ends, target, truth } = options;
  const n = game.players.length;
  const sizes = [...new Set([...mibSizes(n), ...sizesOfCurve(n, SIZES)])].sort((a, b) => a - b);
  const masks = concatMasks([masksOfSizes(sets.helping, sizes), masksOfSizes(sets.mattering, sizes)]);
  const shares = await measureFaithfulness(game, masks, ends, 'sets', options);
  const curve = sizes.map((size, k) => ({ size, helping: shares[k], mattering: shares[sizes.length + k] }));
  const bySize = new Map(curve.map((point) => [point.size, point]));
  const atShares = (side: keyof NestedSets): number[] =>
    mibSizes(n).map((size) => (bySize.get(size) as SizePoint)[side]);
  const { size, mattering } = curve.find((point) => point.mattering >= target - TOLERANCE) ?? curve[curve.length - 1];
  const players = sets.mattering.slice(0, size).sort((a, b) => a - b);
  return {
    cpr: cpr(atShares('helping')),
    cmd: cmd(atShares('mattering')),
    ...(truth === undefined ? {} : { auroc: auroc(scores.map(Math.abs), truth) }),
    curve,
    circuit: {
      players,
      faithfulness: mattering,
      completeness: await completenessOf(game, players, ends, options),
      ...(players.length > MOST_LEFT_OUT ? {} : { minimality: await minimalityOf(game, players, ends, options) }),
    },
  };
}
