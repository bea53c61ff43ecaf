/**
 * The WebAssembly module of wasm/tensors: which of its two builds runs here, and an instance over a given memory.
 *
 * Relaxed SIMD has a multiply-add that rounds once, which nearly doubles what plain SIMD multiplies a second. Node 20 has it
 * behind a flag of V8, which is set here for as long as the module is compiled.
 */
import { setFlagsFromString } from '../platform/runtime.ts';
import { TENSORS_FMA } from '../kernels/tensors-fma-bytes.ts';
import { TENSORS_SIMD } from '../kernels/tensors-simd-bytes.ts';

/** Addresses and sizes are of the memory; counts are whole numbers. wasm/tensors says what each argument is. */
export interface TensorModule {
  readonly linear: (
    x: number,
    w: number,
    bias: number,
    residual: number,
    residualRows: number,
    out: number,
    rows: number,
    inner: number,
    columns: number,
    activation: number,
    scratch: number,
  ) => void;
  readonly linearScratch: () => number;
  readonly norm: (
    x: number,
    w: number,
    b: number,
    out: number,
    rows: number,
    width: number,
    eps: number,
    offset: number,
    centred: boolean,
  ) => void;
  readonly pointwise: (
    x: number,
    out: number,
    size: number,
    bias: number,
    factor: number,
    onto: number,
    activation: number,
  ) => void;
  readonly attention: (
    q: number,
    k: number,
    v: number,
    mask: number,
    maskBatch: number,
    out: number,
    batch: number,
    queries: number,
    keys: number,
    heads: number,
    groups: number,
    width: number,
    scale: number,
    softcap: number,
    live: number,
    scratch: number,
  ) => void;
  readonly attentionScratch: (queries: number, keys: number, width: number) => number;
  readonly toHeads: (
    x: number,
    w: number,
    bias: number,
    live: number,
    out: number,
    batch: number,
    span: number,
    inner: number,
    heads: number,
    width: number,
    scratch: number,
  ) => void;
  readonly fromHeads: (
    z: number,
    w: number,
    bias: number,
    residual: number,
    residualRows: number,
    live: number,
    out: number,
    batch: number,
    span: number,
    heads: number,
    width: number,
    columns: number,
    scratch: number,
  ) => void;
  readonly headsScratch: () => number;
  readonly maskRows: (
    x: number,
    single: boolean,
    parents: number,
    factors: number,
    factorPositions: number,
    base: number,
    basePositions: number,
    out: number,
    rows: number,
    positions: number,
    elements: number,
    width: number,
  ) => void;
  readonly backLinear: (
    dy: number,
    w: number,
    dx: number,
    rows: number,
    inner: number,
    columns: number,
    scratch: number,
  ) => void;
  readonly backLinearScratch: () => number;
  readonly backNorm: (
    x: number,
    w: number,
    dy: number,
    dx: number,
    rows: number,
    width: number,
    eps: number,
    offset: number,
    centred: boolean,
  ) => void;
  readonly backPointwise: (
    x: number,
    up: number,
    dy: number,
    dx: number,
    dup: number,
    size: number,
    activation: number,
  ) => void;
  readonly backAttention: (
    q: number,
    k: number,
    v: number,
    mask: number,
    maskBatch: number,
    dz: number,
    dq: number,
    dk: number,
    dv: number,
    batch: number,
    queries: number,
    keys: number,
    heads: number,
    groups: number,
    width: number,
    scale: number,
    softcap: number,
    scratch: number,
  ) => void;
  readonly backAttentionScratch: (queries: number, keys: number, width: number) => number;
  readonly maskSlopes: (
    x: number,
    single: boolean,
    base: number,
    basePositions: number,
    dy: number,
    out: number,
    rows: number,
    positions: number,
    factorPositions: number,
    elements: number,
    width: number,
  ) => void;
  readonly turn: (
    x: number,
    cos: number,
    sin: number,
    out: number,
    batch: number,
    positions: number,
    heads: number,
    width: number,
    dims: number,
    tableBatch: number,
  ) => void;
  readonly softmaxErrors: (
    logits: number,
    right: number,
    coefficients: number,
    p: number,
    errors: number,
    rows: number,
    classes: number,
  ) => void;
  readonly sumRows: (x: number, out: number, rows: number, columns: number) => void;
  readonly transpose: (x: number, out: number, rows: number, columns: number) => void;
  readonly momentumStep: (
    theta: number,
    velocity: number,
    gradient: number,
    nextTheta: number,
    nextVelocity: number,
    size: number,
    momentum: number,
    decay: number,
    rate: number,
  ) => void;
  readonly multiplyAddOne: (a: number, b: number, c: number) => number;
}

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
