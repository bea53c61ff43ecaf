/**
 * Is this backend right? A small random model through forward.ts, against plain Float64 JavaScript.
 *
 * Backends have been silently wrong before (flipped signs, bias added twice above an inner size of 48),
 * so nothing is computed on one that has not passed. The model has an MLP wider than 48 and a batch above 1.
 */
import * as tf from '@tensorflow/tfjs-core';
import { createRandom } from '../random.ts';
import { parameterShapes, type ModelConfig } from './config.ts';
import { forward } from './forward.ts';
import { referenceForward, type ReferenceParameters } from './reference.ts';

/** Largest |ours - reference| / max(1, |reference|) that a backend may show. float32 gives about 1e-6. */
export const SELF_CHECK_TOLERANCE = 1e-3;

const CONFIG: ModelConfig = {
  family: 'gpt2',
  nLayers: 2,
  dModel: 32,
  nHeads: 2,
  dHead: 16,
  dMlp: 128,
  nCtx: 8,
  dVocab: 19,
  dVocabOut: 19,
  norm: { kind: 'layer', eps: 1e-5, affine: true },
  positions: 'learned',
  activation: 'gelu_new',
  attention: { scales: [0.25, 0.25], causal: true },
  biases: { qkv: true, attnOut: true, mlp: true, unembed: false },
};

/** Random parameters of a model shape: normal with deviation `scale`, norms near 1; for checks and tests. */
export function randomParameters(config: ModelConfig, seed: number, scale = 0.2): ReferenceParameters {
  const random = createRandom(seed, 'parameters');
  return Object.fromEntries(
    Object.entries(parameterShapes(config)).map(([name, shape]) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const centre = name.endsWith('.w') ? 1 : 0;
      return [name, { shape, values: Float32Array.from({ length: size }, () => centre + scale * random.normal()) }];
    }),
  );
}

/** The largest relative error of the current backend's logits; the caller compares it with SELF_CHECK_TOLERANCE. */
export async function selfCheck(): Promise<number> {
  const parameters = randomParameters(CONFIG, 20260101);
  const rows = [
    [3, 1, 4, 1, 5, 9, 2],
    [18, 0, 7, 7, 12, 3, 16],
    [2, 7, 1, 8, 2, 8, 1],
  ];
  const onDevice = Object.fromEntries(Object.entries(parameters).map(([name, { shape, values }]) => [name, tf.tensor(values as Float32Array, [...shape])]));
  const tokens = tf.tensor2d(rows, undefined, 'int32');
  const logits = forward(CONFIG, onDevice, tokens);
  try {
    const ours = await logits.data();
    const size = rows[0].length * CONFIG.dVocabOut;
    let worst = 0;
    rows.forEach((row, r) => {
      referenceForward(CONFIG, parameters, row).logits.forEach((expected, i) => {
        const error = Math.abs(ours[r * size + i] - expected) / Math.max(1, Math.abs(expected));
        worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
      });
    });
    return worst;
  } finally {
    tf.dispose([logits, tokens, onDevice]);
  }
}
