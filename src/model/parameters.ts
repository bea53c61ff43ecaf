/**
 * A model's parameters on the device: float32 tensors or, with half-precision storage, matrices that are unpacked
 * where they are used.
 *
 * The forward pass takes a parameter through one of the functions here and so knows float32 only. What a product
 * unpacks is freed with that product. Vectors (biases, norms) are small and stay float32.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { gatherHalfRows, packHalf, requireHalves, unpackHalf, type HalfTensor } from './half-storage.ts';

export type Parameter = tf.Tensor | HalfTensor;

/** Parameters by canonical name; see parameterShapes. */
export type Parameters = Readonly<Record<string, Parameter>>;

/** How matrices are held on the device. */
export const STORAGES = ['float32', 'float16', 'bfloat16'] as const;
export type WeightStorage = (typeof STORAGES)[number];

/** @throws 'input' for an unknown storage, 'backend' for one that the current backend does not have. */
export function requireStorage(storage: string): WeightStorage {
  const known = STORAGES.find((name) => name === storage);
  if (known === undefined) throw fail('input', 'storage', `"${storage}" is unknown; there are ${STORAGES.join(', ')}.`);
  if (known !== 'float32') requireHalves(known);
  return known;
}

/** The part of tfjs-backend-wasm 4.22 that gives its kernels memory to write to. */
interface HeapBackend {
  makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo;
  typedArrayFromHeap(info: tf.TensorInfo): Float32Array;
}

/**
 * What `make` returns, values in C order, onto the device, a matrix in `storage`; the caller owns the result. On wasm `make` is
 * offered the tensor's own memory to write to, which saves an array and a copy.
 *
 * @throws 'input' as packHalf, naming the parameter.
 */
export function store(make: (into?: Float32Array) => Float32Array, shape: readonly number[], storage: WeightStorage, name: string): Parameter {
  if (storage !== 'float32' && shape.length > 1) return packHalf(make(), shape, storage, name);
  if (tf.getBackend() !== 'wasm') return tf.tensor(make(), [...shape]);
  const backend = tf.backend() as unknown as HeapBackend;
  const info = backend.makeOutput([...shape], 'float32');
  const memory = backend.typedArrayFromHeap(info);
  const values = make(memory);
  if (values !== memory) memory.set(values);
  return tf.engine().makeTensorFromTensorInfo(info);
}

/** The storage of the matrices among `parameters`. */
export function storageOf(parameters: Parameters): WeightStorage {
  return Object.values(parameters).find(isHalf)?.format ?? 'float32';
}

export function disposeParameters(parameters: Parameters): void {
  for (const parameter of Object.values(parameters)) {
    if (isHalf(parameter)) parameter[Symbol.dispose]();
    else parameter.dispose();
  }
}

/** The parameter in float32: itself, or unpacked, which the enclosing tidy frees. */
export function tensorOf(parameter: Parameter): tf.Tensor {
  return isHalf(parameter) ? unpackHalf(parameter) : parameter;
}

/** x [n, a] · W [a, c]; a W in halves is unpacked for this product alone. */
export function productWith(x: tf.Tensor2D, W: Parameter): tf.Tensor2D {
  return isHalf(W) ? tf.tidy(() => tf.matMul(x, unpackHalf(W) as tf.Tensor2D)) : tf.matMul(x, W as tf.Tensor2D);
}

/** Rows of a table [V, d] at `rows`, int32 [n] -> [n, d]; of a table in halves no other row is unpacked where d is even. */
export function rowsOf(table: Parameter, rows: tf.Tensor1D): tf.Tensor {
  if (!isHalf(table)) return tf.gather(table, rows);
  return table.shape[1] % 2 === 0 ? gatherHalfRows(table, rows) : tf.tidy(() => tf.gather(unpackHalf(table), rows));
}

/** The same record where every parameter is a float32 tensor. @throws 'input' in the name of `who` where one is in halves. */
export function float32Parameters(parameters: Parameters, who: string): Readonly<Record<string, tf.Tensor>> {
  const half = Object.entries(parameters).find(([, parameter]) => isHalf(parameter));
  if (half !== undefined) throw fail('input', who, `works on float32 weights, and ${half[0]} is stored as ${storageOf(parameters)}; load the model with storage float32.`);
  return parameters as Readonly<Record<string, tf.Tensor>>;
}

function isHalf(parameter: Parameter): parameter is HalfTensor {
  return 'packed' in parameter;
}
