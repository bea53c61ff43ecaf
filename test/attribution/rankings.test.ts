import { describe, expect, it } from 'vitest';
import {
  attributionPatching,
  expectedGradients,
  integratedGradients,
  spectrumOfRanking,
  type Interpolated,
} from '../../src/attribution/rankings.ts';
import { findCircuit } from '../../src/circuit/find-circuit.ts';
import { gameFromFunction } from '../../src/game.ts';
import { exactSolver } from '../../src/spectrum/exact.ts';
import { banzhaf } from '../../src/spectrum/indices.ts';
import { planted, smoothGame } from '../proxy/gradients/smooth-games.ts';

/** f(m) = Σ_i w_i m_i + 2 m_0 m_1 + tanh(3 m_2), and its gradient anywhere. */
const at = (m: ArrayLike<number>) => {
  const w = [0.5, -1, 0.25, 2];
  const value = w.reduce((sum, weight, i) => sum + weight * m[i], 2 * m[0] * m[1] + Math.tanh(3 * m[2]));
  const gradient = w.slice();
  gradient[0] += 2 * m[1];
  gradient[1] += 2 * m[0];
  gradient[2] += 3 / Math.cosh(3 * m[2]) ** 2;
  return { value, gradient };
};

const between = (): Interpolated & { gradients: NonNullable<Interpolated['gradients']> } => ({
  ...smoothGame('curve', 4, at),
  async gradientsAt(m) {
    const rows = Array.from({ length: m.length / 4 }, (_, row) => at(m.subarray(4 * row, 4 * row + 4)));
    return {
      values: Float64Array.from(rows, ({ value }) => value),
      gradients: Float32Array.from(rows.flatMap(({ gradient }) => gradient)),
    };
  },
});

const near = (actual: Float64Array, expected: readonly number[], digits = 5): void =>
  expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, digits));

describe('rankings by gradients', () => {
  it('attribution patching is the gradient with everything kept, or with nothing', async () => {
    const kept = await attributionPatching(between());
    near(kept.scores, [2.5, 1, 0.25 + 3 / Math.cosh(3) ** 2, 2]);
    const ablated = await attributionPatching(between(), { at: 'ablated' });
    near(ablated.scores, [0.5, -1, 3.25, 2]);
    expect([kept.cost, ablated.cost]).toEqual([3, 3]);
  });

  it('integrated gradients add up to f(all) - f(none) as steps grow', async () => {
    const errorOf = async (steps: number): Promise<number> => {
      const { scores, cost } = await integratedGradients(between(), { steps });
      expect(cost).toBe(3 * steps);
      const whole = at([1, 1, 1, 1]).value - at([0, 0, 0, 0]).value;
      return Math.abs(scores.reduce((sum, score) => sum + score, 0) - whole);
    };
    expect(await errorOf(64)).toBeLessThan(1e-3);
    expect(await errorOf(64)).toBeLessThan((await errorOf(4)) / 50);
  });

  it('expected gradients over all masks of a multilinear game are its Banzhaf values', async () => {
    const game = planted(6, [
      { members: [0], weight: 1 },
      { members: [1, 2], weight: -3 },
      { members: [3, 4, 5], weight: 4 },
    ]);
    const { scores, cost } = await expectedGradients(game, { samples: 1000, seed: 0 });
    const { spectrum } = await exactSolver.solve(game, { budget: 64, seed: 0 });
    near(scores, Array.from(banzhaf(spectrum)));
    expect(cost).toBe(3 * 64);
  });

  it('are additive answers, whose sets a circuit measures beside its own', async () => {
    const game = between();
    const { spectrum } = await exactSolver.solve(game, { budget: 16, seed: 0 });
    const ranking = await attributionPatching(game);
    const circuit = await findCircuit(spectrum, game, {
      seed: 0,
      rivals: { [ranking.name]: spectrumOfRanking(ranking) },
    });
    const two = circuit.curve.find(({ size }) => size === 2);
    expect(two?.rivals['attribution patching'].players).toEqual([0, 3]);
  });

  it('need gradients, and say so', async () => {
    const game = gameFromFunction('table', 3, () => 1);
    await expect(attributionPatching(game)).rejects.toThrow(/needs gradients; the game "table" only has values/);
    await expect(expectedGradients(game, { seed: 0 })).rejects.toThrow(/needs gradients/);
    await expect(integratedGradients(game)).rejects.toThrow(/no gradients between masks/);
    await expect(integratedGradients(between(), { steps: 0 })).rejects.toThrow(/0 steps/);
    await expect(expectedGradients(between(), { samples: 0.5, seed: 0 })).rejects.toThrow(/0.5 masks/);
  });
});
