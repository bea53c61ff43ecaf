/** The GPU as a page sees it. */
import { fail } from '../../errors.ts';

/** `navigator.gpu`; whether the adapter is hardware, it says when it is asked. @throws 'backend' where the browser has no WebGPU. */
export async function openGpu(_options: { readonly hardwareOnly: boolean }): Promise<GPU> {
  const { gpu } = navigator as { readonly gpu?: GPU };
  if (gpu === undefined)
    throw fail('backend', 'webgpu', 'is not in this browser, or not in a page without https; the wasm backend is.');
  return gpu;
}
