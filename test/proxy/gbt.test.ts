import { describe, expect, test } from 'vitest';
import { isKept, selectRows, type Masks } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { boost, minDataInLeaf } from '../../src/proxy/trees/boost.ts';
import { predict, truncate, type Tree } from '../../src/proxy/trees/tree.ts';
import { tune } from '../../src/proxy/trees/tune.ts';
import { createRandom } from '../../src/random.ts';
import { scoreR2, shuffledFolds } from '../../src/spectrum/regression/folds.ts';

function sample(players: number, rows: number, seed = 1): { masks: Masks; y: Float64Array } {
  const random = createRandom(seed);
  const masks = uniformMasks(players, rows, random);
  const sets = Array.from({ length: 12 }, () => random.subset(players, 1 + random.integer(3)));
  const weights = sets.map(() => random.normal());
  const y = Float64Array.from({ length: rows }, (_, r) =>
    sets.reduce((sum, set, k) => sum + (set.every((i) => isKept(masks, r, i)) ? weights[k] : 0), 0.1 * random.normal()),
  );
  return { masks, y };
}

/** Boosting written for clarity: every split of every leaf recomputed from the rows, ties as documented. */
function plainBoost(
  masks: Masks,
  y: Float64Array,
  trees: number,
  rate: number,
  numLeaves: number,
  maxDepth: number,
  least: number,
): Float64Array {
  const all = Array.from({ length: masks.count }, (_, r) => r);
  const base = y.reduce((a, b) => a + b, 0) / y.length;
  const fitted = new Float64Array(y.length).fill(base);
  const sum = (rows: number[]): number => rows.reduce((total, r) => total + y[r] - fitted[r], 0);
  const best = (leaf: { rows: number[]; depth: number }): { gain: number; player: number } => {
    let found = { gain: 1e-12, player: -1 };
    if (leaf.depth >= maxDepth) return { gain: 0, player: -1 };
    for (let player = 0; player < masks.players; player++) {
      const kept = leaf.rows.filter((r) => isKept(masks, r, player));
      const ablated = leaf.rows.filter((r) => !isKept(masks, r, player));
      if (kept.length < least || ablated.length < least) continue;
      const gain =
        sum(kept) ** 2 / kept.length + sum(ablated) ** 2 / ablated.length - sum(leaf.rows) ** 2 / leaf.rows.length;
      if (gain > found.gain * (1 + 1e-9)) found = { gain, player };
    }
    return found;
  };
  for (let t = 0; t < trees; t++) {
    let leaves = [{ rows: all, depth: 0 }].map((leaf) => ({ ...leaf, ...best(leaf) }));
    while (leaves.length < numLeaves) {
      const most = leaves.reduce((a, b) => (b.player >= 0 && (a.player < 0 || b.gain > a.gain) ? b : a));
      if (most.player < 0) break;
      const sides = [false, true].map((kept) => ({
        rows: most.rows.filter((r) => isKept(masks, r, most.player) === kept),
        depth: most.depth + 1,
      }));
      leaves = [...leaves.filter((leaf) => leaf !== most), ...sides.map((leaf) => ({ ...leaf, ...best(leaf) }))];
    }
    const steps = leaves.map((leaf) => (rate * sum(leaf.rows)) / leaf.rows.length);
    leaves.forEach((leaf, k) => leaf.rows.forEach((r) => (fitted[r] += steps[k])));
  }
  return fitted;
}

