import { describe, expect, it } from 'vitest';
import { allMasks, isKept, keep, selectRows, type Masks } from '../../../src/masks.ts';
import { createRandom } from '../../../src/random.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { evaluate } from '../../../src/spectrum/spectrum.ts';
import { createSpectrum } from '../../../src/spectrum/spectrum.ts';
import { r2 } from '../../../src/spectrum/r2.ts';
import { fitGradientProcess } from '../../../src/proxy/gradients/gradient-process.ts';
import { priorOf, slopesOf } from '../../../src/proxy/gradients/gradient-prior.ts';
import { termsOf } from '../../../src/proxy/gradients/process-terms.ts';
import { fitScreenedProcess, MOST_ACTIVE } from '../../../src/proxy/gradients/screened-process.ts';
import type { Sample } from '../../../src/proxy/gradients/sample.ts';
import { START } from '../../../src/proxy/gradients/tune-process.ts';
import { bent, planted, type SmoothGame } from './smooth-games.ts';

/** T masks with gradients and V without, of a game. */
async function sampleOf(game: SmoothGame, T: number, V: number, seed = 1): Promise<Sample> {
  const masks = uniformMasks(game.players.length, T + V, createRandom(seed, 'sample'));
  const sloped = selectRows(
    masks,
    Array.from({ length: T }, (_, row) => row),
  );
  const { gradients } = await game.gradients(sloped);
  return { masks, values: await game.value(masks), gradients };
}

function flipped(masks: Masks, player: number): Masks {
  const other = { ...masks, words: masks.words.slice() };
  for (let row = 0; row < masks.count; row++) {
    if (!isKept(masks, row, player)) keep(other, row, player);
    else other.words[row * masks.stride + (player >>> 5)] &= ~(1 << (player & 31));
  }
  return other;
}

const variance = (values: Float64Array): number => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
};

describe('the gradient process', () => {
  it('has slopes that are the discrete derivatives of its values, on every mask and player', async () => {
    const sample = await sampleOf(bent(9, 6, 3), 24, 20);
    const process = fitScreenedProcess(sample, START);
    const masks = uniformMasks(9, 40, createRandom(5, 'others'));
    const { values, slopes } = process.predictSlopes(masks);
    for (let i = 0; i < 9; i++) {
      const others = process.predict(flipped(masks, i));
      for (let row = 0; row < masks.count; row++) {
        const x = isKept(masks, row, i) ? -1 : 1;
        expect(slopes[row * 9 + i]).toBeCloseTo(((values[row] - others[row]) * x) / 2, 4);
      }
    }
  });

  it('is its own Fourier expansion: on six players the terms give its values on all masks', async () => {
    const game = bent(6, 5, 4);
    const sample = await sampleOf(game, 12, 16);
    const slopes = slopesOf(sample.masks, sample.gradients);
    const process = fitGradientProcess(
      sample.masks,
      sample.values,
      slopes,
      priorOf(slopes, variance(sample.values), START),
    );
    const spectrum = createSpectrum('fourier', 6, termsOf(process, 1000));
    const all = allMasks(6);
    const [predicted, expanded] = [process.predict(all), evaluate(spectrum, all)];
    predicted.forEach((value, row) => expect(expanded[row]).toBeCloseTo(value, 4));
  });

  it('solves its equations: with little noise it goes through the values it was given', async () => {
    const sample = await sampleOf(
      planted(12, [
        { members: [0, 1], weight: 2 },
        { members: [2, 5, 7], weight: -1 },
      ]),
      20,
      30,
    );
    const process = fitScreenedProcess(sample, { slopeNoise: 0.01, valueNoise: 1e-5, exponent: 1 });
    expect(r2(sample.values, process.predict(sample.masks))).toBeGreaterThan(0.999);
  });

  it('learns more from gradients and values than from either', async () => {
    const game = bent(40, 24, 8);
    const { masks, values, gradients } = await sampleOf(game, 40, 80);
    const unseen = uniformMasks(40, 500, createRandom(9, 'unseen'));
    const truth = await game.value(unseen);
    const score = (sample: Sample): number => r2(truth, fitScreenedProcess(sample, START).predict(unseen));
    const both = score({ masks, values, gradients });
    const only = score({
      masks: selectRows(
        masks,
        Array.from({ length: 40 }, (_, row) => row),
      ),
      values: values.slice(0, 40),
      gradients,
    });
    expect(only).toBeGreaterThan(0.7);
    expect(both).toBeGreaterThan(only);
  });

  it('takes no slope for an interaction that is a bend of the player itself', () => {
    // f = 2 m² - m along every player alone: additive on masks, h_i = -½ (4 m - 1).
    const masks = uniformMasks(5, 30, createRandom(2, 'bend'));
    const gradients = new Float32Array(150);
    for (let row = 0; row < 30; row++)
      for (let i = 0; i < 5; i++) gradients[row * 5 + i] = 4 * (isKept(masks, row, i) ? 1 : 0) - 1;
    const { means, variances } = slopesOf(masks, gradients);
    means.forEach((mean) => expect(mean).toBeCloseTo(-0.5, 5));
    variances.forEach((v) => expect(v).toBeLessThan(1e-7));
  });

  it('asks the players that interact for pairs, and the rest for their mean', async () => {
    const n = MOST_ACTIVE + 400;
    const terms = [
      { members: [3, n - 1], weight: 4 },
      { members: [10, 700], weight: -3 },
      ...Array.from({ length: n }, (_, i) => ({ members: [i], weight: ((i * 7) % 11) / 40 })),
    ];
    const game = planted(n, terms);
    const sample = await sampleOf(game, 16, 20);
    const process = fitScreenedProcess(sample, START);
    expect(process.active).toHaveLength(MOST_ACTIVE);
    const unseen = uniformMasks(n, 100, createRandom(3, 'unseen'));
    expect(r2(await game.value(unseen), process.predict(unseen))).toBeGreaterThan(0.95);
    const pairs = process.spectrum(5000).terms.filter(({ members }) => members.length === 2);
    expect(pairs.slice(0, 2).map(({ members }) => members)).toEqual([
      [3, n - 1],
      [10, 700],
    ]);
    expect(4 * pairs[0].value).toBeCloseTo(4, 0);
  });
});
