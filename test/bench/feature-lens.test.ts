/** What bench/feature-lens.ts rests on: its texts are the committed ones and in their buckets, ContextCite's estimator is scikit-learn's. */
import { describe, expect, it } from 'vitest';
import { fitContextCite, logProbOf, mostLowering } from '../../bench/feature-lens/context-cite.ts';
import { BUCKETS, makeTexts, readTexts } from '../../bench/feature-lens/texts.ts';
import { cutText } from '../../src/lens/tokens/cut-text.ts';
import { keptPlayers, masksFromMembers } from '../../src/masks.ts';
import { createRandom } from '../../src/random.ts';
import { createSpectrum, evaluate } from '../../src/spectrum/spectrum.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';

describe('the texts', () => {
  it('are those that their parts and the seed make', () => {
    expect(readTexts()).toEqual(makeTexts(0));
  });

  it('have as many parts as their bucket says, twenty texts in each, two in the longest', () => {
    for (const bucket of BUCKETS) {
      const texts = readTexts().filter((text) => text.bucket === bucket);
      expect(texts).toHaveLength(bucket === 128 ? 2 : 20);
      for (const { text, players } of texts) {
        const parts = cutText(text, players, { separator: '\n' }).length;
        expect(parts).toBeGreaterThanOrEqual(bucket);
        expect(parts).toBeLessThan(bucket === 128 ? 512 : 2 * bucket);
      }
    }
    expect(new Set(readTexts().map(({ text }) => text)).size).toBe(82);
  });

  it('say where the answer is: the two sentences of a question, one naming the thing, one the room', () => {
    for (const { task, text, evidence, after, answer } of readTexts()) {
      if (task !== 'question') continue;
      const carried = evidence.map(([start, end]) => text.slice(start, end));
      expect(carried).toHaveLength(2);
      const thing = /is the (\w+)\?/.exec(after)?.[1] as string;
      expect(carried.filter((sentence) => sentence.includes(` ${thing} `))).toHaveLength(1);
      expect(carried.filter((sentence) => sentence.includes(answer))).toHaveLength(1);
      expect(text.split(answer)).toHaveLength(2);
    }
  });
});

describe("ContextCite's estimator", () => {
  // StandardScaler and Lasso(alpha=.01) of scikit-learn on the same masks and values.
  it('is the LASSO of scikit-learn on standardised columns', () => {
    const masks = uniformMasks(5, 20, createRandom(3, 'cite'));
    const value = (kept: readonly number[]): number =>
      0.3 +
      0.8 * Number(kept.includes(0)) -
      0.05 * Number(kept.includes(2)) +
      Number(kept.includes(1) && kept.includes(3));
    const values = Float64Array.from({ length: 20 }, (_, row) => value(keptPlayers(masks, row)));
    const found = evaluate(fitContextCite(masks, values, 2), masksFromMembers(5, [[], [0], [1], [2], [3], [4]]));
    expect(found).toBeAllClose(GOLDEN, 1e-6);
  });

  it('removes one part after the other, also those that do without each other', () => {
    // f = m0 + 2 (m1 or m2): first order would take 0 first, and both of the others cost most.
    const spectrum = createSpectrum('fourier', 3, [
      { members: [], value: 2 },
      { members: [0], value: -0.5 },
      { members: [1], value: -0.5 },
      { members: [2], value: -0.5 },
      { members: [1, 2], value: -0.5 },
    ]);
    const masks = mostLowering(spectrum, [1, 3]);
    expect([0, 1].map((row) => keptPlayers(masks, row))).toEqual([[1, 2], []]);
  });

  it('reads log p from log-odds', () => {
    expect(logProbOf(Math.log(0.2 / 0.8))).toBeCloseTo(Math.log(0.2), 12);
    expect(logProbOf(-800)).toBeCloseTo(-800, 9);
  });
});

const GOLDEN: readonly number[] = [0.188888123, 0.960933574, 0.461313314, 0.188888123, 0.618539932, 0.188888123];
