/**
 * Strided tensors: which elements of a storage a tensor is, and how to read them in one pass.
 *
 * Element (i_0, .., i_k) is storage element offset + Σ i_d · stride_d. Walked with the dimensions in order of
 * falling stride, addresses only grow (the strides of a tensor whose elements do not repeat are such that one
 * step of a dimension passes all those of the smaller ones), so a window moves forward over the storage.
 */
import { PIECE_BYTES } from '../file-bytes.ts';

export interface Layout {
  readonly sizes: readonly number[];
  /** In elements. */
  readonly strides: readonly number[];
  readonly offset: number;
}

/** Why the layout cannot be read, or undefined: its elements repeat or are more than can be counted. */
export function layoutFault({ sizes, strides }: Layout): string | undefined {
  if (sizes.includes(0)) return undefined;
  let reach = 0; // the farthest address of the dimensions so far
  for (const { size, stride } of byFallingStride(sizes, strides).reverse()) {
    if (stride <= reach)
      return `has sizes [${sizes.join()}] and strides [${strides.join()}], which use elements more than once; save it after .contiguous().`;
    reach += (size - 1) * stride;
  }
  return undefined;
}

/** Whether the elements lie one after the other in C order. */
export function isContiguous({ sizes, strides }: Layout): boolean {
  let expected = 1;
  for (let d = sizes.length - 1; d >= 0; d--) {
    if (sizes[d] !== 1 && strides[d] !== expected) return false;
    expected *= sizes[d];
  }
  return true;
}

/**
 * Fills `values` (C order) with the tensor's elements; the layout must have passed `layoutFault` and not be empty.
 *
 * @param readAt fills an array with the storage's elements from an index on.
 */
export async function gather<T extends Float32Array | Int32Array>(
  { sizes, strides, offset }: Layout,
  values: T,
  make: (length: number) => T,
  readAt: (element: number, into: T) => Promise<void>,
): Promise<void> {
  const dims = byFallingStride(sizes, strides);
  const last = dims.reduce((sum, { size, stride }) => sum + (size - 1) * stride, offset);
  const window = make(Math.min(PIECE_BYTES / 4, last - offset + 1));
  let [from, to] = [0, 0]; // the elements that the window holds

  const inner = dims.pop() ?? { size: 1, stride: 1, step: 1 };
  const index = dims.map(() => 0);
  let [address, target] = [offset, 0];
  for (;;) {
    for (let k = 0; k < inner.size; k++) {
      const at = address + k * inner.stride;
      if (at >= to) {
        [from, to] = [at, Math.min(at + window.length, last + 1)];
        await readAt(from, window.subarray(0, to - from) as T);
      }
      values[target + k * inner.step] = window[at - from];
    }
    // the next index, the smallest stride fastest
    let d = dims.length - 1;
    for (; d >= 0; d--) {
      address += dims[d].stride;
      target += dims[d].step;
      if (++index[d] < dims[d].size) break;
      address -= dims[d].size * dims[d].stride;
      target -= dims[d].size * dims[d].step;
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

/** Dimensions longer than 1, largest stride first, each with its stride and the step it makes in C order. */
function byFallingStride(
  sizes: readonly number[],
  strides: readonly number[],
): { size: number; stride: number; step: number }[] {
  let step = 1;
  const dims: { size: number; stride: number; step: number }[] = [];
  for (let d = sizes.length - 1; d >= 0; d--) {
    if (sizes[d] !== 1) dims.push({ size: sizes[d], stride: strides[d], step });
    step *= sizes[d];
  }
  return dims.sort((a, b) => b.stride - a.stride);
}
