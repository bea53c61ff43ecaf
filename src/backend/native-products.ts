/**
 * Matrix products of a finished native library: ONNX Runtime, whose npm package (onnxruntime-node, an optional peer) brings binaries for
 * Linux, macOS and Windows, with AVX-512, AVX2 and NEON kernels: no compiler, and nothing that is downloaded when it is installed.
 *
 * A product is a graph of one node, written here byte by byte (onnx.proto3). The package's own entry runs graphs asynchronously;
 * its binding, used here, runs them at once, as a TensorFlow.js kernel has to.
 */
import { fail } from '../errors.ts';

/** A float32 matrix that lies somewhere in memory. */
export interface Matrix {
  readonly values: Float32Array;
  readonly shape: readonly [number, number];
}

export interface NativeProducts {
  /** out [m, n] = x [m, k] · W [k, n]; of W [n, k], its transpose, with 'turned'. Written to where `out` lies. */
  readonly multiply: (x: Matrix, W: Matrix, out: Matrix, how?: 'turned') => void;
}

/** What is used of the binding in onnxruntime-node 1.14. */
export interface OnnxBinding {
  readonly InferenceSession: new () => OnnxSession;
}

export interface OnnxSession {
  loadModel(buffer: ArrayBufferLike, from: number, bytes: number, options: object): void;
  loadModel(path: string, options: object): void;
  run(feeds: object, fetches: object, options: object): unknown;
}

// The bytes of a graph: fields of protocol buffers, a number each.
const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
const number = (field: number, value: number): number[] => [...varint(field << 3), ...varint(value)];
const block = (field: number, of: readonly number[]): number[] => [(field << 3) | 2, ...varint(of.length), ...of];
const text = (field: number, value: string): number[] => block(field, [...new TextEncoder().encode(value)]);

/** y [m, n] = x [m, k] · w [k, n], or · wᵀ of w [n, k]; float32, of any sizes. */
export function productGraph(turned: boolean): Uint8Array {
  const matrix = (field: number, name: string, dims: readonly string[]): number[] => {
    const shape = dims.flatMap((dim) => block(1, text(2, dim)));
    return block(field, [...text(1, name), ...block(2, block(1, [...number(1, 1), ...block(2, shape)]))]);
  };
  const transposed = block(5, [...text(1, 'transB'), ...number(3, 1), ...number(20, 2)]); // an attribute of type INT
  const node = [
    ...text(1, 'x'),
    ...text(1, 'w'),
    ...text(2, 'y'),
    ...text(4, turned ? 'Gemm' : 'MatMul'),
    ...(turned ? transposed : []),
  ];
  const graph = [
    ...block(1, node),
    ...text(2, 'product'),
    ...matrix(11, 'x', ['m', 'k']),
    ...matrix(11, 'w', turned ? ['n', 'k'] : ['k', 'n']),
    ...matrix(12, 'y', ['m', 'n']),
  ];
  return Uint8Array.from([...number(1, 7), ...block(8, [...text(1, ''), ...number(2, 13)]), ...block(7, graph)]);
}

/** Products by the library, on all cores. @throws 'backend' where it multiplies wrong. */
export function createNativeProducts({ InferenceSession }: OnnxBinding): NativeProducts {
  const [straight, turned] = [false, true].map((back) => {
    const session = new InferenceSession();
    const graph = productGraph(back);
    session.loadModel(graph.buffer, 0, graph.byteLength, {});
    return session;
  });
  const products: NativeProducts = {
    multiply: (x, W, out, how) =>
      void (how === undefined ? straight : turned).run({ x: valueOf(x), w: valueOf(W) }, { y: valueOf(out) }, {}),
  };
  check(products);
  return products;
}

/** The matrix as the binding takes it. */
export const valueOf = ({ values, shape }: Matrix): object => ({ type: 'float32', data: values, dims: shape });

/** One product each way against Float64: the self-check's forward pass is too small for them. */
function check({ multiply }: NativeProducts): void {
  const [rows, inner, columns] = [33, 40, 50];
  const numbers = (size: number, step: number): Float32Array =>
    Float32Array.from({ length: size }, (_, i) => ((i * step) % 1) - 0.5);
  const [x, W] = [numbers(rows * inner, Math.SQRT2), numbers(inner * columns, Math.E)];
  for (const how of [undefined, 'turned'] as const) {
    const out = new Float32Array(rows * columns);
    const shape: readonly [number, number] = how === undefined ? [inner, columns] : [columns, inner];
    multiply({ values: x, shape: [rows, inner] }, { values: W, shape }, { values: out, shape: [rows, columns] }, how);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        let sum = 0;
        for (let k = 0; k < inner; k++)
          sum += x[r * inner + k] * W[how === undefined ? k * columns + c : c * inner + k];
        if (!(Math.abs(out[r * columns + c] - sum) < 1e-5))
          throw fail('backend', 'onnxruntime-node', 'multiplies two small matrices wrong on this machine.');
      }
  }
}
