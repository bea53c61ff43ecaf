import { describe, expect, test } from 'vitest';
import { allMasks, isKept, selectRows } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { invertPositive } from '../../src/proxy/process/cholesky.ts';
import { fitGp, negativeLogPosterior, processAt, type GpParameters } from '../../src/proxy/process/gaussian-process.ts';
import { createPairs, kernelBytes, kernelMatrix, kernelTable } from '../../src/proxy/process/hypercube-kernel.ts';
import { minimise } from '../../src/proxy/process/lbfgs.ts';
import { createRandom } from '../../src/random.ts';
import { r2 } from '../../src/spectrum/r2.ts';
import { fourierFromTable, membersOf } from '../../src/spectrum/walsh-hadamard.ts';
import { createSpectrum, evaluate } from '../../src/spectrum/spectrum.ts';
import { orderThree } from '../../bench/synthetic.ts';

const random = createRandom(3);
const PARAMETERS: GpParameters = {
  coupling: Float64Array.from({ length: 10 }, () => 0.1 + 0.3 * random.uniform()),
  tilt: Float64Array.from({ length: 10 }, () => 0.2 * random.normal()),
  amplitude: 0.7,
  noise: 0.05,
};
const PLAIN: GpParameters = { ...PARAMETERS, tilt: new Float64Array(10) };

describe('invertPositive', () => {
  test('inverts a positive definite matrix, gives its log-determinant, and refuses another', () => {
    const n = 23;
    const a = new Float64Array(n * n);
    for (let k = 0; k < 2 * n; k++) {
      const v = Array.from({ length: n }, () => random.normal());
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * n + j] += v[i] * v[j];
    }
    const { inverse } = invertPositive(a, n)!;
    const product = Float64Array.from(a, (_, at) =>
      Array.from({ length: n }, (_, k) => a[Math.floor(at / n) * n + k] * inverse[k * n + (at % n)]).reduce(
        (x, y) => x + y,
      ),
    );
    expect(product).toBeAllClose(
      Array.from({ length: n * n }, (_, at) => Number(at % (n + 1) === 0)),
      1e-10,
    );
    expect(invertPositive(Float64Array.from([4, 1, 1, 3]), 2)!.logDeterminant).toBeCloseTo(Math.log(11), 12);
    expect(invertPositive(Float64Array.from([1, 2, 2, 1]), 2)).toBeUndefined();
  });
});

describe('minimise', () => {
  test('walks down the Rosenbrock valley', () => {
    const { at } = minimise(
      ([x, y]) => ({
        value: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
        gradient: Float64Array.from([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]),
      }),
      Float64Array.from([-1.2, 1]),
      200,
    );
    expect(at).toBeAllClose([1, 1], 1e-3);
  });
});

describe('hypercube kernel', () => {
  test('is its definition, pair by pair', () => {
    const masks = uniformMasks(10, 20, random);
    const x = (row: number, i: number): number => (isKept(masks, row, i) ? -1 : 1);
    const matrix = kernelMatrix(kernelBytes(masks), PARAMETERS);
    for (let j = 0; j < 20; j++) {
      for (let k = 0; k < 20; k++) {
        let expected = PARAMETERS.amplitude;
        for (let i = 0; i < 10; i++) {
          const [b, g] = [PARAMETERS.coupling[i], PARAMETERS.tilt[i]];
          expected *= Math.exp(b * x(j, i) * x(k, i) + (g * (x(j, i) + x(k, i))) / 2) / (Math.cosh(b) * Math.cosh(g));
        }
        expect(matrix[j * 20 + k]).toBeCloseTo(expected, 12);
      }
    }
  });

  test('the table over all masks is the sum of kernel rows', () => {
    const masks = allMasks(10);
    const chosen = Array.from({ length: 15 }, (_, k) => 61 * k + 3);
    const weights = Float64Array.from(chosen, () => random.normal());
    const matrix = kernelMatrix(kernelBytes(masks), PARAMETERS);
    const expected = Float64Array.from({ length: 1024 }, (_, row) =>
      chosen.reduce((sum, j, k) => sum + weights[k] * matrix[row * 1024 + j], 0),
    );
    expect(kernelTable(selectRows(masks, chosen), weights, PARAMETERS)).toBeAllClose(expected, 1e-10);
  });
});

