import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/random.ts';
import { candidateOf } from '../../src/spex/bins.ts';
import { confidenceOf, explainedShare, noiseLevel } from '../../src/spex/confidence.ts';
import { createDecoder, type Decoder } from '../../src/spex/decode.ts';
import { leastSquares, residualBins } from '../../src/spex/least-squares.ts';
import { peel } from '../../src/spex/peel.ts';
import { planSpex } from '../../src/spex/plan.ts';
import { drawMasks, type SpexDraw } from '../../src/spex/sample.ts';
import { collectBins, type Bins } from '../../src/spex/transform.ts';
import { createSpectrum, evaluate, type FourierSpectrum, type Term } from '../../src/spectrum/spectrum.ts';
import { membersOf } from '../../src/spectrum/walsh-hadamard.ts';
import { randomSpectrum } from './truth.ts';

const binsOf = (draw: SpexDraw, spectrum: FourierSpectrum, noise = 0, seed = 1): Bins => {
  const random = createRandom(seed, 'noise');
  const collector = collectBins(draw);
  collector.accept(
    0,
    evaluate(spectrum, draw.masks).map((value) => value + noise * random.normal()),
  );
  return collector.bins();
};
const sorted = (terms: readonly Term[], players: number): readonly Term[] =>
  createSpectrum(
    'fourier',
    players,
    terms.map(({ members, value }) => ({ members, value })),
  ).terms;

describe('peeling', () => {
  test('peels a two-term bin after its singleton', () => {
    // Two sets that share their bin in group 0 and not in group 1.
    const draw = drawMasks(planSpex(16, { b: 3, t: 2, groups: 2 }), 3);
    const empty = binsOf(draw, createSpectrum('fourier', 16, []));
    const first = candidateOf(empty, [0, 5]);
    let second: number[] | undefined;
    for (let a = 0; a < 16 && !second; a++) {
      for (let b = a + 1; b < 16 && !second; b++) {
        const other = candidateOf(empty, [a, b]);
        if (other.bins[0] === first.bins[0] && other.bins[1] !== first.bins[1]) second = [a, b];
      }
    }
    const truth = createSpectrum('fourier', 16, [
      { members: [0, 5], value: 1 },
      { members: second!, value: -0.9 },
    ]);
    const { terms, unexplainedBins, explained } = peel(binsOf(draw, truth), createDecoder(draw.code));
    expect(sorted(terms, 16).map(({ members }) => members)).toEqual(truth.terms.map(({ members }) => members));
    expect(sorted(terms, 16).map(({ value }) => value)).toBeAllClose([1, -0.9], 1e-12);
    expect(unexplainedBins).toBe(0);
    expect(explained).toBeCloseTo(1, 12);
  });

  test.each([
    ['soft', 15],
    ['hard', 9],
  ] as const)('%s decoding recovers %i terms from 3 x 16 bins exactly', (decoding, count) => {
    const plan = planSpex(20, { b: 4 });
    for (let seed = 0; seed < 5; seed++) {
      const draw = drawMasks(plan, seed);
      const truth = randomSpectrum(20, count, 5, createRandom(seed));
      const { terms } = peel(binsOf(draw, truth), createDecoder(draw.code), { decoding });
      const found = sorted(terms, 20);
      expect(found.map(({ members }) => members)).toEqual(truth.terms.map(({ members }) => members));
      expect(found.map(({ value }) => value)).toBeAllClose(
        truth.terms.map(({ value }) => value),
        1e-10,
      );
    }
  });

  test('a decode is taken only in its own bin, even where its signature fits another perfectly', () => {
    // Two sets with equal parity bits (they differ by a codeword), in different bins, both true.
    const draw = drawMasks(planSpex(12, { b: 4, t: 2 }), 1);
    const empty = binsOf(draw, createSpectrum('fourier', 12, []));
    const byParity = new Map<string, number[]>();
    let twins: [number[], number[]] | undefined;
    for (let j = 1; j < 4096 && !twins; j++) {
      const members = membersOf(j);
      const candidate = candidateOf(empty, members);
      const other = byParity.get(candidate.parity.join());
      if (other === undefined) byParity.set(candidate.parity.join(), members);
      else if (candidateOf(empty, other).bins.every((bin) => !candidate.bins.includes(bin))) twins = [other, members];
    }
    const [one, two] = twins!;
    const liar: Decoder = { ...createDecoder(draw.code), hard: () => two, chase: () => [two] };
    const { terms } = peel(
      binsOf(
        draw,
        createSpectrum('fourier', 12, [
          { members: one, value: 1 },
          { members: two, value: 1 },
        ]),
      ),
      liar,
    );
    expect(terms).toEqual([{ members: two, value: expect.closeTo(1, 12) as number, seen: 3 }]);
  });

  test('in one round, a set with one clean bin has its exact value, however crowded its other bins', () => {
    const draw = drawMasks(planSpex(64, { b: 5 }), 6);
    const truth = randomSpectrum(64, 30, 4, createRandom(6));
    const bins = binsOf(draw, truth);
    const load = new Int32Array(96);
    for (const { members } of truth.terms) for (const bin of candidateOf(bins, members).bins) load[bin]++;
    const found = new Map(
      peel(bins, createDecoder(draw.code), { maxRounds: 1 }).terms.map(({ members, value, seen }) => [
        members.join(),
        { value, seen },
      ]),
    );
    let mixed = 0;
    for (const { members, value } of truth.terms) {
      const loads = candidateOf(bins, members).bins.map((bin) => load[bin]);
      if (Math.min(...loads) > 1) continue;
      expect(found.get(members.join())?.value).toBeCloseTo(value, 9);
      if (Math.max(...loads) > 1 && (found.get(members.join())?.seen ?? 0) > 1) mixed++;
    }
    expect(mixed).toBeGreaterThan(3);
  });

  test('in pure noise the word of the other groups keeps out most of what single bins propose', () => {
    let taken = 0;
    for (let seed = 0; seed < 20; seed++) {
      const draw = drawMasks(planSpex(24, { b: 4, t: 3 }), seed);
      taken += peel(binsOf(draw, createSpectrum('fourier', 24, []), 1, seed), createDecoder(draw.code)).terms.length;
    }
    expect(taken / 20).toBeLessThan(1.4); // 0.95 with it, 2.05 without
  });

  test('bins of zeros have no terms and count as explained', () => {
    const draw = drawMasks(planSpex(12, { b: 3, t: 2 }), 1);
    expect(peel(binsOf(draw, createSpectrum('fourier', 12, [])), createDecoder(draw.code))).toMatchObject({
      terms: [],
      explained: 1,
      unexplainedBins: 0,
    });
  });

  test('counts the distinct bins that proposed a set: all groups for a lone one', () => {
    const draw = drawMasks(planSpex(30, { b: 5, t: 3 }), 4);
    const { terms } = peel(
      binsOf(draw, createSpectrum('fourier', 30, [{ members: [1, 8, 20], value: 2 }])),
      createDecoder(draw.code),
    );
    expect(terms).toHaveLength(1);
    expect(terms[0].seen).toBe(3);
  });
});

