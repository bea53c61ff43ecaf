/**
 * The WebAssembly kernels (source: wasm/): loops over numbers that plain JavaScript ran two to six times
 * slower. An instance has a memory of its own, laid out by its caller with `reserve` and freed with the instance.
 *
 * Fixed-width SIMD is all they need, which every Node that this package supports has.
 */
import { fail } from '../errors.ts';
import { KERNELS } from './kernels-bytes.ts';

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly heapBase: () => number;
  /** wasm/trees.ts */
  readonly runBytes: () => number;
  readonly leafBytes: () => number;
  readonly advance: (run: number, count: number) => number;
  readonly heldError: (run: number) => number;
  /** wasm/dense.ts */
  readonly factorise: (matrix: number, n: number, scratch: number) => number;
  readonly invertFactor: (factor: number, lower: number, n: number) => void;
  readonly symmetricEigen: (
    a: number,
    vectors: number,
    diagonal: number,
    off: number,
    betas: number,
    p: number,
    n: number,
  ) => number;
  /** wasm/hypercube.ts */
  readonly kernelTriangle: (
    matrix: number,
    bytes: number,
    weight: number,
    table: number,
    count: number,
    width: number,
  ) => void;
  readonly packedTriangle: (
    matrix: number,
    bytes: number,
    table: number,
    scale: number,
    count: number,
    width: number,
  ) => void;
  readonly packedTimes: (matrix: number, x: number, out: number, count: number) => void;
  readonly crossTimes: (
    others: number,
    rows: number,
    bytes: number,
    table: number,
    scale: number,
    weights: number,
    out: number,
    count: number,
    width: number,
  ) => void;
  /** wasm/ridge.ts */
  readonly signedProduct: (
    words: number,
    stride: number,
    rows: number,
    k: number,
    b: number,
    width: number,
    group: number,
    table: number,
    out: number,
  ) => void;
  readonly leaveOneOut: (
    left: number,
    rows: number,
    rank: number,
    shrink: number,
    shrunk: number,
    outside: number,
    slack: number,
    out: number,
  ) => number;
  /** wasm/product.ts */
  readonly product: (a: number, b: number, out: number, m: number, k: number, n: number) => void;
  readonly kernelSlopes: (
    product: number,
    inverse: number,
    alpha: number,
    bytes: number,
    bins: number,
    rowSums: number,
    count: number,
    width: number,
  ) => void;
}

export interface Kernels extends Omit<Exports, 'heapBase'> {
  /** The address of `bytes` fresh bytes, a multiple of 16. Typed arrays over the memory made before are void afterwards. */
  readonly reserve: (bytes: number) => number;
  /** Where the next reservation starts; `release` to it frees what was reserved since. */
  readonly mark: () => number;
  readonly release: (mark: number) => void;
  /** Views, valid until the next reservation. */
  readonly int32: (at: number, length: number) => Int32Array;
  readonly float64: (at: number, length: number) => Float64Array;
  readonly float32: (at: number, length: number) => Float32Array;
}

const PAGE = 65_536;
const MOST_BYTES = 2 ** 32 - PAGE;

let compiled: WebAssembly.Module | undefined;

/** The module, compiled on first use. */
export function kernelsModule(): WebAssembly.Module {
  return (compiled ??= new WebAssembly.Module(Uint8Array.from(atob(KERNELS), (c) => c.charCodeAt(0))));
}

/** An instance with an empty memory. */
export function createKernels(): Kernels {
  const exports = new WebAssembly.Instance(kernelsModule(), {}).exports as unknown as Exports;
  const { memory } = exports;
  let top = Math.ceil(exports.heapBase() / 16) * 16;
  return {
    ...exports,
    memory,
    reserve: (bytes) => {
      const at = top;
      top = Math.ceil((top + bytes) / 16) * 16;
      if (top > MOST_BYTES)
        throw fail(
          'input',
          'kernels',
          `${Math.ceil(top / 2 ** 20)} MiB of working memory; at most 4,095 MiB can be had. Fit fewer masks, players or trees.`,
        );
      const missing = top - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
      return at;
    },
    mark: () => top,
    release: (mark) => {
      top = mark;
    },
    int32: (at, length) => new Int32Array(memory.buffer, at, length),
    float64: (at, length) => new Float64Array(memory.buffer, at, length),
    float32: (at, length) => new Float32Array(memory.buffer, at, length),
  };
}

/** A shared instance whose memory is above this is let go after use: a memory never shrinks. */
const KEPT_BYTES = 2 ** 28;
let shared: Kernels | undefined;

/** Runs `use` on an instance that short calls share; what it reserves is free again when it returns. */
export function withKernels<T>(use: (kernels: Kernels) => T): T {
  const kernels = (shared ??= createKernels());
  const mark = kernels.mark();
  try {
    return use(kernels);
  } finally {
    kernels.release(mark);
    if (kernels.memory.buffer.byteLength > KEPT_BYTES) shared = undefined;
  }
}
