/**
 * Stored numbers to the numbers we compute with, piece by piece.
 *
 * A dtype gives a converter from little-endian bytes to float32 or int32, or 'as is' when the bytes
 * need none. Nothing is changed silently: what the target cannot hold is an error, except that F64
 * rounds to the nearest float32. Every checkpoint format can share these.
 */
import { widenBfloat16, widenFloat16 } from './half-precision.ts';

const INTEGERS = 'I64, I32, I16, I8, U64, U32, U16, U8 and BOOL';

/** The error for a tensor, given what is wrong with it: `has the I64 value ...`. */
export type Fault = (what: string) => Error;
/** Converts a piece, whole elements from the start of its buffer, to values from index `at` on. */
export type PieceConverter<T> = (bytes: Uint8Array<ArrayBuffer>, values: T, at: number) => void;

/** The converter of `dtype` to float32; integers must be exact there (|x| <= 2^24). @throws `fault` for a dtype without one. */
export function toFloat32(dtype: string, fault: Fault): PieceConverter<Float32Array> | 'as is' {
  switch (dtype) {
    case 'F32':
      return 'as is';
    case 'F16':
      return (bytes, values, at) => widenFloat16(new Uint16Array(bytes.buffer, 0, bytes.length / 2), values, at);
    case 'BF16':
      return (bytes, values, at) => widenBfloat16(new Uint16Array(bytes.buffer, 0, bytes.length / 2), values, at);
    case 'F64':
      return (bytes, values, at) => {
        const wide = new Float64Array(bytes.buffer, 0, bytes.length / 8);
        for (let i = 0; i < wide.length; i++) {
          values[at + i] = wide[i];
          if (Math.abs(values[at + i]) === Infinity && Math.abs(wide[i]) !== Infinity)
            throw fault(`has the F64 value ${wide[i]} at ${at + i}, which float32 cannot hold.`);
        }
      };
    default: {
      const convert = integerPieces(dtype, fault, [-(2 ** 24), 2 ** 24], 'which float32 cannot hold exactly');
      if (convert === undefined)
        throw fault(`has dtype ${dtype}, which cannot be read; F32, F16, BF16, F64, ${INTEGERS} can.`);
      return convert;
    }
  }
}

/** The converter of an integer `dtype` to int32. @throws `fault` for a dtype without one. */
export function toInt32(dtype: string, fault: Fault): PieceConverter<Int32Array> | 'as is' {
  if (dtype === 'I32') return 'as is';
  const convert = integerPieces(dtype, fault, [-(2 ** 31), 2 ** 31 - 1], 'which is outside int32');
  if (convert === undefined) throw fault(`has dtype ${dtype}, which cannot be read as integers; ${INTEGERS} can.`);
  return convert;
}

function integerPieces(
  dtype: string,
  fault: Fault,
  [least, greatest]: readonly [number, number],
  why: string,
): PieceConverter<Float32Array | Int32Array> | undefined {
  // A view of the piece; what is wider than the target is checked value by value, the rest always fits.
  const checked = (view: ArrayLike<number | bigint>, values: Float32Array | Int32Array, at: number): void => {
    for (let i = 0; i < view.length; i++) {
      const value = view[i];
      if (value < least || value > greatest) throw fault(`has the ${dtype} value ${value} at ${at + i}, ${why}.`);
      values[at + i] = Number(value);
    }
  };
  switch (dtype) {
    case 'I64':
      return (bytes, values, at) => checked(new BigInt64Array(bytes.buffer, 0, bytes.length / 8), values, at);
    case 'U64':
      return (bytes, values, at) => checked(new BigUint64Array(bytes.buffer, 0, bytes.length / 8), values, at);
    case 'I32':
      return (bytes, values, at) => checked(new Int32Array(bytes.buffer, 0, bytes.length / 4), values, at);
    case 'U32':
      return (bytes, values, at) => checked(new Uint32Array(bytes.buffer, 0, bytes.length / 4), values, at);
    case 'I16':
      return (bytes, values, at) => values.set(new Int16Array(bytes.buffer, 0, bytes.length / 2), at);
    case 'U16':
      return (bytes, values, at) => values.set(new Uint16Array(bytes.buffer, 0, bytes.length / 2), at);
    case 'I8':
      return (bytes, values, at) => values.set(new Int8Array(bytes.buffer, 0, bytes.length), at);
    case 'U8':
      return (bytes, values, at) => values.set(bytes, at);
    case 'BOOL':
      return (bytes, values, at) => {
        const odd = bytes.findIndex((byte) => byte > 1);
        if (odd >= 0) throw fault(`has the BOOL byte ${bytes[odd]} at ${at + odd}; it should be 0 or 1.`);
        values.set(bytes, at);
      };
    default:
      return undefined;
  }
}
