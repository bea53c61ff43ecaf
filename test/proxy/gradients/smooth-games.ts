/** Games between 0 and 1 whose gradients are known, as those of a network are. */
import { isKept, type Masks } from '../../../src/masks.ts';
import type { Game, MaskGradients } from '../../../src/game.ts';
import { createRandom } from '../../../src/random.ts';

export interface SmoothGame extends Game {
  readonly gradients: NonNullable<Game['gradients']>;
  /** At rows of numbers from 0 to 1; `asked` does not count them. */
  readonly gradientsAt: (m: Float32Array) => Promise<MaskGradients>;
  /** Masks and gradients that were measured. */
  readonly asked: { values: number; gradients: number };
}

/** A game from f and ∂f/∂m at a row of 0s and 1s. */
export function smoothGame(
  name: string,
  n: number,
  at: (m: Float64Array) => { readonly value: number; readonly gradient: ArrayLike<number> },
): SmoothGame {
  const asked = { values: 0, gradients: 0 };
  const rowOf = (masks: Masks, row: number): Float64Array =>
    Float64Array.from({ length: n }, (_, i) => (isKept(masks, row, i) ? 1 : 0));
  return {
    name,
    asked,
    players: Array.from({ length: n }, (_, i) => ({ name: `x${i}` })),
    async value(masks) {
      asked.values += masks.count;
      return Float64Array.from({ length: masks.count }, (_, row) => at(rowOf(masks, row)).value);
    },
    async gradients(masks) {
      asked.gradients += masks.count;
      const values = new Float64Array(masks.count);
      const gradients = new Float32Array(masks.count * n);
      for (let row = 0; row < masks.count; row++) {
        const { value, gradient } = at(rowOf(masks, row));
        values[row] = value;
        gradients.set(Float32Array.from(gradient), row * n);
      }
      return { values, gradients };
    },
    async gradientsAt(m) {
      const rows = Array.from({ length: m.length / n }, (_, row) =>
        at(Float64Array.from(m.subarray(row * n, (row + 1) * n))),
      );
      return {
        values: Float64Array.from(rows, ({ value }) => value),
        gradients: Float32Array.from(rows.flatMap(({ gradient }) => Array.from(gradient))),
      };
    },
  };
}

export interface Planted {
  readonly members: readonly number[];
  readonly weight: number;
}

/** Σ weight Π m_i, multilinear: its gradients are its discrete derivatives. */
export function planted(n: number, terms: readonly Planted[]): SmoothGame {
  return smoothGame('planted', n, (m) => {
    let value = 0;
    const gradient = new Float64Array(n);
    for (const { members, weight } of terms) {
      value += members.reduce((product, i) => product * m[i], weight);
      for (const i of members)
        gradient[i] += members.reduce((product, j) => (j === i ? product : product * m[j]), weight);
    }
    return { value, gradient };
  });
}

/** tanh of sums of some players each, and single players: bends along every m_i, as a network does. */
export function bent(n: number, units: number, seed: number): SmoothGame {
  const random = createRandom(seed, 'bent');
  const linear = Float64Array.from({ length: n }, () => 0.2 * random.normal());
  const parts = Array.from({ length: units }, () => ({
    out: 1 + random.uniform(),
    bias: random.normal(),
    inputs: Array.from({ length: 4 }, () => ({ player: random.integer(n), weight: 1.5 * random.normal() })),
  }));
  return smoothGame('bent', n, (m) => {
    const gradient = linear.slice();
    let value = linear.reduce((sum, weight, i) => sum + weight * m[i], 0);
    for (const { out, bias, inputs } of parts) {
      const t = Math.tanh(inputs.reduce((sum, { player, weight }) => sum + weight * m[player], bias));
      value += out * t;
      for (const { player, weight } of inputs) gradient[player] += out * (1 - t * t) * weight;
    }
    return { value, gradient };
  });
}

/** `game` with gradients that are not its own. */
export function misled(
  game: SmoothGame,
  change: (gradient: number, player: number, row: number) => number,
): SmoothGame {
  const n = game.players.length;
  return {
    ...game,
    name: `${game.name}, misled`,
    async gradients(masks, options) {
      const { values, gradients } = await game.gradients(masks, options);
      return { values, gradients: gradients.map((g, e) => change(g, e % n, Math.floor(e / n))) };
    },
  };
}
