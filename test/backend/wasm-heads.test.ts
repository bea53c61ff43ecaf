/** The kernels that leave heads out and mask rows, against plain JavaScript in Float64. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { fused } from '../../src/model/forward/fused.ts';
import { createRandom } from '../../src/random.ts';
import { open } from '../tensors.ts';

const random = createRandom(5, 'heads');
const numbers = (size: number): Float32Array => Float32Array.from({ length: size }, () => random.normal());
const flags = (size: number): Int32Array => Int32Array.from({ length: size }, () => Number(random.uniform() < 0.5));

/** x [rows, inner] · W [inner, columns] + b. */
function product(
  x: ArrayLike<number>,
  W: ArrayLike<number>,
  b: ArrayLike<number> | undefined,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += x[r * inner + k] * W[k * columns + c];
      out[r * columns + c] = sum + (b?.[c] ?? 0);
    }
  }
  return out;
}

describe.each([{ kernels: 'auto' }, { kernels: 'simd' }] as const)('heads left out, kernels $kernels', (options) => {
  beforeAll(async () => {
    await open('wasm', options);
  });

  it.each([
    { batch: 1, span: 4, inner: 24, heads: 3, width: 8 },
    { batch: 5, span: 7, inner: 70, heads: 5, width: 24 },
    { batch: 3, span: 16, inner: 300, heads: 12, width: 64 },
    { batch: 2, span: 13, inner: 520, heads: 4, width: 256 },
    { batch: 4, span: 5, inner: 33, heads: 7, width: 80 },
  ])(
    'into heads: $batch x $span positions, $inner -> $heads heads of $width',
    async ({ batch, span, inner, heads, width }) => {
      const columns = heads * width;
      const [x, W, b, live] = [
        numbers(batch * span * inner),
        numbers(inner * columns),
        numbers(columns),
        flags(batch * heads),
      ];
      const expected = product(x, W, b, batch * span, inner, columns).map((value, i) =>
        live[Math.floor(i / columns / span) * heads + Math.floor((i % columns) / width)] === 1 ? value : 0,
      );
      const inputs = {
        x: tf.tensor(x, [batch, span, inner]),
        W: tf.tensor(W, [inner, columns]),
        b: tf.tensor(b),
        live: tf.tensor(live, [batch, heads], 'int32'),
      };
      const out = fused('SpexlensToHeads', inputs, {});
      const got = await out.data();
      expect(out.shape).toEqual([batch, span, columns]);
      expect(got).toBeAllClose(expected, 1e-5 * Math.sqrt(inner));
      // What is computed is what the whole product has, to the last bit.
      const whole = await fused(
        'SpexlensLinear',
        { x: inputs.x, W: inputs.W, b: inputs.b },
        { activation: 'none' },
      ).data();
      expect([...got]).toEqual([...whole].map((value, i) => (expected[i] === 0 ? 0 : value)));
      const bare = await fused('SpexlensToHeads', { x: inputs.x, W: inputs.W, live: inputs.live }, {}).data();
      expect(bare).toBeAllClose(
        expected.map((value, i) => (value === 0 ? 0 : value - b[i % columns])),
        1e-5 * Math.sqrt(inner),
      );
    },
  );

  it.each([
    { batch: 1, span: 4, heads: 3, width: 8, columns: 24, residualRows: 4 },
    { batch: 5, span: 7, heads: 5, width: 24, columns: 88, residualRows: 35 },
    { batch: 3, span: 16, heads: 12, width: 64, columns: 768, residualRows: 16 },
    { batch: 2, span: 9, heads: 4, width: 256, columns: 520, residualRows: 18 },
    { batch: 4, span: 5, heads: 7, width: 80, columns: 8, residualRows: 1 },
  ])(
    'out of heads: $batch x $span positions, $heads heads of $width -> $columns',
    async ({ batch, span, heads, width, columns, residualRows }) => {
      const inner = heads * width;
      const live = flags(batch * heads);
      live.fill(0, 0, heads); // a mask that ablates all
      const z = numbers(batch * span * inner).map((value, i) =>
        live[Math.floor(i / inner / span) * heads + Math.floor((i % inner) / width)] === 1 ? value : 0,
      );
      const [W, b, residual] = [numbers(inner * columns), numbers(columns), numbers(residualRows * columns)];
      const expected = product(z, W, b, batch * span, inner, columns).map(
        (value, i) => value + residual[i % residual.length],
      );
      const inputs = {
        x: tf.tensor(z, [batch, span, inner]),
        W: tf.tensor(W, [inner, columns]),
        b: tf.tensor(b),
        residual: tf.tensor(residual, [residualRows, columns]),
      };
      const flagged = tf.tensor(live, [batch, heads], 'int32');
      const got = await fused('SpexlensFromHeads', { ...inputs, live: flagged }, {}).data();
      expect(got).toBeAllClose(expected, 1e-5 * Math.sqrt(inner));
      expect([...got]).toEqual([...(await fused('SpexlensLinear', inputs, { activation: 'none' }).data())]);
      const bare = await fused('SpexlensFromHeads', { x: inputs.x, W: inputs.W, live: flagged }, {}).data();
      expect(bare).toBeAllClose(product(z, W, undefined, batch * span, inner, columns), 1e-5 * Math.sqrt(inner));
    },
  );

  it('attention is zero where a head is left out, and the same elsewhere', async () => {
    const [batch, queries, keys, heads, groups, width] = [3, 5, 9, 6, 3, 16];
    const q = tf.tensor(numbers(batch * queries * heads * width), [batch, queries, heads, width]);
    const [k, v] = [0, 1].map(() => tf.tensor(numbers(batch * keys * groups * width), [batch, keys, groups, width]));
    const live = flags(batch * heads);
    live.fill(0, 0, 2); // both heads of a group
    const attrs = { scale: 0.25, softcap: 0 };
    const whole = await fused('SpexlensAttention', { q, k, v }, attrs).data();
    const got = await fused(
      'SpexlensAttention',
      { q, k, v, live: tf.tensor(live, [batch, heads], 'int32') },
      attrs,
    ).data();
    const size = heads * width;
    expect([...got]).toEqual(
      [...whole].map((value, i) =>
        live[Math.floor(i / size / queries) * heads + Math.floor((i % size) / width)] === 1 ? value : 0,
      ),
    );
  });

  it('refuses what does not fit, naming it', () => {
    const x = tf.zeros([2, 4, 12]);
    const live = tf.zeros([2, 3], 'int32');
    expect(() => fused('SpexlensToHeads', { x, W: tf.zeros([12, 12]), live }, {})).toThrow(
      /heads of 4 numbers; a multiple of 8/,
    );
    expect(() => fused('SpexlensToHeads', { x, W: tf.zeros([12, 24]), live: tf.zeros([1, 3], 'int32') }, {})).toThrow(
      /live is int32 \[1, 3\]; int32 \[2, 3\] is needed/,
    );
    expect(() => fused('SpexlensFromHeads', { x: tf.zeros([2, 4, 24]), W: tf.zeros([24, 12]), live }, {})).toThrow(
      /W has 12 columns/,
    );
    expect(() => fused('SpexlensMaskRows', { x, factors: tf.zeros([3, 1, 4]) }, {})).toThrow(
      /2 rows become 3; parents have to say which/,
    );
    expect(() => fused('SpexlensMaskRows', { x, factors: tf.zeros([2, 1, 5]) }, {})).toThrow(
      /factors for 5 elements meet positions of 12 numbers/,
    );
    expect(() => fused('SpexlensMaskRows', { x, factors: tf.zeros([2, 3, 4]) }, {})).toThrow(
      /factors have 3 positions and the base 1; 1 or 4 are needed/,
    );
  });

  it.each([
    { from: 1, rows: 4, positions: 3, elements: 5, width: 6, factorPositions: 1, basePositions: 3 },
    { from: 3, rows: 6, positions: 4, elements: 7, width: 1, factorPositions: 4, basePositions: 1 },
    { from: 6, rows: 6, positions: 2, elements: 1, width: 13, factorPositions: 2, basePositions: 2 },
  ])(
    'rows are laid out and masked: $from -> $rows rows of $positions x $elements x $width',
    async ({ from, rows, positions, elements, width, factorPositions, basePositions }) => {
      const line = elements * width;
      const [x, base] = [numbers(from * positions * line), numbers(basePositions * line)];
      const parents = Int32Array.from({ length: rows }, (_, r) => (from === rows ? r : Math.floor((r * from) / rows)));
      const factors = Float32Array.from(
        { length: rows * factorPositions * elements },
        () => [0, 1, 1.5][random.integer(3)],
      );
      const at = (i: number): { readonly x: number; readonly factor: number; readonly base: number } => {
        const [r, p, e] = [
          Math.floor(i / line / positions),
          Math.floor(i / line) % positions,
          Math.floor((i % line) / width),
        ];
        const [fp, bp] = [factorPositions === 1 ? 0 : p, basePositions === 1 ? 0 : p];
        return {
          x: x[(parents[r] * positions + p) * line + (i % line)],
          factor: factors[(r * factorPositions + fp) * elements + e],
          base: base[bp * line + (i % line)],
        };
      };
      const each = Array.from({ length: rows * positions * line }, (_, i) => at(i));
      const shape = width === 1 ? [from, positions, elements] : [from, positions, elements, width];
      const inputs = {
        x: tf.tensor(x, shape),
        parents: from === rows || from === 1 ? undefined : tf.tensor1d(parents, 'int32'),
      };
      const factor = tf.tensor(factors, [rows, factorPositions, elements]);
      const masked = await fused('SpexlensMaskRows', { ...inputs, factors: factor }, {}).data();
      expect(masked).toBeAllClose(
        each.map((cell) => cell.x * cell.factor),
        1e-6,
      );
      const based = await fused(
        'SpexlensMaskRows',
        { ...inputs, factors: factor, base: tf.tensor(base, [1, basePositions, ...shape.slice(2)]) },
        {},
      ).data();
      expect(based).toBeAllClose(
        each.map((cell) => cell.x * cell.factor + cell.base * (1 - cell.factor)),
        1e-6,
      );
      each.forEach((cell, i) => {
        if (cell.factor === 1) expect(based[i]).toBe(cell.x);
        if (cell.factor === 0) expect(based[i]).toBe(cell.base);
      });
      const laid = await fused('SpexlensMaskRows', { ...inputs, parents: tf.tensor1d(parents, 'int32') }, {}).data();
      expect([...laid]).toEqual(each.map((cell) => cell.x));
    },
  );
});
