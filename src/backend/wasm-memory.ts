/**
 * Out of memory on the wasm backend is an error, not a wrong number.
 *
 * tfjs-backend-wasm 4.22 does not look at what its allocator returns: with its 4 GiB full, kernels would write to address 0
 * and compute with what stands there. Here the allocator throws instead, so that a caller can go on with less.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';

/** The part of tfjs-backend-wasm 4.22 that allocates. */
interface WasmHost {
  readonly wasm?: {
    _malloc?: ((bytes: number) => number) & { readonly guarded?: true };
    readonly _free?: (at: number) => void;
  };
}

export function outOfMemory(bytes: number): Error {
  return fail(
    'backend',
    'wasm',
    `out of memory: ${Math.ceil(bytes / 2 ** 20)} MiB more cannot be had of the 4 GiB that the backend can have. Use smaller batches.`,
  );
}

/** Makes the allocator of the current backend, which is wasm, throw where it would return 0. */
export function guardMemory(): void {
  const { wasm } = tf.backend() as unknown as WasmHost;
  if (wasm?._malloc === undefined || wasm._malloc.guarded === true) return;
  wasm._free?.(wasm._malloc(16)); // the first call puts the real allocator in its own place
  const malloc = wasm._malloc;
  const guarded = (bytes: number): number => {
    const at = malloc(bytes);
    if (at === 0 && bytes > 0) throw outOfMemory(bytes);
    return at;
  };
  wasm._malloc = Object.assign(guarded, { guarded: true as const });
}
