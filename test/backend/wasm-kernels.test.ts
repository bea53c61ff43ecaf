/** The wasm backend's own kernels against plain Float64 JavaScript, in both builds, and how they come to be used. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chooseBackend } from '../../src/backend/backend.ts';
import { registerWasmKernels, unregisterWasmKernels } from '../../src/backend/wasm-kernels.ts';
import { COMPILERS, tensorBuild } from '../../src/backend/wasm-module.ts';
import { TENSORS_FMA } from '../../src/kernels/tensors-fma-bytes.ts';
import { TENSORS_SIMD } from '../../src/kernels/tensors-simd-bytes.ts';
import { fused, hasFused, type FusedName, type PointwiseActivation } from '../../src/model/forward/fused.ts';
import { SELF_CHECK_TOLERANCE, selfCheck } from '../../src/model/reference/self-check.ts';
import { createRandom } from '../../src/random.ts';
import { open } from '../tensors.ts';

const NAMES: readonly FusedName[] = ['SpexlensLinear', 'SpexlensNorm', 'SpexlensAttention', 'SpexlensGate'];
const ACTIVATIONS = ['none', 'relu', 'silu', 'gelu', 'gelu_new'] as const;
const check = { run: selfCheck, tolerance: SELF_CHECK_TOLERANCE };
const random = createRandom(20260301, 'wasm-kernels');
const normal = (size: number, scale = 1): Float32Array =>
  Float32Array.from({ length: size }, () => scale * random.normal());
const below = (n: number): number => Math.floor(n * random.uniform());
const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(base64, 'base64'));

/** erfc by its continued fraction above 2 and by the series of erf below; 1e-15. */
function normalTail(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  if (z > 2) {
    let fraction = z;
    for (let n = 60; n > 0; n--) fraction = z + n / 2 / fraction;
    return (0.5 * Math.exp(-z * z)) / fraction / Math.sqrt(Math.PI);
  }
  let [term, sum] = [z, z];
  for (let n = 1; n < 60; n++) {
    term *= -(z * z) / n;
    sum += term / (2 * n + 1);
  }
  return 0.5 - sum / Math.sqrt(Math.PI);
}

function act(x: number, kind: PointwiseActivation | 'none'): number {
  switch (kind) {
    case 'none':
      return x;
    case 'relu':
      return Math.max(x, 0);
    case 'silu':
      return x / (1 + Math.exp(-x));
    case 'gelu':
      return x < 0 ? x * normalTail(x) : x - x * normalTail(x);
    case 'gelu_new':
      return x / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    default:
      return kind satisfies never;
  }
}

/** Values of a kernel's result; frees the result and, where they were made for the call, the inputs. */
function valuesOf(run: () => tf.Tensor): Float32Array {
  return tf.tidy(() => run().dataSync() as Float32Array);
}

interface Product {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  readonly activation: PointwiseActivation | 'none';
  readonly bias: boolean;
  /** 0: none. */
  readonly residualRows: number;
  readonly scale?: number;
}

/** The largest error of act(x · W + b) + residual, each relative to 2 + the sum of absolute products. */
function productError({ rows, inner, columns, activation, bias, residualRows, scale = 1 }: Product): number {
  const [x, W, b, r] = [
    normal(rows * inner, scale),
    normal(inner * columns),
    normal(columns),
    normal(residualRows * columns),
  ];
  const ours = valuesOf(() =>
    fused(
      'SpexlensLinear',
      {
        x: tf.tensor(x, [rows, inner]),
        W: tf.tensor(W, [inner, columns]),
        b: bias ? tf.tensor(b, [columns]) : undefined,
        residual: residualRows > 0 ? tf.tensor(r, [residualRows, columns]) : undefined,
      },
      { activation },
    ),
  );
  let worst = ours.length === rows * columns ? 0 : Infinity;
  for (let m = 0; m < rows; m++) {
    for (let n = 0; n < columns; n++) {
      let [sum, size] = [bias ? b[n] : 0, 2];
      for (let k = 0; k < inner; k++) {
        const product = x[m * inner + k] * W[k * columns + n];
        sum += product;
        size += Math.abs(product);
      }
      const expected = act(sum, activation) + (residualRows > 0 ? r[(m % residualRows) * columns + n] : 0);
      const error = Math.abs(ours[m * columns + n] - expected) / size;
      worst = error <= worst ? worst : Number.isNaN(error) ? Infinity : error;
    }
  }
  return worst;
}