describe('boosting', () => {
  // Nodes of few and of many rows, and last words of one to four bytes, take different loops.
  test.each([
    [3, 8],
    [5, 900],
    [12, 900],
    [16, 40],
    [21, 900],
    [24, 330],
    [32, 900],
    [40, 700],
    [75, 37],
    [100, 900],
  ])('finds the splits of plain boosting among %i players over %i rows', (players, count) => {
    const { masks, y } = sample(players, Math.min(count, 2 ** players), 5);
    const rows = Int32Array.from({ length: masks.count }, (_, r) => r).filter((r) => r % 7 !== 1);
    const { ensemble } = boost(masks, y, { numIterations: 6, numLeaves: 12, minDataInLeaf: 2 }, { train: rows });
    const plain = plainBoost(
      selectRows(masks, rows),
      Float64Array.from(rows, (r) => y[r]),
      6,
      0.1,
      12,
      Infinity,
      2,
    );
    expect(predict(ensemble, selectRows(masks, rows))).toBeAllClose(plain, 1e-8);
  });

  test.each([
    [31, -1, 5],
    [6, 3, 10],
    [31, 2, 1],
  ])('equals plain leaf-wise boosting: %i leaves, depth %i, %i rows a leaf', (numLeaves, maxDepth, least) => {
    const { masks, y } = sample(12, 300);
    const { ensemble } = boost(masks, y, { numIterations: 20, numLeaves, maxDepth, minDataInLeaf: least });
    const plain = plainBoost(masks, y, 20, 0.1, numLeaves, maxDepth < 0 ? Infinity : maxDepth, least);
    expect(predict(ensemble, masks)).toBeAllClose(plain, 1e-8);
  });

  test('respects the leaf cap, the depth and the rows of a leaf', () => {
    const { masks, y } = sample(20, 500);
    const { ensemble } = boost(masks, y, { numIterations: 30, numLeaves: 9, maxDepth: 4, minDataInLeaf: 13 });
    const shape = (tree: Tree, node = 0): { leaves: number; depth: number } => {
      if (tree.player[node] < 0) return { leaves: 1, depth: 0 };
      const [a, b] = [shape(tree, tree.absent[node]), shape(tree, tree.present[node])];
      return { leaves: a.leaves + b.leaves, depth: 1 + Math.max(a.depth, b.depth) };
    };
    for (const tree of ensemble.trees) {
      expect(shape(tree).leaves).toBeLessThanOrEqual(9);
      expect(shape(tree).depth).toBeLessThanOrEqual(4);
      const rows = new Map<number, number>();
      for (let row = 0; row < masks.count; row++) {
        let node = 0;
        while (tree.player[node] >= 0)
          node = isKept(masks, row, tree.player[node]) ? tree.present[node] : tree.absent[node];
        rows.set(node, (rows.get(node) ?? 0) + 1);
      }
      expect(Math.min(...rows.values())).toBeGreaterThanOrEqual(13);
    }
  });

  test('the held-out score at t trees of a longer run is that of a run of t trees', () => {
    const { masks, y } = sample(30, 400);
    const all = Array.from({ length: 400 }, (_, r) => r);
    const train = Int32Array.from(all.filter((r) => r % 4 !== 0));
    const held = Int32Array.from(all.filter((r) => r % 4 === 0));
    const long = boost(masks, y, { numIterations: 60, maxDepth: 3 }, { train, held });
    for (const trees of [0, 1, 25, 60]) {
      const short = boost(masks, y, { numIterations: trees, maxDepth: 3 }, { train });
      const predicted = predict(short.ensemble, selectRows(masks, held));
      const error = predicted.reduce((sum, value, k) => sum + (y[held[k]] - value) ** 2, 0);
      expect(long.stages[trees]).toBeCloseTo(error, 8);
      expect(predict(truncate(long.ensemble, trees), masks)).toEqual(predict(short.ensemble, masks));
    }
  });

  test('early stopping keeps the count with the least held-out error', () => {
    const { masks, y } = sample(30, 300);
    const all = Array.from({ length: 300 }, (_, r) => r);
    const rows = {
      train: Int32Array.from(all.filter((r) => r % 3 !== 0)),
      held: Int32Array.from(all.filter((r) => r % 3 === 0)),
    };
    const stopped = boost(masks, y, { numIterations: 400, earlyStoppingRounds: 20 }, rows);
    const full = boost(masks, y, { numIterations: stopped.ensemble.trees.length + 20 }, rows);
    expect(stopped.ensemble.trees.length).toBe(full.stages.indexOf(Math.min(...full.stages)));
    expect(stopped.ensemble.trees.length).toBeLessThan(400);
  });

  test('equal players tie to the lowest, and rows in any order give the same trees', () => {
    const { masks, y } = sample(10, 200);
    const doubled = selectRows(
      masks,
      Array.from({ length: 200 }, (_, r) => r),
    );
    for (let r = 0; r < 200; r++) doubled.words[r] = (doubled.words[r] & 0x1f) | ((doubled.words[r] & 0x1f) << 5);
    const { ensemble } = boost(doubled, y, { numIterations: 20 });
    for (const tree of ensemble.trees) expect(Math.max(...tree.player)).toBeLessThan(5);

    const order = createRandom(9).shuffle(Array.from({ length: 200 }, (_, r) => r));
    const shuffled = boost(
      selectRows(masks, order),
      Float64Array.from(order, (r) => y[r]),
      { numIterations: 20 },
    );
    const straight = boost(masks, y, { numIterations: 20 });
    expect(shuffled.ensemble.trees.map((tree) => [...tree.player])).toEqual(
      straight.ensemble.trees.map((tree) => [...tree.player]),
    );
  });

  test('constant values give no trees; exactly additive ones converge and stop', () => {
    const { masks } = sample(8, 100);
    const constant = boost(masks, new Float64Array(100).fill(7));
    expect(constant.ensemble).toEqual({ players: 8, base: 7, trees: [] });
    const one = Float64Array.from({ length: 100 }, (_, r) => (isKept(masks, r, 3) ? 2 : -1));
    const { ensemble } = boost(masks, one, { learningRate: 1, numIterations: 50 });
    expect(ensemble.trees.length).toBeLessThan(5);
    expect(predict(ensemble, masks)).toBeAllClose(one, 1e-9);
  });

  test('rows of a leaf scale down with few masks', () => {
    expect([1, 10, 40, 128, 300, 400, 5000].map(minDataInLeaf)).toEqual([2, 2, 8, 10, 15, 20, 20]);
  });

  test('says which option or value it cannot use', () => {
    const { masks, y } = sample(8, 50);
    expect(() => boost(masks, y, { maxDepth: 0 })).toThrow('maxDepth 0; a whole number >= 1, or -1 for no limit');
    expect(() => boost(masks, y, { learningRate: 0 })).toThrow('learningRate 0; a number in (0, 1]');
    expect(() => boost(masks, y, { numLeaves: 1 })).toThrow('numLeaves 1; a whole number >= 2');
    expect(() => boost(masks, y, { earlyStoppingRounds: 5 })).toThrow('without held-out rows');
    expect(() => boost(masks, y.subarray(1))).toThrow('49 values for 50 masks');
    expect(() => boost(masks, y.with(4, Number.NaN))).toThrow('the value of mask 4 is NaN');
  });
});

