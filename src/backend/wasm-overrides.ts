/**
 * Operations of TensorFlow.js's wasm backend that ours do faster, under their own names; undefined for what stays TensorFlow.js's.
 *
 * Its matMul multiplies one pair of matrices by XNNPACK, and several, or a turned one, in a plain loop; its tile goes number by number.
 */
import * as tf from '@tensorflow/tfjs-core';
import { PRODUCT_KERNELS } from './wasm-product.ts';
import type { Kernel } from './wasm-tensors.ts';

type Override = (...args: Parameters<Kernel>) => tf.TensorInfo | undefined;

/** a · b of a [.., m, n] and b [.., n, p], as many matrices or one of them one, or a · bᵀ. */
const multiplyBatches: Override = (tensors, { a, b }, { transposeA, transposeB }) => {
  if (a?.dtype !== 'float32' || b?.dtype !== 'float32' || transposeA === true) return undefined;
  const [before, behind] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const [ofA, ofB] = [before, behind].map((shape) => tf.util.sizeFromShape(shape));
  const count = Math.max(ofA, ofB);
  if ((count === 1 && transposeB !== true) || Math.min(ofA, ofB) === 0) return undefined;
  if (ofA !== 1 && ofB !== 1 && !tf.util.arraysEqual(before, behind)) return undefined;
  const matrices = (x: tf.TensorInfo, of: number): tf.TensorInfo => ({ ...x, shape: [of, ...x.shape.slice(-2)] });
  const out = PRODUCT_KERNELS['SpexlensProducts'](
    tensors,
    { a: matrices(a, ofA), b: matrices(b, ofB) },
    { turnB: transposeB === true },
  ) as tf.TensorInfo;
  const outer = tf.broadcast_util.assertAndGetBroadcastShape(before, behind);
  return { ...out, shape: [...outer, ...out.shape.slice(1)] };
};

/** x repeated along one axis: each piece from that axis on, in a row. */
const repeat: Override = ({ run, scratch, output, at, floats }, { x }, { reps }) => {
  const times = reps as readonly number[];
  const axis = times.findIndex((count) => count !== 1);
  if (x?.dtype !== 'float32' || axis < 0 || times.some((count, k) => k !== axis && count !== 1)) return undefined;
  const size = tf.util.sizeFromShape(x.shape);
  if (size === 0 || !(times[axis] > 1)) return undefined;
  const width = tf.util.sizeFromShape(x.shape.slice(axis));
  const rows = (size / width) * times[axis];
  const parents = scratch(4 * rows);
  const out = output(x.shape.map((length, k) => length * times[k]));
  const numbers = new Int32Array(floats().buffer, parents, rows);
  for (let row = 0; row < rows; row++) numbers[row] = Math.floor(row / times[axis]);
  run.maskRows(at(x), false, parents, 0, 1, 0, 1, at(out), rows, 1, 1, width);
  return out;
};

/** By the kernel's name. */
export const OVERRIDES: Readonly<Record<string, Override>> = { [tf.BatchMatMul]: multiplyBatches, [tf.Tile]: repeat };
