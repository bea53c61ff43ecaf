/** The tensorflow backend's own kernels on the way back against the gradients of stock operations: odd widths, edges, threads, memory. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { record } from '../../src/hooks/backward.ts';
import { hasKernel, runKernel, type BackwardName, type FusedName } from '../../src/model/forward/fused-kernels.ts';
import type { PointwiseActivation } from '../../src/model/forward/fused.ts';
import { createRandom } from '../../src/random.ts';
import { availableBackends, open } from '../tensors.ts';

const random = createRandom(11, 'tensorflow kernels on the way back');
const drawn = (shape: number[], spread = 1): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => spread * (2 * random.uniform() - 1)),
    shape,
  );

async function kernelsHere(): Promise<boolean> {
  if (!(await availableBackends()).includes('tensorflow')) return false; // its reason is printed there
  await open('tensorflow');
  if (hasKernel('SpexlensBackNorm')) return true;
  console.info('kernels on the way back are not tested here: the addon was built without those of kernels.cc.');
  return false;
}

const native = (): number => (tf.backend() as unknown as { getNumOfTFTensors: () => number }).getNumOfTFTensors();

/** The kernel's results; a run leaves no tensor in JavaScript or outside. */
function run(
  name: FusedName | BackwardName,
  inputs: Record<string, tf.Tensor | undefined>,
  attrs: object,
): Float32Array[] {
  const once = (): tf.Tensor[] => [runKernel(name as BackwardName, inputs as never, attrs as never)].flat();
  tf.dispose(once()); // now the inputs are outside
  const before = [tf.memory().numTensors, native()];
  const outs = once();
  const values = outs.map((out) => out.dataSync() as Float32Array);
  tf.dispose(outs);
  expect([tf.memory().numTensors, native()]).toEqual(before);
  return values;
}

/** Gradients of `f` by stock operations, where that of its result is dy. */
function stock(f: (...xs: tf.Tensor[]) => tf.Tensor, xs: readonly tf.Tensor[], dy: tf.Tensor): Float32Array[] {
  return tf.tidy(() => {
    const recording = record(() => tf.sum(tf.mul(f(...xs), dy)));
    return recording
      .gradients(recording.value, xs)
      .map((gradient) => (gradient as tf.Tensor).dataSync() as Float32Array);
  });
}

const STOCK: Readonly<Record<PointwiseActivation, (x: tf.Tensor) => tf.Tensor>> = {
  relu: (x) => tf.relu(x),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  gelu: (x) => tf.mul(x, tf.add(tf.mul(tf.erf(tf.mul(x, Math.SQRT1_2)), 0.5), 0.5)),
  gelu_new: (x) =>
    tf.mul(
      x,
      tf.sigmoid(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715 * Math.sqrt(8 / Math.PI)), Math.sqrt(8 / Math.PI)))),
    ),
};

