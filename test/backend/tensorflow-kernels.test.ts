/** The tensorflow backend's own kernels against Float64 loops: odd widths, missing parts, edges, threads, memory. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { registerTensorflowKernels } from '../../src/backend/tensorflow-kernels.ts';
import { fused, hasFused, type FusedKernels, type PointwiseActivation } from '../../src/model/forward/fused.ts';
import { erf } from '../../src/model/reference/reference-functions.ts';
import { createRandom } from '../../src/random.ts';
import { availableBackends, open } from '../tensors.ts';

type Numbers = Float64Array;

const random = createRandom(7, 'tensorflow kernels');
/** Float32 numbers about as large as activations, as Float64. */
const numbers = (size: number, spread = 3): Numbers =>
  Float64Array.from({ length: size }, () => Math.fround(spread * (2 * random.uniform() - 1)));
const tensor = (values: ArrayLike<number>, shape: number[]): tf.Tensor => tf.tensor(Float32Array.from(values), shape);

const ACTIVATION: Readonly<Record<PointwiseActivation | 'none', (x: number) => number>> = {
  none: (x) => x,
  relu: (x) => Math.max(0, x),
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => x * (0.5 + 0.5 * erf(x * Math.SQRT1_2)),
  gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};
const ACTIVATIONS = Object.keys(ACTIVATION) as (PointwiseActivation | 'none')[];
const POINTWISE = ACTIVATIONS.filter((name): name is PointwiseActivation => name !== 'none');

async function kernelsHere(): Promise<boolean> {
  if (!(await availableBackends()).includes('tensorflow')) return false; // its reason is printed there
  await open('tensorflow');
  if (hasFused('SpexlensLinear')) return true;
  console.info('tensorflow kernels are not tested here: the addon was built without kernels.cc, or computes on a GPU.');
  return false;
}

/** The fused kernel's numbers; a run leaves no tensor in JavaScript or outside. */
function run<N extends keyof FusedKernels>(
  name: N,
  inputs: FusedKernels[N]['inputs'],
  attrs: FusedKernels[N]['attrs'],
): Float32Array {
  const native = (): number => (tf.backend() as unknown as { getNumOfTFTensors: () => number }).getNumOfTFTensors();
  fused(name, inputs, attrs).dispose(); // now the inputs are outside
  const before = [tf.memory().numTensors, tf.memory().numDataBuffers, native()];
  const out = fused(name, inputs, attrs);
  const values = out.dataSync() as Float32Array;
  out.dispose();
  expect([tf.memory().numTensors, tf.memory().numDataBuffers, native()]).toEqual(before);
  return values;
}

