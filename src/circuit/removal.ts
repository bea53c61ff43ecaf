/**
 * The removal curve: which r players does the metric miss most, according to f̂, and does the game agree?
 *
 * For every r the r players whose removal changes f̂ most, S* = argmax |f̂(all) - f̂(S)| over |S| = n - r: the best of
 * the set that f̂ falls most without and the one that it rises most without. The game then measures
 * Δ(r) = |f(all) - f(S*)| / |f(all)|, beside what another spectrum (LASSO, first order) would remove on the same
 * masks, and random sets of the same size. A method that sees interactions removes more with fewer.
 * Source: SPEX (arXiv 2502.13870), removal experiments; ProxySPEX (arXiv 2505.17495), section 4.
 */
import { complementOf, masksFromMembers, concatMasks, keptPlayers, type Masks } from '../masks.ts';
import { fail } from '../errors.ts';
import { measureStage, type Game, type OnProgress } from '../game.ts';
import { ledgerOf } from '../ledger.ts';
import { createRandom } from '../random.ts';
import { toMeasure } from '../spectrum/measure.ts';
import { quantile } from '../spectrum/r2.ts';
import { evaluate, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { randomSets } from './random-sets.ts';
import { autoSelector } from './enumeration.ts';
import type { Selector } from './selector.ts';

export interface RemovalOptions {
  readonly seed: number;
  /** Other spectra over the same players and what to call them, e.g. { LASSO: fitFirstOrder(...).spectrum }. */
  readonly rivals?: Readonly<Record<string, FourierSpectrum>>;
  /** How many players to remove, each 1..n, increasing; default 1..n. */
  readonly sizes?: readonly number[];
  /** Random sets measured per size; default 50. */
  readonly randomSets?: number;
  /** Who finds the sets; default enumeration up to 20 players, greedy above. */
  readonly selector?: Selector;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** What one spectrum removes, and what that did. */
export interface Removal {
  /** The players removed, increasing. */
  readonly players: readonly number[];
  /** |f̂(all) - f̂(S)| / |f(all)|. */
  readonly predicted: number;
  /** Δ = |f(all) - f(S)| / |f(all)|, measured. */
  readonly measured: number;
}

export interface RemovalPoint {
  /** r, how many were removed. */
  readonly removed: number;
  readonly ours: Removal;
  /** By name, in the order given. */
  readonly rivals: Readonly<Record<string, Removal>>;
  /** Δ of random sets of r players: how many, mean, 5 % and 95 % quantiles. */
  readonly random: { readonly count: number; readonly mean: number; readonly low: number; readonly high: number };
}

/** Plain JSON. */
export interface RemovalCurve {
  readonly game: string;
  readonly selector: string;
  /** f(all), the unit of every Δ. */
  readonly full: number;
  /** Mean Δ over the points: ours, each rival's, and that of random sets; larger = found what matters with fewer. */
  readonly area: { readonly ours: number; readonly rivals: Readonly<Record<string, number>>; readonly random: number };
  readonly points: readonly RemovalPoint[];
  /** Distinct masks that were asked of the game here. */
  readonly masks: number;
}

/** Below this share of the largest |f̂|, f(all) is no unit. */
const TOLERANCE = 1e-9;

/**
 * For every r the r players whose removal changes f̂ most: row k keeps all but sizes[k] players.
 * Ties between falling and rising go to falling.
 */
export async function mostChanging(
  given: FourierSpectrum,
  sizes: readonly number[],
  selector: Selector = autoSelector(given.players),
): Promise<Masks> {
  const spectrum = toMeasure(given);
  const n = spectrum.players;
  const keptSizes = sizes.map((r) => n - r).reverse(); // a Selection wants them increasing
  const falling = await selector.select({ spectrum, sizes: keptSizes, direction: -1 });
  const rising = await selector.select({ spectrum, sizes: keptSizes, direction: 1 });
  const [all] = evaluate(spectrum, masksFromMembers(n, [Array.from({ length: n }, (_, i) => i)]));
  const [low, high] = [evaluate(spectrum, falling), evaluate(spectrum, rising)];
  const margin = 1e-12 * Math.max(Math.abs(all), ...low.map(Math.abs), ...high.map(Math.abs));
  return masksFromMembers(
    n,
    sizes.map((_, k) => {
      const row = sizes.length - 1 - k;
      return keptPlayers(Math.abs(high[row] - all) > Math.abs(all - low[row]) + margin ? rising : falling, row);
    }),
  );
}

/**
 * The removal curve of `spectrum`, measured on `game` beside its rivals and random sets.
 *
 * Masks: at most sizes x (1 + rivals + randomSets) + 1.
 * @throws 'input' when f(all) = 0 (Δ is x/0), on sizes that are not increasing in 1..n, or a spectrum over other
 * players.
 */
export async function removalCurve(
  spectrum: FourierSpectrum,
  game: Game,
  options: RemovalOptions,
): Promise<RemovalCurve> {
  const n = game.players.length;
  const all = Array.from({ length: n }, (_, i) => i);
  const {
    seed,
    rivals = {},
    sizes = all.map((i) => i + 1),
    randomSets: randomCount = 50,
    selector = autoSelector(n),
    signal,
    onProgress,
  } = options;
  const spectra = [spectrum, ...Object.values(rivals)];
  for (const { players } of spectra)
    if (players !== n)
      throw fail('input', 'removalCurve', `a spectrum over ${players} players was given for a game of ${n}.`);
  const wrong = sizes.findIndex((r, k) => !Number.isInteger(r) || r < 1 || r > n || (k > 0 && r <= sizes[k - 1]));
  if (sizes.length === 0 || wrong >= 0)
    throw fail(
      'input',
      'removalCurve',
      `sizes ${sizes.join(', ') || 'none'}; increasing whole numbers 1..${n} are needed.`,
    );
  if (!Number.isInteger(randomCount) || randomCount < 1)
    throw fail('input', 'removalCurve', `randomSets ${randomCount}; a whole number >= 1 is needed.`);

  const account = ledgerOf(game).account(); // measures no mask twice, and refuses NaN by name
  const everyone = masksFromMembers(n, [all]);
  const [full] = await account.value(everyone, { signal });
  const chosen: Masks[] = [];
  for (const each of spectra) chosen.push(await mostChanging(each, sizes, selector));
  const drawn = sizes.map((r) => randomSets(n, n - r, randomCount, createRandom(seed).fork(`random removals of ${r}`)));
  const values = await measureStage(account, concatMasks([...chosen, ...drawn]), 'removal', { signal, onProgress });
  const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  if (Math.abs(full) <= TOLERANCE * largest)
    throw fail(
      'input',
      'removalCurve',
      `the metric is ${full} with all ${n} players kept, so no share of it can be lost; choose another metric or prompt.`,
    );
  const share = (change: number): number => Math.abs(change / full);

  const removals = spectra.map((each, s) => {
    const [whole] = evaluate(each, everyone);
    const estimates = evaluate(each, chosen[s]);
    const removed = complementOf(chosen[s]);
    return sizes.map(
      (_, k): Removal => ({
        players: keptPlayers(removed, k),
        predicted: share(whole - estimates[k]),
        measured: share(full - values[s * sizes.length + k]),
      }),
    );
  });
  const names = Object.keys(rivals);
  let at = spectra.length * sizes.length;
  const points = sizes.map((removed, k): RemovalPoint => {
    const changes = values
      .subarray(at, (at += drawn[k].count))
      .map((value) => share(full - value))
      .sort();
    return {
      removed,
      ours: removals[0][k],
      rivals: Object.fromEntries(names.map((name, s) => [name, removals[s + 1][k]])),
      random: {
        count: changes.length,
        mean: meanOf(changes),
        low: quantile(changes, 0.05),
        high: quantile(changes, 0.95),
      },
    };
  });
  return {
    game: game.name,
    selector: selector.name,
    full,
    area: {
      ours: meanOf(points.map(({ ours }) => ours.measured)),
      rivals: Object.fromEntries(
        names.map((name) => [name, meanOf(points.map((point) => point.rivals[name].measured))]),
      ),
      random: meanOf(points.map(({ random }) => random.mean)),
    },
    points,
    masks: account.asked,
  };
}

function meanOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}