interface Attention {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly groups: number;
  readonly width: number;
  readonly softcap?: number;
  readonly scale?: number;
  /** Whether a key is seen, where there is a mask; maskBatch 1 asks for row 0 only. */
  readonly shows?: (b: number, query: number, key: number) => boolean;
  readonly maskBatch?: number;
}

function attentionInputs({
  batch,
  queries,
  keys,
  heads,
  groups,
  width,
  shows,
  maskBatch = 1,
}: Attention): Record<'q' | 'k' | 'v' | 'mask', Float32Array> {
  const mask = Float32Array.from({ length: maskBatch * queries * keys }, (_, i) =>
    shows?.(Math.floor(i / (queries * keys)), Math.floor(i / keys) % queries, i % keys) === false ? -1e30 : 0,
  );
  return {
    q: normal(batch * queries * heads * width),
    k: normal(batch * keys * groups * width),
    v: normal(batch * keys * groups * width),
    mask,
  };
}

function runAttention(
  { batch, queries, keys, heads, groups, width, softcap = 0, scale = 0.3, shows, maskBatch = 1 }: Attention,
  { q, k, v, mask }: Record<'q' | 'k' | 'v' | 'mask', Float32Array>,
): Float32Array {
  return valuesOf(() =>
    fused(
      'SpexlensAttention',
      {
        q: tf.tensor(q, [batch, queries, heads, width]),
        k: tf.tensor(k, [batch, keys, groups, width]),
        v: tf.tensor(v, [batch, keys, groups, width]),
        mask: shows === undefined ? undefined : tf.tensor(mask, [maskBatch, 1, queries, keys]),
      },
      { scale, softcap },
    ),
  );
}

function attentionError(shape: Attention): number {
  const { batch, queries, keys, heads, groups, width, softcap = 0, scale = 0.3, shows, maskBatch = 1 } = shape;
  const inputs = attentionInputs(shape);
  const ours = runAttention(shape, inputs);
  let worst = 0;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const g = Math.floor((h * groups) / heads);
      for (let i = 0; i < queries; i++) {
        const scores = Array.from({ length: keys }, (_, s) => {
          let dot = 0;
          for (let d = 0; d < width; d++)
            dot +=
              inputs.q[((b * queries + i) * heads + h) * width + d] *
              inputs.k[((b * keys + s) * groups + g) * width + d];
          const capped = softcap === 0 ? scale * dot : softcap * Math.tanh((scale * dot) / softcap);
          return capped + (shows === undefined ? 0 : inputs.mask[((maskBatch === 1 ? 0 : b) * queries + i) * keys + s]);
        });
        const top = Math.max(...scores);
        const weights = scores.map((s) => Math.exp(s - top));
        const sum = weights.reduce((x, y) => x + y, 0);
        for (let d = 0; d < width; d++) {
          const expected = weights.reduce(
            (z, w, s) => z + (w / sum) * inputs.v[((b * keys + s) * groups + g) * width + d],
            0,
          );
          const error = Math.abs(ours[((b * queries + i) * heads + h) * width + d] - expected);
          worst = error <= worst ? worst : Number.isNaN(error) ? Infinity : error;
        }
      }
    }
  }
  return worst;
}

