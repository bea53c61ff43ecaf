/**
 * Bringing one backend up: load its package (only when asked for), register it, say what device it uses.
 *
 * Packages are imported lazily: the optional ones may be absent, and loading what is not used costs seconds.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { openGpu } from '../platform/gpu.ts';
import { importPackage, keepingFatalHandlers, restoreUtil, setVariables, wasmModules } from '../platform/runtime.ts';
import { createNativeProducts, type OnnxBinding } from './native-products.ts';
import { registerTensorflowKernels, unregisterTensorflowKernels } from './tensorflow-kernels.ts';
import { guardMemory } from './wasm-memory.ts';
import { boundBuffers, throwDeviceErrors, type GuardedBackend } from './webgpu/guard.ts';
import { registerWebgpuKernels, unregisterWebgpuKernels } from './webgpu-kernels.ts';

export interface Started {
  readonly device: string;
  readonly gpu: boolean;
  readonly close: () => void;
  /** Leaves out what is ours of the backend, where there is something; returns the device without it. */
  readonly plainly?: (why: string) => string;
}

/**
 * Whose kernels a backend has: ours, the best for here ('auto'; on wasm also 'simd', without fused multiply-add, on tensorflow without
 * the processor's tile unit), ours with the products of ONNX Runtime ('native', on wasm; onnxruntime-node has to be installed), or
 * TensorFlow.js's ('stock').
 */
export type OwnKernels = 'auto' | 'native' | 'simd' | 'stock';

const nothing = (): void => {};

export async function startCpu(): Promise<Started> {
  await import('@tensorflow/tfjs-backend-cpu');
  tf.env().set('PROD', true); // without it the backend prints an advertisement
  return { device: 'CPU, plain JavaScript', gpu: false, close: nothing };
}

export async function startWasm(kernels: OwnKernels): Promise<Started> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(await wasmModules());
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false); // as in Node; a page that is isolated might have it
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  const device = `CPU, WebAssembly${simd ? ' SIMD' : ' without SIMD'}, one thread`;
  await keepingFatalHandlers(async () => {
    if (!(await tf.setBackend('wasm'))) throw fail('backend', 'wasm', 'TensorFlow.js could not initialise it.');
    await tf.ready();
  });
  guardMemory();
  const { registerWasmKernels, unregisterWasmKernels } = await import('./wasm-kernels.ts');
  const plainly = (why: string): string => {
    unregisterWasmKernels();
    return `${device}, TensorFlow.js's kernels (${why})`;
  };
  if (kernels === 'stock') return { device: plainly('as asked for'), gpu: false, close: nothing };
  const native = kernels === 'native' ? createNativeProducts(await importOnnx()) : undefined;
  const build = registerWasmKernels(kernels === 'simd' ? 'simd' : 'auto', undefined, native);
  if (typeof build === 'string') return { device: plainly(build), gpu: false, close: nothing };
  const with_ = build.kind === 'fma' ? 'with fused multiply-add' : `without fused multiply-add (${build.why ?? ''})`;
  const products = native === undefined ? '' : ', products by ONNX Runtime on all cores';
  return { device: `${device}, own kernels ${with_}${products}`, gpu: false, close: nothing, plainly };
}

async function importOnnx(): Promise<OnnxBinding> {
  const advice = '; npm install onnxruntime-node@1.14.0 brings it, 100 MB';
  return ((await importPackage('onnxruntime-node/dist/binding.js', 'wasm', advice)) as { binding: OnnxBinding })
    .binding;
}

/** What is used here of the backend that @tensorflow/tfjs-node-gpu registers. */
interface NodeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version?: string };
}

