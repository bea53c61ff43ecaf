/** Token embeddings as the first block gets them, before positions: of a prompt, their mean, and one in the other's place. */
import * as tf from '@tensorflow/tfjs-core';
import { forward } from '../../model/forward/forward.ts';
import { embeddingHook } from '../../model/hook-points.ts';
import type { Model } from '../../model/model.ts';

/** The prompt's embedding after `past` tokens, with the mean where a row's are absent, and the answer's after it, [B, S, d]. */
export function withMean(
  model: Model,
  embedded: tf.Tensor,
  mean: tf.Tensor,
  absent: readonly (readonly number[])[],
  past: number,
  forced: readonly number[],
): tf.Tensor {
  const own = tf.slice(embedded, [0, past, 0], [1, absent[0].length - forced.length, -1]);
  const all = forced.length === 0 ? own : tf.concat([own, embeddingOf(model, [forced])], 1); // [1, S, d]
  const gone = tf.expandDims(
    tf.tensor2d(
      absent.map((row) => [...row]),
      undefined,
      'float32',
    ),
    2,
  ); // [B, S, 1]
  return tf.add(tf.mul(all, tf.sub(1, gone)), tf.mul(mean, gone));
}

/** A token of the prompt, there or with the mean in its place, or one of the answer that a reading has after it. */
export type Picked =
  | { readonly column: number; readonly absent: boolean }
  | { readonly column: number; readonly reading: number };

/** The embeddings of `picked` tokens, [1, picked, d]. `forced`: the answer's tokens by reading. */
export function pickedEmbedding(
  model: Model,
  from: { readonly embedded: tf.Tensor; readonly mean: tf.Tensor; readonly forced: readonly (readonly number[])[] },
  picked: readonly Picked[],
): tf.Tensor {
  const { embedded, mean, forced } = from;
  const length = embedded.shape[1] as number;
  const begins = forced.map((_, r) => length + 1 + forced.slice(0, r).flat().length);
  const answers = forced.filter((tokens) => tokens.length > 0).map((tokens) => embeddingOf(model, [tokens]));
  const places = picked.map((each) =>
    'reading' in each ? begins[each.reading] + each.column : each.absent ? length : each.column,
  );
  return tf.gather(tf.concat([embedded, mean, ...answers], 1), tf.tensor1d(places, 'int32'), 1);
}

/** What hook_embed has for the tokens of `rows`, one after the other, [1, Σ tokens, d]; the caller owns it. */
export function embeddingOf({ config, parameters }: Model, rows: readonly (readonly number[])[]): tf.Tensor {
  const hook = embeddingHook(config, 'hook_embed');
  const captured: tf.Tensor[] = [];
  return tf.tidy(() => {
    for (const row of rows)
      forward(config, parameters, tf.tensor2d([[...row]], undefined, 'int32'), {
        stopAtLayer: 0,
        tap: {
          wants: (wanted) => wanted === hook,
          visit(_name, activation) {
            captured.push(tf.keep(tf.clone(activation)));
            return activation;
          },
        },
      });
    const all = captured.length === 1 ? tf.clone(captured[0]) : tf.concat(captured, 1);
    tf.dispose(captured);
    return all;
  });
}

/** [1, 1, d]; the caller owns it. */
export function meanEmbedding(model: Model, data: readonly (readonly number[])[]): tf.Tensor {
  return tf.tidy(() => tf.mean(embeddingOf(model, data), 1, true));
}
