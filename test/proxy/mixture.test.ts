/** How an answer is mixed of first order and what has interactions. */
import { describe, expect, it } from 'vitest';
import { orderThree } from '../../bench/synthetic.ts';
import { fitBest } from '../../src/proxy/best.ts';
import { shareOfRicher } from '../../src/proxy/mixture.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';
import type { TuneGrid } from '../../src/proxy/trees/tune.ts';
import { createRandom } from '../../src/random.ts';
import { evaluate } from '../../src/spectrum/spectrum.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';

const QUICK: TuneGrid = { maxDepth: [3, 5], numIterations: [50, 200], learningRate: [0.1] };

describe('shareOfRicher', () => {
  const rows = 400;
  const values = new Float64Array(rows);
  const simple = new Float64Array(rows).fill(2); // squared error 4
  /** Squared errors with a mean of 4 - lead standard errors. */
  const ahead = (lead: number): Float64Array => {
    const deviation = Math.sqrt(rows / (rows - 1));
    return Float64Array.from(values, (_, r) =>
      Math.sqrt(4 - (lead * deviation) / Math.sqrt(rows) + (r % 2 === 0 ? 1 : -1)),
    );
  };
  const share = (lead: number, leaning?: number): Promise<number> =>
    shareOfRicher(values, simple, { outOfSample: ahead(lead) }, leaning);

  it('is the chance to predict better, the lead in standard errors and the leaning to what has interactions', async () => {
    expect(await share(0, 0)).toBeCloseTo(0.5, 6);
    expect(await share(0)).toBeCloseTo(0.8413, 1.7); // Φ(1)
    expect(await share(-1)).toBeCloseTo(0.5, 6);
    expect(await share(-2)).toBeCloseTo(0.1587, 1.7); // Φ(-1)
    expect(await share(0.4, 0)).toBeCloseTo(0.6554, 1.7); // Φ(.4)
  });

  it('leaves neither a crumb', async () => {
    expect(await share(-3)).toBe(0);
    expect(await share(1)).toBe(1);
    expect(await shareOfRicher(values, simple, { outOfSample: simple })).toBe(0);
  });

  it('looks again, more strictly, unless the lead is beyond four standard errors', async () => {
    let asked = 0;
    const confirm = (): Promise<Float64Array> => Promise.resolve((asked++, ahead(-3)));
    expect(await shareOfRicher(values, simple, { outOfSample: ahead(3.9), confirm })).toBe(0);
    expect(await shareOfRicher(values, simple, { outOfSample: ahead(4.1), confirm })).toBe(1);
    expect(asked).toBe(1);
  });
});

describe('a mixed answer', () => {
  it('is the two answers by their shares, mask by mask, and says them', async () => {
    const masks = proxyMasks(12, 50, 3);
    const random = createRandom(5);
    const values = evaluate(orderThree(12, 2, 6), masks).map((value) => value + 0.8 * random.normal());
    const fresh = uniformMasks(12, 200, createRandom(6));
    const fit = (leaning?: number) => fitBest(masks, values, { grid: QUICK, leaning });
    const [first, rich] = [await fit(-1000), await fit(1000)];
    expect(first.solver).toBe('first order');
    const scores = [await fit(-1), await fit(0), await fit(1), await fit(2)].filter(
      ({ details }) => 'mixed' in details,
    );
    expect(scores.length).toBeGreaterThan(0);
    for (const { details, spectrum, solver, why, evidence } of scores) {
      const mixed = details['mixed'] as Readonly<Record<string, number>>;
      expect(solver).toBe(rich.solver);
      expect(Object.keys(mixed)).toEqual(['first order', solver]);
      const [less, more] = [evaluate(first.spectrum, fresh), evaluate(rich.spectrum, fresh)];
      expect(evaluate(spectrum, fresh)).toBeAllClose(
        less.map((value, row) => mixed['first order'] * value + mixed[solver] * more[row]),
        1e-9,
      );
      expect(why).toContain(
        `${(100 * mixed[solver]).toFixed(0)} % of the answer is ${solver}'s, the rest first order's`,
      );
      expect(evidence.standardErrors?.length).toBe(spectrum.terms.length);
    }
  }, 60_000);
});
