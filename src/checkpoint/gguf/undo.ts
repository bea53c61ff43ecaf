/**
 * What llama.cpp's converter did to a tensor, undone: its values as the Hugging Face checkpoint has them.
 */
import type { Undo } from './architectures.ts';

export interface Placed {
  /** Of the tensor as the file has it, C order. */
  readonly shape: readonly number[];
  /** Heads among the rows, for 'rotary rows'. */
  readonly heads: number;
}

/** The shape after `undo`. */
export function shapeAfter(undo: Undo, shape: readonly number[]): readonly number[] {
  return undo === 'transposed' ? [...shape].reverse() : shape;
}

/** `values` as they were before the converter, in place where no value moves far; `into` takes transposed ones. */
export function undone(undo: Undo, values: Float32Array, { shape, heads }: Placed, into?: Float32Array): Float32Array {
  switch (undo) {
    case 'nothing':
      return values;
    case 'one added':
      for (let i = 0; i < values.length; i++) values[i] -= 1;
      return values;
    case 'rotary rows':
      return pairedRows(values, heads, values.length / shape[0]);
    case 'transposed':
      return transposed(values, shape, into);
    default:
      undo satisfies never;
      return values;
  }
}

/** Within each head, row 2i + a (half a of pair i) goes to row a·d/2 + i. */
function pairedRows(values: Float32Array, heads: number, width: number): Float32Array {
  const block = values.length / heads;
  const half = block / width / 2;
  const from = new Float32Array(block);
  for (let h = 0; h < heads; h++) {
    from.set(values.subarray(h * block, (h + 1) * block));
    for (let i = 0; i < half; i++) {
      for (let a = 0; a < 2; a++) {
        const row = (2 * i + a) * width;
        values.set(from.subarray(row, row + width), h * block + (a * half + i) * width);
      }
    }
  }
  return values;
}

/** [rows, cols] -> [cols, rows]. */
function transposed(values: Float32Array, [rows, cols]: readonly number[], into?: Float32Array): Float32Array {
  const out =
    into !== undefined && into.length >= values.length
      ? into.subarray(0, values.length)
      : new Float32Array(values.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = values[r * cols + c];
  return out;
}
