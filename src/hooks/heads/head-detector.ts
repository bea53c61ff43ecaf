/**
 * The head detector: how much of each head's attention goes where a known kind of head looks (TransformerLens's detect_head).
 *
 * previous-token: at the token before. duplicate-token: at earlier copies of this token. induction: at the token after an earlier
 * copy (Olsson et al., In-context Learning and Induction Heads, 2022).
 */
import { fail } from '../../errors.ts';
import type { HookName } from '../../model/hook-points.ts';
import type { Model } from '../../model/model.ts';
import { toTokens, type BatchOptions, type Input } from '../../model/tokens.ts';
import { showsItself } from '../../showing.ts';
import { runWithCache } from '../run.ts';

/** The kinds of head that are known by where they look. */
export const HEAD_KINDS = ['previous-token', 'duplicate-token', 'induction'] as const;
/** One of HEAD_KINDS. */
export type HeadKind = (typeof HEAD_KINDS)[number];

/** Where a head looks: [q_pos][k_pos]. */
export type AttentionTarget = HeadKind | ((tokens: readonly number[]) => readonly (readonly number[])[]);

export interface DetectOptions extends BatchOptions {
  /** Leave out what goes to the first token, where heads look that have nothing to do. */
  readonly excludeBos?: true | undefined;
  /** Leave out what goes to the token itself. */
  readonly excludeCurrentToken?: true | undefined;
  /**
   * 'mul' (default): the share of attention that is where the target is 1. 'abs': 1 less the mean over queries of the sum over keys
   * of |attention - target|; for a target whose every row is a distribution.
   */
  readonly errorMeasure?: 'mul' | 'abs' | undefined;
}

/** One number a head. */
export interface HeadScores {
  readonly layers: number;
  readonly heads: number;
  /** Numbers [layers · heads], 1 where a head looks nowhere else, with 'abs' 1 where it is the target. */
  readonly values: Float64Array;
}

/**
 * By head, how alike its attention and the target are; over several texts, the mean of theirs.
 * @throws 'input' for a text of fewer than two tokens, and a target of another size.
 */
export async function detectHeads(
  model: Model,
  input: Input,
  target: AttentionTarget,
  options: DetectOptions = {},
): Promise<HeadScores> {
  const { nLayers: layers, nHeads: heads } = model.config;
  const { tokens, attentionMask } = toTokens(model, input, options);
  const rows = tokens.map((row, r) => row.filter((_, p) => attentionMask?.[r][p] !== 0));
  const values = new Float64Array(layers * heads);
  for (const row of rows) {
    if (row.length < 2) throw fail('input', 'head detector', `a text of ${row.length} token has nothing to look at.`);
    const wanted = targetOf(target, row);
    const names = Array.from({ length: layers }, (_, l): HookName => `blocks.${l}.attn.hook_pattern`);
    const { logits, cache } = runWithCache(model, [...row], { names });
    logits.dispose();
    try {
      for (let l = 0; l < layers; l++) {
        const patterns = (await cache.get('pattern', l).data()) as Float32Array; // [1, H, S, S]
        const size = row.length * row.length;
        for (let h = 0; h < heads; h++)
          values[l * heads + h] +=
            similarity(patterns.subarray(h * size, (h + 1) * size), wanted, row.length, options) / rows.length;
      }
    } finally {
      cache[Symbol.dispose]();
    }
  }
  return showsItself({ layers, heads, values });
}

/** Where a kind of head looks in `tokens`, [q_pos · k_pos] of 0 and 1. */
function targetOf(target: AttentionTarget, tokens: readonly number[]): Float64Array {
  const n = tokens.length;
  if (typeof target === 'function') {
    const given = target(tokens);
    if (given.length === n && given.every((row) => row.length === n)) return Float64Array.from(given.flat());
    throw fail('input', 'head detector', `the target has ${given.length} rows; ${n} of ${n} are needed.`);
  }
  const looks: Record<HeadKind, (q: number, k: number) => boolean> = {
    'previous-token': (q, k) => k === q - 1,
    'duplicate-token': (q, k) => k < q && tokens[k] === tokens[q],
    induction: (q, k) => k >= 1 && k <= q && k - 1 < q && tokens[k - 1] === tokens[q],
  };
  if (!Object.hasOwn(looks, target))
    throw fail('input', 'head detector', `"${target}" is unknown; there are ${HEAD_KINDS.join(', ')}.`);
  return Float64Array.from({ length: n * n }, (_, i) => (looks[target](Math.floor(i / n), i % n) ? 1 : 0));
}

function similarity(
  pattern: Float32Array,
  target: Float64Array,
  n: number,
  { excludeBos, excludeCurrentToken, errorMeasure = 'mul' }: DetectOptions,
): number {
  let [there, all, apart] = [0, 0, 0];
  for (let q = 0; q < n; q++)
    for (let k = 0; k < n; k++) {
      if ((excludeBos === true && k === 0) || (excludeCurrentToken === true && k === q)) continue;
      const weight = pattern[q * n + k];
      there += weight * target[q * n + k];
      all += weight;
      apart += Math.abs(weight - target[q * n + k]);
    }
  if (errorMeasure === 'abs') return 1 - apart / n;
  return all === 0 ? 0 : there / all;
}