describe('least squares in the bins', () => {
  test('equals the regression on all raw samples: its residual is orthogonal to every signature', () => {
    const draw = drawMasks(planSpex(20, { b: 3, t: 3 }), 7);
    const truth = randomSpectrum(20, 30, 4, createRandom(7));
    const bins = binsOf(draw, truth, 0.1);
    const candidates = truth.terms.slice(0, 12).map(({ members }) => candidateOf(bins, members));
    const values = leastSquares(bins, candidates);
    const rest = residualBins(bins, candidates, values);
    for (const { bins: own, parity } of candidates) {
      let inner = 0;
      for (const bin of own) {
        for (let i = 0; i < bins.delays; i++)
          inner +=
            (i > 0 && (parity[(i - 1) >>> 5] >>> ((i - 1) & 31)) & 1 ? -1 : 1) * rest.columns[bin * bins.delays + i];
      }
      expect(inner).toBeCloseTo(0, 9);
    }
  });

  test('finds the values of a support exactly when nothing else is there', () => {
    const draw = drawMasks(planSpex(40, { b: 4, t: 4 }), 8);
    const truth = randomSpectrum(40, 25, 4, createRandom(8));
    const bins = binsOf(draw, truth);
    const candidates = truth.terms.map(({ members }) => candidateOf(bins, members));
    expect(leastSquares(bins, candidates)).toBeAllClose(
      truth.terms.map(({ value }) => value),
      1e-11,
    );
    expect(explainedShare(bins, truth.terms)).toBeCloseTo(1, 12);
  });
});

describe('confidence', () => {
  test('the standard error is the deviation of the estimate over repeated noise', () => {
    const draw = drawMasks(planSpex(40, { b: 4, t: 3 }), 9);
    const truth = randomSpectrum(40, 10, 3, createRandom(9));
    const repeats = Array.from({ length: 40 }, (_, seed) => {
      const bins = binsOf(draw, truth, 0.5, seed);
      const values = leastSquares(
        bins,
        truth.terms.map(({ members }) => candidateOf(bins, members)),
      );
      return confidenceOf(
        bins,
        truth.terms.map(({ members }, a) => ({ members, value: values[a] })),
        3,
      );
    });
    const scores = repeats.flatMap((terms) =>
      terms.map(({ value, standardError }, a) => (value - truth.terms[a].value) / standardError),
    );
    const spread = Math.sqrt(scores.reduce((sum, z) => sum + z * z, 0) / scores.length);
    expect(spread).toBeGreaterThan(0.9);
    expect(spread).toBeLessThan(1.1);
  });

  test('a term within the noise is marked, one far above it is not', () => {
    const draw = drawMasks(planSpex(40, { b: 4, t: 3 }), 10);
    const bins = binsOf(draw, createSpectrum('fourier', 40, [{ members: [1, 2], value: 1 }]), 0.3);
    const marked = confidenceOf(
      bins,
      [
        { members: [1, 2], value: 1 },
        { members: [5], value: 0.01 },
      ],
      noiseLevel(bins),
    );
    expect(marked.map(({ belowNoise }) => belowNoise)).toEqual([false, true]);
    expect(noiseLevel(bins)).toBeCloseTo(Math.sqrt(2 * Math.log(48 * 22)), 12);
  });
});
