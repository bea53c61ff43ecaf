/** Half precision as storage: rounding to it, its cost in logits, and unpacking on the device (webgpu only). */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { runWithHooks } from '../../src/hooks/run.ts';
import { narrowBfloat16, narrowFloat16, widenBfloat16, widenFloat16 } from '../../src/checkpoint/half-precision.ts';
import {
  gatherHalfRows,
  packHalf,
  roundToHalf,
  unpackHalf,
  type HalfFormat,
} from '../../src/model/weights/half-storage.ts';
import { createModel, loadModel } from '../../src/model/model.ts';
import { float32Parameters, type Parameters } from '../../src/model/weights/parameters.ts';
import { createRandom } from '../../src/random.ts';
import { availableBackends, open } from '../tensors.ts';

const FORMATS = {
  float16: { narrow: narrowFloat16, widen: widenFloat16 },
  bfloat16: { narrow: narrowBfloat16, widen: widenBfloat16 },
} as const;
const formats = Object.keys(FORMATS) as HalfFormat[];
const bitsOf = (values: ArrayLike<number>): number[] => [...new Uint32Array(Float32Array.from(values).buffer)];
const everyPattern = (format: HalfFormat): Float32Array => {
  const values = new Float32Array(65536);
  FORMATS[format].widen(
    Uint16Array.from({ length: 65536 }, (_, i) => i),
    values,
  );
  return values;
};

describe('rounding to half precision', () => {
  it.each(formats)('%s gives every value of the format back, the sign of zero and infinities too', (format) => {
    const values = everyPattern(format);
    const back = FORMATS[format].narrow(values);
    const wrong = [...values].flatMap((value, pattern) =>
      Number.isNaN(value)
        ? Number.isNaN(everyOf(format, back[pattern]))
          ? []
          : [pattern]
        : back[pattern] === pattern
          ? []
          : [pattern],
    );
    expect(wrong).toEqual([]);
  });

  it.each(formats)('%s takes the nearest value, and of two as near the even one', (format) => {
    const finite = [...new Set([...everyPattern(format)].filter(Number.isFinite))].sort((a, b) => a - b);
    const random = createRandom(3, format);
    const limit = format === 'float16' ? 65504 : 1e30;
    for (let i = 0; i < 3000; i++) {
      const k = random.integer(finite.length - 1);
      if (Math.abs(finite[k]) > limit) continue;
      const [low, high] = [finite[k], finite[k + 1]];
      const middle = Math.fround(low / 2 + high / 2);
      const given = Math.fround(low + random.uniform() * (high - low));
      const [rounded, tie] = roundToHalf(Float32Array.of(given, middle), format);
      expect(Math.abs(rounded - given)).toBe(Math.min(given - low, high - given));
      if (middle - low === high - middle)
        expect(FORMATS[format].narrow(Float32Array.of(tie))[0] % 2, `${low} ${high}`).toBe(0);
    }
  });

  it('becomes infinite only beyond the range', () => {
    expect([...roundToHalf(Float32Array.of(65519.99, 65520, -70000, 1e-9, -1e-9), 'float16')]).toEqual([
      65504,
      Infinity,
      -Infinity,
      0,
      -0,
    ]);
    expect([...roundToHalf(Float32Array.of(3.38e38, 3.4e38), 'bfloat16')].map(Number.isFinite)).toEqual([true, false]);
  });
});
const everyOf = (format: HalfFormat, pattern: number): number => {
  const one = new Float32Array(1);
  FORMATS[format].widen(Uint16Array.of(pattern), one);
  return one[0];
};

describe('weights in half precision', () => {
  it('move the logits of ioi-tiny by as much as README states, and are refused where the device cannot unpack', async () => {
    const backend = await open('wasm');
    try {
      const model = await loadModel(join(import.meta.dirname, '../../models/ioi-tiny'));
      const prompt = 'When Mary and John went to the store, John gave a drink to';
      const logitsOf = async (given: Parameters): Promise<Float32Array> => {
        const logits = runWithHooks(
          createModel(model.config, given, { name: 'rounded', tokenizer: model.tokenizer }),
          prompt,
          [],
        );
        const values = (await logits.data()) as Float32Array;
        logits.dispose();
        return values;
      };
      const parameters = float32Parameters(model.parameters, 'test');
      const exact = await logitsOf(parameters);
      const largest: Record<string, number> = {};
      for (const format of formats) {
        // Matrices are stored in halves; biases and norms are small and stay.
        const rounded = Object.fromEntries(
          Object.entries(parameters).map(([name, tensor]) => [
            name,
            tensor.shape.length < 2
              ? tf.clone(tensor)
              : tf.tensor(roundToHalf(tensor.dataSync() as Float32Array, format), tensor.shape),
          ]),
        );
        const logits = await logitsOf(rounded);
        largest[format] = logits.reduce((most, value, i) => Math.max(most, Math.abs(value - exact[i])), 0);
        tf.dispose(rounded);
      }
      console.info(
        `largest logit change of ioi-tiny: float16 ${largest['float16'].toExponential(1)}, bfloat16 ${largest['bfloat16'].toExponential(1)}`,
      );
      expect(largest['float16']).toBeLessThan(0.01);
      expect(largest['bfloat16']).toBeLessThan(0.08);
      expect(largest['float16']).toBeGreaterThan(0);
      expect(() => packHalf(new Float32Array(2), [2], 'float16')).toThrow(
        'storage float16: needs webgpu, which unpacks on the device; the backend is wasm.',
      );
      model[Symbol.dispose]();
    } finally {
      backend.close();
    }
  });
});

