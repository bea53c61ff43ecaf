import { describe, expect, test } from 'vitest';
import { allMasks } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { boost } from '../../src/proxy/trees/boost.ts';
import { energyOf, largestTerms, type SparsePolynomial } from '../../src/proxy/parities/sparse-polynomial.ts';
import { energyPrefix, sparsify } from '../../src/proxy/sparsify.ts';
import { treeFourier } from '../../src/proxy/trees/tree-fourier.ts';
import { predict, type Ensemble, type Tree } from '../../src/proxy/trees/tree.ts';
import { createRandom, type Random } from '../../src/random.ts';
import { evaluate, setKey, type Term } from '../../src/spectrum/spectrum.ts';

type Nested = number | readonly [player: number, absent: Nested, present: Nested];

function treeFrom(nested: Nested): Tree {
  const nodes: { player: number; absent: number; present: number; value: number }[] = [];
  const add = (part: Nested): number => {
    const at = nodes.push({ player: -1, absent: -1, present: -1, value: 0 }) - 1;
    if (typeof part === 'number') nodes[at].value = part;
    else nodes[at] = { player: part[0], absent: add(part[1]), present: add(part[2]), value: 0 };
    return at;
  };
  add(nested);
  return {
    player: Int32Array.from(nodes, (node) => node.player),
    absent: Int32Array.from(nodes, (node) => node.absent),
    present: Int32Array.from(nodes, (node) => node.present),
    value: Float64Array.from(nodes, (node) => node.value),
  };
}

/** A random tree that may ask a player again on the same path. */
function randomNested(random: Random, players: number, depth: number): Nested {
  if (depth === 0 || random.uniform() < 0.1) return random.normal();
  return [random.integer(players), randomNested(random, players, depth - 1), randomNested(random, players, depth - 1)];
}

function termsOf(polynomial: SparsePolynomial): Term[] {
  return Array.from({ length: polynomial.size }, (_, t) => ({
    members: polynomial.members(t),
    value: polynomial.values[t],
  }));
}

/** A polynomial with given values on {0}, {1}, ..., and 1 on ∅. */
function polynomialOf(values: readonly number[]): SparsePolynomial {
  return {
    players: values.length,
    size: values.length + 1,
    values: Float64Array.from([1, ...values]),
    members: (t) => (t === 0 ? [] : [t - 1]),
  };
}

describe('trees to Fourier', () => {
  test('the worked example of a two-level tree', () => {
    const polynomial = treeFourier({ players: 2, base: 0, trees: [treeFrom([0, 1, [1, 2, 5]])] });
    expect(Object.fromEntries(termsOf(polynomial).map((term) => [setKey(term.members), term.value]))).toEqual({
      '': 2.25,
      '0': -1.25,
      '1': -0.75,
      '0,1': 0.75,
    });
  });

  test('the sum over all sets equals the prediction of 50 boosted trees on all 1,024 masks', () => {
    const random = createRandom(2);
    const masks = allMasks(10);
    const y = Float64Array.from({ length: 1024 }, () => random.normal());
    const { ensemble } = boost(masks, y, { numIterations: 50, maxDepth: 4, minDataInLeaf: 20 });
    const terms = termsOf(treeFourier(ensemble));
    expect(new Set(terms.map((term) => setKey(term.members))).size).toBe(terms.length);
    expect(evaluate({ basis: 'fourier', players: 10, terms }, masks)).toBeAllClose(predict(ensemble, masks), 1e-9);
  });

  test('players that repeat on a path leave one reachable side', () => {
    const random = createRandom(3);
    const masks = allMasks(6);
    const trees = Array.from({ length: 40 }, () => treeFrom(randomNested(random, 6, 9)));
    const ensemble: Ensemble = { players: 6, base: -2, trees };
    expect(evaluate({ basis: 'fourier', players: 6, terms: termsOf(treeFourier(ensemble)) }, masks)).toBeAllClose(
      predict(ensemble, masks),
      1e-9,
    );
  });

  test('holds on many players, where hashes share slots and the table grows', () => {
    const random = createRandom(4);
    const trees = Array.from({ length: 150 }, () => treeFrom(randomNested(random, 500, 6)));
    const polynomial = treeFourier({ players: 500, base: 1, trees });
    const masks = uniformMasks(500, 200, random);
    expect(polynomial.size).toBeGreaterThan(4096);
    expect(evaluate({ basis: 'fourier', players: 500, terms: termsOf(polynomial) }, masks)).toBeAllClose(
      predict({ players: 500, base: 1, trees }, masks),
      1e-9,
    );
  });

  test('no trees are the base alone; a single leaf moves ∅', () => {
    expect(termsOf(treeFourier({ players: 3, base: 4, trees: [] }))).toEqual([{ members: [], value: 4 }]);
    expect(termsOf(treeFourier({ players: 3, base: 4, trees: [treeFrom(0.5)] }))).toEqual([
      { members: [], value: 4.5 },
    ]);
  });

  test('a path of more than 20 players is an error, not a hang', () => {
    let deep: Nested = 1;
    for (let i = 0; i < 25; i++) deep = [i, 0, deep];
    expect(() => treeFourier({ players: 30, base: 0, trees: [treeFrom(deep)] })).toThrow(
      'a path of more than 20 players would spread over 2^20 sets',
    );
  });
});

describe('sparsify', () => {
  test.each([
    [[3, 2, 1, 0.1, 0.05], 3],
    [[5, 0.001], 1],
    [Array.from({ length: 20 }, () => 1), 19],
    [[0, 0, 0], 0],
  ])('95%% of the energy of %j needs %i terms besides ∅', (values, expected) => {
    const kept = sparsify(polynomialOf(values));
    expect(kept[0]).toEqual({ members: [], value: 1 });
    expect(kept.slice(1).map((term) => term.members[0])).toEqual(Array.from({ length: expected }, (_, k) => k));
  });

  test('the cap cuts equal values in canonical order', () => {
    expect(sparsify(polynomialOf([1, -1, 2, 1, -1]), { cap: 3 }).map((term) => term.members)).toEqual([
      [],
      [2],
      [0],
      [1],
    ]);
    expect(sparsify(polynomialOf([1, 2]), { cap: 0 })).toHaveLength(1);
  });

  test('all of the energy means all of the terms', () => {
    expect(energyPrefix([3, 2, 1], 14, 1)).toBe(3);
    expect(energyPrefix([3, 2], 14, 1)).toBe(2);
  });

  test('largest terms are those of a full sort', () => {
    const random = createRandom(5);
    const values = Array.from({ length: 500 }, () => Math.round(10 * random.normal()));
    const polynomial = polynomialOf(values);
    const sorted = values
      .map((value, i) => ({ value, i }))
      .filter((term) => term.value !== 0)
      .sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.i - b.i);
    for (const count of [1, 37, 499, 900])
      expect(largestTerms(polynomial, count).map((term) => term.members[0])).toEqual(
        sorted.slice(0, count).map((term) => term.i),
      );
    expect(energyOf(polynomial)).toBe(values.reduce((sum, value) => sum + value * value, 0));
  });

  test('says which share or cap it cannot use', () => {
    expect(() => sparsify(polynomialOf([1]), { energy: 0 })).toThrow('an energy share of 0; a number in (0, 1]');
    expect(() => sparsify(polynomialOf([1]), { cap: 1.5 })).toThrow('a cap of 1.5 terms');
  });
});
