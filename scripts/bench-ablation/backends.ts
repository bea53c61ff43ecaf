/**
 * A backend as it is named here: `wasm`, or `wasm:stock` for one without kernels of ours.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';
import { BACKENDS, openBackend, type Backend } from '../../src/backend/backend.ts';
import { closest, fail } from '../../src/errors.ts';
import type { FusedName } from '../../src/model/fused.ts';
import { SELF_CHECK_TOLERANCE, selfCheck } from '../../src/model/self-check.ts';

const KERNELS = ['SpexlensLinear', 'SpexlensNorm', 'SpexlensAttention', 'SpexlensGate'] as const satisfies readonly FusedName[];
const VARIANTS = ['stock'] as const;

export interface BackendVariant {
  readonly name: string;
  readonly stock: boolean;
}

export interface Opened extends Backend {
  /** Of the packages that compute. */
  readonly versions: Readonly<Record<string, string>>;
}

/** @throws 'input' for an unknown name or variant. */
export function parseVariant(text: string): BackendVariant {
  const [name, variant] = text.split(':');
  if (!(BACKENDS as readonly string[]).includes(name)) throw fail('input', '--backends', `"${name}" is unknown; did you mean ${closest(name, BACKENDS, 1)[0]}? There are ${BACKENDS.join(', ')}, each also as NAME:stock.`);
  if (variant !== undefined && !(VARIANTS as readonly string[]).includes(variant)) throw fail('input', '--backends', `"${text}": there is no variant "${variant}"; ${name} and ${name}:stock (without kernels of ours) are there.`);
  return { name, stock: variant === 'stock' };
}

/** Makes it the current backend. @throws as openBackend. */
export async function openVariant(text: string): Promise<Opened> {
  const { name, stock } = parseVariant(text);
  const backend = await openBackend(name, { run: selfCheck, tolerance: SELF_CHECK_TOLERANCE });
  const own = KERNELS.filter((kernel) => tf.getKernel(kernel, name) != null);
  if (stock) own.forEach((kernel) => tf.unregisterKernel(kernel, name));
  const packages = { tensorflow: '@tensorflow/tfjs-node-gpu', webgpu: '@tensorflow/tfjs-backend-webgpu', wasm: '@tensorflow/tfjs-backend-wasm', cpu: '@tensorflow/tfjs-backend-cpu' };
  const from = packages[backend.name];
  return { ...backend, device: stock || own.length === 0 ? `${backend.device}; stock kernels` : `${backend.device}; own kernels`, versions: { 'tfjs-core': tf.version_core, [from]: versionOf(from) } };
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