describe.runIf((await availableBackends()).includes('webgpu'))('on webgpu', () => {
  let backend: Backend;
  beforeAll(async () => void (backend = await open('webgpu')));
  afterAll(() => backend.close());

  it.each(formats)('every %s pattern is unpacked to its own value, bit for bit', async (format) => {
    const values = everyPattern(format).filter((value) => !Number.isNaN(value));
    const half = packHalf(values, [values.length], format);
    const unpacked = unpackHalf(half);
    // Subnormal float32 values, which only bfloat16 has, may be flushed by the device.
    const normal = (list: ArrayLike<number>): number[] =>
      bitsOf(list).map((bits) => ((bits & 0x7f800000) === 0 ? bits & 0x80000000 : bits));
    const [got, expected] = [normal(await unpacked.data()), normal(values)];
    expect(got.filter((bits, i) => bits !== expected[i] && (bits & 0x7fffffff) !== 0)).toEqual([]);
    expect(half.largestError).toBe(0);
    unpacked.dispose();
    half[Symbol.dispose]();
  });

  it('odd lengths, shapes and rows come back, in half the memory, and nothing is left', async () => {
    const values = Float32Array.from({ length: 6 * 8 }, (_, i) => (i - 20) / 7);
    const before = tf.memory();
    const half = packHalf(values, [6, 8], 'float16');
    expect(tf.memory().numBytes - before.numBytes).toBe(values.byteLength / 2);
    const rounded = roundToHalf(values, 'float16');
    expect(half.largestError).toBeLessThanOrEqual(2 ** -11);
    const rows = tf.tensor1d([4, 0, 4], 'int32');
    const [whole, some] = [unpackHalf(half), gatherHalfRows(half, rows)];
    expect([whole.shape, some.shape]).toEqual([
      [6, 8],
      [3, 8],
    ]);
    expect([...(await whole.data())]).toEqual([...rounded]);
    expect([...(await some.data())]).toEqual([4, 0, 4].flatMap((row) => [...rounded.subarray(8 * row, 8 * row + 8)]));
    const odd = packHalf(values.subarray(0, 5), [5], 'bfloat16');
    const back = unpackHalf(odd);
    expect([...(await back.data())]).toEqual([...roundToHalf(values.slice(0, 5), 'bfloat16')]);
    tf.dispose([rows, whole, some, back]);
    for (const owner of [half, odd]) owner[Symbol.dispose]();
    expect(tf.memory().numTensors).toBe(before.numTensors);
  });

  it('nine million values, more words than one dimension of workgroups covers, come back each at its place', async () => {
    const values = Float32Array.from({ length: 9_000_001 }, (_, i) => i % 256);
    const half = packHalf(values, [values.length], 'bfloat16');
    const back = unpackHalf(half);
    const got = await back.data();
    expect(got.findIndex((value, i) => value !== values[i])).toBe(-1);
    back.dispose();
    half[Symbol.dispose]();
  });

  it('a product with unpacked weights is the product with the rounded ones', async () => {
    const random = createRandom(5, 'product');
    const [m, k, n] = [7, 96, 50];
    const draw = (length: number) => Float32Array.from({ length }, () => random.uniform() - 0.5);
    const [x, w] = [tf.tensor2d(draw(m * k), [m, k]), draw(k * n)];
    const half = packHalf(w, [k, n], 'float16');
    const ours = tf.tidy(() => tf.matMul(x, unpackHalf(half) as tf.Tensor2D));
    const theirs = tf.tidy(() => tf.matMul(x, tf.tensor2d(roundToHalf(w, 'float16'), [k, n])));
    expect([...(await ours.data())]).toEqual([...(await theirs.data())]);
    expect(() => packHalf(Float32Array.of(1, 70000), [2], 'float16')).toThrow(
      'storage float16: cannot hold 70000 at 1; use bfloat16 or float32.',
    );
    tf.dispose([x, ours, theirs]);
    half[Symbol.dispose]();
  });
});
