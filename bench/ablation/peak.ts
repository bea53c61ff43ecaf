/**
 * How fast the current backend multiplies matrices at its best: what a forward pass can at most reach.
 *
 * Square products of growing size, and the model's own MLP on many rows, with the stock kernel and with ours where the
 * backend has it. Several products are on their way before one number is read back, so that a GPU is never idle.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fused, hasFused } from '../../src/model/forward/fused.ts';

export interface PeakOf {
  /** [rows, inner, columns] */
  readonly shape: readonly [number, number, number];
  readonly gflops: number;
}

export interface Peak {
  readonly stock: PeakOf;
  /** SpexlensLinear's; null where the backend has none. */
  readonly own: PeakOf | null;
}

/** A product that would take longer is not tried. */
const LONGEST_MS = 400;
/** Every timing lasts at least this long. */
const LEAST_MS = 100;

const ways: Readonly<Record<keyof Peak, (x: tf.Tensor2D, W: tf.Tensor2D) => tf.Tensor>> = {
  stock: (x, W) => tf.matMul(x, W),
  own: (x, W) => fused('SpexlensLinear', { x, W }, { activation: 'none' }),
};

/** The best of the shapes; of `known` alone where a call before found it. */
export async function matMulPeak(dModel: number, dMlp: number, known?: Peak): Promise<Peak> {
  const one = async (kernel: keyof Peak): Promise<PeakOf> => {
    const found = known?.[kernel];
    if (found != null) return { shape: found.shape, gflops: await gflopsOf(kernel, found.shape) };
    const squares = [128, 256, 512, 1024, 2048, 4096, 8192].map((size) => [size, size, size] as const);
    const shapes: PeakOf['shape'][] = [
      ...squares,
      [1024, dModel, dMlp === 0 ? 4 * dModel : dMlp],
      [1024, dMlp === 0 ? 4 * dModel : dMlp, dModel],
    ];
    let best: PeakOf = { shape: shapes[0], gflops: await gflopsOf(kernel, shapes[0]) };
    for (const shape of shapes.slice(1)) {
      if (flopsOf(shape) / best.gflops / 1e6 > LONGEST_MS) continue;
      const gflops = await gflopsOf(kernel, shape);
      if (gflops > best.gflops) best = { shape, gflops };
    }
    return best;
  };
  return { stock: await one('stock'), own: hasFused('SpexlensLinear') ? await one('own') : null };
}

const flopsOf = ([rows, depth, columns]: PeakOf['shape']): number => 2 * rows * depth * columns;

async function gflopsOf(kernel: keyof Peak, shape: PeakOf['shape']): Promise<number> {
  const [rows, depth, columns] = shape;
  const [x, W] = [
    tf.randomUniform([rows, depth], -1, 1, 'float32', 1),
    tf.randomUniform([depth, columns], -1, 1, 'float32', 2),
  ] as [tf.Tensor2D, tf.Tensor2D];
  const timed = async (times: number): Promise<number> => {
    const started = performance.now();
    let last: tf.Tensor | undefined;
    for (let t = 0; t < times; t++) {
      last?.dispose();
      last = ways[kernel](x, W);
    }
    const corner = tf.slice(last as tf.Tensor, [0, 0], [1, 1]);
    await corner.data();
    const ms = performance.now() - started;
    tf.dispose([last as tf.Tensor, corner]);
    return ms;
  };
  await timed(1);
  const once = Math.max(0.01, await timed(1));
  const times = Math.min(1000, Math.max(2, Math.ceil(LEAST_MS / once)));
  const ms = await timed(times);
  tf.dispose([x, W]);
  return (times * flopsOf(shape)) / ms / 1e6;
}
