/**
 * Our kernels for the webgpu backend, by the names that the forward pass asks for (model/fused.ts says what each takes and
 * gives): one dispatch each, where stock operations take several.
 */
import { getKernel, registerKernel, unregisterKernel, type KernelFunc } from '@tensorflow/tfjs-core';
import { attentionKernel } from './webgpu/attention.ts';
import { gateKernel } from './webgpu/gate.ts';
import { linearKernel } from './webgpu/linear.ts';
import { maskBitsKernel } from './webgpu/mask-bits.ts';
import { normKernel } from './webgpu/norm.ts';
import { turnKernel } from './webgpu/turn.ts';

const KERNELS: Readonly<Record<string, KernelFunc>> = {
  SpexlensLinear: linearKernel,
  SpexlensNorm: normKernel,
  SpexlensAttention: attentionKernel,
  SpexlensGate: gateKernel,
  SpexlensTurn: turnKernel,
  SpexlensMaskBits: maskBitsKernel,
};

/** From now on a forward pass on webgpu uses them. Twice is as good as once. */
export function registerWebgpuKernels(): void {
  for (const [kernelName, kernelFunc] of Object.entries(KERNELS)) {
    if (getKernel(kernelName, 'webgpu') == null) registerKernel({ kernelName, backendName: 'webgpu', kernelFunc });
  }
}

/** From now on it uses stock operations, as for a comparison. */
export function unregisterWebgpuKernels(): void {
  for (const kernelName of Object.keys(KERNELS)) {
    if (getKernel(kernelName, 'webgpu') != null) unregisterKernel(kernelName, 'webgpu');
  }
}
