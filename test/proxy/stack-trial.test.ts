/** A stack is given up on one fold only where every member is far behind what is there already. */
import { describe, expect, it } from 'vitest';
import { isKept } from '../../src/masks.ts';
import { splitEnds, type Split } from '../../src/proxy/end-masks.ts';
import { mergeRepeats } from '../../src/proxy/measured.ts';
import { fitBest, type Candidate } from '../../src/proxy/best.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';
import { stackTrial } from '../../src/proxy/stack-trial.ts';
import { createRandom } from '../../src/random.ts';

const N = 40;
const masks = proxyMasks(N, 260, 0);
const random = createRandom(1, 'weights');
const weights = Array.from({ length: N }, () => random.normal());
/** A curved sum of all players: nothing sparse. */
const values = Float64Array.from({ length: masks.count }, (_, row) =>
  Math.tanh(weights.reduce((sum, w, i) => sum + (isKept(masks, row, i) ? w : 0), 0) / 3),
);
const split: Split = splitEnds(mergeRepeats('test', masks, values));
const pace = async (): Promise<void> => undefined;
/** The truth and so much of a standard normal. */
const off = (by: number): Float64Array => {
  const noise = createRandom(2, 'noise');
  return split.values.map((value) => value + by * noise.normal());
};

describe('the trial of a stack', () => {
  it('ends it beside what predicts far better, with the numbers', async () => {
    const lost = await stackTrial(split, { name: 'other', outOfSample: off(0.01) }, {}, pace);
    expect(lost).toMatch(
      /^on \d+ masks of one fold trees \d+\.\d, parities \d+\.\d, a process \d+\.\d times the squared error of other, so no stack was fitted$/,
    );
  });

  it('lets it go on beside what predicts no better, and where it is quick', async () => {
    expect(await stackTrial(split, { name: 'other', outOfSample: off(0.5) }, {}, pace)).toBeUndefined();
    const few = proxyMasks(12, 200, 0);
    const small = splitEnds(
      mergeRepeats(
        'test',
        few,
        Float64Array.from({ length: 200 }, () => random.normal()),
      ),
    );
    const perfect = { name: 'other', outOfSample: small.values };
    expect(await stackTrial(small, perfect, {}, pace)).toBeUndefined();
  });

  it('is held before the stack beside a contender with interactions, and is in the reason', async () => {
    let fitted = 0;
    const other: Candidate = {
      names: ['other'],
      passes: () => undefined,
      contend: async ({ values: y }) => [
        {
          name: 'other',
          complexity: 1,
          outOfSample: y,
          answer: async () => ({
            spectrum: { basis: 'fourier', players: N, terms: [], keep: undefined },
            evidence: {},
            kind: 'other',
            details: {},
          }),
        },
      ],
    };
    const slow: Candidate = {
      names: ['stack'],
      passes: () => undefined,
      trial: async (_split, best) => `${best.name} is far ahead`,
      contend: async () => {
        fitted++;
        return [];
      },
    };
    const best = await fitBest(masks, values, { floor: -1 }, [other, slow]);
    expect([best.solver, fitted]).toEqual(['other', 0]);
    expect(best.why).toContain('other is far ahead');
  });
});
