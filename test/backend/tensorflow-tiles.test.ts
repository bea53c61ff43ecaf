/** Products on the tile unit against Float64, and that what is left out changes nothing else. Only where a processor has one. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { tileKernels } from '../../src/backend/tensorflow-tiles.ts';
import { fused, hasFused } from '../../src/model/forward/fused.ts';
import { runKernel } from '../../src/model/forward/fused-kernels.ts';
import { createRandom } from '../../src/random.ts';
import { availableBackends, open } from '../tensors.ts';

const random = createRandom(11, 'tiles');
const numbers = (size: number): Float32Array => Float32Array.from({ length: size }, () => random.normal());
const flags = (size: number): Int32Array => Int32Array.from({ length: size }, () => Number(random.uniform() < 0.5));

async function tilesHere(): Promise<boolean> {
  if (!(await availableBackends()).includes('tensorflow')) return false; // its reason is printed there
  await open('tensorflow');
  if (hasFused('SpexlensToHeads')) return true;
  console.info(
    'products on tiles are not tested here: the processor has no AMX, or the addon was built without tiles.cc.',
  );
  return false;
}

/** x [rows, inner] · W [inner, columns]. */
function product(x: Float32Array, W: Float32Array, inner: number, columns: number, turned = false): Float64Array {
  const rows = x.length / inner;
  const out = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += x[r * inner + k] * W[turned ? c * inner + k : k * columns + c];
      out[r * columns + c] = sum;
    }
  return out;
}