function normError(
  kind: 'layer' | 'rms',
  rows: number,
  width: number,
  { w = true, b = true, offset = 0, scale = 1, shift = 0 } = {},
): number {
  const x = normal(rows * width, scale).map((value) => value + shift);
  const [weights, biases] = [normal(width), normal(width)];
  const eps = 1e-5;
  const ours = valuesOf(() =>
    fused(
      'SpexlensNorm',
      { x: tf.tensor(x, [rows, width]), w: w ? tf.tensor(weights) : undefined, b: b ? tf.tensor(biases) : undefined },
      { kind, eps, offset },
    ),
  );
  let worst = 0;
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * width, (r + 1) * width);
    const mean = kind === 'rms' ? 0 : row.reduce((s, v) => s + v, 0) / width;
    const variance = Array.from(row, (v) => (v - mean) ** 2).reduce((s, v) => s + v, 0) / width;
    row.forEach((value, i) => {
      const expected =
        ((value - mean) / Math.sqrt(variance + eps)) * (w ? weights[i] + offset : 1) + (b ? biases[i] : 0);
      const error = Math.abs(ours[r * width + i] - expected) / Math.max(1, Math.abs(expected));
      worst = error <= worst ? worst : Number.isNaN(error) ? Infinity : error;
    });
  }
  return worst;
}

/** Which of the matrices of `shape` is number `k` of those that it is broadcast to. */
function matrixAt(shape: readonly number[], outer: readonly number[], k: number): number {
  let [at, stride, rest] = [0, 1, k];
  for (let axis = outer.length - 1; axis >= 0; axis--) {
    const size = shape[axis - outer.length + shape.length] ?? 1;
    if (size > 1) at += (rest % outer[axis]) * stride;
    stride *= size;
    rest = Math.floor(rest / outer[axis]);
  }
  return at;
}

/** The same bits, NaN apart. */
const bits = (values: Float32Array): Int32Array => new Int32Array(values.slice().buffer);

