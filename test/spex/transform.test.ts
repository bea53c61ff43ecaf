import { describe, expect, test } from 'vitest';
import { isKept, maskHex } from '../../src/masks.ts';
import { createRandom } from '../../src/random.ts';
import { parityOf } from '../../src/spex/bch.ts';
import { candidateOf, correlation, energy } from '../../src/spex/bins.ts';
import { entry, rank } from '../../src/spex/gf2.ts';
import { planSpex } from '../../src/spex/plan.ts';
import { binOf, drawMasks, type SpexDraw } from '../../src/spex/sample.ts';
import { momentsOf, restore, standardise } from '../../src/spex/standardise.ts';
import { collectBins, type Bins } from '../../src/spex/transform.ts';
import { evaluate } from '../../src/spectrum/spectrum.ts';
import { membersOf } from '../../src/spectrum/walsh-hadamard.ts';
import { randomSpectrum } from './truth.ts';

const binsOf = (draw: SpexDraw, values: Float64Array): Bins => {
  const collector = collectBins(draw);
  collector.accept(0, values);
  return collector.bins();
};

describe('masks of a draw', () => {
  const plan = planSpex(40, { b: 4, t: 3 });
  const draw = drawMasks(plan, 11);

  test('mask (c, i, l) is M_c l + d_i, with d_0 = 0 and d_i the rows of P', () => {
    const { rows, masks, groups, code } = draw;
    const delays = plan.parityBits + 1;
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < delays; i++) {
        for (let l = 0; l < 16; l++) {
          const row = rows[(c * delays + i) * 16 + l];
          for (let player = 0; player < 40; player++) {
            let bit =
              i === 0
                ? 0
                : (parityOf(code, [player], new Uint32Array(code.stride))[(i - 1) >>> 5] >>> ((i - 1) & 31)) & 1;
            for (let a = 0; a < 4; a++) bit ^= entry(groups[c], player, a) & (l >> a);
            expect(Number(isKept(masks, row, player))).toBe(bit & 1);
          }
        }
      }
    }
  });

  test('masks are listed once, in the order of first use', () => {
    const hexes = Array.from({ length: draw.masks.count }, (_, row) => maskHex(draw.masks, row));
    expect(new Set(hexes).size).toBe(hexes.length);
    let next = 0;
    for (const row of draw.rows) {
      expect(row).toBeLessThanOrEqual(next);
      if (row === next) next++;
    }
    expect(next).toBe(draw.masks.count);
  });

  test('every M_c has rank b, also where n = b', () => {
    for (let seed = 0; seed < 30; seed++)
      for (const group of drawMasks(planSpex(4, { b: 4, t: 1 }), seed).groups) expect(rank(group)).toBe(4);
  });

  test('a seed fixes the masks, another seed changes them', () => {
    expect(drawMasks(plan, 11).masks).toEqual(draw.masks);
    expect(drawMasks(plan, 12).masks).not.toEqual(draw.masks);
  });
});

describe('aliasing transform', () => {
  test('u[j] = Σ F(k) (-1)^{<d_i,k>} over the k with M^T k = j, for all 2^8 sets of a random f', () => {
    const draw = drawMasks(planSpex(8, { b: 3, t: 2 }), 5);
    const truth = randomSpectrum(8, 200, 8, createRandom(5));
    const { columns, delays } = binsOf(draw, evaluate(truth, draw.masks));
    const coefficient = new Map(truth.terms.map(({ members, value }) => [members.join(), value]));
    const expected = new Float64Array(columns.length);
    for (let set = 0; set < 256; set++) {
      const members = membersOf(set);
      const value = coefficient.get(members.join()) ?? 0;
      const parity = parityOf(draw.code, members, new Uint32Array(draw.code.stride));
      draw.groups.forEach((group, c) => {
        for (let i = 0; i < delays; i++) {
          const sign = i > 0 && (parity[0] >>> (i - 1)) & 1 ? -1 : 1;
          expected[(c * 8 + binOf(group, members)) * delays + i] += sign * value;
        }
      });
    }
    expect(columns).toBeAllClose(expected, 1e-13);
  });

  test('values in batches of any size give the same bins', () => {
    const draw = drawMasks(planSpex(20, { b: 3, t: 3 }), 2);
    const values = evaluate(randomSpectrum(20, 10, 3, createRandom(2)), draw.masks);
    const whole = binsOf(draw, values);
    const random = createRandom(3);
    const collector = collectBins(draw);
    for (let start = 0; start < values.length; ) {
      const end = Math.min(values.length, start + 1 + random.integer(50));
      collector.accept(start, values.subarray(start, end));
      start = end;
    }
    expect(collector.bins().columns).toEqual(whole.columns);
    expect(collector.values).toEqual(values);
  });

  test('a gap in the values, and asking for bins too early, are errors with the numbers', () => {
    const draw = drawMasks(planSpex(20, { b: 3, t: 3 }), 2);
    const collector = collectBins(draw);
    expect(() => collector.accept(5, new Float64Array(3))).toThrow(/5\.\.7 arrived after 0/);
    collector.accept(0, new Float64Array(7));
    expect(() => collector.bins()).toThrow(/7 of \d+ values/);
  });

  test('a lone term has ρ = F(k) in its bin of every group, and leaves nothing', () => {
    const draw = drawMasks(planSpex(30, { b: 4, t: 4 }), 4);
    const truth = randomSpectrum(30, 1, 4, createRandom(8));
    const [{ members, value }] = truth.terms;
    const bins = binsOf(draw, evaluate(truth, draw.masks));
    const candidate = candidateOf(bins, members);
    for (const bin of candidate.bins) {
      expect(correlation(bins, bin, candidate.parity) / bins.delays).toBeCloseTo(value, 12);
      expect(energy(bins, bin)).toBeCloseTo(bins.delays * value * value, 10);
    }
  });
});

describe('standardising', () => {
  test('bins of the standardised function are the standardised bins', () => {
    const draw = drawMasks(planSpex(20, { b: 4, t: 3 }), 6);
    const values = evaluate(randomSpectrum(20, 12, 3, createRandom(1)), draw.masks).map((value) => 100 + 7 * value);
    const moments = momentsOf(values);
    const after = standardise(binsOf(draw, values), moments);
    const before = binsOf(
      draw,
      values.map((value) => (value - moments.mean) / moments.deviation),
    );
    expect(after.columns).toBeAllClose(before.columns, 1e-12);
    expect(restore([3], 2, moments)).toBe(2 * moments.deviation);
    expect(restore([], 0, moments)).toBe(moments.mean);
  });

  test('values that differ by rounding alone have deviation 0', () => {
    expect(momentsOf(Float64Array.of(0.1 + 0.2, 0.3, 0.3)).deviation).toBe(0);
    expect(momentsOf(Float64Array.of(1, 1 + 1e-9)).deviation).toBeGreaterThan(0);
  });
});
