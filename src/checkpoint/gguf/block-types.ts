/**
 * llama.cpp's number formats: what a block holds and how its values come out, to the bit of the Python package `gguf`.
 *
 * A row is cut into blocks of 32 or 256 values. A block stores small integers q and, for it or for each 16 or 32 of
 * them, a scale d and often a minimum m: x = d·q, or d·q + m, or d·q - m. The products have at most 22 bits and the
 * sums at most 53, so they are exact in double precision, and storing them rounds once, as float32 arithmetic does.
 * Sources: ggml's ggml-common.h (layouts) and gguf's quants.py (the values the tests hold).
 */
import { float16Values, widenBfloat16, widenFloat16 } from '../half-precision.ts';

export interface BlockType {
  readonly name: string;
  /** Values in a block. */
  readonly elements: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** The values of the whole blocks in `bytes` (at the start of its buffer), to `values` from index `at` on. */
  dequantize(bytes: Uint8Array<ArrayBuffer>, values: Float32Array, at: number): void;
}

/** Bytes of one block and where it begins, to its values. `half` is the float16 at a position. */
type Block = (bytes: Uint8Array, start: number, values: Float32Array, at: number, half: Half) => void;
type Half = (position: number) => number;

function blocks(name: string, elements: number, bytes: number, block: Block): BlockType {
  return {
    name,
    elements,
    bytes,
    dequantize: (data, values, at) => {
      const table = float16Values();
      const half: Half = (position) => table[data[position] | (data[position + 1] << 8)];
      for (let start = 0, to = at; start < data.length; start += bytes, to += elements)
        block(data, start, values, to, half);
    },
  };
}

/** x = d·(q - shift) + m, q of 4 bits: the low halves of 16 bytes, then the high ones; a fifth bit where `high` says. */
function nibbles(name: string, { minimum, fifth }: { minimum: boolean; fifth: boolean }): BlockType {
  const [highAt, shift] = [minimum ? 4 : 2, minimum ? 0 : fifth ? 16 : 8];
  const low = fifth ? highAt + 4 : highAt;
  return blocks(name, 32, low + 16, (bytes, start, values, at, half) => {
    const d = half(start);
    const m = minimum ? half(start + 2) : 0;
    for (let i = 0; i < 16; i++) {
      const byte = bytes[start + low + i];
      let [a, b] = [byte & 15, byte >> 4];
      if (fifth) {
        // Bit i of 32 for value i.
        a |= ((bytes[start + highAt + (i >> 3)] >> (i & 7)) & 1) << 4;
        b |= ((bytes[start + highAt + 2 + (i >> 3)] >> (i & 7)) & 1) << 4;
      }
      values[at + i] = minimum ? d * a + m : d * (a - shift);
      values[at + 16 + i] = minimum ? d * b + m : d * (b - shift);
    }
  });
}

const q8: Block = (bytes, start, values, at, half) => {
  const d = half(start);
  for (let i = 0; i < 32; i++) values[at + i] = ((bytes[start + 2 + i] << 24) >> 24) * d;
};

/** 16 scales and minima of 4 bits | 64 bytes of four 2-bit values | d | dmin. */
const q2k: Block = (bytes, start, values, at, half) => {
  const [d, dmin] = [half(start + 80), half(start + 82)];
  for (let group = 0; group < 16; group++) {
    const scale = bytes[start + group];
    const [dl, ml] = [d * (scale & 15), dmin * (scale >> 4)];
    const from = start + 16 + 32 * (group >> 3) + 16 * (group & 1);
    const shift = 2 * ((group >> 1) & 3);
    for (let i = 0; i < 16; i++) values[at + 16 * group + i] = dl * ((bytes[from + i] >> shift) & 3) - ml;
  }
};

/** 32 bytes of third bits, inverted | 64 bytes of four 2-bit values | 16 scales of 6 bits in 12 bytes | d. */
const q3k: Block = (bytes, start, values, at, half) => {
  const d = half(start + 108);
  for (let group = 0; group < 16; group++) {
    const low = (bytes[start + 96 + (group & 7)] >> (group < 8 ? 0 : 4)) & 15;
    const high = (bytes[start + 104 + (group & 3)] >> (2 * (group >> 2))) & 3;
    const dl = d * ((low | (high << 4)) - 32);
    const from = start + 32 + 32 * (group >> 3) + 16 * (group & 1);
    const mask = start + 16 * (group & 1);
    const shift = 2 * ((group >> 1) & 3);
    const bit = group >> 1;
    for (let i = 0; i < 16; i++) {
      const q = (bytes[from + i] >> shift) & 3;
      values[at + 16 * group + i] = dl * (((bytes[mask + i] >> bit) & 1) === 1 ? q : q - 4);
    }
  }
};