describe('Gaussian process', () => {
  const masks = uniformMasks(10, 60, createRandom(4));
  const truth = orderThree(10, 1, 20);
  const values = evaluate(truth, masks);

  test.each(['plain', 'amplitude'] as const)(
    'the gradient of the %s posterior is that of finite differences',
    (kind) => {
      const pairs = createPairs(kernelBytes(masks));
      const at = Float64Array.from([
        ...PARAMETERS.coupling.map(Math.log),
        ...(kind === 'plain' ? new Float64Array(10) : PARAMETERS.tilt),
        -0.3,
        -2,
        -1.5,
      ]);
      const { gradient } = negativeLogPosterior(pairs, 10, values, at, kind);
      const h = 1e-5;
      const numeric = at.map((_, i) => {
        if (kind === 'plain' && i >= 10 && i < 20) return 0;
        const [up, down] = [h, -h].map(
          (step) => negativeLogPosterior(pairs, 10, values, at.with(i, at[i] + step), kind).value,
        );
        return (up - down) / (2 * h);
      });
      expect(gradient).toBeAllClose(numeric, 1e-5);
    },
  );

  test('leave-one-out equals leaving each mask out, up to the standardisation', () => {
    // Values of mean 0 and deviation 1 whatever is left out: pairs of ±1 cannot be had, so compare through residuals of the raw system.
    const { leaveOneOut } = processAt(masks, values, PARAMETERS);
    const centre = values.reduce((a, b) => a + b) / 60;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / 60);
    const y = values.map((v) => (v - centre) / deviation);
    const kernel = kernelMatrix(kernelBytes(masks), PARAMETERS);
    for (const out of [0, 17, 59]) {
      const rest = Array.from({ length: 60 }, (_, j) => j).filter((j) => j !== out);
      const matrix = Float64Array.from({ length: 59 * 59 }, (_, at) => {
        const [j, k] = [rest[Math.floor(at / 59)], rest[at % 59]];
        return kernel[j * 60 + k] + 1 + (j === k ? PARAMETERS.noise : 0);
      });
      const { inverse } = invertPositive(matrix, 59)!;
      const weights = rest.map((_, j) => rest.reduce((sum, row, k) => sum + inverse[j * 59 + k] * y[row], 0));
      const predicted = rest.reduce((sum, row, k) => sum + weights[k] * (kernel[out * 60 + row] + 1), 0);
      expect(leaveOneOut[out]).toBeCloseTo(centre + deviation * predicted, 8);
    }
  });

  test('the plain process has the closed-form Fourier coefficient a Π ρ_i Σ_j α_j χ_S(m_j)', () => {
    const fourier = fourierFromTable(processAt(masks, values, PLAIN).table());
    // α is read off the table: f̂ = y - s²α at the fitted masks, in standardised units.
    const centre = values.reduce((a, b) => a + b) / 60;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / 60);
    const table = processAt(masks, values, PLAIN).table();
    const weights = Array.from({ length: 60 }, (_, j) => (values[j] - table[masks.words[j]]) / deviation / PLAIN.noise);
    for (const set of [1, 6, 37, 1023]) {
      const members = membersOf(set);
      const sign = (row: number): number => members.reduce((s, i) => (isKept(masks, row, i) ? -s : s), 1);
      const product = members.reduce((p, i) => p * Math.tanh(PLAIN.coupling[i]), PLAIN.amplitude);
      expect(fourier[set] / deviation).toBeCloseTo(
        product * weights.reduce((sum, weight, j) => sum + weight * sign(j), 0),
        8,
      );
    }
  });

  test('fitting predicts masks it has not seen, better than its start', () => {
    const train = uniformMasks(10, 300, createRandom(5));
    const all = allMasks(10);
    const expected = evaluate(truth, all);
    const fitted = fitGp(train, evaluate(truth, train), 'plain');
    const start = processAt(train, evaluate(truth, train), {
      coupling: new Float64Array(10).fill(0.15),
      tilt: new Float64Array(10),
      amplitude: 0.5,
      noise: 0.1,
    });
    expect(r2(expected, fitted.table())).toBeGreaterThan(r2(expected, start.table()));
    expect(r2(expected, fitted.table())).toBeGreaterThan(0.8);
    expect(r2(evaluate(truth, train), fitted.leaveOneOut)).toBeGreaterThan(0.6);
  });

  test('says what it cannot fit', () => {
    const fitOf = (players: number, kind: 'plain' | 'amplitude') => () =>
      fitGp(uniformMasks(players, 30, createRandom(1)), new Float64Array(30), kind);
    expect(fitOf(25, 'amplitude')).toThrow('30 masks of 25 players; at most 1500 masks and 20 players');
    expect(fitOf(129, 'plain')).toThrow('30 masks of 129 players; at most 1500 masks and 128 players');
    expect(() => processAt(masks, values, PARAMETERS).answer()).toThrow('a process with amplitude has tables alone');
  });

  test('what it answers without a table is the table: predictions, expansion and variance', () => {
    const process = processAt(masks, values, PLAIN);
    const [table, answer] = [process.table(), process.answer()];
    const others = uniformMasks(10, 100, createRandom(7));
    expect(answer.predict(others)).toBeAllClose(
      Float64Array.from(others.words, (word) => table[word]),
      1e-9,
    );
    const [empty, ...rest] = fourierFromTable(table);
    expect(answer.variance()).toBeCloseTo(
      rest.reduce((sum, value) => sum + value ** 2, 0),
      9,
    );
    // Order 9 and 10 are beyond the beam.
    const { terms } = answer.spectrum(1024);
    expect(terms.find(({ members }) => members.length === 0)?.value).toBeCloseTo(empty, 9);
    const listed = terms.filter(({ members }) => members.length > 0);
    expect(listed.reduce((sum, { value }) => sum + value ** 2, 0) / answer.variance()).toBeGreaterThan(0.9999);
    for (const { members, value } of listed.slice(0, 50))
      expect(value).toBeCloseTo(rest[members.reduce((at, i) => at + 2 ** i, 0) - 1], 9);
  });

  test('finds the couplings of a game of 60 players from 400 masks', () => {
    const wide = createSpectrum('fourier', 60, [
      ...Array.from({ length: 10 }, (_, i) => ({ members: [6 * i], value: 1 })),
      ...Array.from({ length: 9 }, (_, i) => ({ members: [6 * i, 6 * i + 6], value: 0.7 })),
    ]);
    const [train, fresh] = [uniformMasks(60, 400, createRandom(8)), uniformMasks(60, 500, createRandom(9))];
    const process = fitGp(train, evaluate(wide, train), 'plain');
    expect(r2(evaluate(wide, fresh), process.answer().predict(fresh))).toBeGreaterThan(0.9);
    const order = [...process.parameters.coupling.keys()].sort(
      (a, b) => process.parameters.coupling[b] - process.parameters.coupling[a],
    );
    expect(order.slice(0, 10).every((player) => player % 6 === 0 && player < 60)).toBe(true);
  });
});
