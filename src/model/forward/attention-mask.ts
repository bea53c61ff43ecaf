/**
 * Who sees whom: causality, sliding windows and padding as one additive mask; and where tokens stand.
 *
 * A padding mask has 1 for a token and 0 for padding, on either side. Positions count a row's tokens, so a
 * row's numbers do not depend on how it was padded. Distances of a window are counted in columns, as in
 * transformers; without holes in a row they are the same.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';

/** 1 = token, 0 = padding; one row per batch row, over past and present tokens. */
export type PaddingMask = readonly (readonly number[])[];

export interface Visibility {
  readonly causal: boolean;
  /** i - window < j; null = no window. */
  readonly window: number | null;
  readonly padding: PaddingMask | undefined;
  /** 0 for a token that nobody but itself attends to; it keeps its position. */
  readonly seen?: PaddingMask | undefined;
}

/** Added to the scores of what must not be seen: not -Infinity, which GPU shader compilers may assume away. */
export const HIDDEN = -1e30;

/** [1 or B, 1, |queries|, keys] of 0 and -1e30, for queries at these columns; undefined when every key is seen. */
export function attentionMask(
  queries: readonly number[],
  keys: number,
  { causal, window, padding, seen }: Visibility,
): tf.Tensor | undefined {
  const reach = window ?? Infinity;
  const windowed = queries.some((q) => q - reach >= 0);
  if (!causal && !windowed && padding === undefined && seen === undefined) return undefined;
  const rows = padding?.length ?? seen?.length ?? 1;
  const mask = new Float32Array(rows * queries.length * keys);
  for (let r = 0; r < rows; r++) {
    queries.forEach((query, q) => {
      const at = (r * queries.length + q) * keys;
      for (let k = 0; k < keys; k++) {
        const unseen = padding?.[r][k] === 0 || (seen?.[r][k] === 0 && k !== query);
        if ((causal && k > query) || k <= query - reach || unseen) mask[at + k] = HIDDEN;
      }
    });
  }
  return tf.tensor(mask, [rows, 1, queries.length, keys]);
}

/** The position of each of the last `length` columns, [1 or B][length]; padding stands at 0. */
export function tokenPositions(length: number, past: number, padding: PaddingMask | undefined): number[][] {
  if (padding === undefined) return [Array.from({ length }, (_, s) => past + s)];
  return padding.map((row) => {
    let count = 0;
    return row.map((kept) => (kept === 0 ? 0 : count++)).slice(-length);
  });
}

/** @throws 'input' unless `padding` is `rows` rows of `columns` zeros and ones with at least one token each. */
export function checkPadding(padding: PaddingMask, rows: number, columns: number): void {
  checkSeen(padding, rows, columns);
  padding.forEach((row, r) => {
    if (!row.includes(1))
      throw fail('input', 'attention mask', `row ${r} is all padding; at least one token is needed.`);
  });
}

/** @throws 'input' unless `seen` is `rows` rows of `columns` zeros and ones; all may be zero, for every token sees itself. */
export function checkSeen(seen: PaddingMask, rows: number, columns: number): void {
  if (seen.length !== rows)
    throw fail('input', 'attention mask', `has ${seen.length} rows, the tokens have ${rows}; one row each is needed.`);
  seen.forEach((row, r) => {
    if (row.length !== columns)
      throw fail(
        'input',
        'attention mask',
        `row ${r} has ${row.length} columns for ${columns} tokens; one each is needed.`,
      );
    const odd = row.find((kept) => kept !== 0 && kept !== 1);
    if (odd !== undefined) throw fail('input', 'attention mask', `row ${r} holds ${odd}; 1 marks a token, 0 padding.`);
  });
}

/**
 * Rows of different lengths made equally long with `token` on one side, and the mask that says which are tokens.
 * @throws 'input' for no rows or an empty row.
 */
export function padRows(
  rows: readonly (readonly number[])[],
  side: 'left' | 'right',
  token = 0,
): { readonly tokens: number[][]; readonly attentionMask: number[][] } {
  const longest = Math.max(0, ...rows.map((row) => row.length));
  const padded = (row: readonly number[], fill: number): number[] => {
    if (row.length === 0) throw fail('input', 'padRows', 'a row has no tokens; at least one is needed.');
    const padding = Array<number>(longest - row.length).fill(fill);
    return side === 'left' ? [...padding, ...row] : [...row, ...padding];
  };
  if (rows.length === 0) throw fail('input', 'padRows', 'there are no rows; at least one is needed.');
  return {
    tokens: rows.map((row) => padded(row, token)),
    attentionMask: rows.map((row) =>
      padded(
        row.map(() => 1),
        0,
      ),
    ),
  };
}