describe('tuning', () => {
  const { masks, y } = sample(12, 240, 3);
  const folds = shuffledFolds(240, 4, createRandom(2));
  const grid = { maxDepth: [2, -1], numIterations: [120, 20, 400], learningRate: [0.3, 0.05] };

  test('gives the scores of separate fits, for every count it reaches, and their out-of-fold predictions', async () => {
    const { table, best, outOfFold, models } = await tune(masks, y, folds, grid, {}, async () => {});
    expect(table).toHaveLength(12);
    for (const { r2, trees, ...setting } of table) {
      if (r2 === null || trees === null) continue;
      let error = 0;
      for (const { train, held } of folds) error += boost(masks, y, setting, { train, held }).stages[trees];
      expect(r2).toBeCloseTo(scoreR2(y, error), 10);
    }
    expect(Math.max(...table.map(({ r2 }) => r2 ?? -Infinity))).toBe(
      table.find(
        (row) =>
          row.maxDepth === best.maxDepth && row.learningRate === best.learningRate && row.trees === best.numIterations,
      )?.r2,
    );
    folds.forEach(({ held }, f) =>
      expect(Float64Array.from(held, (row) => outOfFold[row])).toBeAllClose(
        predict(models[f], selectRows(masks, held)),
        1e-9,
      ),
    );
  });

  test('ends a run whose error has stopped falling, and takes what it has then for the count it was on its way to', async () => {
    const long = { maxDepth: [3], numIterations: [50, 3000, 5000], learningRate: [0.3] };
    const { table, best } = await tune(masks, y, folds, long, {}, async () => {});
    const [first, second, third] = table;
    expect(first.trees).toBe(50);
    expect(second.trees).toBeLessThan(1000);
    expect(third).toMatchObject({ trees: null, r2: null });
    expect(best.numIterations).toBe(second.trees);
    let error = 0;
    for (const { train, held } of folds)
      error += boost(masks, y, { maxDepth: 3, learningRate: 0.3, numIterations: 3000 }, { train, held }).stages[3000];
    expect(Math.abs(scoreR2(y, error) - second.r2!)).toBeLessThan(5e-3);
  });

  test('answers alike on one thread and on two, and stops on both', async () => {
    const one = await tune(masks, y, folds, grid, { threads: 1 }, async () => {});
    const shares: number[] = [];
    const two = await tune(
      masks,
      y,
      folds,
      grid,
      { threads: 2 },
      async (_stage, done, total) => void shares.push(done / total),
    );
    expect(two).toEqual(one);
    expect(Math.max(...shares)).toBe(1);
    await expect(
      tune(masks, y, folds, grid, { threads: 2 }, async () => {
        throw new Error('stopped');
      }),
    ).rejects.toThrow('stopped');
  });
});
