/** What lays a file's values out as a parameter's, and where the result is put. */
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { columns, same, swapLeading, transposed, type Take } from '../../src/model/families/family.ts';
import { disposeParameters, store } from '../../src/model/weights/parameters.ts';
import { createRandom } from '../../src/random.ts';
import { open } from '../tensors.ts';

/** [take, sizes of the file's array, the place in it of value i of the result, values of the result]. */
const TAKES: readonly (readonly [string, Take, number, (i: number) => number, number])[] = [
  ['same', same, 12, (i) => i, 12],
  ...(
    [
      [1, 9],
      [9, 1],
      [64, 64],
      [63, 130],
      [200, 65],
      [3, 300],
    ] as const
  ).map(
    ([rows, cols]) =>
      [
        `transposed ${rows} x ${cols}`,
        transposed(rows, cols),
        rows * cols,
        (i: number) => (i % rows) * cols + Math.floor(i / rows),
        rows * cols,
      ] as const,
  ),
  ['columns 3 to 8 of 5 x 11', columns(5, 11, 3, 8), 55, (i) => Math.floor(i / 5) * 11 + 3 + (i % 5), 25],
  [
    'swapped leading axes of 3 x 4 x 5',
    swapLeading(3, 4, 5),
    60,
    (i) => ((Math.floor(i / 5) % 3) * 4 + Math.floor(i / 15)) * 5 + (i % 5),
    60,
  ],
];

describe.each(TAKES)('%s', (_name, take, length, placeOf, size) => {
  const random = createRandom(2);
  const data = Float32Array.from({ length }, () => random.normal());
  const expected = Float32Array.from({ length: size }, (_, i) => data[placeOf(i)]);

  it('puts every value at its place, in a fresh array and in a given one', () => {
    expect(take(data)).toEqual(expected);
    const into = new Float32Array(size).fill(NaN);
    const got = take(data, into);
    expect(got).toEqual(expected);
    expect(got === into || got === data).toBe(true);
  });

  it.each(['wasm', 'cpu'])('gives a tensor of its own on %s, counted and freed as any other', async (name) => {
    const backend = await open(name);
    const before = tf.memory();
    const source = Float32Array.from(data);
    const tensor = store((into) => take(source, into), [size], 'float32', 'x') as tf.Tensor;
    if (name === 'wasm') source.fill(0); // the array serves the next tensor there
    expect(tf.memory().numBytes - before.numBytes).toBe(4 * size);
    expect(await tensor.data()).toEqual(expected);
    const sum = tf.tidy(() => tf.sum(tensor).dataSync()[0]);
    expect(sum).toBeCloseTo(
      expected.reduce((a, b) => a + b, 0),
      3,
    );
    disposeParameters({ tensor });
    expect(tf.memory().numTensors).toBe(before.numTensors);
    backend.close();
  });
});
