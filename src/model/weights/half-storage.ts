/**
 * Weights in half precision on the device: two values in each int32, widened where they are used.
 *
 * TensorFlow.js has no 16-bit dtype. On WebGPU a small program of our own unpacks an int32 tensor into a float32
 * temporary right before a product, so the weights take half the memory and one matrix at a time takes all of
 * it. The bits are widened by integer arithmetic, which is exact for every pattern on every driver
 * (unpack2x16float may flush subnormals). Both formats are here: a BF16 checkpoint loses nothing as bfloat16,
 * an F16 one nothing as float16; float32 weights are rounded, and `largestError` says by how much.
 *
 * Other backends would unpack on the CPU at every use; there the option is refused.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { narrowBfloat16, narrowFloat16, widenBfloat16, widenFloat16 } from '../../checkpoint/half-precision.ts';

/** The two kinds of 16-bit number. */
export type HalfFormat = 'float16' | 'bfloat16';

/** A tensor of 16-bit numbers, two to a word on the device. */
export interface HalfTensor {
  readonly format: HalfFormat;
  readonly shape: readonly number[];
  /** [ceil(values / 2)] int32: value 2i in the low half of word i, 2i + 1 in the high one. Owned. */
  readonly packed: tf.Tensor1D;
  /** max |stored - given| / max(1, |given|). */
  readonly largestError: number;
  /** The stored values, widened. */
  data(): Promise<Float32Array>;
  [Symbol.dispose](): void;
}

/** Whether the current backend can unpack on its device. */
export function storesHalves(): boolean {
  return (
    tf.getBackend() === 'webgpu' && typeof (tf.backend() as Partial<ProgramRunner>).runWebGPUProgram === 'function'
  );
}

/** @throws 'backend' where the device cannot unpack. */
export function requireHalves(format: HalfFormat): void {
  if (!storesHalves())
    throw fail(
      'backend',
      `storage ${format}`,
      `needs webgpu, which unpacks on the device; the backend is ${tf.getBackend()}.`,
    );
}

/**
 * `values` (C order) in half precision on the device; the caller owns the result.
 *
 * @param name what the values are, for the error.
 * @throws 'backend' where the device cannot unpack; 'input' for a finite value that the format cannot hold.
 */
export function packHalf(
  values: Float32Array,
  shape: readonly number[],
  format: HalfFormat,
  name?: string,
): HalfTensor {
  requireHalves(format);
  const halves = narrow(values, format);
  const largestError = errorOf(values, widenHalves(halves, format), format, name);
  const words = new Uint16Array(2 * Math.ceil(halves.length / 2)); // an odd end is padded
  words.set(halves);
  const packed = tf.tensor1d(new Int32Array(words.buffer), 'int32');
  const half: HalfTensor = {
    format,
    shape: [...shape],
    packed,
    largestError,
    async data() {
      const values32 = unpackHalf(half);
      try {
        return (await values32.data()) as Float32Array;
      } finally {
        values32.dispose();
      }
    },
    [Symbol.dispose]: () => packed.dispose(),
  };
  return half;
}

/** The values as a fresh float32 tensor of `half.shape`. */
export function unpackHalf(half: HalfTensor): tf.Tensor {
  return tf.tidy(() => {
    const length = half.shape.reduce((product, size) => product * size, 1);
    return tf.reshape(widenOnDevice(half.packed, length, half.format), [...half.shape]);
  });
}

/**
 * Rows of a [V, d] matrix, d even, without unpacking the others: what an embedding look-up needs.
 *
 * @param rows [n] int32.
 * @returns [n, d] float32.
 */
export function gatherHalfRows(half: HalfTensor, rows: tf.Tensor1D): tf.Tensor2D {
  const [count, width] = half.shape;
  if (half.shape.length !== 2 || width % 2 !== 0)
    throw fail('input', 'gatherHalfRows', `the shape is [${half.shape.join()}]; [rows, an even width] is needed.`);
  return tf.tidy(() => {
    const words = tf.reshape(half.packed, [count, width / 2]);
    return tf.reshape(widenOnDevice(words, rows.shape[0] * width, half.format, rows), [rows.shape[0], width]);
  });
}

