/**
 * The WebAssembly module of wasm/tensors: which of its two builds runs here, and an instance over a given memory.
 *
 * Relaxed SIMD has a multiply-add that rounds once, which nearly doubles what plain SIMD multiplies a second. Node 20 has it
 * behind a flag of V8, which is set here for as long as the module is compiled.
 */
import { setFlagsFromString } from '../platform/runtime.ts';
import { TENSORS_FMA } from '../kernels/tensors-fma-bytes.ts';
import { TENSORS_SIMD } from '../kernels/tensors-simd-bytes.ts';
import type { TensorModule } from './wasm-exports.ts';

export interface Build {
  /** 'fma': a multiply-add rounds once. */
  readonly kind: 'fma' | 'simd';
  readonly module: WebAssembly.Module;
  /** Why it is not 'fma'. */
  readonly why?: string;
}

/** What a machine lacks, or nothing: each returns a module or why there is none. */
export interface Compilers {
  readonly fma: () => WebAssembly.Module | string;
  readonly simd: () => WebAssembly.Module | string;
}

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/** This machine's. */
export const COMPILERS: Compilers = {
  fma: () => {
    const bytes = bytesOf(TENSORS_FMA);
    const module = WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : compileBehindFlag(bytes);
    return module === undefined ? 'this runtime has no relaxed SIMD' : (faultOf(module) ?? module);
  },
  simd: () => {
    const bytes = bytesOf(TENSORS_SIMD);
    return WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : 'this runtime has no SIMD';
  },
};

const builds = new Map<'auto' | 'simd', Build | string>();

/** The best build for here, or why there is none; compiled once. 'simd' leaves the multiply-add out. */
export function tensorBuild(wanted: 'auto' | 'simd', compilers = COMPILERS): Build | string {
  if (compilers !== COMPILERS) return choose(wanted, compilers);
  const known = builds.get(wanted) ?? choose(wanted, compilers);
  builds.set(wanted, known);
  return known;
}

function choose(wanted: 'auto' | 'simd', { fma, simd }: Compilers): Build | string {
  const best = wanted === 'simd' ? 'plain SIMD was asked for' : fma();
  if (typeof best !== 'string') return { kind: 'fma', module: best };
  const plain = simd();
  return typeof plain === 'string' ? plain : { kind: 'simd', module: plain, why: best };
}

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): TensorModule {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as TensorModule;
}

/** The flag is the whole process's: another thread that compiles just now may take it away in between. */
const ATTEMPTS = 20;

/** Compiled with V8's flag for relaxed SIMD, which is off again afterwards; undefined where there is no such flag. */
function compileBehindFlag(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      setFlagsFromString('--experimental-wasm-relaxed-simd');
      if (WebAssembly.validate(bytes)) return new WebAssembly.Module(bytes);
    } catch (error) {
      if (!(error instanceof WebAssembly.CompileError)) return undefined; // a runtime without V8's flags
    } finally {
      restoreFlag();
    }
  }
  return undefined;
}

function restoreFlag(): void {
  try {
    setFlagsFromString('--no-experimental-wasm-relaxed-simd');
  } catch {
    // a runtime without V8's flags
  }
}

/** Why multiply-add here is not what it is to be: in early drafts operands were otherwise, and old processors round twice. */
function faultOf(module: WebAssembly.Module): string | undefined {
  const { multiplyAddOne } = instantiate(module, new WebAssembly.Memory({ initial: 1 }));
  if (multiplyAddOne(2, 3, 4) !== 10) return 'this runtime has another draft of relaxed SIMD';
  const x = 1 + 2 ** -12; // x² = 1 + 2⁻¹¹ + 2⁻²⁴, whose last term a rounded product loses
  return multiplyAddOne(x, x, -(1 + 2 ** -11)) === 2 ** -24 ? undefined : 'this processor has no fused multiply-add';
}
