/**
 * What kernels in the wasm backend's own memory work with: an instance of our module there, addresses of tensors, fresh tensors.
 *
 * The backend's memory is private API of tfjs-backend-wasm 4.22.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import type { TensorModule } from './wasm-exports.ts';
import { outOfMemory } from './wasm-memory.ts';
import { instantiate, type Build } from './wasm-module.ts';

/** The parts of tfjs-backend-wasm 4.22 that are used. */
export interface WasmBackend {
  readonly wasm: {
    readonly asm: { readonly memory: WebAssembly.Memory };
    readonly _malloc: (bytes: number) => number;
    readonly _free: (at: number) => void;
  };
  readonly dataIdMap: { readonly get: (dataId: object) => { readonly memoryOffset: number } };
  readonly makeOutput: (shape: readonly number[], dtype: 'float32') => tf.TensorInfo;
  readonly disposeData: (dataId: object) => boolean;
}

/** An instance over one backend's memory, and the scratch that it has there. */
export interface Bench {
  readonly run: TensorModule;
  /** The address of at least so many bytes. */
  readonly scratch: (bytes: number) => number;
}

export type Inputs = Readonly<Record<string, tf.TensorInfo | undefined>>;
export type Attributes = Readonly<Record<string, unknown>>;
export type Kernel = (tensors: Tensors, inputs: Inputs, attributes: Attributes) => tf.TensorInfo | tf.TensorInfo[];

/** Activations by number, as wasm/tensors/functions.ts has them. */
const ACTIVATIONS: readonly unknown[] = ['none', 'relu', 'silu', 'gelu', 'gelu_new'];

const MOST_BYTES = 2 ** 32 - 65_536;

export function createBench({ wasm }: WasmBackend, { module }: Build): Bench {
  let [at, size] = [0, 0];
  return {
    run: instantiate(module, wasm.asm.memory),
    scratch: (bytes) => {
      if (bytes <= size) return at;
      if (at !== 0) wasm._free(at);
      at = wasm._malloc(bytes) >>> 0;
      size = at === 0 ? 0 : bytes;
      if (at === 0) throw outOfMemory(bytes);
      return at;
    },
  };
}

/** What a kernel does with tensors. */
export interface Tensors {
  readonly run: TensorModule;
  readonly scratch: (bytes: number) => number;
  /** A fresh tensor; addresses asked for before it stay right, but typed arrays over the memory do not. */
  readonly output: (shape: readonly number[]) => tf.TensorInfo;
  /** The address of a tensor's numbers, 0 for no tensor. */
  readonly at: (tensor: tf.TensorInfo | undefined) => number;
  /** All numbers of the memory, by their number; until the next output, which may move them. */
  readonly floats: () => Float32Array;
  /** @throws 'input' unless the tensor is float32 and, where `size` is given, has so many numbers. */
  readonly expect: (name: string, tensor: tf.TensorInfo | undefined, size?: number) => tf.TensorInfo;
}

export function tensorsOf(backend: WasmBackend, { run, scratch }: Bench, who: string): Tensors {
  const at = (tensor: tf.TensorInfo | undefined): number =>
    tensor === undefined ? 0 : backend.dataIdMap.get(tensor.dataId).memoryOffset;
  return {
    run,
    scratch,
    at,
    floats: () => new Float32Array(backend.wasm.asm.memory.buffer),
    output: (shape) => {
      const size = tf.util.sizeFromShape([...shape]);
      if (4 * size > MOST_BYTES) throw outOfMemory(4 * size); // the allocator takes sizes modulo 4 GiB
      const out = backend.makeOutput(shape, 'float32');
      if (size > 0 && at(out) === 0) {
        backend.disposeData(out.dataId);
        throw outOfMemory(4 * size);
      }
      return out;
    },
    expect: (name, tensor, size) => {
      if (tensor?.dtype !== 'float32')
        throw fail(
          'input',
          who,
          `${name} is ${tensor === undefined ? 'missing' : `of ${tensor.dtype}`}; it has to be a float32 tensor.`,
        );
      const has = tf.util.sizeFromShape(tensor.shape);
      if (size !== undefined && has !== size)
        throw fail(
          'input',
          who,
          `${name} [${tensor.shape.join(', ')}] has ${has} numbers; here it has to have ${size}.`,
        );
      return tensor;
    },
  };
}

export function activationOf(attributes: Attributes, who: string): number {
  const number = ACTIVATIONS.indexOf(attributes['activation']);
  if (number < 0)
    throw fail(
      'input',
      who,
      `the activation ${JSON.stringify(attributes['activation'])} is unknown; it has to be ${ACTIVATIONS.join(', ')}.`,
    );
  return number;
}