describe.runIf(await kernelsHere())('the kernels of the tensorflow backend', () => {
  beforeAll(async () => {
    await open('tensorflow');
  });

  it.each(ACTIVATIONS)('a linear layer is act(xW + b) + residual, with and without each part: %s', (activation) => {
    for (const [rows, a, c, residualRows] of [
      [6, 5, 7, 3],
      [4, 16, 16, 4],
      [1, 3, 1, 1],
      [12, 48, 33, 2],
      [300, 24, 130, 100],
    ]) {
      const [x, W, b, residual] = [numbers(rows * a), numbers(a * c, 1), numbers(c), numbers(residualRows * c)];
      for (const [hasB, hasRest] of [
        [true, true],
        [true, false],
        [false, true],
        [false, false],
      ]) {
        const expected = Float64Array.from({ length: rows * c }, (_, i) => {
          const [r, j] = [Math.floor(i / c), i % c];
          let sum = hasB ? b[j] : 0;
          for (let k = 0; k < a; k++) sum += x[r * a + k] * W[k * c + j];
          return ACTIVATION[activation](sum) + (hasRest ? residual[(r % residualRows) * c + j] : 0);
        });
        const inputs = {
          x: tensor(x, [rows, 1, a]),
          W: tensor(W, [a, c]),
          b: hasB ? tensor(b, [c]) : undefined,
          residual: hasRest ? tensor(residual, [residualRows, 1, c]) : undefined,
        };
        expect(run('SpexlensLinear', inputs, { activation })).toBeAllClose(expected, 1e-5);
        expect(inputs.x.dataSync()).toEqual(Float32Array.from(x)); // what it is given stays as it was
        if (inputs.residual !== undefined) expect(inputs.residual.dataSync()).toEqual(Float32Array.from(residual));
        tf.dispose(inputs);
      }
    }
  });

  it('a linear layer keeps the leading axes, and takes two', () => {
    const W = tf.ones([3, 5]);
    for (const shape of [
      [4, 3],
      [2, 2, 3],
      [2, 1, 2, 3],
    ]) {
      const x = tf.ones(shape);
      const out = fused('SpexlensLinear', { x, W }, { activation: 'none' });
      expect(out.shape).toEqual([...shape.slice(0, -1), 5]);
      expect(Math.max(...out.dataSync())).toBe(3);
      tf.dispose([x, out]);
    }
    W.dispose();
  });

  it.each(POINTWISE)('far out and at nothing %s is what it should be, and NaN stays', (activation) => {
    const x = Float64Array.from([
      -1e30,
      -1000,
      -100,
      -88,
      -87,
      -20,
      -12,
      -5,
      -1e-20,
      0,
      1e-20,
      5,
      12,
      20,
      87,
      88,
      100,
      1000,
      1e6,
      NaN,
    ]);
    const [gate, up] = [tensor(x, [x.length]), tf.ones([x.length])];
    const values = run('SpexlensGate', { gate, up }, { activation });
    expect(values.at(-1)).toBeNaN();
    expect(values.subarray(0, -1)).toBeAllClose(
      x.subarray(0, -1).map((v) => (v < -1000 ? 0 : ACTIVATION[activation](v))),
      1e-6,
    );
    tf.dispose([gate, up]);
  });

  it.each(POINTWISE)('a gate is %s(gate) · up, also where many threads share it', (activation) => {
    for (const size of [1, 15, 16, 17, 100_003]) {
      const [gate, up] = [numbers(size, 8), numbers(size)];
      const inputs = { gate: tensor(gate, [size]), up: tensor(up, [size]) };
      expect(run('SpexlensGate', inputs, { activation })).toBeAllClose(
        gate.map((g, i) => ACTIVATION[activation](g) * up[i]),
        1e-6,
      );
      tf.dispose(inputs);
    }
  });

  it.each([
    [1, 5],
    [3, 16],
    [4, 37],
    [700, 768],
  ])('norms of %i rows of %i', (rows, width) => {
    const [w, b] = [numbers(width), numbers(width)];
    const x = numbers(rows * width).map((v) => Math.fround(v + 20)); // far from 0: the variance must be of the centred row
    for (const kind of ['layer', 'rms'] as const) {
      for (const [hasW, hasB, offset] of [
        [true, true, 0],
        [true, false, 1],
        [false, false, 0],
      ] as const) {
        const eps = 1e-5;
        const expected = new Float64Array(rows * width);
        for (let r = 0; r < rows; r++) {
          const row = x.subarray(r * width, (r + 1) * width);
          const mean = kind === 'layer' ? row.reduce((sum, v) => sum + v, 0) / width : 0;
          const square = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width;
          row.forEach(
            (v, c) =>
              (expected[r * width + c] =
                ((v - mean) / Math.sqrt(square + eps)) * (hasW ? w[c] + offset : 1) + (hasB ? b[c] : 0)),
          );
        }
        const inputs = {
          x: tensor(x, [rows, width]),
          w: hasW ? tensor(w, [width]) : undefined,
          b: hasB ? tensor(b, [width]) : undefined,
        };
        expect(run('SpexlensNorm', inputs, { kind, eps, offset })).toBeAllClose(expected, 2e-5);
        tf.dispose(inputs);
      }
    }
  });

  interface Shape {
    readonly batch: number;
    readonly queries: number;
    readonly keys: number;
    readonly heads: number;
    readonly kvHeads: number;
    readonly e: number;
    /** Rows of the mask; 0 = none. */
    readonly masks: number;
    readonly softcap?: number;
    readonly scale?: number;
  }

  it.each<[string, Shape]>([
    ['one query of one key', { batch: 1, queries: 1, keys: 1, heads: 1, kvHeads: 1, e: 3, masks: 0 }],
    ['causal', { batch: 3, queries: 16, keys: 16, heads: 4, kvHeads: 4, e: 16, masks: 1 }],
    ['odd sizes', { batch: 2, queries: 5, keys: 19, heads: 3, kvHeads: 3, e: 7, masks: 1 }],
    ['grouped heads', { batch: 2, queries: 7, keys: 7, heads: 6, kvHeads: 2, e: 24, masks: 1 }],
    [
      'a mask for each row, some queries seeing nothing',
      { batch: 3, queries: 6, keys: 9, heads: 2, kvHeads: 1, e: 16, masks: 3 },
    ],
    ['a soft cap', { batch: 2, queries: 4, keys: 10, heads: 2, kvHeads: 2, e: 8, masks: 1, softcap: 5 }],
    ['large scores', { batch: 1, queries: 8, keys: 8, heads: 2, kvHeads: 2, e: 32, masks: 1, scale: 100 }],
    [
      'many heads of many rows, on threads',
      { batch: 16, queries: 64, keys: 64, heads: 12, kvHeads: 12, e: 64, masks: 1 },
    ],
  ])('attention: %s', (_what, { batch, queries, keys, heads, kvHeads, e, masks, softcap = 0, scale = 0.3 }) => {
    const [q, k, v] = [
      numbers(batch * queries * heads * e, 1),
      numbers(batch * keys * kvHeads * e, 1),
      numbers(batch * keys * kvHeads * e),
    ];
    const hides = (r: number, i: number, j: number): boolean =>
      masks > 1 ? (i + j + r) % 3 === 0 || (r === 1 && i === 2) : j > i + keys - queries;
    const mask = Float64Array.from({ length: masks * queries * keys }, (_, at) =>
      hides(Math.floor(at / (queries * keys)), Math.floor(at / keys) % queries, at % keys) ? -1e30 : 0,
    );
    const expected = new Float64Array(batch * queries * heads * e);
    for (let r = 0; r < batch; r++) {
      for (let h = 0; h < heads; h++) {
        const group = Math.floor(h / (heads / kvHeads));
        for (let i = 0; i < queries; i++) {
          const at = ((r * queries + i) * heads + h) * e;
          const scores = Float64Array.from({ length: keys }, (_, j) => {
            let dot = 0;
            for (let c = 0; c < e; c++) dot += q[at + c] * k[((r * keys + j) * kvHeads + group) * e + c];
            const raw = dot * scale;
            const capped = softcap === 0 ? raw : softcap * Math.tanh(raw / softcap);
            return masks === 0 ? capped : Math.fround(capped + mask[((masks > 1 ? r : 0) * queries + i) * keys + j]);
          });
          const most = Math.max(...scores);
          const weights = scores.map((s) => Math.exp(s - most));
          const total = weights.reduce((sum, p) => sum + p, 0);
          for (let j = 0; j < keys; j++)
            for (let c = 0; c < e; c++)
              expected[at + c] += (weights[j] / total) * v[((r * keys + j) * kvHeads + group) * e + c];
        }
      }
    }
    const inputs = {
      q: tensor(q, [batch, queries, heads, e]),
      k: tensor(k, [batch, keys, kvHeads, e]),
      v: tensor(v, [batch, keys, kvHeads, e]),
      mask: masks === 0 ? undefined : tensor(mask, [masks, 1, queries, keys]),
    };
    // scores of size 100 carry 100 times the rounding of scores of size 1 into the softmax
    expect(run('SpexlensAttention', inputs, { scale, softcap })).toBeAllClose(expected, scale > 1 ? 1e-3 : 1e-5);
    tf.dispose(inputs);
  });

  it('shapes that do not go together are refused, not computed', () => {
    const [x, W, b] = [tf.ones([2, 3]), tf.ones([3, 4]), tf.ones([3])];
    expect(() => fused('SpexlensLinear', { x, W, b }, { activation: 'none' })).toThrow(/b is not as wide as x/);
    expect(() => fused('SpexlensLinear', { x, W, residual: tf.ones([3, 4]) }, { activation: 'none' })).toThrow(
      /residual's rows do not divide/,
    );
    expect(() => fused('SpexlensNorm', { x, w: W }, { kind: 'layer', eps: 0, offset: 0 })).toThrow(/not as wide as x/);
    const q = tf.ones([2, 4, 3, 8]);
    expect(() =>
      fused('SpexlensAttention', { q, k: tf.ones([2, 4, 2, 8]), v: tf.ones([2, 4, 2, 8]) }, { scale: 1, softcap: 0 }),
    ).toThrow(/do not go together/);
    expect(() => fused('SpexlensGate', { gate: x, up: W }, { activation: 'silu' })).toThrow(/differ in size/);
  });

  it('no rows are no work', () => {
    const out = fused('SpexlensNorm', { x: tf.zeros([0, 8]) }, { kind: 'layer', eps: 1e-5, offset: 0 });
    expect(out.shape).toEqual([0, 8]);
  });
});

describe('where the operations are missing', () => {
  const binding = { TF_FLOAT: 1, createTensor: () => 1, deleteTensor: () => undefined };

  it('nothing is registered: an addon without them, a GPU', () => {
    const without = {
      ...binding,
      executeOp: () => {
        throw new Error('Op type not registered');
      },
    };
    expect(registerTensorflowKernels({ isUsingGpuDevice: false, binding: without })).toBeUndefined();
    expect(
      registerTensorflowKernels({ isUsingGpuDevice: true, binding: { ...binding, executeOp: () => [] } }),
    ).toBeUndefined();
  });
});
