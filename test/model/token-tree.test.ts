/** Attention along the paths of a tree is that of each path by itself, in Float64 loops: by the kernel where a backend has it, and by rows. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { alibiSlopes } from '../../src/model/forward/alibi.ts';
import { hasFused } from '../../src/model/forward/fused.ts';
import { pathAttention, treePositions, type TokenTree } from '../../src/model/forward/token-tree.ts';
import { createRandom } from '../../src/random.ts';
import { availableBackends, open } from '../tensors.ts';

/** Two tokens of a past; a path that goes on from both, one from the first of them, one that leaves the second path late. */
const TREE: TokenTree = {
  paths: [
    [0, 1, 2, 3, 4],
    [0, 5, 6, 7, 8, 9, 10, 11],
    [0, 5, 6, 7, 8, 12],
  ].map((path) => Int32Array.from(path)),
  own: [3, 7, 1],
};
const COLUMNS = 13;
const [HEADS, GROUPS] = [6, 2];
const SEEN = [1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0];

const random = createRandom(3, 'token tree');
const numbers = (size: number): Float32Array => Float32Array.from({ length: size }, () => 2 * random.uniform() - 1);

interface Asked {
  readonly softcap: number;
  readonly window: number | null;
  readonly alibi: boolean;
  readonly seen: readonly number[] | undefined;
}

/** By query and head what it reads, of keys and values [column][group][e]. */
function byHand(
  { q, k, v }: Record<'q' | 'k' | 'v', Float32Array>,
  e: number,
  queries: readonly number[],
  { softcap, window, alibi, seen }: Asked,
): number[] {
  const ends = TREE.own.map((_, p) => TREE.own.slice(0, p + 1).reduce((sum, each) => sum + each, 0));
  return queries.flatMap((query, i) => {
    const p = ends.findIndex((end) => query < end);
    const path = TREE.paths[p];
    const place = path.length - ends[p] + query;
    return Array.from({ length: HEADS }, (_, head) => head).flatMap((head) => {
      const at = (column: number): number => (column * GROUPS + Math.floor(head / (HEADS / GROUPS))) * e;
      const keys = Array.from(path.subarray(0, place + 1)).flatMap((column, j) => {
        if (seen?.[column] === 0 && j !== place) return [];
        if (window !== null && j <= place - window) return [];
        let score = 0;
        for (let c = 0; c < e; c++) score += q[(i * HEADS + head) * e + c] * k[at(column) + c];
        score *= 0.7;
        if (softcap !== 0) score = softcap * Math.tanh(score / softcap);
        if (alibi) score -= alibiSlopes(HEADS)[head] * (place - j);
        return [{ column, share: Math.exp(score) }];
      });
      const total = keys.reduce((sum, { share }) => sum + share, 0);
      return Array.from({ length: e }, (_, c) =>
        keys.reduce((sum, { column, share }) => sum + (share / total) * v[at(column) + c], 0),
      );
    });
  });
}

/** Attention of rows by stock operations, q [B, Sq, H, e], k and v [B, S, K, e], mask [B, 1 or H, Sq, S]. */
function ofRows({ q, k, v }: Record<'q' | 'k' | 'v', tf.Tensor>, softcap: number, mask: tf.Tensor): tf.Tensor {
  const heads = (x: tf.Tensor): tf.Tensor => {
    const wanted = Array.from({ length: HEADS }, (_, head) => Math.floor((head * (x.shape[2] as number)) / HEADS));
    return tf.transpose(tf.gather(x, tf.tensor1d(wanted, 'int32'), 2), [0, 2, 1, 3]);
  };
  const scores = tf.mul(tf.matMul(heads(q), heads(k), false, true), 0.7);
  const capped = softcap === 0 ? scores : tf.mul(tf.tanh(tf.div(scores, softcap)), softcap);
  return tf.transpose(tf.matMul(tf.softmax(tf.add(capped, mask)), heads(v)), [0, 2, 1, 3]);
}

const CASES: readonly [string, Asked][] = [
  ['all seen', { softcap: 0, window: null, alibi: false, seen: undefined }],
  ['some unseen', { softcap: 0, window: 8, alibi: false, seen: SEEN }],
  ['soft caps', { softcap: 0.5, window: null, alibi: false, seen: SEEN }],
  ['alibi', { softcap: 0, window: null, alibi: true, seen: SEEN }],
  ['a window', { softcap: 0, window: 3, alibi: false, seen: undefined }],
];

describe('a tree of tokens', () => {
  it('has its tokens where their paths have them', () => {
    expect(treePositions(TREE)).toEqual([2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 5]);
  });
});

describe.each((await availableBackends()).filter((name) => name !== 'webgpu'))(
  'attention along paths on %s',
  (name) => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await open(name);
    });
    afterAll(() => backend.close());

    it.each(CASES)('is that of every path by itself: %s', (_, asked) => {
      for (const e of [5, 16, 40])
        for (const queries of [Array.from({ length: 11 }, (__, i) => i), [1, 2, 9, 10]]) {
          const raw = {
            q: numbers(queries.length * HEADS * e),
            k: numbers(COLUMNS * GROUPS * e),
            v: numbers(COLUMNS * GROUPS * e),
          };
          const before = tf.memory().numTensors;
          const out = tf.tidy(() => {
            const keys = [1, COLUMNS, GROUPS, e];
            const read = {
              q: tf.tensor(raw.q, [1, queries.length, HEADS, e]),
              k: tf.tensor(raw.k, keys),
              v: tf.tensor(raw.v, keys),
            };
            const { softcap, window, alibi, seen } = asked;
            let copied = false;
            const found = pathAttention(TREE, queries, seen).attend(read, {
              scale: 0.7,
              softcap,
              window,
              alibi,
              rows(copies, mask) {
                copied = true;
                return ofRows(copies, softcap, mask);
              },
            });
            expect(copied).toBe(!hasFused('SpexlensAttentionPaths') || alibi || window === 3);
            return found;
          });
          expect(out.shape).toEqual([1, queries.length, HEADS, e]);
          expect(Array.from(out.dataSync())).toBeAllClose(byHand(raw, e, queries, asked), 2e-6);
          out.dispose();
          expect(tf.memory().numTensors).toBe(before);
        }
    });
  },
);
