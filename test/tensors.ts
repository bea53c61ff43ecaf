/** Tensor tests' tools: backends of this machine, small random models, and the leak matcher. */
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { BACKENDS, type Backend, type BackendOptions } from '../src/backend/backend.ts';
import type { ModelConfig } from '../src/model/config.ts';
import { createModel, type Model } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { randomParameters } from '../src/model/reference/self-check.ts';
import type { ReferenceParameters } from '../src/model/reference/reference.ts';

/** The backend of tests that run on one: SPEXLENS_TEST_BACKEND, or wasm. */
export const TEST_BACKEND = process.env['SPEXLENS_TEST_BACKEND'] ?? 'wasm';

/**
 * Every backend that starts here and passes the self-check; the others' reasons are printed, so nothing is skipped silently.
 * SPEXLENS_TEST_BACKEND names the only one to test, and then it must start.
 */
export async function availableBackends(): Promise<string[]> {
  if (process.env['SPEXLENS_TEST_BACKEND'] !== undefined) {
    (await open(TEST_BACKEND)).close();
    return [TEST_BACKEND];
  }
  const found: string[] = [];
  for (const name of BACKENDS) {
    try {
      const backend = await open(name);
      backend.close();
      // A GPU emulated in software is right but slow: minutes instead of seconds.
      if (name === 'webgpu' && !backend.gpu && process.env['SPEXLENS_TEST_SOFTWARE_GPU'] !== '1') {
        console.info(
          `backend webgpu is not tested here: only a ${backend.device}; set SPEXLENS_TEST_SOFTWARE_GPU=1 to test on it.`,
        );
        continue;
      }
      found.push(name);
    } catch (error) {
      console.info(`backend ${name} is not tested here: ${(error as Error).message}`);
    }
  }
  return found;
}

/** SPEXLENS_TEST_KERNELS (auto, simd, stock) says whose kernels the wasm backend has where a test does not. */
export async function open(
  name: string,
  options: BackendOptions = { kernels: process.env['SPEXLENS_TEST_KERNELS'] as BackendOptions['kernels'] },
): Promise<Backend> {
  return openBackend(name, options);
}

const base: ModelConfig = {
  family: 'gpt2',
  nLayers: 3,
  dModel: 24,
  nHeads: 3,
  dHead: 8,
  dMlp: 64,
  nCtx: 12,
  dVocab: 17,
  dVocabOut: 17,
  norm: { kind: 'layer', eps: 1e-5, affine: true },
  positions: 'learned',
  activation: 'gelu_new',
  attention: { scales: [0.35, 0.35, 0.35], causal: true },
  biases: { qkv: true, attnOut: true, mlp: true, unembed: false },
};
const none = { qkv: false, attnOut: false, mlp: false, unembed: false };
const lens = { ...base, family: 'transformer-lens' } as const;

const rms = { kind: 'rms', eps: 1e-6, offset: 0 } as const;
const rotary = { dims: 6, theta: 100 };
const llama: ModelConfig = {
  ...base,
  family: 'llama',
  nHeads: 4,
  nKvHeads: 2,
  dHead: 6,
  norm: rms,
  positions: 'rotary',
  rotary: [rotary, rotary, rotary],
  activation: 'silu',
  gated: true,
  biases: none,
};

