/**
 * A pilot: some thirty masks before the budget is spent, which show whether the question can be answered at all.
 *
 * A game is a good question when its value changes from everything ablated to everything kept by more than noise, and when with
 * half of the players kept it still is the thing that is asked about. Under zero or mean ablation half of a real language
 * model's heads gone is a broken model: the value there is noise around that of none, and no spectrum predicts it.
 */
import { fail } from './errors.ts';
import { measureStage, type Game, type OnProgress, type ValueOptions } from './game.ts';
import { concatMasks, masksFromMembers } from './masks.ts';
import { createRandom } from './random.ts';
import { uniformMasks } from './uniform-masks.ts';

export interface Pilot {
  /** Masks measured, the two ends among them. */
  readonly masks: number;
  /** f(all kept), f(all ablated). */
  readonly clean: number;
  readonly ablated: number;
  /** f over random halves: mean and standard deviation. */
  readonly half: { readonly count: number; readonly mean: number; readonly sd: number };
  /** (mean over halves - f(none)) / (f(all) - f(none)): what of the metric's range is left with half of the players. */
  readonly left: number;
  /** That mean's distance from f(none), in its standard errors. */
  readonly distance: number;
  readonly verdict: PilotVerdict;
}

/**
 * sound: the question can be asked. no better: keeping everything is no better than keeping nothing. no range: the two differ by
 * little beside the spread at half the players. broken at half: with half of the players the value is that of none.
 */
export type PilotVerdict = 'sound' | 'no better' | 'no range' | 'broken at half';

export interface PilotOptions extends Pick<ValueOptions, 'signal'> {
  readonly onProgress?: OnProgress | undefined;
  readonly seed: number;
  /** Random halves, default 30. */
  readonly halves?: number | undefined;
  /** +1 where more of the metric is better, -1 where less is; 0 where that has no meaning (default). */
  readonly better?: 1 | -1 | 0 | undefined;
}

/** Share of the spread at half the players that f(all) - f(none) has to be. */
const RANGE = 1 / 3;
/** What has to be left of the range with half of the players; and, where it is little, by how many standard errors it is more than none. */
const LEAST_LEFT = 0.05;
const LEFT = 0.1;
const DISTANCE = 2.5;
const TOLERANCE = 1e-9;

/** Measures the two ends and random halves of `game`. Few players have fewer halves: all masks there are. */
export async function pilot(
  game: Game,
  { seed, halves = 30, better = 0, signal, onProgress }: PilotOptions,
): Promise<Pilot> {
  const n = game.players.length;
  if (!Number.isInteger(halves) || halves < 4)
    throw fail('input', 'pilot', `${halves} halves; a whole number >= 4 is needed.`);
  const ends = masksFromMembers(n, [[], Array.from({ length: n }, (_, i) => i)]);
  const count = n < 20 ? Math.min(halves, 2 ** n) : halves;
  const masks = concatMasks([ends, uniformMasks(n, count, createRandom(seed, 'pilot'))]);
  const [ablated, clean, ...values] = await measureStage(game, masks, 'pilot', { signal, onProgress });
  const mean = values.reduce((sum, value) => sum + value / count, 0);
  const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2 / Math.max(1, count - 1), 0));
  const range = clean - ablated;
  const left = range === 0 ? 0 : (mean - ablated) / range;
  const error = sd / Math.sqrt(count);
  const distance = error === 0 ? (mean === ablated ? 0 : Infinity) : Math.abs(mean - ablated) / error;
  const tested = { masks: masks.count, clean, ablated, half: { count, mean, sd }, left, distance };
  const verdict = verdictOf(tested, better);
  // Where a pilot measures every mask there is nothing to predict, and half of the players is no typical mask.
  return { ...tested, verdict: verdict === 'broken at half' && count === 2 ** n ? 'sound' : verdict };
}

function verdictOf({ clean, ablated, half, left, distance }: Omit<Pilot, 'verdict'>, better: 1 | -1 | 0): PilotVerdict {
  const range = clean - ablated;
  const scale = Math.max(Math.abs(clean), Math.abs(ablated), half.sd);
  if (Math.abs(range) <= TOLERANCE * scale) return half.sd <= TOLERANCE * scale ? 'no range' : 'no better';
  if (better !== 0 && better * range < 0) return 'no better';
  if (Math.abs(range) < RANGE * half.sd) return 'no range';
  return left < LEAST_LEFT || (left < LEFT && distance < DISTANCE) ? 'broken at half' : 'sound';
}
