/** One run of the model on one sentence with some heads off: what it says next, and what every head reads. */
import { runWithCache, toTokens, type Hook, type HookName, type Model } from '../src/index.ts';
import type { AttentionPattern } from '../src/hooks/heads/attention-patterns.ts';
import * as tf from '@tensorflow/tfjs-core';

export interface Look {
  readonly tokens: readonly number[];
  readonly words: readonly string[];
  /** Of the next word, by token. */
  readonly logits: Float32Array;
  readonly probabilities: Float32Array;
  readonly patterns: readonly AttentionPattern[];
}

/** What a head that is off does: nothing, or what it does on another sentence of as many words. */
export type Absence = { readonly kind: 'zero' } | { readonly kind: 'resample'; readonly twin: string };

/** `L2H1`. */
export const headName = (layer: number, head: number): string => `L${layer}H${head}`;

/** @throws SpexlensError for a sentence that the model cannot read. */
export async function look(model: Model, text: string, off: ReadonlySet<string>, absence: Absence): Promise<Look> {
  const { layers, heads } = { layers: model.config.nLayers, heads: model.config.nHeads };
  const [tokens] = toTokens(model, text).tokens;
  const zNames = Array.from({ length: layers }, (_, layer): HookName => `blocks.${layer}.attn.hook_z`);
  const patternNames = Array.from({ length: layers }, (_, layer): HookName => `blocks.${layer}.attn.hook_pattern`);
  if (absence.kind === 'resample') requireLength(model, absence.twin, tokens.length);
  const twin =
    off.size > 0 && absence.kind === 'resample' ? runWithCache(model, absence.twin, { names: zNames }) : undefined;
  try {
    const hooks = zNames.flatMap((name, layer): Hook[] => {
      const kept = Array.from({ length: heads }, (_, head) => (off.has(headName(layer, head)) ? 0 : 1));
      if (!kept.includes(0)) return [];
      const run = (z: tf.Tensor): tf.Tensor => {
        const mask = tf.tensor(kept, [1, 1, heads, 1]);
        const own = tf.mul(z, mask);
        return twin === undefined ? own : tf.add(own, tf.mul(twin.cache.get('z', layer), tf.sub(1, mask)));
      };
      return [[name, run]];
    });
    const { logits, cache } = runWithCache(model, text, { names: patternNames, hooks });
    try {
      const last = tf.tidy(() => tf.reshape(tf.slice(logits, [0, tokens.length - 1, 0], [1, 1, -1]), [-1]));
      const shares = tf.softmax(last);
      const [values, probabilities] = (await Promise.all([last.data(), shares.data()])) as [Float32Array, Float32Array];
      tf.dispose([last, shares]);
      const patterns: AttentionPattern[] = [];
      for (let layer = 0; layer < layers; layer++) {
        const all = (await cache.get('pattern', layer).array()) as number[][][][];
        all[0].forEach((weights, head) => patterns.push({ prompt: 0, layer, head, from: 0, weights }));
      }
      const words = model.tokenizer?.toStrTokens(tokens) ?? tokens.map(String);
      return { tokens, words, logits: values, probabilities, patterns };
    } finally {
      logits.dispose();
      cache[Symbol.dispose]();
    }
  } finally {
    twin?.logits.dispose();
    twin?.cache[Symbol.dispose]();
  }
}

/** @throws Error for a twin of another length: heads are exchanged position by position. */
function requireLength(model: Model, twin: string, length: number): void {
  const own = toTokens(model, twin).tokens[0].length;
  if (own !== length)
    throw new Error(`The other sentence has ${own} tokens and this one ${length}; as many are needed.`);
}
