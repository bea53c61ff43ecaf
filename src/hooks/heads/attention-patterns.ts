/**
 * What chosen heads attend to on some prompts, as plain numbers of bounded size: for a record, a page, a table.
 *
 * One forward row a prompt, with everything kept. Weights are rounded to three decimals; a row ends with its last weight that
 * is not 0, so that a causal model's is as long as its query's position. Of prompts too long for the bound the last queries are
 * kept, for answers are read at the end.
 */
import { runWithCache } from '../run.ts';
import { throwIfAborted } from '../../errors.ts';
import type { HookName } from '../../model/hook-points.ts';
import type { Model } from '../../model/model.ts';

/** What one head attends to on one prompt. */
export interface AttentionPattern {
  /** Number of the prompt. */
  readonly prompt: number;
  readonly layer: number;
  readonly head: number;
  /** The first query position whose row is kept. */
  readonly from: number;
  /** By query from `from` to the last: the weights of keys 0, 1, ... */
  readonly weights: readonly (readonly number[])[];
}

export interface AttentionPatternsOptions {
  /** Weights of all rows together at most; default 40,000. */
  readonly mostWeights?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The patterns of `heads` on `prompts` (token ids), prompt by prompt.
 *
 * @example await attentionPatterns(model, [toTokens(model, 'When Mary and John').tokens[0]], [{ layer: 2, head: 1 }])
 * @throws 'input' for a layer that the model does not have; 'aborted'.
 */
export async function attentionPatterns(
  model: Model,
  prompts: readonly (readonly number[])[],
  heads: readonly { readonly layer: number; readonly head: number }[],
  { mostWeights = 40_000, signal }: AttentionPatternsOptions = {},
): Promise<AttentionPattern[]> {
  if (heads.length === 0) return [];
  const names = [...new Set(heads.map(({ layer }): HookName => `blocks.${layer}.attn.hook_pattern`))];
  const share = Math.floor(mostWeights / (prompts.length * heads.length));
  const found: AttentionPattern[] = [];
  for (const [prompt, tokens] of prompts.entries()) {
    throwIfAborted(signal, model.name);
    const { logits, cache } = runWithCache(model, tokens, { names });
    logits.dispose();
    try {
      const size = tokens.length;
      const from = firstRow(size, share);
      for (const { layer, head } of heads) {
        const pattern = cache.get('pattern', layer); // [1, H, S, S]
        const values = (await pattern.data()).subarray(head * size * size, (head + 1) * size * size);
        const weights = Array.from({ length: size - from }, (_, k) =>
          rowOf(values.subarray((from + k) * size, (from + k + 1) * size)),
        );
        found.push({ prompt, layer, head, from, weights });
      }
    } finally {
      cache[Symbol.dispose]();
    }
  }
  return found;
}

/** The first of the last rows of a pattern over `size` positions that fit `share` weights; the last one is always kept. */
function firstRow(size: number, share: number): number {
  return Math.max(0, size - Math.max(1, Math.floor(share / size)));
}

function rowOf(values: ArrayLike<number>): number[] {
  const row = Array.from(values, (value) => Math.min(1, Math.max(0, Math.round(1000 * value) / 1000)));
  let end = row.length;
  while (end > 0 && row[end - 1] === 0) end--;
  return row.slice(0, end);
}
