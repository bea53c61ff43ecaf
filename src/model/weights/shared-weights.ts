/**
 * Weights that several threads read at one place: the values of a model in SharedArrayBuffers.
 *
 * WebAssembly reads its own memory alone, and each thread has one. So a matrix is copied there for the product that needs it
 * and freed after, which costs little beside a product over hundreds of rows; a look-up copies only its rows or columns.
 * Vectors, and all of a small model, are copied once.
 */
import * as tf from '@tensorflow/tfjs-core';
import { toDevice } from './device-memory.ts';

/** A matrix that stays outside the device. */
export interface SharedTensor {
  readonly shape: readonly number[];
  /** C order. Other threads read it too: never written to. */
  readonly shared: Float32Array;
  data(): Promise<Float32Array>;
  [Symbol.dispose](): void;
}

/** A model's weights as threads are given them: plain data, by canonical name. */
export type SharedWeights = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly shared: Float32Array }>
>;

/** The values of `parameters` in shared memory; one is read back from the device at a time. */
export async function shareWeights(
  parameters: Readonly<Record<string, { readonly shape: readonly number[]; data(): Promise<ArrayLike<number>> }>>,
): Promise<SharedWeights> {
  const weights: Record<string, SharedWeights[string]> = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    const length = parameter.shape.reduce((product, size) => product * size, 1);
    const shared = new Float32Array(new SharedArrayBuffer(4 * length));
    shared.set(await parameter.data());
    weights[name] = { shape: [...parameter.shape], shared };
  }
  return weights;
}

/**
 * Parameters from `weights`: tensors of their own while all of them take at most `copyBelow` bytes; otherwise matrices stay
 * shared. The caller owns them.
 */
export function parametersOfShared(
  weights: SharedWeights,
  copyBelow: number,
): Record<string, tf.Tensor | SharedTensor> {
  const bytes = Object.values(weights).reduce((sum, { shared }) => sum + shared.byteLength, 0);
  const held = ({ shape, shared }: SharedWeights[string]): tf.Tensor | SharedTensor =>
    bytes <= copyBelow || shape.length < 2
      ? toDevice(() => shared, shape)
      : { shape, shared, data: async () => shared, [Symbol.dispose]: () => undefined };
  return Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, held(weight)]));
}

/** The whole of it on the device; the caller owns the result. */
export function copyShared({ shape, shared }: SharedTensor): tf.Tensor {
  return toDevice(() => shared, shape);
}

/** Rows of a [V, d] matrix at `rows`, int32 [n] -> [n, d]: only they are copied. */
export function sharedRows({ shape: [, width], shared }: SharedTensor, rows: tf.Tensor1D): tf.Tensor2D {
  const values = new Float32Array(rows.size * width);
  rows.dataSync().forEach((row, r) => values.set(shared.subarray(row * width, (row + 1) * width), r * width));
  return tf.tensor2d(values, [rows.size, width]);
}

/** Columns of a [d, V] matrix -> [d, n]: only they are copied. */
export function sharedColumns(
  { shape: [height, width], shared }: SharedTensor,
  columns: readonly number[],
): tf.Tensor2D {
  const values = new Float32Array(height * columns.length);
  for (let r = 0; r < height; r++)
    columns.forEach((column, c) => (values[r * columns.length + c] = shared[r * width + column]));
  return tf.tensor2d(values, [height, columns.length]);
}
