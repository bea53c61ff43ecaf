/**
 * The logit lens: what the model would say if it stopped after a layer (nostalgebraist, interpreting GPT: the logit lens, 2020).
 *
 * Every stream goes through the last norm, with statistics of its own, and the unembedding.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { forward } from '../../model/forward/forward.ts';
import { showsItself } from '../../showing.ts';
import { accumulatedResid, type AccumulatedOptions } from './decompositions.ts';
import type { ExplainedRun } from './explained-run.ts';

export interface LogitLensOptions extends Omit<AccumulatedOptions, 'applyLn'> {
  /** Tokens a place. Default 5. */
  readonly k?: number | undefined;
}

/** A token that a stream says, with its logit and probability. */
export interface LensToken {
  readonly id: number;
  /** Its text; undefined in a model without a tokenizer. */
  readonly token: string | undefined;
  readonly logit: number;
  readonly probability: number;
}

/** What every stream says, at every position. */
export interface LogitLens {
  /** By stream: `0_pre`, `1_pre`, .., `final_post`. */
  readonly labels: readonly string[];
  /** The k likeliest tokens, likeliest first: [stream][batch][pos][k]. */
  readonly top: readonly (readonly (readonly (readonly LensToken[])[])[])[];
}

/** The likeliest tokens by layer and position. @throws 'input' where a residual was not cached, and for a k out of bounds. */
export async function logitLens(run: ExplainedRun, options: LogitLensOptions = {}): Promise<LogitLens> {
  const { config, parameters } = run.model;
  const { k = 5 } = options;
  if (!Number.isInteger(k) || k < 1 || k > config.dVocabOut)
    throw fail('input', 'logitLens', `k is ${k}; 1..${config.dVocabOut} are possible.`);
  const { labels, stack } = accumulatedResid(run, options);
  const [streams, batch, length] = stack.shape;
  const top: LensToken[][][][] = [];
  try {
    for (let s = 0; s < streams; s++) {
      const logits = tf.tidy(() => {
        const residual = tf.squeeze(tf.slice(stack, [s, 0, 0, 0], [1, -1, -1, -1]), [0]);
        const tokens: tf.Tensor2D = tf.zeros([batch, length], 'int32'); // for their number alone
        return forward(config, parameters, tokens, { start: { layer: config.nLayers, residual } });
      });
      try {
        const values = (await logits.data()) as Float32Array;
        const at = (row: number, position: number): LensToken[] => {
          const from = (row * length + position) * config.dVocabOut;
          return likeliest(values.subarray(from, from + config.dVocabOut), k).map((found) => ({
            ...found,
            token: run.model.tokenizer?.toStrTokens([found.id])[0],
          }));
        };
        top.push(
          Array.from({ length: batch }, (_, row) => Array.from({ length }, (__, position) => at(row, position))),
        );
      } finally {
        logits.dispose();
      }
    }
  } finally {
    stack.dispose();
  }
  return showsItself({ labels, top });
}

/** The k largest logits, largest first; of equal ones the lower id. */
function likeliest(logits: Float32Array, k: number): Omit<LensToken, 'token'>[] {
  const best: number[] = [];
  logits.forEach((logit, id) => {
    if (best.length === k && logit <= logits[best[k - 1]]) return;
    let place = best.length;
    while (place > 0 && logits[best[place - 1]] < logit) place--;
    best.splice(place, 0, id);
    if (best.length > k) best.pop();
  });
  const largest = logits[best[0]];
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return best.map((id) => ({ id, logit: logits[id], probability: Math.exp(logits[id] - largest) / sum }));
}
