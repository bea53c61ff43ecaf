/**
 * A backend as it is named here: `wasm`, or `wasm:stock` for one without kernels of ours, `wasm:simd` for those without
 * fused multiply-add, `wasm:native` for products by ONNX Runtime, `tensorflow:simd` for those without the processor's tile unit.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';
import { BACKENDS, type Backend, type BackendName } from '../../src/backend/backend.ts';
import { openBackend } from '../../src/open-backend.ts';
import type { OwnKernels } from '../../src/backend/start.ts';
import { closest, fail } from '../../src/errors.ts';

const PACKAGES: Readonly<Record<BackendName, string>> = {
  tensorflow: '@tensorflow/tfjs-node-gpu',
  webgpu: '@tensorflow/tfjs-backend-webgpu',
  wasm: '@tensorflow/tfjs-backend-wasm',
  cpu: '@tensorflow/tfjs-backend-cpu',
};
/** Whose kernels it has (OwnKernels). */
const VARIANTS: Readonly<Record<BackendName, readonly OwnKernels[]>> = {
  tensorflow: ['stock', 'simd'],
  webgpu: ['stock'],
  wasm: ['stock', 'simd', 'native'],
  cpu: ['stock'],
};

export interface BackendVariant {
  readonly name: BackendName;
  readonly kernels: OwnKernels;
}

export interface Opened extends Backend {
  /** Of the packages that compute. */
  readonly versions: Readonly<Record<string, string>>;
}

/** @throws 'input' for an unknown name or variant. */
export function parseVariant(text: string): BackendVariant {
  const [given, variant] = text.split(':');
  const name = BACKENDS.find((known) => known === given);
  if (name === undefined)
    throw fail(
      'input',
      '--backends',
      `"${given}" is unknown; did you mean ${closest(given, BACKENDS, 1)[0]}? There are ${BACKENDS.join(', ')}, each also as NAME:stock.`,
    );
  const kernels = variant === undefined ? 'auto' : VARIANTS[name].find((known) => known === variant);
  if (kernels === undefined)
    throw fail(
      'input',
      '--backends',
      `"${text}": there is no variant "${variant}"; there are ${name} and ${VARIANTS[name].map((known) => `${name}:${known}`).join(', ')}.`,
    );
  return { name, kernels };
}

/** Makes it the current backend. @throws as openBackend. */
export async function openVariant(text: string): Promise<Opened> {
  const { name, kernels } = parseVariant(text);
  const backend = await openBackend(name, { kernels });
  const from = PACKAGES[name];
  return { ...backend, versions: { 'tfjs-core': tf.version_core, [from]: versionOf(from) } };
}

/** Whether a game on it may run on several threads: it computes on one, and a thread's kernels are the same. */
export function takesThreads(text: string): boolean {
  const { name, kernels } = parseVariant(text);
  return (name === 'wasm' || name === 'cpu') && kernels !== 'simd' && kernels !== 'native';
}

/** Packages whose exports hide package.json are still found by their folder. */
function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  const folder = (require.resolve.paths(name) ?? []).map((path) => `${path}/${name}/package.json`);
  for (const path of folder) {
    try {
      return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
    } catch {
      continue;
    }
  }
  return 'unknown';
}
