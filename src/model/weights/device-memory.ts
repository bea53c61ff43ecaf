/** Putting float32 values onto the current backend, on wasm straight into the memory that its kernels read. */
import * as tf from '@tensorflow/tfjs-core';

/** The part of tfjs-backend-wasm 4.22 that gives its kernels memory to write to. */
interface HeapBackend {
  makeOutput(shape: number[], dtype: 'float32'): tf.TensorInfo;
  typedArrayFromHeap(info: tf.TensorInfo): Float32Array;
}

/**
 * What `make` returns, values in C order, as a tensor; the caller owns it. On wasm `make` is offered the tensor's own
 * memory to write to, which saves an array and a copy. Other backends may keep the array that it returns.
 */
export function toDevice(make: (into?: Float32Array) => Float32Array, shape: readonly number[]): tf.Tensor {
  if (tf.getBackend() !== 'wasm') return tf.tensor(make(), [...shape]);
  const backend = tf.backend() as unknown as HeapBackend;
  const info = backend.makeOutput([...shape], 'float32');
  const memory = backend.typedArrayFromHeap(info);
  const values = make(memory);
  if (values !== memory) memory.set(values);
  return tf.engine().makeTensorFromTensorInfo(info);
}
