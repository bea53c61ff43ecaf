/** How fast products are, by shape: the backend's own, and every tile; several are on their way before one number is read. */
import * as tf from '@tensorflow/tfjs-core';
import type { Clock } from './clock.ts';
import type { Entry } from './record.ts';
import type { WebgpuBackend } from '../../src/backend/webgpu/program.ts';
import { tiledProduct, type Tile } from '../../src/backend/webgpu/tiled-product.ts';

type Product = Extract<Entry, { kind: 'product' }>;
type Shape = Product['shape'];

/** A timing lasts about so long, so that the one readback at its end is a small part. */
const LEAST_MS = 60;

export const nameOf = ({ rows, columns, depth, threadRows, threadColumns, stages }: Tile): string =>
  `${rows}x${columns}x${depth}/${threadRows}x${threadColumns}${stages === 2 ? ' in 2 stages' : ''}`;

const tile = (
  rows: number,
  columns: number,
  depth: number,
  threadRows: number,
  threadColumns: number,
  stages: 1 | 2 = 1,
): Tile => ({
  rows,
  columns,
  depth,
  threadRows,
  threadColumns,
  stages,
});

/** Tiles to compare with those that are in use (TILES). */
export const OTHERS: readonly Tile[] = [
  tile(128, 128, 16, 8, 8, 2),
  tile(128, 128, 16, 8, 16),
  tile(128, 128, 8, 8, 8, 2),
  tile(256, 128, 16, 16, 8),
  tile(128, 256, 16, 8, 16),
  tile(64, 128, 16, 8, 8),
  tile(64, 64, 16, 4, 8),
];

/** Every way on every shape, as the clock allows; `say` is told of each. */
export async function measureProducts(
  shapes: readonly Shape[],
  tiles: readonly Tile[],
  clock: Clock,
  say: (entry: Product) => void,
): Promise<void> {
  const ways = [
    { by: "TensorFlow.js's", tile: null },
    ...(tf.getBackend() === 'webgpu' ? tiles.map((tile) => ({ by: nameOf(tile), tile })) : []),
  ];
  for (const shape of shapes) {
    for (const { by, tile } of ways) {
      if (!clock.has(1)) return;
      say({ kind: 'product', shape, by, tile, gflops: await gflopsOf(shape, tile) });
    }
  }
}

async function gflopsOf([rows, inner, width]: Shape, tile: Tile | null): Promise<number> {
  const [x, W] = [matrix(rows, inner, 1), matrix(inner, width, 2)];
  const product = (): tf.Tensor => {
    if (tile === null) return tf.matMul(x, W);
    const info = tiledProduct(tf.backend() as unknown as WebgpuBackend, tile, {
      x,
      W,
      b: undefined,
      residual: undefined,
      activation: 'none',
    });
    return tf.engine().makeTensorFromTensorInfo(info);
  };
  const timed = async (times: number): Promise<number> => {
    const started = performance.now();
    let last: tf.Tensor | undefined;
    for (let t = 0; t < times; t++) {
      last?.dispose();
      last = product();
    }
    const corner = tf.slice(last as tf.Tensor, [0, 0], [1, 1]);
    await corner.data();
    const ms = performance.now() - started;
    tf.dispose([last as tf.Tensor, corner]);
    return ms;
  };
  await timed(1);
  const few = await timed(3);
  const times = Math.min(400, Math.max(4, Math.ceil((3 * LEAST_MS) / Math.max(few, 0.1))));
  const ms = Math.min(await timed(times), await timed(times));
  tf.dispose([x, W]);
  return (times * 2 * rows * inner * width) / ms / 1e6;
}

/** Numbers of (-1, 1), by repeating a table of a prime length. */
function matrix(rows: number, columns: number, seed: number): tf.Tensor2D {
  return tf.tidy(() => {
    const table = tf.randomUniform([100_003], -1, 1, 'float32', seed);
    const long = tf.tile(table, [Math.ceil((rows * columns) / 100_003)]);
    return tf.reshape(tf.slice(long, [0], [rows * columns]), [rows, columns]);
  });
}
