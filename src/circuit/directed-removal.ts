/**
 * What a game becomes without the players that help it most, and without those that harm it most, according to a spectrum.
 *
 * The removal curve (removal.ts) takes whoever changes the metric most, whichever way; here the ways are apart, in the metric's own units:
 * for every r the r players without whom f̂ is worst, and the r without whom it is best, both measured.
 */
import { complementOf, concatMasks, keptPlayers, type Masks } from '../masks.ts';
import { measureStage, type Game, type OnProgress } from '../game.ts';
import { toMeasure } from '../spectrum/measure.ts';
import { evaluate, type FourierSpectrum } from '../spectrum/spectrum.ts';
import { autoSelector } from './enumeration.ts';
import type { Selector } from './selector.ts';

export interface DirectedRemovalOptions {
  readonly moreIsBetter: boolean;
  /** How many players to remove, each 1..n, increasing. */
  readonly sizes: readonly number[];
  /** Default enumeration up to 20 players, greedy above. */
  readonly selector?: Selector | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Players that were taken away, and what was left. */
export interface DirectedSet {
  /** Increasing. */
  readonly players: readonly number[];
  /** f̂ and f of the others. */
  readonly predicted: number;
  readonly measured: number;
}

export interface DirectedPoint {
  readonly removed: number;
  readonly helpful: DirectedSet;
  readonly harmful: DirectedSet;
}

/** Both curves, at most 2 masks a size. */
export async function directedRemoval(
  given: FourierSpectrum,
  game: Game,
  { moreIsBetter, sizes, selector = autoSelector(given.players), signal, onProgress }: DirectedRemovalOptions,
): Promise<readonly DirectedPoint[]> {
  const spectrum = toMeasure(given);
  const kept = sizes.map((r) => spectrum.players - r).reverse(); // a Selection wants them increasing
  const ways: readonly (1 | -1)[] = moreIsBetter ? [-1, 1] : [1, -1];
  const chosen: Masks[] = [];
  for (const direction of ways) chosen.push(await selector.select({ spectrum, sizes: kept, direction }));
  const values = await measureStage(game, concatMasks(chosen), 'removal, both ways', { signal, onProgress });
  const [helpful, harmful] = chosen.map((masks, way) => {
    const predicted = evaluate(spectrum, masks);
    const removed = complementOf(masks);
    return sizes.map((_, k): DirectedSet => {
      const row = sizes.length - 1 - k;
      return {
        players: keptPlayers(removed, row),
        predicted: predicted[row],
        measured: values[way * sizes.length + row],
      };
    });
  });
  return sizes.map((removed, k) => ({ removed, helpful: helpful[k], harmful: harmful[k] }));
}
