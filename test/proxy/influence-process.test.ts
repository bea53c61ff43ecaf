import { describe, expect, test } from 'vitest';
import { orderThree } from '../../bench/synthetic.ts';
import { selectRows, type Masks } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { processAt } from '../../src/proxy/process/gaussian-process.ts';
import { chooseScalars, fitInfluenceProcess } from '../../src/proxy/process/influence-process.ts';
import { createRandom } from '../../src/random.ts';
import { r2 } from '../../src/spectrum/r2.ts';
import { createSpectrum, evaluate } from '../../src/spectrum/spectrum.ts';
import { tableOfSpectrum } from '../../src/spectrum/walsh-hadamard.ts';

const SCALARS = { scale: 0.5, amplitude: 0.6, noise: 0.05 };
const first = (masks: Masks, count: number): Masks =>
  selectRows(
    masks,
    Int32Array.from({ length: count }, (_, k) => k),
  );

describe('the influence process', () => {
  const n = 9;
  const truth = orderThree(n, 2, 12);
  const masks = uniformMasks(n, 150, createRandom(1));
  const values = evaluate(truth, masks);
  const process = fitInfluenceProcess(masks, values, truth, SCALARS);

  test('is the plain process with couplings from the influences, solved by conjugate gradients', () => {
    const influence = new Float64Array(n);
    for (const { members, value } of truth.terms) for (const player of members) influence[player] += value * value;
    const largest = Math.max(...influence);
    const coupling = influence.map((value) => SCALARS.scale * (Math.sqrt(value / largest) + 0.02));
    const exact = processAt(masks, values, {
      coupling,
      tilt: new Float64Array(n),
      amplitude: SCALARS.amplitude,
      noise: SCALARS.noise,
    }).table();
    const others = uniformMasks(n, 60, createRandom(2));
    expect(process.predict(others)).toBeAllClose(
      Float64Array.from(others.words, (word) => exact[word]),
      1e-3,
    );
    expect(process.steps).toBeGreaterThan(3);
  });

  test('its spectrum is its predictions, as far as the beam goes: order 8 of 9 here', () => {
    const table = tableOfSpectrum(process.spectrum(1000));
    const others = uniformMasks(n, 100, createRandom(3));
    expect(Float64Array.from(others.words, (word) => table[word])).toBeAllClose(process.predict(others), 1e-3);
  });

  test('keeps the largest terms when fewer are asked for', () => {
    const all = process.spectrum(1000).terms;
    expect(process.spectrum(20).terms.slice(0, 20)).toEqual(all.slice(0, 20));
    expect(process.spectrum(20).terms.length).toBeLessThanOrEqual(21);
  });

  test('predicts masks it has not seen, better with the scalars that the likelihood chooses than with poor ones', () => {
    const wide = orderThree(60, 1, 60);
    const sample = uniformMasks(60, 1200, createRandom(4));
    const [train, y] = [first(sample, 900), evaluate(wide, sample)];
    const held = selectRows(
      sample,
      Int32Array.from({ length: 300 }, (_, k) => 900 + k),
    );
    const score = (scalars: typeof SCALARS): number =>
      r2(y.subarray(900), fitInfluenceProcess(train, y.slice(0, 900), wide, scalars).predict(held));
    const chosen = score(chooseScalars(train, y.slice(0, 900), wide));
    expect(chosen).toBeGreaterThan(0.3);
    expect(chosen).toBeGreaterThan(score({ scale: 2, amplitude: 5, noise: 1 }) + 0.05);
  });

  test('a guide without energy leaves the constant', () => {
    const nothing = createSpectrum('fourier', n, [{ members: [], value: 1 }]);
    const constant = fitInfluenceProcess(masks, new Float64Array(150).fill(4), nothing, SCALARS);
    expect(constant.predict(first(masks, 5))).toBeAllClose(new Float64Array(5).fill(4), 1e-12);
  });
});
