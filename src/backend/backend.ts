/**
 * Where tensors run: tensorflow | webgpu | wasm | cpu, chosen, checked and explained.
 *
 * `auto` takes the first that works of: tensorflow with a GPU, webgpu on a hardware adapter, tensorflow on
 * CPU, wasm, cpu. Each one passed over keeps its reason, and no backend is used that fails the self-check.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail, SpexlensError } from '../errors.ts';
import { registerGradients } from './gradients/register.ts';
import { startCpu, startTensorflow, startWasm, startWebgpu, type OwnKernels, type Started } from './start.ts';

export type { OwnKernels } from './start.ts';

/** Where tensors can run, the best first. */
export const BACKENDS = ['tensorflow', 'webgpu', 'wasm', 'cpu'] as const;
/** One of BACKENDS. */
export type BackendName = (typeof BACKENDS)[number];

/** The backend that is open: what computes, why it and not another, and how to close it. */
export interface Backend {
  readonly name: BackendName;
  /** What computes: a GPU's name, 'software', 'CPU'. */
  readonly device: string;
  readonly gpu: boolean;
  /** One sentence: why this one. */
  readonly why: string;
  /** The better ones, and why each was not taken. */
  readonly passedOver: readonly { readonly name: string; readonly why: string }[];
  /** Largest relative error of the self-check's forward pass. */
  readonly selfCheckError: number;
  /** Lets the process end (a GPU device keeps it alive). */
  readonly close: () => void;
}

export interface BackendCheck {
  /** Computes on the current backend and returns its largest relative error. */
  readonly run: () => Promise<number>;
  readonly tolerance: number;
}

/** How a backend is opened. */
export interface BackendOptions {
  /** Whose kernels the backend has where there are some of ours: 'auto' (default), 'simd' (wasm), 'stock'. */
  readonly kernels?: OwnKernels | undefined;
}

interface Candidate {
  readonly name: BackendName;
  readonly label: string;
  readonly start: (kernels: OwnKernels) => Promise<Started>;
}

const CANDIDATES: Readonly<Record<'auto' | BackendName, readonly Candidate[]>> = {
  auto: [
    { name: 'tensorflow', label: 'tensorflow (GPU)', start: (kernels) => startTensorflow(kernels, { gpuOnly: true }) },
    { name: 'webgpu', label: 'webgpu', start: (kernels) => startWebgpu(kernels, { hardwareOnly: true }) },
    { name: 'tensorflow', label: 'tensorflow (CPU)', start: (kernels) => startTensorflow(kernels, { gpuOnly: false }) },
    { name: 'wasm', label: 'wasm', start: startWasm },
    { name: 'cpu', label: 'cpu', start: startCpu },
  ],
  tensorflow: [
    { name: 'tensorflow', label: 'tensorflow', start: (kernels) => startTensorflow(kernels, { gpuOnly: false }) },
  ],
  webgpu: [{ name: 'webgpu', label: 'webgpu', start: (kernels) => startWebgpu(kernels, { hardwareOnly: false }) }],
  wasm: [{ name: 'wasm', label: 'wasm', start: startWasm }],
  cpu: [{ name: 'cpu', label: 'cpu', start: startCpu }],
};

/**
 * Makes `choice` the current TensorFlow.js backend.
 * @throws 'backend' when it is unknown, absent, or computes wrong numbers.
 */
export async function chooseBackend(
  choice: string,
  check: BackendCheck,
  { kernels = 'auto' }: BackendOptions = {},
): Promise<Backend> {
  if (choice !== 'auto' && !(BACKENDS as readonly string[]).includes(choice)) {
    throw fail('backend', 'backend', `"${choice}" is unknown; choose auto, ${BACKENDS.join(', ')}.`);
  }
  registerGradients();
  const passedOver: { name: string; why: string }[] = [];
  for (const { name, label, start } of CANDIDATES[choice as 'auto' | BackendName]) {
    let started: Started | undefined;
    try {
      started = await start(kernels);
      if (!(await tf.setBackend(name))) throw fail('backend', name, 'TensorFlow.js could not initialise it.');
      await tf.ready();
      const { device, error } = await checked(name, started, check);
      const { gpu, close } = started;
      return {
        name,
        device,
        gpu,
        why: choice === 'auto' ? 'the best one that works here' : 'asked for',
        passedOver,
        selfCheckError: error,
        close,
      };
    } catch (error) {
      started?.close();
      if (choice !== 'auto')
        throw error instanceof SpexlensError ? error : fail('backend', name, `could not start (${oneLine(error)}).`);
      passedOver.push({ name: label, why: oneLine(error) });
    }
  }
  throw fail('backend', 'backend', `none works: ${passedOver.map((p) => `${p.name}: ${p.why}`).join('; ')}`);
}

/** The device and its error; what is ours of it is left out where it computes wrong numbers. @throws 'backend' when it does even so. */
async function checked(
  name: BackendName,
  { device, plainly }: Pick<Started, 'device' | 'plainly'>,
  check: BackendCheck,
): Promise<{ readonly device: string; readonly error: number }> {
  let wrong: string;
  try {
    const error = await check.run();
    if (error <= check.tolerance) return { device, error };
    wrong = `a small forward pass differs from Float64 JavaScript by ${error.toExponential(1)} (allowed ${check.tolerance.toExponential(0)})`;
  } catch (error) {
    if (plainly === undefined) throw error;
    wrong = oneLine(error);
  }
  if (plainly === undefined) throw fail('backend', name, `computes wrong numbers on this machine: ${wrong}.`);
  return checked(name, { device: plainly(`with kernels of our own, ${wrong}`) }, check);
}

function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0].replace(/^(tensorflow|webgpu|wasm|cpu): /, '');
}
