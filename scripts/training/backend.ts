/** The backend that training runs on: wasm by default, with the gradients of the full TensorFlow.js package. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';

export async function useWasm(): Promise<void> {
  const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(join(dirname(entry), '..', 'wasm-out') + '/');
  await tf.setBackend('wasm');
  await tf.ready();
}
