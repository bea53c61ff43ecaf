/**
 * Which words each token of an answer owes itself to: the same masks, one additive fit for every token.
 *
 * A value that is a sum over the answer's tokens has its parts from the same passes. They are remembered as the whole is measured;
 * what a log knew already is measured once more, as far as the fits need it.
 */
import type { Game, ValueOptions } from './game.ts';
import { createMaskTable } from './mask-table.ts';
import { isKept, keptPlayers, masksFromMembers, selectRows, type Masks } from './masks.ts';
import { fitBestAdditive } from './proxy/first-order.ts';
import { endOf } from './proxy/measured.ts';
import { banzhaf } from './spectrum/indices.ts';
import { r2 } from './spectrum/r2.ts';

/** A game whose values are sums of `outputs` parts, which it tells of too. */
export interface SummedGame extends Game {
  readonly outputs: number;
  byToken(
    masks: Masks,
    options?: {
      readonly signal?: AbortSignal | undefined;
      readonly onOutputs?: ((rows: ArrayLike<number>, values: Float64Array, outputs: Float32Array) => void) | undefined;
    },
  ): Promise<{ readonly values: Float64Array; readonly outputs: Float32Array }>;
}

/** What the tokens of an answer owe to the players. */
export interface OutputMap {
  /** Masks that it was fitted to. */
  readonly masks: number;
  readonly outputs: readonly {
    /** Its part of the value with everything kept. */
    readonly clean: number;
    /** Of the additive fit, on masks that it was not fitted to; null where its part never changes. */
    readonly r2: number | null;
    /** By player: its Banzhaf value for this part. */
    readonly values: readonly number[];
  }[];
}

export interface RememberedGame {
  /** `game`, whose parts are remembered. */
  readonly game: Game;
  /** The map, from those of `seen` that are like uniform masks. */
  map(seen: Masks, options: { readonly seed: number; readonly signal?: AbortSignal | undefined }): Promise<OutputMap>;
}

/** Masks that fits have at least, where so many were seen: some for each player. */
const LEAST = { masks: 128, perPlayer: 4 };

/** The game that `summed` is, and what it will know of the parts. */
export function rememberOutputs(summed: SummedGame): RememberedGame {
  const { outputs: width, players } = summed;
  const n = players.length;
  const table = createMaskTable(n);
  const parts: Float32Array[] = [];
  const measure = async (masks: Masks, { signal, onValues }: ValueOptions): Promise<Float64Array> => {
    const keep = (rows: ArrayLike<number>, outputs: Float32Array): void => {
      for (let k = 0; k < rows.length; k++)
        parts[table.add(masks, rows[k])] = outputs.slice(k * width, (k + 1) * width);
    };
    const { values } = await summed.byToken(masks, {
      signal,
      onOutputs(rows, fresh, outputs) {
        keep(rows, outputs);
        onValues?.(rows, fresh);
      },
    });
    return values;
  };
  const partsOf = (masks: Masks, row: number): Float32Array | undefined => {
    const number = table.find(masks, row);
    return number < 0 ? undefined : parts[number];
  };
  return {
    game: { ...summed, value: (masks, options = {}) => measure(masks, options) },
    async map(seen, { seed, signal }) {
      const likely = uniformLike(seen);
      const known = likely.filter((row) => partsOf(seen, row) !== undefined);
      const lacking = Math.max(LEAST.masks, LEAST.perPlayer * n) - known.length;
      const more = lacking > 0 ? likely.filter((row) => partsOf(seen, row) === undefined).slice(0, lacking) : [];
      if (more.length > 0) await measure(selectRows(seen, more), { signal });
      const rows = [...known, ...more];
      const masks = selectRows(seen, rows);
      const all = rows.map((row) => partsOf(seen, row) as Float32Array);
      const whole = masksFromMembers(n, [players.map((_, player) => player)]);
      if (partsOf(whole, 0) === undefined) await measure(whole, { signal });
      const clean = partsOf(whole, 0) as Float32Array;
      return {
        masks: masks.count,
        outputs: Array.from({ length: width }, (_, j) => {
          const values = Float64Array.from(all, (each) => each[j]);
          return { clean: clean[j], ...fitted(masks, values, seed) };
        }),
      };
    },
  };
}

/** Rows whose count of kept players uniform masks have but once in 15,000: n/2 within four standard deviations. */
function uniformLike(seen: Masks): number[] {
  const n = seen.players;
  return Array.from({ length: seen.count }, (_, row) => row).filter(
    (row) => Math.abs(keptPlayers(seen, row).length - n / 2) <= 2 * Math.sqrt(n),
  );
}

/** The additive answer, and how much of the values it says: of all masks by itself, of some by fits without each. */
function fitted(
  masks: Masks,
  values: Float64Array,
  seed: number,
): { readonly r2: number | null; readonly values: number[] } {
  const n = masks.players;
  if (values.every((value) => value === values[0])) return { r2: null, values: Array<number>(n).fill(0) };
  if (masks.count === 2 ** n) {
    const effects = Array.from({ length: n }, (_, player) => effectOf(masks, values, player));
    const mean = values.reduce((sum, value) => sum + value / values.length, 0);
    const predicted = values.map((_, row) =>
      effects.reduce((sum, effect, player) => sum + (isKept(masks, row, player) ? effect : -effect) / 2, mean),
    );
    return { r2: r2(values, predicted), values: effects };
  }
  const fit = fitBestAdditive(masks, values, seed);
  const inner = values.filter((_, row) => endOf(masks, row) === undefined);
  return { r2: r2(inner, fit.outOfSample), values: [...banzhaf(fit.spectrum)] };
}

/** Mean value with `player` less that without, over all masks. */
function effectOf(masks: Masks, values: Float64Array, player: number): number {
  return values.reduce((sum, value, row) => sum + (isKept(masks, row, player) ? value : -value), 0) / (masks.count / 2);
}
