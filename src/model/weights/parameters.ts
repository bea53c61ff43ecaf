/**
 * A model's parameters on the device: float32 tensors or, with half-precision storage, matrices that are unpacked
 * where they are used, or, among threads, matrices in shared memory that are copied where they are used.
 *
 * The forward pass takes a parameter through one of the functions here and so knows float32 only. What a product
 * unpacks or copies is freed with that product. Vectors (biases, norms) are small and stay float32.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { toDevice } from './device-memory.ts';
import { gatherHalfRows, packHalf, requireHalves, unpackHalf, type HalfTensor } from './half-storage.ts';
import { copyShared, sharedColumns, sharedRows, type SharedTensor } from './shared-weights.ts';

/** A weight on the device: float32, halves, or memory that threads share. */
export type Parameter = tf.Tensor | HalfTensor | SharedTensor;

/** Parameters by canonical name; see parameterShapes. */
export type Parameters = Readonly<Record<string, Parameter>>;

/** A matrix to whose products something is added: adapters, of one model or of several, each for its own rows. */
export interface AdaptedMatrix {
  readonly shape: readonly number[];
  readonly base: Parameter;
  /** What x [..., a] gives beside x·base, [..., c]. A pure operation. */
  readonly added: (x: tf.Tensor) => tf.Tensor;
}

/** What a forward pass may be given for a weight. */
export type Weight = Parameter | AdaptedMatrix;
export type Weights = Readonly<Record<string, Weight>>;

/** How matrices are held on the device. */
export const STORAGES = ['float32', 'float16', 'bfloat16'] as const;
/** One of STORAGES. */
export type WeightStorage = (typeof STORAGES)[number];

/** @throws 'input' for an unknown storage, 'backend' for one that the current backend does not have. */
export function requireStorage(storage: string): WeightStorage {
  const known = STORAGES.find((name) => name === storage);
  if (known === undefined) throw fail('input', 'storage', `"${storage}" is unknown; there are ${STORAGES.join(', ')}.`);
  if (known !== 'float32') requireHalves(known);
  return known;
}

/**
 * What `make` returns, values in C order, onto the device, a matrix in `storage`; the caller owns the result. On wasm `make` is
 * offered the tensor's own memory to write to, which saves an array and a copy.
 *
 * @throws 'input' as packHalf, naming the parameter.
 */
export function store(
  make: (into?: Float32Array) => Float32Array,
  shape: readonly number[],
  storage: WeightStorage,
  name: string,
): Parameter {
  if (storage !== 'float32' && shape.length > 1) return packHalf(make(), shape, storage, name);
  return toDevice(make, shape);
}

/** The storage of the matrices among `parameters`. */
export function storageOf(parameters: Parameters): WeightStorage {
  return Object.values(parameters).find(isHalf)?.format ?? 'float32';
}

/** Frees the parameters. Where they are called `owner`, whoever reads one afterwards hears that it was disposed. */
export function disposeParameters(parameters: Parameters, owner?: string): void {
  for (const name of Object.keys(parameters)) {
    const own = Object.getOwnPropertyDescriptor(parameters, name);
    if (own === undefined || 'get' in own) continue; // disposed before
    const parameter = own.value as Parameter;
    if (parameter instanceof tf.Tensor) parameter.dispose();
    else parameter[Symbol.dispose]();
    if (owner !== undefined && !Object.isFrozen(parameters)) Object.defineProperty(parameters, name, gone(owner));
  }
}

function gone(owner: string): PropertyDescriptor {
  return {
    enumerable: true,
    configurable: true,
    get: (): never => {
      throw fail('input', owner, 'was disposed; load it again, or dispose it later.');
    },
  };
}

/**
 * The parameter in float32: itself, or unpacked or copied, which the enclosing tidy frees.
 * @throws 'input' for an adapted matrix, which is known by its products alone.
 */
export function tensorOf(parameter: Weight): tf.Tensor {
  if (isAdapted(parameter))
    throw fail(
      'input',
      'adapted matrix',
      `of [${parameter.shape.join()}] is asked for its numbers; its products are all that it has.`,
    );
  if (isShared(parameter)) return copyShared(parameter);
  return isHalf(parameter) ? unpackHalf(parameter) : parameter;
}

/** x [n, a] · W [a, c]; a W that is not a tensor becomes one for this product alone. */
export function productWith(x: tf.Tensor2D, W: Weight): tf.Tensor2D {
  return tf.tidy(() => tf.matMul(x, tensorOf(W) as tf.Tensor2D));
}

/** Rows of a table [V, d] at `rows`, int32 [n] -> [n, d]; of a table in halves no other row is unpacked where d is even. */
export function rowsOf(table: Weight, rows: tf.Tensor1D): tf.Tensor {
  if (isAdapted(table)) return tf.gather(tensorOf(table), rows);
  if (isShared(table)) return sharedRows(table, rows);
  if (!isHalf(table)) return tf.gather(table, rows);
  return table.shape[1] % 2 === 0 ? gatherHalfRows(table, rows) : tf.tidy(() => tf.gather(unpackHalf(table), rows));
}

/** Columns of a matrix [d, V], or elements of a vector [V] -> [d, n] or [n]; of a shared matrix no other is copied. */
export function columnsOf(matrix: Parameter, columns: readonly number[]): tf.Tensor {
  if (isShared(matrix)) return sharedColumns(matrix, columns);
  return tf.tidy(() => tf.gather(tensorOf(matrix), tf.tensor1d([...columns], 'int32'), matrix.shape.length - 1));
}

/** The same record where every parameter is a float32 tensor. @throws 'input' in the name of `who` where one is in halves or shared. */
export function float32Parameters(parameters: Parameters, who: string): Readonly<Record<string, tf.Tensor>> {
  const other = Object.entries(parameters).find(([, parameter]) => !(parameter instanceof tf.Tensor));
  if (other === undefined) return parameters as Readonly<Record<string, tf.Tensor>>;
  if (isShared(other[1]))
    throw fail(
      'input',
      who,
      `works on weights of one thread, and ${other[0]} is shared; give it the model that they came from.`,
    );
  throw fail(
    'input',
    who,
    `works on float32 weights, and ${other[0]} is stored as ${storageOf(parameters)}; load the model with storage float32.`,
  );
}

/** Whether its products have something added to them. */
export function isAdapted(weight: Weight): weight is AdaptedMatrix {
  return 'added' in weight;
}

function isHalf(parameter: Parameter): parameter is HalfTensor {
  return 'packed' in parameter;
}

function isShared(parameter: Parameter): parameter is SharedTensor {
  return 'shared' in parameter;
}