describe.each(['auto', 'simd'] as const)('the kernels of build %s', (wanted) => {
  beforeAll(async () => {
    await open('wasm', { kernels: wanted });
    registerWasmKernels(wanted);
    expect(NAMES.every((name) => hasFused(name))).toBe(true);
  });
  afterAll(unregisterWasmKernels);

  it('multiply any small shapes, with and without what follows', () => {
    let worst = 0;
    let run = 0;
    for (const rows of [1, 2, 3, 4, 5, 8, 20, 21, 22, 23, 24, 25, 26, 31]) {
      for (let columns = 1; columns <= 17; columns++) {
        for (const inner of [1, 2, 3, 5, 8, 31, 70]) {
          const divisors = [0, 1, rows, ...[2, 3, 5].filter((d) => rows % d === 0)];
          const product = {
            rows,
            inner,
            columns,
            activation: ACTIVATIONS[run % 5],
            bias: run % 3 !== 0,
            residualRows: divisors[run % divisors.length],
          };
          worst = Math.max(worst, productError(product));
          run++;
        }
      }
    }
    expect(worst).toBeLessThan(1e-6);
  });

  it.each([
    [16, 300, 520],
    [6, 513, 1030],
    [97, 256, 515],
    [64, 1000, 2],
    [1, 777, 1033],
    [5, 259, 600],
    [31, 770, 33],
    [20, 515, 130],
    [21, 515, 130],
  ])('multiply %i x %i x %i, which no block divides', (rows, inner, columns) => {
    for (const activation of ACTIVATIONS) {
      for (const residualRows of [0, 1, rows])
        expect(productError({ rows, inner, columns, activation, bias: true, residualRows })).toBeLessThan(1e-6);
    }
  });

  it('multiply empty sums, empty rows, and x of any rank', () => {
    expect(
      productError({ rows: 3, inner: 0, columns: 9, activation: 'none', bias: true, residualRows: 3 }),
    ).toBeLessThan(2e-7);
    expect(
      productError({ rows: 30, inner: 0, columns: 9, activation: 'gelu', bias: true, residualRows: 3 }),
    ).toBeLessThan(1e-6);
    const [x, W] = [tf.zeros([0, 4]), tf.zeros([4, 3])];
    expect(fused('SpexlensLinear', { x, W, residual: tf.zeros([0, 3]) }, { activation: 'none' }).shape).toEqual([0, 3]);
    expect(fused('SpexlensLinear', { x: tf.zeros([2, 3, 1, 4]), W }, { activation: 'none' }).shape).toEqual([
      2, 3, 1, 3,
    ]);
  });

  it('multiply batches and turned matrices under tf.matMul, of any shape', () => {
    const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
      [[3], [3]],
      [[1], [4]],
      [[4], [1]],
      [
        [2, 3],
        [2, 3],
      ],
      [[], [2]],
      [[1], [1]],
      [[], []],
    ];
    let worst = 0;
    for (const [before, behind] of shapes)
      for (const [m, n, p] of [
        [1, 5, 9],
        [4, 3, 33],
        [23, 70, 17],
      ])
        for (const turned of [false, true]) {
          const [sizeA, sizeB] = [before, behind].map((shape) => tf.util.sizeFromShape([...shape]));
          const [a, b] = [normal(sizeA * m * n), normal(sizeB * n * p)];
          tf.tidy(() => {
            const [x, y] = [tf.tensor(a, [...before, m, n]), tf.tensor(b, [...behind, ...(turned ? [p, n] : [n, p])])];
            const out = tf.matMul(x, y, false, turned);
            const outer = tf.broadcast_util.assertAndGetBroadcastShape([...before], [...behind]);
            expect(out.shape).toEqual([...outer, m, p]);
            out.dataSync().forEach((value, at) => {
              const [k, i, j] = [Math.floor(at / (m * p)), Math.floor(at / p) % m, at % p];
              const [ofA, ofB] = [before, behind].map((shape) => matrixAt(shape, outer, k));
              let [sum, size] = [0, 0];
              for (let l = 0; l < n; l++) {
                const term = a[(ofA * m + i) * n + l] * b[ofB * n * p + (turned ? j * n + l : l * p + j)];
                sum += term;
                size += Math.abs(term);
              }
              worst = Math.max(worst, Math.abs(value - sum) / size);
            });
          });
        }
    expect(worst).toBeLessThan(1e-6);
  });

  it('repeat along any axis under tf.tile', () => {
    for (const [shape, reps] of [
      [
        [2, 3, 1, 5],
        [1, 1, 4, 1],
      ],
      [
        [1, 3, 2],
        [3, 1, 1],
      ],
      [
        [2, 3],
        [1, 3],
      ],
      [[4], [1]],
      [
        [2, 3],
        [2, 2],
      ], // TensorFlow.js's own
    ]) {
      const x = normal(tf.util.sizeFromShape(shape));
      const out = valuesOf(() => tf.tile(tf.tensor(x, shape), reps));
      const wide = shape.map((size, axis) => size * reps[axis]);
      expect(out).toHaveLength(tf.util.sizeFromShape(wide));
      out.forEach((value, at) => {
        let [from, rest, stride] = [0, at, 1];
        for (let axis = shape.length - 1; axis >= 0; axis--) {
          from += ((rest % wide[axis]) % shape[axis]) * stride;
          rest = Math.floor(rest / wide[axis]);
          stride *= shape[axis];
        }
        expect(value).toBe(x[from]);
      });
    }
  });

  it("give way to TensorFlow.js's own where they are unregistered", () => {
    const ours = [tf.BatchMatMul, tf.Tile].map((name) => tf.getKernel(name, 'wasm'));
    unregisterWasmKernels();
    [tf.BatchMatMul, tf.Tile].forEach((name, k) => expect(tf.getKernel(name, 'wasm')).not.toBe(ours[k]));
    registerWasmKernels(wanted);
  });

  it('give a row the same bits whatever rows are beside it', () => {
    for (const [inner, columns] of [
      [70, 17],
      [300, 40],
      [520, 531],
    ]) {
      const most = 45; // up to 20 are multiplied in another way
      const [x, W, b, r] = [normal(most * inner), normal(inner * columns), normal(columns), normal(most * columns)];
      const run = (first: number, rows: number): Int32Array =>
        bits(
          valuesOf(() =>
            fused(
              'SpexlensLinear',
              {
                x: tf.tensor(x.slice(first * inner, (first + rows) * inner), [rows, inner]),
                W: tf.tensor(W, [inner, columns]),
                b: tf.tensor(b),
                residual: tf.tensor(r.slice(first * columns, (first + rows) * columns), [rows, columns]),
              },
              { activation: 'gelu_new' },
            ),
          ),
        );
      const all = run(0, most);
      for (let rows = 1; rows < most; rows += rows < 27 ? 1 : 4) {
        const first = below(most - rows);
        expect(run(first, rows)).toEqual(all.slice(first * columns, (first + rows) * columns));
      }
    }
  });

  it('norm rows of any width', () => {
    for (const kind of ['layer', 'rms'] as const) {
      for (let width = 1; width <= 41; width++)
        expect(
          normError(kind, 1 + (width % 4), width, {
            w: width % 2 === 0,
            b: width % 3 === 0,
            offset: width % 5 === 0 ? 1 : 0,
          }),
        ).toBeLessThan(2e-6);
      for (const width of [64, 127, 768, 1030]) {
        expect(normError(kind, 5, width)).toBeLessThan(2e-6);
        expect(normError(kind, 5, width, { scale: 1e-4 })).toBeLessThan(2e-6);
        expect(normError(kind, 5, width, { scale: 1e4 })).toBeLessThan(2e-6);
        expect(normError(kind, 5, width, { shift: 30 })).toBeLessThan(2e-5);
      }
    }
  });

  it.each(['relu', 'silu', 'gelu', 'gelu_new'] as const)('%s within 3e-7 of Float64 everywhere', (activation) => {
    const swept = Float32Array.from({ length: 40_003 }, (_, i) => (i - 20_000) / 200);
    const special = [0, -0, 1e-40, -1e-40, 1e-20, -1e-20, 88.2, -88.4, 104, -104, 1e10, -1e10, 3e38, -3e38];
    const x = Float32Array.from([...swept, ...special]);
    const ours = valuesOf(() => fused('SpexlensGate', { gate: tf.tensor(x), up: tf.ones([x.length]) }, { activation }));
    let worst = 0;
    x.forEach((value, i) => {
      const expected = act(value, activation);
      const error = Math.abs(ours[i] - expected) / Math.max(1e-30, Math.min(1, Math.abs(value)), Math.abs(expected));
      worst = error <= worst ? worst : Number.isNaN(error) ? Infinity : error;
    });
    expect(worst).toBeLessThan(3e-7);
    expect(
      valuesOf(() => fused('SpexlensGate', { gate: tf.tensor([NaN, 1]), up: tf.tensor([1, NaN]) }, { activation })),
    ).toEqual(Float32Array.from([NaN, NaN]));
  });

  it('e to the x within 2e-7 relative: silu far left is x e to the x', () => {
    const x = Float32Array.from({ length: 20_000 }, (_, i) => -17 - (70 * i) / 20_000);
    const ours = valuesOf(() =>
      fused('SpexlensGate', { gate: tf.tensor(x), up: tf.ones([x.length]) }, { activation: 'silu' }),
    );
    // 1 + e^-x is rounded once and divided by once more: 1.2e-7 besides.
    const worst = x.reduce((most, value, i) => Math.max(most, Math.abs(ours[i] / act(value, 'silu') - 1)), 0);
    expect(worst).toBeLessThan(2e-7 + 1.2e-7);
  });

  it('gate numbers of any count', () => {
    for (let n = 1; n <= 9; n++) {
      const [gate, up] = [normal(n), normal(n)];
      const ours = valuesOf(() =>
        fused('SpexlensGate', { gate: tf.tensor(gate), up: tf.tensor(up) }, { activation: 'silu' }),
      );
      expect(ours).toBeAllClose(
        Float32Array.from(gate, (x, i) => act(x, 'silu') * up[i]),
        3e-7,
      );
    }
  });

  it('attend over any small shape: grouped heads, caps, causal with fewer queries than keys', () => {
    let worst = 0;
    let run = 0;
    for (let queries = 1; queries <= 13; queries++) {
      for (const keys of [queries, queries + 1, queries + 4, 19].filter((n) => n >= queries)) {
        for (const width of [1, 3, 4, 8, 13, 16]) {
          const [heads, groups] = [
            [1, 1],
            [4, 2],
            [3, 1],
            [2, 2],
          ][run % 4];
          const causal = run % 3 !== 0;
          const shape = { batch: 1 + (run % 3), queries, keys, heads, groups, width, softcap: run % 5 === 0 ? 2 : 0 };
          worst = Math.max(
            worst,
            attentionError(causal ? { ...shape, shows: (_, i, s) => s <= i + keys - queries } : shape),
          );
          run++;
        }
      }
    }
    expect(worst).toBeLessThan(2e-6);
  });

  it.each([
    ['a window', (_b: number, i: number, s: number) => s <= i && s > i - 3],
    ['left padding of each row', (b: number, i: number, s: number) => s <= i && s >= 2 * b],
    ['holes', (b: number, i: number, s: number) => s === (i * 7 + b) % 21 || (s * 5 + i + b) % 3 === 0],
    ['one key each', (b: number, i: number, s: number) => s === (3 * i + b) % 21],
    ['the first key only', (_b: number, _i: number, s: number) => s === 0],
    ['nothing shown: all keys alike', () => false],
  ])('attend under a mask: %s', (_name, shows) => {
    const shape = { batch: 3, queries: 21, keys: 21, heads: 4, groups: 2, width: 10 };
    expect(attentionError({ ...shape, shows, maskBatch: 3 })).toBeLessThan(1e-6);
    expect(attentionError({ ...shape, shows, maskBatch: 1 })).toBeLessThan(1e-6);
  });

  it('attend with scores that overflow a naive softmax, over many keys, and wide heads', () => {
    const shape = { batch: 2, queries: 9, keys: 30, heads: 2, groups: 2, width: 64 };
    expect(attentionError({ ...shape, scale: 40 })).toBeLessThan(2e-4); // scores of thousands: float32 holds them to 1e-4
    expect(attentionError({ ...shape, scale: 40, softcap: 50 })).toBeLessThan(2e-4);
    expect(attentionError({ ...shape, scale: 0 })).toBeLessThan(1e-6);
    expect(
      attentionError({ ...shape, queries: 130, keys: 333, width: 72, scale: 0.1, shows: (_, i, s) => s <= i + 203 }),
    ).toBeLessThan(1e-6);
  });

  it('attend to a row with the same bits whatever rows are in the batch', () => {
    const shape: Attention = {
      batch: 5,
      queries: 7,
      keys: 11,
      heads: 4,
      groups: 2,
      width: 12,
      shows: (b, i, s) => s <= i + 4 && s >= b,
      maskBatch: 5,
    };
    const all = attentionInputs(shape);
    const together = bits(runAttention(shape, all));
    const size = { q: 7 * 4 * 12, k: 11 * 2 * 12, mask: 7 * 11 };
    for (let b = 0; b < 5; b++) {
      const alone = {
        q: all.q.slice(b * size.q, (b + 1) * size.q),
        k: all.k.slice(b * size.k, (b + 1) * size.k),
        v: all.v.slice(b * size.k, (b + 1) * size.k),
        mask: all.mask.slice(b * size.mask, (b + 1) * size.mask),
      };
      expect(bits(runAttention({ ...shape, batch: 1, maskBatch: 1 }, alone))).toEqual(
        together.slice(b * size.q, (b + 1) * size.q),
      );
    }
  });

  it('attend at a few queries with the bits of all queries', () => {
    const shape: Attention = {
      batch: 2,
      queries: 16,
      keys: 16,
      heads: 2,
      groups: 2,
      width: 8,
      shows: (_, i, s) => s <= i,
    };
    const all = attentionInputs(shape);
    const whole = runAttention(shape, all);
    const last: Attention = { ...shape, queries: 1, shows: () => true };
    const row = 2 * 8;
    const q = Float32Array.from([...all.q.slice(15 * row, 16 * row), ...all.q.slice(31 * row, 32 * row)]);
    const alone = runAttention(last, { ...all, q, mask: new Float32Array(16) });
    expect(bits(alone)).toEqual(
      bits(Float32Array.from([...whole.slice(15 * row, 16 * row), ...whole.slice(31 * row, 32 * row)])),
    );
  });

  it('leave no tensors, also when they refuse', async () => {
    await expect(() => {
      productError({ rows: 9, inner: 20, columns: 11, activation: 'gelu', bias: true, residualRows: 3 });
      attentionError({ batch: 2, queries: 3, keys: 5, heads: 2, groups: 1, width: 4 });
      normError('layer', 3, 10);
      tf.tidy(() => fused('SpexlensLinear', { x: tf.zeros([3, 4]), W: tf.zeros([5, 2]) }, { activation: 'none' }));
    }).toLeakNoTensors();
    const data = (): number => (tf.backend() as unknown as { numDataIds: () => number }).numDataIds();
    const before = data();
    productError({ rows: 9, inner: 20, columns: 11, activation: 'gelu', bias: true, residualRows: 3 });
    expect(data()).toBe(before);
  });

  it('go on when the memory has grown, with the same bits', () => {
    const [x, W] = [tf.tensor(normal(40 * 300), [40, 300]), tf.tensor(normal(300 * 600), [300, 600])];
    const run = (): Int32Array => bits(valuesOf(() => fused('SpexlensLinear', { x, W }, { activation: 'silu' })));
    const memory = (tf.backend() as unknown as { wasm: { asm: { memory: WebAssembly.Memory } } }).wasm.asm.memory;
    const [first, size] = [run(), memory.buffer.byteLength];
    const held: tf.Tensor[] = [];
    while (memory.buffer.byteLength === size)
      held.push(fused('SpexlensLinear', { x: tf.tidy(() => tf.ones([1000, 300])), W }, { activation: 'none' }));
    expect(held.length).toBeGreaterThan(0);
    expect(run()).toEqual(first);
    tf.dispose([x, W, held]);
  });

  it('refuse what does not fit, with the numbers', () => {
    const refuse = (run: () => unknown): void => {
      tf.tidy(() => void run());
    };
    expect(() =>
      refuse(() => fused('SpexlensLinear', { x: tf.zeros([3, 4]), W: tf.zeros([5, 2]) }, { activation: 'none' })),
    ).toThrow(/SpexlensLinear: W \[5, 2\] has 10 numbers; here it has to have 8/);
    expect(() =>
      refuse(() =>
        fused(
          'SpexlensLinear',
          { x: tf.zeros([3, 4]), W: tf.zeros([4, 2]), residual: tf.zeros([2, 2]) },
          { activation: 'none' },
        ),
      ),
    ).toThrow(/a residual of 2 rows goes onto 3/);
    expect(() =>
      refuse(() =>
        fused('SpexlensLinear', { x: tf.zeros([3, 4]), W: tf.zeros([4, 2]) }, { activation: 'swish' as never }),
      ),
    ).toThrow(/activation "swish" is unknown/);
    expect(() =>
      refuse(() => fused('SpexlensGate', { gate: tf.zeros([3], 'int32'), up: tf.zeros([3]) }, { activation: 'silu' })),
    ).toThrow(/gate is of int32/);
    expect(() =>
      refuse(() =>
        fused('SpexlensLinear', { x: tf.zeros([1_000_000, 1]), W: tf.zeros([1, 4000]) }, { activation: 'none' }),
      ),
    ).toThrow(/wasm: out of memory: 15259 MiB more cannot be had/);
  });
});

