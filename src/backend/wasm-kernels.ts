/**
 * Kernels of ours for TensorFlow.js's wasm backend: a product with what follows it, norms, attention, gates.
 *
 * They are registered under the names that the forward pass asks for, with the inputs that it gives (model/fused.ts), a few under
 * TensorFlow.js's own (wasm-overrides.ts), and work in the backend's own memory: nothing is copied. The backend's memory is private
 * API of tfjs-backend-wasm 4.22; where it is not as expected, nothing is registered and the reason is returned.
 */
import * as tf from '@tensorflow/tfjs-core';
import { BACK_KERNELS } from './wasm-back-kernels.ts';
import { FORWARD_KERNELS } from './wasm-forward-kernels.ts';
import type { NativeProducts } from './native-products.ts';
import { nativeKernels, takeAllCores } from './wasm-native.ts';
import { OVERRIDES } from './wasm-overrides.ts';
import { PERCEPTRON_KERNELS } from './wasm-perceptron.ts';
import { PRODUCT_KERNELS } from './wasm-product.ts';
import { tensorBuild, type Build } from './wasm-module.ts';
import {
  createBench,
  tensorsOf,
  type Attributes,
  type Bench,
  type Kernel,
  type Tensors,
  type WasmBackend,
} from './wasm-tensors.ts';

/** TensorFlow.js's own kernels in whose place ours stand. */
const replaced: tf.KernelConfig[] = [];

/**
 * Registers the kernels on the current backend, which is wasm, with products by a native library where one is given. Returns the
 * build they are of, or why there are none.
 */
export function registerWasmKernels(
  wanted: 'auto' | 'simd',
  build: Build | string = tensorBuild(wanted),
  native?: NativeProducts,
): Build | string {
  unregisterWasmKernels();
  if (typeof build === 'string') return build;
  const backend = tf.backend() as unknown as Partial<WasmBackend>;
  if (
    !(backend.wasm?.asm?.memory instanceof WebAssembly.Memory) ||
    typeof backend.wasm._malloc !== 'function' ||
    typeof backend.makeOutput !== 'function'
  ) {
    return 'this version of @tensorflow/tfjs-backend-wasm keeps its memory elsewhere';
  }
  const benches = new WeakMap<object, Bench>();
  const tensors = (on: unknown, kernelName: string): Tensors => {
    const host = on as WasmBackend;
    let bench = benches.get(host.wasm);
    if (bench === undefined) benches.set(host.wasm, (bench = createBench(host, build)));
    return tensorsOf(host, bench, kernelName);
  };
  const register = (kernelName: string, kernelFunc: tf.KernelFunc): void =>
    tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
  takeAllCores(native !== undefined);
  for (const [name, kernel] of Object.entries(native === undefined ? ALL : nativeKernels(native, ALL)))
    register(name, ({ inputs, backend: on, attrs }) => kernel(tensors(on, name), inputs, attrs ?? {}));
  for (const [name, override] of Object.entries(OVERRIDES)) {
    const theirs = tf.getKernel(name, 'wasm');
    tf.unregisterKernel(name, 'wasm');
    register(
      name,
      (given) =>
        override(tensors(given.backend, name), given.inputs, (given.attrs ?? {}) as Attributes) ??
        theirs.kernelFunc(given),
    );
    replaced.push(theirs);
  }
  return build;
}

/** Leaves the wasm backend with TensorFlow.js's kernels only. */
export function unregisterWasmKernels(): void {
  takeAllCores(false);
  for (const name of Object.keys(ALL)) if (tf.getKernel(name, 'wasm') != null) tf.unregisterKernel(name, 'wasm');
  for (const theirs of replaced.splice(0)) {
    tf.unregisterKernel(theirs.kernelName, 'wasm');
    tf.registerKernel(theirs);
  }
}

const ALL: Readonly<Record<string, Kernel>> = {
  ...FORWARD_KERNELS,
  ...BACK_KERNELS,
  ...PRODUCT_KERNELS,
  ...PERCEPTRON_KERNELS,
};
