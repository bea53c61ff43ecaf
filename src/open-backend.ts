/** Where tensors run, and that they come out right there: a backend is opened with the self-check of the forward pass. */
import { awaited } from './awaited.ts';
import { chooseBackend, type Backend, type BackendOptions } from './backend/backend.ts';
import { SELF_CHECK_TOLERANCE, selfCheck } from './model/reference/self-check.ts';

/**
 * Makes `choice` the current TensorFlow.js backend: `auto` (default) takes the first that works of tensorflow with a GPU, webgpu
 * on a hardware adapter, tensorflow on CPU, wasm, cpu. Before it is used it computes a small forward pass, which has to agree with
 * Float64 JavaScript within SELF_CHECK_TOLERANCE.
 *
 * @example const backend = await openBackend();
 * @throws 'backend' when it is unknown, absent, or computes wrong numbers.
 */
export function openBackend(choice = 'auto', options: BackendOptions = {}): Promise<Backend> {
  const fields = ['name', 'device', 'why', 'passedOver', 'selfCheckError', 'close'] as const;
  const check = { run: selfCheck, tolerance: SELF_CHECK_TOLERANCE };
  return awaited('openBackend', fields, chooseBackend(choice, check, options));
}