/** Scale and minimum `group` of 8 in the 12 bytes from `at`, 6 bits each: ggml's get_scale_min_k4. */
function scaleOf(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return bytes[at + group] & 63;
  return (bytes[at + 4 + group] & 15) | ((bytes[at + group - 4] >> 6) << 4);
}
function minimumOf(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return bytes[at + 4 + group] & 63;
  return (bytes[at + 4 + group] >> 4) | ((bytes[at + group] >> 6) << 4);
}

/** d | dmin | scales and minima | for five bits 32 bytes of fifth bits | 128 bytes of two 4-bit values. */
function q45k(fifth: boolean): Block {
  const low = fifth ? 48 : 16;
  return (bytes, start, values, at, half) => {
    const [d, dmin] = [half(start), half(start + 2)];
    for (let group = 0; group < 8; group++) {
      const [dl, ml] = [d * scaleOf(bytes, start + 4, group), dmin * minimumOf(bytes, start + 4, group)];
      const from = start + low + 32 * (group >> 1);
      const shift = 4 * (group & 1);
      const to = at + 32 * group;
      for (let i = 0; i < 32; i++) {
        let q = (bytes[from + i] >> shift) & 15;
        if (fifth) q |= ((bytes[start + 16 + i] >> group) & 1) << 4;
        values[to + i] = dl * q - ml;
      }
    }
  };
}

/** 128 bytes of low 4 bits | 64 bytes of high 2 bits | 16 scales of 8 bits | d. */
const q6k: Block = (bytes, start, values, at, half) => {
  const d = half(start + 208);
  for (let group = 0; group < 8; group++) {
    const low = start + 64 * (group >> 2) + 32 * (group & 1);
    const high = start + 128 + 32 * (group >> 2);
    const [lowShift, highShift] = [4 * ((group >> 1) & 1), 2 * (group & 3)];
    for (let i = 0; i < 32; i++) {
      const dl = d * ((bytes[start + 192 + 2 * group + (i >> 4)] << 24) >> 24);
      const q = ((bytes[low + i] >> lowShift) & 15) | (((bytes[high + i] >> highShift) & 3) << 4);
      values[at + 32 * group + i] = dl * (q - 32);
    }
  }
};

/** The types that are read, by ggml's code. */
export const BLOCK_TYPES: ReadonlyMap<number, BlockType> = new Map<number, BlockType>([
  [
    0,
    {
      name: 'F32',
      elements: 1,
      bytes: 4,
      dequantize: (bytes, values, at) => values.set(new Float32Array(bytes.buffer, 0, bytes.length / 4), at),
    },
  ],
  [
    1,
    {
      name: 'F16',
      elements: 1,
      bytes: 2,
      dequantize: (bytes, values, at) => widenFloat16(new Uint16Array(bytes.buffer, 0, bytes.length / 2), values, at),
    },
  ],
  [2, nibbles('Q4_0', { minimum: false, fifth: false })],
  [3, nibbles('Q4_1', { minimum: true, fifth: false })],
  [6, nibbles('Q5_0', { minimum: false, fifth: true })],
  [7, nibbles('Q5_1', { minimum: true, fifth: true })],
  [8, blocks('Q8_0', 32, 34, q8)],
  [10, blocks('Q2_K', 256, 84, q2k)],
  [11, blocks('Q3_K', 256, 110, q3k)],
  [12, blocks('Q4_K', 256, 144, q45k(false))],
  [13, blocks('Q5_K', 256, 176, q45k(true))],
  [14, blocks('Q6_K', 256, 210, q6k)],
  [
    30,
    {
      name: 'BF16',
      elements: 1,
      bytes: 2,
      dequantize: (bytes, values, at) => widenBfloat16(new Uint16Array(bytes.buffer, 0, bytes.length / 2), values, at),
    },
  ],
]);

/** Names of ggml's other types, for the error. */
// prettier-ignore
export const REFUSED_TYPES: Readonly<Record<number, string>> = {
  4: 'Q4_2', 5: 'Q4_3', 9: 'Q8_1', 15: 'Q8_K', 16: 'IQ2_XXS', 17: 'IQ2_XS', 18: 'IQ3_XXS', 19: 'IQ1_S', 20: 'IQ4_NL', 21: 'IQ3_S',
  22: 'IQ2_S', 23: 'IQ4_XS', 24: 'I8', 25: 'I16', 26: 'I32', 27: 'I64', 28: 'F64', 29: 'IQ1_M', 34: 'TQ1_0', 35: 'TQ2_0',
  39: 'MXFP4', 40: 'NVFP4', 41: 'Q1_0',
};