describe('how the kernels come to be used', () => {
  it('chooseBackend says which are in use', async () => {
    expect((await chooseBackend('wasm', check)).device).toMatch(/own kernels with(out)? fused multiply-add/);
    expect((await chooseBackend('wasm', check, { kernels: 'simd' })).device).toMatch(
      /own kernels without fused multiply-add \(plain SIMD was asked for\)/,
    );
    expect(hasFused('SpexlensLinear')).toBe(true);
    expect((await chooseBackend('wasm', check, { kernels: 'stock' })).device).toMatch(
      /TensorFlow.js's kernels \(as asked for\)/,
    );
    expect(NAMES.some((name) => hasFused(name))).toBe(false);
  });

  it("goes back to TensorFlow.js's kernels when ours compute wrong numbers or throw, and says so", async () => {
    const wrong = await chooseBackend('wasm', {
      ...check,
      run: async () => (hasFused('SpexlensLinear') ? 0.25 : selfCheck()),
    });
    expect(wrong.device).toMatch(
      /TensorFlow.js's kernels \(with kernels of our own, a small forward pass differs from Float64 JavaScript by 2.5e-1/,
    );
    expect(wrong.selfCheckError).toBeLessThan(1e-5);
    expect(hasFused('SpexlensLinear')).toBe(false);
    const throwing = async (): Promise<number> => {
      if (hasFused('SpexlensLinear')) throw new Error('unreachable executed');
      return selfCheck();
    };
    expect((await chooseBackend('wasm', { ...check, run: throwing })).device).toMatch(
      /with kernels of our own, unreachable executed/,
    );
    await expect(chooseBackend('wasm', { ...check, run: async () => 0.25 })).rejects.toThrow(
      /wasm: computes wrong numbers/,
    );
  });

  it('takes the plain build without relaxed SIMD, and none without SIMD', async () => {
    await chooseBackend('wasm', check);
    const plain = tensorBuild('auto', { ...COMPILERS, fma: () => 'no such thing here' });
    expect(plain).toMatchObject({ kind: 'simd', why: 'no such thing here' });
    expect(tensorBuild('auto', { fma: () => 'no such thing here', simd: () => 'nor this' })).toBe('nor this');
    expect(registerWasmKernels('auto', 'nor this')).toBe('nor this');
    expect(hasFused('SpexlensLinear')).toBe(false);
  });

  it("leaves V8's flags as they were", () => {
    const before = WebAssembly.validate(bytesOf(TENSORS_FMA));
    const module = COMPILERS.fma();
    expect(WebAssembly.validate(bytesOf(TENSORS_FMA))).toBe(before);
    if (typeof module === 'string') expect(module).toMatch(/^this (runtime|processor) has/);
    else expect(WebAssembly.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
  });

  it.each([
    ['fma', TENSORS_FMA],
    ['simd', TENSORS_SIMD],
  ])('the %s build owns no memory: no data, no globals, no tables', (_name, base64) => {
    const bytes = bytesOf(base64);
    const sections: number[] = [];
    for (let at = 8; at < bytes.length; ) {
      sections.push(bytes[at++]);
      let [size, shift] = [0, 0];
      do {
        size |= (bytes[at] & 127) << shift;
        shift += 7;
      } while (bytes[at++] > 127);
      at += size;
    }
    expect(sections).toContain(10); // code
    for (const section of [4, 5, 6, 8, 9, 11]) expect(sections).not.toContain(section); // table, memory, global, start, element, data
  });

  it('is not used while gradients are taken', async () => {
    await chooseBackend('wasm', check);
    const doubled = tf.customGrad((x) => ({ value: tf.mul(x as tf.Tensor, 2), gradFunc: (dy) => tf.mul(dy, 2) }));
    expect(hasFused('SpexlensLinear')).toBe(true);
    const gradient = tf.grad((x) => {
      expect(hasFused('SpexlensLinear')).toBe(false);
      return doubled(x);
    })(tf.tensor1d([3]));
    expect([...(await gradient.data())]).toEqual([2]);
  });
});