/** The same one after the other in float32. */
function chained(x: Float32Array, W: Float32Array, inner: number, columns: number): Float32Array {
  const out = new Float32Array((x.length / inner) * columns);
  out.forEach((_, i) => {
    const [r, c] = [Math.floor(i / columns), i % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum = Math.fround(sum + Math.fround(x[r * inner + k] * W[k * columns + c]));
    out[i] = sum;
  });
  return out;
}

const worst = (got: ArrayLike<number>, expected: Float64Array): number =>
  expected.reduce((most, value, i) => Math.max(most, Math.abs(got[i] - value)), 0);

describe.runIf(await tilesHere())('products on tiles', () => {
  beforeAll(async () => {
    await open('tensorflow');
  });

  it.each([
    { rows: 48, inner: 32, columns: 32 },
    { rows: 67, inner: 45, columns: 33 },
    { rows: 130, inner: 1100, columns: 150 }, // more steps than one block has
    { rows: 49, inner: 2100, columns: 47 },
    { rows: 2100, inner: 64, columns: 40 }, // rows in several runs
  ])('$rows x $inner x $columns is that of float32, and its way back', async ({ rows, inner, columns }) => {
    const [x, W, b, residual] = [numbers(rows * inner), numbers(inner * columns), numbers(columns), numbers(columns)];
    const expected = product(x, W, inner, columns);
    const inputs = { x: tf.tensor(x, [rows, inner]), W: tf.tensor(W, [inner, columns]) };
    const plain = await fused('SpexlensLinear', inputs, { activation: 'none' }).data();
    // no further from Float64 than sums in float32 are
    const allowed = worst(chained(x, W, inner, columns), expected);
    expect(worst(plain, expected)).toBeLessThan(allowed);
    const more = { ...inputs, b: tf.tensor(b), residual: tf.tensor(residual, [1, columns]) };
    const whole = await fused('SpexlensLinear', more, { activation: 'relu' }).data();
    expect([...whole]).toEqual(
      [...plain].map((sum, i) => Math.fround(Math.max(0, Math.fround(sum + b[i % columns])) + residual[i % columns])),
    );
    const back = runKernel('SpexlensBackLinear', { dy: inputs.x, W: tf.tensor(W, [columns, inner]) }, {}) as tf.Tensor;
    expect(worst(await back.data(), product(x, W, inner, columns, true))).toBeLessThan(allowed);
  });

  it('a row is to the last bit what it is among other rows', async () => {
    const [inner, columns] = [1100, 96];
    const [x, W] = [
      tf.tensor(numbers(200 * inner), [200, inner]),
      tf.tensor(numbers(inner * columns), [inner, columns]),
    ];
    const all = await fused('SpexlensLinear', { x, W }, { activation: 'none' }).data();
    const some = await fused(
      'SpexlensLinear',
      { x: tf.slice(x, [77, 0], [50, inner]), W },
      { activation: 'none' },
    ).data();
    expect(some).toEqual(all.slice(77 * columns, 127 * columns));
  });

  it('numbers that are not finite stay so', async () => {
    const x = numbers(64 * 64);
    x[5 * 64 + 3] = Infinity;
    x[9 * 64] = NaN;
    const inputs = { x: tf.tensor(x, [64, 64]), W: tf.tensor(numbers(64 * 32), [64, 32]) };
    const out = await fused('SpexlensLinear', inputs, { activation: 'none' }).data();
    for (let r = 0; r < 64; r++)
      expect(out.slice(r * 32, (r + 1) * 32).every((value) => Number.isFinite(value))).toBe(r !== 5 && r !== 9);
  });

  it.each([
    { batch: 9, span: 16, inner: 96, heads: 4, width: 32 },
    { batch: 7, span: 9, inner: 70, heads: 5, width: 48 },
    { batch: 5, span: 20, inner: 40, heads: 3, width: 24 },
    { batch: 40, span: 5, inner: 64, heads: 6, width: 64 },
  ])(
    'heads are left out: $batch x $span positions, $heads heads of $width',
    async ({ batch, span, inner, heads, width }) => {
      const columns = heads * width;
      const live = flags(batch * heads);
      live.fill(0, 0, heads); // a mask that ablates all
      const on = (i: number): boolean =>
        live[Math.floor(i / columns / span) * heads + Math.floor((i % columns) / width)] === 1;
      const flagged = tf.tensor(live, [batch, heads], 'int32');
      const into = {
        x: tf.tensor(numbers(batch * span * inner), [batch, span, inner]),
        W: tf.tensor(numbers(inner * columns), [inner, columns]),
        b: tf.tensor(numbers(columns)),
      };
      const whole = await fused('SpexlensLinear', into, { activation: 'none' }).data();
      const got = await fused('SpexlensToHeads', { ...into, live: flagged }, {}).data();
      expect([...got]).toEqual([...whole].map((value, i) => (on(i) ? value : 0)));
      const out = {
        x: tf.tensor(
          numbers(batch * span * columns).map((value, i) => (on(i) ? value : 0)),
          [batch, span, columns],
        ),
        W: tf.tensor(numbers(columns * inner), [columns, inner]),
        b: tf.tensor(numbers(inner)),
        residual: tf.tensor(numbers(span * inner), [span, inner]),
      };
      const all = await fused('SpexlensLinear', out, { activation: 'none' }).data();
      const some = await fused('SpexlensFromHeads', { ...out, live: flagged }, {}).data();
      expect([...some]).toEqual([...all]);
    },
  );

  it('attention is zero where a head is left out, and the same elsewhere', async () => {
    const [batch, queries, keys, heads, groups, width] = [3, 5, 21, 6, 3, 16];
    const q = tf.tensor(numbers(batch * queries * heads * width), [batch, queries, heads, width]);
    const [k, v] = [0, 1].map(() => tf.tensor(numbers(batch * keys * groups * width), [batch, keys, groups, width]));
    const live = flags(batch * heads);
    live.fill(0, 0, 2); // both heads of a group
    const attrs = { scale: 0.25, softcap: 0 };
    const whole = await fused('SpexlensAttention', { q, k, v }, attrs).data();
    const left = { q, k, v, live: tf.tensor(live, [batch, heads], 'int32') };
    const size = heads * width;
    expect([...(await fused('SpexlensAttention', left, attrs).data())]).toEqual(
      [...whole].map((value, i) =>
        live[Math.floor(i / size / queries) * heads + Math.floor((i % size) / width)] === 1 ? value : 0,
      ),
    );
  });

  it('refuses what does not fit, naming it', () => {
    const x = tf.zeros([2, 40, 64]);
    const W = tf.zeros([64, 64]);
    expect(() => fused('SpexlensLinear', { x, W: tf.zeros([32, 64]) }, { activation: 'none' })).toThrow(
      /does not take rows as wide/,
    );
    expect(() => fused('SpexlensLinear', { x, W, b: tf.zeros([3]) }, { activation: 'none' })).toThrow(
      /b is not as wide/,
    );
    expect(() => fused('SpexlensLinear', { x, W, residual: tf.zeros([3, 64]) }, { activation: 'none' })).toThrow(
      /residual's rows do not divide/,
    );
    expect(() => fused('SpexlensToHeads', { x, W, live: tf.zeros([1, 4], 'int32') }, {})).toThrow(/live is not of/);
    expect(() => fused('SpexlensToHeads', { x, W, live: tf.zeros([2, 3], 'int32') }, {})).toThrow(/live is not of/);
  });
});

describe('which products run on tiles', () => {
  it('not those of few rows or columns', () => {
    const taken: string[] = [];
    const stock = { SpexlensLinear: () => tf.scalar(taken.push('stock')), SpexlensBackLinear: () => tf.scalar(0) };
    const native = {
      isUsingGpuDevice: false,
      binding: {} as never,
      getInputTensorIds: () => [],
      executeSingleOutput: (name: string) => tf.scalar(taken.push(name)),
      executeMultipleOutputs: () => [],
    };
    const linear = tileKernels(3, stock)['SpexlensLinear'];
    const W = tf.zeros([64, 64]);
    linear(native, { x: tf.zeros([2, 30, 64]), W }, { activation: 'none' });
    linear(native, { x: tf.zeros([2, 8, 64]), W }, { activation: 'none' });
    linear(native, { x: tf.zeros([60, 64]), W: tf.zeros([64, 2]) }, { activation: 'none' });
    expect(taken).toEqual(['SpexlensMultiply', 'stock', 'stock']);
  });
});
