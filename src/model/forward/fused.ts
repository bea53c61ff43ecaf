/**
 * Kernels of our own that a backend may have beside TensorFlow.js's: one pass over memory where stock operations take
 * several. They are registered with TensorFlow.js by name when the backend starts (backend/); the forward
 * pass asks for one by name (fused-kernels.ts) and, where there is none, takes stock operations.
 *
 * A fused kernel hides what happens inside it, so the forward pass uses one only where nobody hooks that. While gradients are
 * taken they are used where parameters are constants (withFixedParameters): their gradients (fused-gradients.ts) are of activations.
 */
import * as tf from '@tensorflow/tfjs-core';
import { FUSED_GRADIENTS, type Closures, type FusedGradient } from './fused-gradients.ts';
import { hasKernel, present, runKernel, type FusedKernels, type FusedName } from './fused-kernels.ts';

export { pointwise, type FusedKernels, type FusedName, type PointwiseActivation } from './fused-kernels.ts';

/** Whether the kernels that leave heads out take heads of `width` in a model of `dModel`. */
export function headsFit(width: number, dModel: number): boolean {
  return width % 8 === 0 && width <= 256 && dModel % 8 === 0;
}

/** Whether the wasm backend's products run in a native library, on all cores (backend/wasm-native.ts sets the flag). */
export function hasNativeProducts(): boolean {
  return tf.getBackend() === 'wasm' && tf.env().get('SPEXLENS_WASM_ALL_CORES') === true;
}

let fixed = false;

/** Runs `f`, in which no gradient with respect to parameters is asked for. */
export function withFixedParameters<T>(f: () => T): T {
  const before = fixed;
  fixed = true;
  try {
    return f();
  } finally {
    fixed = before;
  }
}

/** Whether operations are being recorded for gradients. */
export function isRecording(): boolean {
  return (tf.engine() as unknown as Engine).isTapeOn();
}

/** Whether the current backend has `name` and, where gradients are taken, it has one that is asked for. */
export function hasFused(name: FusedName): boolean {
  return hasKernel(name) && (!isRecording() || (fixed && name in FUSED_GRADIENTS));
}

/**
 * Runs a fused kernel that hasFused said is there. The caller owns the result.
 * @param again makes parameters among the inputs anew for the way back, those that are not to be held until then.
 */
export function fused<N extends FusedName>(
  name: N,
  inputs: FusedKernels[N]['inputs'],
  attrs: FusedKernels[N]['attrs'],
  again: Readonly<Record<string, () => tf.Tensor>> = {},
): tf.Tensor {
  const rule = FUSED_GRADIENTS[name] as FusedGradient | undefined;
  if (!isRecording() || rule === undefined) return runKernel(name, inputs, attrs);
  const given = present(inputs);
  const names = rule.saves.filter((input) => given[input] !== undefined && again[input] === undefined);
  const made = (): Record<string, tf.Tensor> =>
    Object.fromEntries(Object.entries(again).map(([input, make]) => [input, make()]));
  const varying = Object.fromEntries(Object.entries(given).filter(([input]) => again[input] === undefined));
  const shapes = Object.fromEntries(Object.entries(given).map(([input, { shape }]) => [input, shape]));
  return (tf.engine() as unknown as Engine).runKernelFunc({
    forwardFunc: (_, save) => {
      const out = runKernel(name, inputs, attrs);
      save(names.map((input) => given[input]));
      return out;
    },
    backwardsFunc: (dy, saved) =>
      rule.gradient({
        dy,
        of: { ...Object.fromEntries(saved.map((tensor, i) => [names[i], tensor])), ...made() },
        shapes,
        attrs,
      }),
    inputs: varying,
    attrs: { ...attrs },
  });
}

/** The parts of the tfjs-core 4.22 engine that are used: what tf.customGrad is made of. */
interface Engine {
  isTapeOn(): boolean;
  runKernelFunc(kernel: {
    readonly forwardFunc: (backend: unknown, save: (tensors: tf.Tensor[]) => void) => tf.Tensor;
    readonly backwardsFunc: (dy: tf.Tensor, saved: readonly tf.Tensor[]) => Closures;
    readonly inputs: Readonly<Record<string, tf.Tensor>>;
    readonly attrs: Readonly<Record<string, unknown>>;
  }): tf.Tensor;
}