/** One configuration for every branch of the forward pass. */
export const CONFIGS: Readonly<Record<string, ModelConfig>> = {
  gpt2: base,
  'gpt2, scaled by layer, erf gelu': {
    ...base,
    activation: 'gelu',
    attention: { scales: [0.35, 0.175, 0.117], causal: true },
  },
  'attention-only, no norm, no bias': { ...lens, dMlp: 0, norm: { kind: 'none' }, biases: none },
  'shortformer, LNPre': {
    ...lens,
    dMlp: 0,
    positions: 'shortformer',
    norm: { kind: 'layer', eps: 1e-5, affine: false },
    biases: { ...none, unembed: true },
  },
  solu_ln: { ...lens, activation: 'solu_ln', biases: { ...base.biases, unembed: true } },
  'relu, bidirectional, wide heads, other output': {
    ...lens,
    activation: 'relu',
    dHead: 5,
    dVocabOut: 7,
    norm: { kind: 'none' },
    attention: { scales: [1, 0.5, 0.25], causal: false },
  },
  silu: { ...lens, activation: 'silu' },
  'llama: rotary, gated, grouped heads': llama,
  'ungrouped heads, all biases, llama3 and linear scaling': {
    ...llama,
    attention: { ...llama.attention, ungrouped: true },
    biases: { qkv: true, attnOut: true, mlp: true, unembed: true },
    rotary: [
      rotary,
      { ...rotary, scaling: { kind: 'linear', factor: 4 } },
      { ...rotary, scaling: { kind: 'llama3', factor: 8, lowFrequency: 1, highFrequency: 4, originalContext: 12 } },
    ],
  },
  'four norms, caps, windows, query and key norms, scaled embedding': {
    ...llama,
    nKvHeads: 1,
    norm: { ...rms, offset: 1 },
    layout: 'sandwich',
    activation: 'gelu_new',
    attention: {
      scales: [0.2, 0.3, 0.4],
      causal: true,
      windows: [3, null, 2],
      softcap: 2,
      qkNorm: { ...rms, offset: 1 },
    },
    embedding: { scale: Math.sqrt(24) },
    logitSoftcap: 5,
  },
  'parallel, two norms, partial rotary': {
    ...base,
    layout: 'parallel',
    positions: 'rotary',
    rotary: [2, 4, 8].map((dims) => ({ ...rotary, dims })),
    activation: 'gelu',
  },
  'parallel, one norm, layer norm over queries and keys': {
    ...base,
    layout: 'parallel-shared',
    positions: 'rotary',
    rotary: Array(3).fill({ ...rotary, dims: 4 }),
    attention: { ...base.attention, qkNorm: base.norm },
  },
  'post-norm, bidirectional, token types, masked-LM head': {
    ...base,
    layout: 'post',
    activation: 'gelu',
    attention: { ...base.attention, causal: false },
    embedding: { tokenTypes: 2, norm: 'sum' },
    mlmHead: true,
    biases: { ...base.biases, unembed: true },
  },
  'norms of what is written, query norms across heads, clipped, adjacent pairs': {
    ...llama,
    layout: 'output',
    activation: 'relu2',
    rotary: [
      { ...rotary, pairs: 'adjacent' },
      { ...rotary, dims: 4, pairs: 'adjacent', amplitude: 1.2, scaling: { kind: 'yarn', factor: 4, low: 0, high: 2 } },
      { ...rotary, scaling: { kind: 'yarn', factor: 2, low: 0.5, high: 1.5 }, amplitude: 0.9 },
    ],
    attention: { ...llama.attention, qkNorm: rms, qkNormAcrossHeads: true, clip: 0.9 },
  },
  'alibi, normed token embedding, RMS norms without weights': {
    ...base,
    norm: { ...rms, affine: false },
    positions: 'alibi',
    activation: 'quick_gelu',
    attention: { ...base.attention, windows: [3, null, 2] },
    embedding: { norm: 'token', scale: 2 },
  },
  'dynamic and longrope frequencies within their context, solu': {
    ...llama,
    activation: 'solu',
    rotary: [
      { ...rotary, scaling: { kind: 'dynamic', factor: 3, originalContext: 12 } },
      { ...rotary, scaling: { kind: 'longrope', short: [1, 1.1, 1.5], long: [1.3, 2, 4], originalContext: 12 } },
      rotary,
    ],
  },
  'post-norm, causal, narrow embedding': { ...base, layout: 'post', activation: 'relu', embedding: { width: 10 } },
  'no last norm, windows both ways': {
    ...base,
    finalNorm: false,
    attention: { scales: [0.35, 0.35, 0.35], causal: false, windows: [2, 3, null] },
  },
};

/** CONFIGS for central differences: a cut has kinks, across which a difference is no slope, so here it cuts nothing. */
export const SMOOTH_CONFIGS: Readonly<Record<string, ModelConfig>> = Object.fromEntries(
  Object.entries(CONFIGS).map(([title, config]) => {
    const { clip } = config.attention;
    return [title, clip === undefined ? config : { ...config, attention: { ...config.attention, clip: 1000 } }];
  }),
);

export function randomModel(
  config: ModelConfig,
  seed = 1,
): { readonly model: Model; readonly reference: ReferenceParameters } {
  const reference = randomParameters(config, seed);
  const parameters = Object.fromEntries(
    Object.entries(reference).map(([name, { shape, values }]) => [name, tf.tensor(values as Float32Array, [...shape])]),
  );
  return { model: createModel(config, parameters, { name: 'random' }), reference };
}

interface LeakMatchers<R> {
  /** The function, run twice (it may throw), leaves as many tensors after the second run as after the first. */
  toLeakNoTensors(): Promise<R>;
}
declare module 'vitest' {
  // oxlint-disable-next-line typescript/no-explicit-any
  interface Matchers<T = any> extends LeakMatchers<T> {}
}

expect.extend({
  async toLeakNoTensors(run: () => unknown) {
    const counts: number[] = [];
    for (let k = 0; k < 2; k++) {
      try {
        await run();
      } catch {
        // the throwing path must not leak either
      }
      counts.push(tf.memory().numTensors);
    }
    return {
      pass: counts[0] === counts[1],
      message: () => `${counts[1] - counts[0]} tensors were left behind by one call`,
    };
  },
});