/** @throws when the package is absent, or when `gpuOnly` and it would compute on the CPU. */
export async function startTensorflow(
  kernels: OwnKernels,
  { gpuOnly }: { readonly gpuOnly: boolean },
): Promise<Started> {
  prepareTensorflow();
  await importPackage('@tensorflow/tfjs-node-gpu', 'tensorflow');
  const backend = tf.findBackend('tensorflow') as unknown as NodeBackend | null;
  if (backend === null)
    throw fail(
      'backend',
      'tensorflow',
      'did not register with our @tensorflow/tfjs-core; the package has one of its own.',
    );
  if (gpuOnly && !backend.isUsingGpuDevice) throw fail('backend', 'tensorflow', 'sees no GPU.');
  const version = backend.binding.TF_Version ?? 'of unknown version';
  const device = backend.isUsingGpuDevice
    ? `GPU, CUDA, TensorFlow ${version}`
    : `CPU, TensorFlow ${version}, all cores`;
  const plainly = (why: string): string => {
    unregisterTensorflowKernels();
    return `${device}, TensorFlow.js's kernels (${why})`;
  };
  const started = { gpu: backend.isUsingGpuDevice, close: nothing };
  if (kernels === 'stock') return { ...started, device: plainly('as asked for') };
  const ours = registerTensorflowKernels(backend, { tiles: kernels !== 'simd' });
  return ours === undefined ? { ...started, device } : { ...started, device: `${device}, ${ours}`, plainly };
}

/**
 * What has to be so before the package loads. A variable that the user has set stays.
 *
 * Without these, TensorFlow tells on stderr what it was built for, takes all of a GPU's memory, and multiplies float32
 * matrices in TF32 on a GPU, which leaves three digits. The two functions are of Node's util module, which dropped them
 * in Node 23; the package calls them.
 */
function prepareTensorflow(): void {
  const defaults = { TF_CPP_MIN_LOG_LEVEL: '2', TF_FORCE_GPU_ALLOW_GROWTH: 'true', NVIDIA_TF32_OVERRIDE: '0' };
  setVariables(defaults);
  restoreUtil();
}

/** @throws when the package or an adapter is absent, or when `hardwareOnly` and the adapter is a software one. */
export async function startWebgpu(
  kernels: OwnKernels,
  { hardwareOnly }: { readonly hardwareOnly: boolean },
): Promise<Started> {
  const gpu = await openGpu({ hardwareOnly });
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null)
    throw fail('backend', 'webgpu', 'finds no adapter (no GPU with a Vulkan, Metal or D3D12 driver).');
  const info = adapter.info;
  const name = [info.vendor, info.architecture, info.device, info.description]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
  const software = info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|software|microsoft basic/i.test(name);
  if (hardwareOnly && software) throw fail('backend', 'webgpu', `finds only a software adapter (${name}).`);
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  const wanted = {
    maxComputeWorkgroupStorageSize: 0,
    maxComputeWorkgroupsPerDimension: 0,
    maxStorageBufferBindingSize: 0,
    maxBufferSize: 0,
    maxComputeWorkgroupSizeX: 0,
    maxComputeInvocationsPerWorkgroup: 0,
  };
  const requiredLimits = Object.fromEntries(
    Object.keys(wanted).map((limit) => [limit, adapter.limits[limit as keyof GPUSupportedLimits] as number]),
  );
  const device = await adapter.requestDevice({ requiredLimits });
  if (tf.findBackend('webgpu') != null) tf.removeBackend('webgpu');
  const make = (): InstanceType<typeof WebGPUBackend> => {
    const backend = new WebGPUBackend(device as unknown as never, info as unknown as never);
    const guarded = backend as unknown as GuardedBackend;
    boundBuffers(guarded.bufferManager);
    throwDeviceErrors(guarded, device);
    return backend;
  };
  tf.registerBackend('webgpu', make, 3);
  const adapterName = software ? `software adapter ${name}` : name;
  const plainly = (why: string): string => {
    unregisterWebgpuKernels();
    return `${adapterName}, TensorFlow.js's kernels (${why})`;
  };
  const ours = kernels !== 'stock';
  if (ours) registerWebgpuKernels();
  return {
    device: ours ? `${adapterName}, own kernels` : plainly('as asked for'),
    gpu: !software,
    close: () => device.destroy(),
    plainly,
  };
}