describe.runIf(await kernelsHere())('the kernels of the tensorflow backend on the way back', () => {
  beforeAll(async () => {
    await open('tensorflow');
  });

  for (const activation of Object.keys(STOCK) as PointwiseActivation[]) {
    it(`${activation}, alone and as a gate`, () => {
      for (const size of [1, 15, 16, 17, 100_003]) {
        const [x, up, dy] = [drawn([size], 6), drawn([size]), drawn([size])];
        expect(run('SpexlensActivation', { x }, { activation })[0]).toBeAllClose(STOCK[activation](x).dataSync(), 5e-6);
        const [alone] = stock(STOCK[activation], [x], dy);
        expect(run('SpexlensBackActivation', { x, dy }, { activation })[0]).toBeAllClose(alone, 5e-6);
        const both = stock((gate, through) => tf.mul(STOCK[activation](gate), through), [x, up], dy);
        run('SpexlensBackGate', { gate: x, up, dy }, { activation }).forEach((ours, k) =>
          expect(ours).toBeAllClose(both[k], 5e-6),
        );
        tf.dispose([x, up, dy]);
      }
    });

    it(`${activation} has a slope far out, and NaN stays`, () => {
      const x = tf.tensor1d([-1e30, -1000, -100, 100, 1000, 1e30, NaN]);
      const [slopes] = run('SpexlensBackActivation', { x, dy: tf.onesLike(x) }, { activation });
      expect(slopes.subarray(0, 6)).toBeAllClose([0, 0, 0, 1, 1, 1], 1e-6);
      expect(slopes[6]).toBeNaN();
    });
  }

  it.each([
    [1, 5],
    [3, 16],
    [4, 37],
    [700, 768],
  ])('norms of %i rows of %i', (rows, width) => {
    const [x, w, dy] = [drawn([rows, width], 3), drawn([width]), drawn([rows, width])];
    for (const kind of ['layer', 'rms'] as const) {
      for (const [weights, offset] of [
        [w, 0],
        [w, 1],
        [undefined, 0],
      ] as const) {
        const [expected] = stock(
          (from) => {
            const centred = kind === 'rms' ? from : tf.sub(from, tf.mean(from, -1, true));
            const normed = tf.div(centred, tf.sqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-5)));
            return weights === undefined ? normed : tf.mul(normed, tf.add(weights, offset));
          },
          [x],
          dy,
        );
        expect(run('SpexlensBackNorm', { x, w: weights, dy }, { kind, eps: 1e-5, offset })[0]).toBeAllClose(
          expected,
          1e-5,
        );
      }
    }
    tf.dispose([x, w, dy]);
  });

  it.each([
    ['one query of one key', { batch: 1, queries: 1, keys: 1, heads: 1, kvHeads: 1, e: 3, masks: 0 }],
    ['causal', { batch: 3, queries: 16, keys: 16, heads: 4, kvHeads: 4, e: 16, masks: 1 }],
    ['odd sizes', { batch: 2, queries: 5, keys: 19, heads: 3, kvHeads: 3, e: 7, masks: 1 }],
    ['grouped heads', { batch: 2, queries: 7, keys: 7, heads: 6, kvHeads: 2, e: 24, masks: 1 }],
    ['a mask for each row', { batch: 3, queries: 6, keys: 9, heads: 2, kvHeads: 1, e: 16, masks: 3 }],
    ['a soft cap', { batch: 2, queries: 4, keys: 10, heads: 2, kvHeads: 2, e: 8, masks: 1, softcap: 5 }],
    [
      'many heads of many rows, on threads',
      { batch: 8, queries: 32, keys: 32, heads: 12, kvHeads: 6, e: 64, masks: 1 },
    ],
  ])('attention: %s', (_what, { batch, queries, keys, heads, kvHeads, e, masks, ...rest }) => {
    const softcap = 'softcap' in rest ? rest.softcap : 0;
    const scale = 0.3;
    const [q, k, v] = [
      drawn([batch, queries, heads, e]),
      drawn([batch, keys, kvHeads, e]),
      drawn([batch, keys, kvHeads, e]),
    ];
    const dy = drawn([batch, queries, heads, e]);
    const hides = (r: number, i: number, j: number): boolean =>
      masks > 1 ? j > 0 && (i + j + r) % 3 === 0 : j > i + keys - queries;
    const bits = Float32Array.from({ length: masks * queries * keys }, (_, at) =>
      hides(Math.floor(at / (queries * keys)), Math.floor(at / keys) % queries, at % keys) ? -1e30 : 0,
    );
    const mask = masks === 0 ? undefined : tf.tensor(bits, [masks, 1, queries, keys]);
    const expected = stock(
      (Q, K, V) => {
        const each = (x: tf.Tensor): tf.Tensor => {
          const wide = tf.mul(tf.expandDims(x, 3), tf.ones([1, 1, 1, heads / kvHeads, 1]));
          return tf.transpose(tf.reshape(wide, [batch, keys, heads, e]), [0, 2, 1, 3]);
        };
        const raw = tf.mul(tf.matMul(tf.transpose(Q, [0, 2, 1, 3]), each(K), false, true), scale);
        const capped = softcap === 0 ? raw : tf.mul(tf.tanh(tf.div(raw, softcap)), softcap);
        const pattern = tf.softmax(mask === undefined ? capped : tf.add(capped, mask));
        return tf.transpose(tf.matMul(pattern, each(V)), [0, 2, 1, 3]);
      },
      [q, k, v],
      dy,
    );
    run('SpexlensBackAttention', { q, k, v, mask, dy }, { scale, softcap }).forEach((ours, i) =>
      expect(ours).toBeAllClose(expected[i], 1e-5),
    );
    tf.dispose([q, k, v, dy, ...(mask === undefined ? [] : [mask])]);
  });

  it.each([
    [1, 3, 5, 8, 3, 1],
    [4, 1, 5, 3, 7, 5],
    [4, 4, 6, 37, 1, 1],
    [3, 3, 2, 1, 16, 2],
  ])(
    'masks of %i rows over %i of %i positions, %i elements of %i',
    (rows, xRows, positions, elements, width, basePositions) => {
      const line = elements * width;
      const [x, base] = [
        drawn([xRows === 1 ? 1 : rows, positions, line]),
        drawn([1, basePositions === 1 ? 1 : positions, line]),
      ];
      const dy = drawn([rows, positions, line]);
      for (const factorPositions of [1, positions]) {
        const some = drawn([rows, factorPositions, elements]);
        const factors = tf.tidy(() => tf.clipByValue(tf.mul(some, 2), 0, 1)); // a half of them 0 or 1
        for (const ground of [undefined, base]) {
          const blend = (from: tf.Tensor, m: tf.Tensor): tf.Tensor => {
            const wide = tf.reshape(tf.tile(tf.expandDims(m, 3), [1, 1, 1, width]), [rows, factorPositions, line]);
            const kept = tf.mul(from, wide);
            return ground === undefined ? kept : tf.add(kept, tf.mul(ground, tf.sub(1, wide)));
          };
          const [ours] = run('SpexlensMaskRows', { x, factors, base: ground }, {});
          expect(ours).toBeAllClose(
            tf.tidy(() => blend(x, factors).dataSync()),
            1e-6,
          );
          const [slopes] = run('SpexlensMaskSlopes', { x, base: ground, dy }, { positions: factorPositions, elements });
          expect(slopes).toBeAllClose(stock((m) => blend(x, m), [factors], dy)[0], 1e-5);
        }
        tf.dispose([some, factors]);
      }
      tf.dispose([x, base, dy]);
    },
  );

  it('masks take rows from parents', () => {
    const x = drawn([2, 3, 8]);
    const parents = tf.tensor1d([1, 0, 1], 'int32');
    const factors = tf.tensor3d([1, 0, 0.5], [3, 1, 1]);
    const rows = tf.tidy(() => tf.mul(tf.gather(x, parents), factors).dataSync());
    expect(run('SpexlensMaskRows', { x, parents, factors }, {})[0]).toBeAllClose(rows, 1e-6);
    expect(run('SpexlensMaskRows', { x, parents }, {})[0]).toEqual(tf.tidy(() => tf.gather(x, parents).dataSync()));
  });

  it.each([
    [1, 1, 8],
    [3, 1, 6],
    [3, 3, 8],
    [200, 1, 8],
  ])('%i rows turn by tables of %i, %i of 11 dimensions', (batch, tables, dims) => {
    const x = drawn([batch, 5, 2, 11]);
    const [cos, sin] = [drawn([tables, 5, 1, 11]), drawn([tables, 5, 1, 11])];
    const half = dims / 2;
    const order = Array.from({ length: 11 }, (_, c) => (c < half ? c + half : c < dims ? c - half : c));
    const expected = tf.tidy(() =>
      tf.add(tf.mul(x, cos), tf.mul(tf.gather(x, tf.tensor1d(order, 'int32'), 3), sin)).dataSync(),
    );
    expect(run('SpexlensTurn', { x, cos, sin }, { dims })[0]).toBeAllClose(expected, 1e-6);
  });

  it('shapes that do not go together are refused, not computed', () => {
    const x = tf.ones([2, 3, 4]);
    const refuses = (name: FusedName | BackwardName, inputs: Record<string, tf.Tensor>, attrs: object): void =>
      expect(() => run(name, inputs, attrs)).toThrow(/do not go together|differ in size|not as wide/);
    refuses('SpexlensBackActivation', { x, dy: tf.ones([2, 3]) }, { activation: 'silu' });
    refuses('SpexlensBackGate', { gate: x, up: x, dy: tf.ones([3]) }, { activation: 'silu' });
    refuses('SpexlensBackNorm', { x, w: tf.ones([3]), dy: x }, { kind: 'rms', eps: 0, offset: 0 });
    refuses('SpexlensMaskRows', { x, factors: tf.ones([2, 1, 3]) }, {});
    refuses('SpexlensMaskSlopes', { x, dy: tf.ones([2, 3, 8]) }, { positions: 1, elements: 4 });
    const q = tf.ones([2, 4, 3, 8]);
    refuses('SpexlensBackAttention', { q, k: tf.ones([2, 4, 2, 8]), v: q, dy: q }, { scale: 1, softcap: 0 });
    refuses('SpexlensTurn', { x: q, cos: tf.ones([1, 3, 1, 8]), sin: tf.ones([1, 3, 1, 8]) }, { dims: 4 });
  });
});