/** `values` as they come back after being stored: for measuring what the storage costs, on any backend. */
export function roundToHalf(values: Float32Array, format: HalfFormat): Float32Array {
  return widenHalves(narrow(values, format), format);
}

function narrow(values: Float32Array, format: HalfFormat): Uint16Array {
  return format === 'float16' ? narrowFloat16(values) : narrowBfloat16(values);
}

function widenHalves(halves: Uint16Array, format: HalfFormat): Float32Array {
  const values = new Float32Array(halves.length);
  (format === 'float16' ? widenFloat16 : widenBfloat16)(halves, values);
  return values;
}

function errorOf(given: Float32Array, stored: Float32Array, format: HalfFormat, name: string | undefined): number {
  let largest = 0;
  for (let i = 0; i < given.length; i++) {
    if (!Number.isFinite(given[i])) continue; // infinities and NaN are kept
    if (!Number.isFinite(stored[i]))
      throw fail(
        'input',
        `storage ${format}${name === undefined ? '' : ` of ${name}`}`,
        `cannot hold ${given[i]} at ${i}; use ${format === 'float16' ? 'bfloat16 or ' : ''}float32.`,
      );
    largest = Math.max(largest, Math.abs(stored[i] - given[i]) / Math.max(1, Math.abs(given[i])));
  }
  return largest;
}

/** The part of tfjs-backend-webgpu 4.22 that runs a program of one's own. */
interface ProgramRunner {
  runWebGPUProgram(program: object, inputs: readonly tf.TensorInfo[], dtype: tf.DataType): tf.TensorInfo;
}

const WORKGROUP = 64;
const WIDEN: Readonly<Record<HalfFormat, string>> = {
  bfloat16: 'return bitcast<f32>(half << 16u);',
  float16: `
    let sign = (half & 0x8000u) << 16u;
    let exponent = (half >> 10u) & 31u;
    let fraction = half & 1023u;
    if (exponent == 0u) { // zero and subnormals
      let size = f32(fraction) * 5.9604644775390625e-8; // 2^-24
      return bitcast<f32>(bitcast<u32>(size) | sign);
    }
    if (exponent == 31u) { return bitcast<f32>(sign | 0x7f800000u | (fraction << 13u)); }
    return bitcast<f32>(sign | ((exponent + 112u) << 23u) | (fraction << 13u));`,
};

/**
 * [ceil(length / 2)] int32 -> [length] float32: each invocation widens the two halves of one word. With `rows`, the
 * words are [V, d/2] and the result is those rows. (tf.gather would send the words through float32 and lose bits.)
 */
function widenOnDevice(words: tf.Tensor, length: number, format: HalfFormat, rows?: tf.Tensor1D): tf.Tensor1D {
  if (length === 0) return tf.zeros([0]);
  const place =
    rows === undefined
      ? 'index'
      : 'rows[index / uniforms.wordsShape[1]] * uniforms.wordsShape[1] + index % uniforms.wordsShape[1]';
  const program = {
    variableNames: rows === undefined ? ['words'] : ['words', 'rows'],
    outputShape: [length],
    workgroupSize: [WORKGROUP, 1, 1],
    dispatchLayout: { x: [0] },
    dispatch: [Math.ceil(Math.ceil(length / 2) / WORKGROUP), 1, 1], // the backend folds it where a dimension is too short
    size: true,
    shaderKey: `spexlens-widen-${format}-${rows === undefined ? 'all' : 'rows'}`,
    getUserCode: () => `
      fn widen(half : u32) -> f32 {${WIDEN[format]}}
      fn main(index : i32) {
        if (2 * index < uniforms.size) {
          let word = bitcast<u32>(words[${place}]);
          setOutputAtIndex(2 * index, widen(word & 0xffffu));
          if (2 * index + 1 < uniforms.size) { setOutputAtIndex(2 * index + 1, widen(word >> 16u)); }
        }
      }`,
  };
  const backend = tf.backend() as unknown as ProgramRunner;
  const info = backend.runWebGPUProgram(program, rows === undefined ? [words] : [words, rows], 'float32');
  return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor1D;
}
