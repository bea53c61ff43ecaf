/** Completeness and minimality on games whose redundancies are known. */
import { describe, expect, it } from 'vitest';
import { completenessOf, minimalityOf } from '../../src/evaluation/completeness.ts';
import { evaluateSets } from '../../src/evaluation/evaluate.ts';
import { measureEnds } from '../../src/evaluation/faithfulness.ts';
import { setsOfScores } from '../../src/evaluation/nested-sets.ts';
import { gameFromFunction } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { isKept } from '../../src/masks.ts';

/** Players 0 and 1 each do the same; player 2 does nothing. */
const either = gameFromFunction(
  'either',
  3,
  (row, masks) => 5 * Number(isKept(masks, row, 0) || isKept(masks, row, 1)),
);
const ends = { full: 5, empty: 0 };
const options = { seed: 1, knockOuts: 20 };

describe('completeness', () => {
  it('shows that a circuit without the backup is not all there is', async () => {
    const half = await completenessOf(either, [0], ends, options);
    expect(half.most).toBe(1);
    expect(half.mean).toBeGreaterThan(0.2);
    expect(half.mean).toBeLessThan(0.8);
    expect(await completenessOf(either, [0, 1], ends, options)).toEqual({ mean: 0, most: 0, knockOuts: 20 });
  });
});

describe('minimality', () => {
  it('finds who is needed once a backup is out, and who never is', async () => {
    const minimality = await minimalityOf(either, [0, 1, 2], ends, options);
    expect(minimality).toEqual({ members: [1, 1, 0], least: 0, needless: 1 });
  });

  it('of an additive circuit is each share', async () => {
    const sum = gameFromFunction(
      'sum',
      3,
      (row, masks) => 3 * Number(isKept(masks, row, 0)) + Number(isKept(masks, row, 1)),
    );
    const { members } = await minimalityOf(sum, [0, 1], { full: 4, empty: 0 }, options);
    expect(members).toEqual([0.75, 0.25]);
  });
});

describe('evaluation', () => {
  it('measures both orders, and judges the smallest set that keeps the target', async () => {
    const weights = [4, 3, -2, 1, 0, 0, 0, 0, 0, 0];
    const game = openLedger(
      gameFromFunction('sum', 10, (row, masks) => weights.reduce((f, w, i) => f + (isKept(masks, row, i) ? w : 0), 0)),
    );
    const measured = await measureEnds(game);
    expect(measured).toEqual({ full: 6, empty: 0 });
    const scores = Float64Array.from(weights);
    const evaluation = await evaluateSets(
      game,
      { scores, ...setsOfScores(scores, 1) },
      { ends: measured, target: 0.8, truth: [0, 1, 2, 3], ...options },
    );
    const at = (size: number) => evaluation.curve.find((point) => point.size === size);
    expect([0, 1, 2, 3, 10].map((size) => at(size)?.helping)).toEqual([0, 4, 7, 8, 6].map((f) => f / 6));
    expect([1, 2, 3, 4].map((size) => at(size)?.mattering)).toEqual([4, 7, 5, 6].map((f) => f / 6));
    // .1 % to 5 % are no player, then 1, 2, 5 and 10 of them.
    const heights = [0, 0, 0, 0, 0, 0, 4, 7, 8, 6];
    const widths = [0, 0.001, 0.003, 0.005, 0.01, 0.03, 0.05, 0.1, 0.3, 0.5];
    const area = heights.reduce((sum, f, k) => sum + (k > 0 ? (widths[k] * (f + heights[k - 1])) / 12 : 0), 0);
    expect(evaluation.cpr).toBeCloseTo(area, 12);
    expect(evaluation.auroc).toBe(1);
    expect(evaluation.circuit.players).toEqual([0, 1]);
    expect(evaluation.circuit.faithfulness).toBeCloseTo(7 / 6, 12);
  });

  it('has nothing to say where the ends are the same', async () => {
    await expect(measureEnds(gameFromFunction('flat', 3, () => 2))).rejects.toThrow(
      /2 with all 3 players kept and 2 with none/,
    );
  });
});
