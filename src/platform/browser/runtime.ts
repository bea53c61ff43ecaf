/** The page that this runs in. It has no flags, no variables and no packages beyond what was bundled. */
import { fail } from '../../errors.ts';
import type { Environment } from '../runtime.ts';

export type { Environment } from '../runtime.ts';

/** @throws always: the flags are the browser's own. */
export function setFlagsFromString(flags: string): void {
  throw new Error(`a page sets no flags (${flags})`);
}

export function environment(): Environment {
  return {};
}

export function homeFolder(): string {
  return '/';
}

let modules: Promise<Readonly<Record<string, string>>> | undefined;

/**
 * The one module with SIMD, which comes along as packed text: every bundler takes it, and no file has to be put where a page would
 * look for it. The one with threads would need a page that is isolated from other origins, and a memory that our kernels do not have.
 */
export function wasmModules(): Promise<string | Readonly<Record<string, string>>> {
  return (modules ??= unpack());
}

async function unpack(): Promise<Readonly<Record<string, string>>> {
  const { default: packed } = await import('tfjs-backend-wasm-simd.wasm');
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  const module = new Blob([await new Response(stream).arrayBuffer()], { type: 'application/wasm' });
  const address = URL.createObjectURL(module);
  return Object.fromEntries(['', '-simd', '-threaded-simd'].map((kind) => [`tfjs-backend-wasm${kind}.wasm`, address]));
}

/** @throws 'backend' always. */
export async function importPackage(packageName: string, backend: string, _advice = ''): Promise<unknown> {
  throw fail('backend', backend, `is not for pages: the package ${packageName} runs in Node. Open webgpu or wasm.`);
}

/** A page cannot stop a call; the browser offers its user to. */
export function within<T>(_ms: number, work: () => T): { readonly done: T } | undefined {
  return { done: work() };
}

export function setVariables(_defaults: Readonly<Record<string, string>>): void {}

export function restoreUtil(): void {}

export async function keepingFatalHandlers<T>(work: () => Promise<T>): Promise<T> {
  return work();
}
