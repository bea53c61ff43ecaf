/**
 * Rows that begin alike, as one row of tokens: what several of them begin with stands there once.
 *
 * In a causal model what stands at a token depends on it and those before it alone, so rows are paths from the first token on
 * through a tree, and everything but attention is done for each token of the tree once, in products as long as the tree. Attention
 * runs along paths: by a kernel that reads keys and values where they are, or over copies of them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { alibiSlopes } from './alibi.ts';
import { HIDDEN } from './attention-mask.ts';
import { fused, hasFused } from './fused.ts';

/** Tokens of a call as a tree. */
export interface TokenTree {
  /** By path, the column of each of its tokens: 0 .. P - 1 those of the past, P + i token i of the call. */
  readonly paths: readonly Int32Array[];
  /** By path, how many tokens at its end are its own: those of the first path, then those of the second, .. are the tokens of the call. */
  readonly own: readonly number[];
}

/** The position of every token of the call: how many stand before it on its path. */
export function treePositions({ paths, own }: TokenTree): number[] {
  return paths.flatMap(({ length }, p) => Array.from({ length: own[p] }, (_, i) => length - own[p] + i));
}

export const longestPath = ({ paths }: TokenTree): number => Math.max(0, ...paths.map(({ length }) => length));

/** Queries that follow each other on a path. */
interface Span {
  readonly path: number;
  /** The first of them, as a number among the queries. */
  readonly first: number;
  readonly count: number;
  /** Tokens before it on its path. */
  readonly before: number;
}

/** Attention of some queries along their paths, for all layers that ask at the same ones. */
export interface PathAttention {
  attend(
    read: Readonly<Record<'q' | 'k' | 'v', tf.Tensor>>,
    options: {
      readonly scale: number;
      readonly softcap: number;
      readonly window: number | null;
      readonly alibi: boolean;
      /** Attention of rows, by a mask [rows, 1 or H, Sq, S] of what is added to scores. */
      readonly rows: (read: Readonly<Record<'q' | 'k' | 'v', tf.Tensor>>, mask: tf.Tensor) => tf.Tensor;
    },
  ): tf.Tensor;
}

/** @param queries tokens of the call, increasing. @param seen by column, 0 for one that only itself attends to. */
export function pathAttention(
  tree: TokenTree,
  queries: readonly number[],
  seen: ArrayLike<number> | undefined,
): PathAttention {
  const spans = spansOf(tree, queries);
  const longest = longestPath(tree);
  const columns = new Int32Array(tree.paths.length * longest);
  tree.paths.forEach((path, p) => columns.set(path, p * longest));
  const table = {
    paths: tf.tensor2d(columns, [tree.paths.length, longest], 'int32'),
    spans: tf.tensor2d(
      spans.map(({ path, first, count, before }) => [path, first, count, before]),
      [spans.length, 4],
      'int32',
    ),
    seen: seen === undefined ? undefined : tf.tensor1d(Int32Array.from(seen), 'int32'),
  };
  return {
    attend({ q, k, v }, { scale, softcap, window, alibi, rows }) {
      if (!alibi && (window === null || longest <= window) && hasFused('SpexlensAttentionPaths'))
        return fused('SpexlensAttentionPaths', { q, k, v, ...table }, { scale, softcap });
      const places = new Int32Array(queries.length);
      let at = 0;
      const mixed = alike(spans).map((some) => {
        const most = Math.max(...some.map(({ count }) => count));
        some.forEach(({ first, count }, r) => {
          for (let i = 0; i < count; i++) places[first + i] = at + r * most + i;
        });
        at += some.length * most;
        const length = Math.max(...some.map(({ count, before }) => before + count));
        const asked = some.flatMap(({ first, count }) =>
          Array.from({ length: most }, (_, i) => first + Math.min(i, count - 1)),
        );
        const keys = some.flatMap(({ path }) =>
          Array.from({ length }, (_, c) => (c < tree.paths[path].length ? tree.paths[path][c] : 0)),
        );
        const slopes = alibi ? alibiSlopes(q.shape[2] as number) : [0];
        const mask = maskOf({ tree, spans: some, most, length, window, seen, slopes });
        const out = rows(
          { q: taken(q, asked, some.length), k: taken(k, keys, some.length), v: taken(v, keys, some.length) },
          mask,
        );
        return tf.reshape(out, [1, some.length * most, ...out.shape.slice(2)]);
      });
      return tf.gather(mixed.length === 1 ? mixed[0] : tf.concat(mixed, 1), tf.tensor1d(places, 'int32'), 1);
    },
  };
}

/** x [1, n, ...] at these columns, as `rows` rows. */
function taken(x: tf.Tensor, columns: readonly number[], rows: number): tf.Tensor {
  const all = tf.gather(x, tf.tensor1d([...columns], 'int32'), 1);
  return tf.reshape(all, [rows, columns.length / rows, ...x.shape.slice(2)]);
}

function spansOf({ paths, own }: TokenTree, queries: readonly number[]): Span[] {
  const spans: Span[] = [];
  let path = 0;
  let begun = 0; // tokens of the call before those of `path`
  queries.forEach((query, first) => {
    while (query >= begun + own[path]) begun += own[path++];
    const last = spans.at(-1);
    const before = paths[path].length - own[path] + query - begun;
    if (last?.path === path && last.before + last.count === before)
      spans[spans.length - 1] = { ...last, count: last.count + 1 };
    else spans.push({ path, first, count: 1, before });
  });
  return spans;
}

/** Spans in groups of like counts, so that little is padded. */
function alike(spans: readonly Span[]): Span[][] {
  const groups = new Map<number, Span[]>();
  for (const span of spans) {
    const size = Math.ceil(Math.log2(span.count));
    const group = groups.get(size);
    if (group === undefined) groups.set(size, [span]);
    else group.push(span);
  }
  return [...groups.values()];
}

/** What is added to the scores of `most` queries a span over `length` keys, [spans, slopes, most, length]. */
function maskOf({
  tree,
  spans,
  most,
  length,
  window,
  seen,
  slopes,
}: {
  readonly tree: TokenTree;
  readonly spans: readonly Span[];
  readonly most: number;
  readonly length: number;
  readonly window: number | null;
  readonly seen: ArrayLike<number> | undefined;
  readonly slopes: readonly number[];
}): tf.Tensor {
  const mask = new Float32Array(spans.length * slopes.length * most * length);
  let at = 0;
  for (const { path, count, before } of spans)
    for (const slope of slopes)
      for (let i = 0; i < most; i++) {
        const query = before + Math.min(i, count - 1);
        for (let key = 0; key < length; key++) {
          const hidden = key !== query && seen !== undefined && key < query && seen[tree.paths[path][key]] === 0;
          mask[at++] = key > query || key <= query - (window ?? Infinity) || hidden ? HIDDEN : slope * (key - query);
        }
      }
  return tf.tensor(mask, [spans.length, slopes.length, most, length]);
}
