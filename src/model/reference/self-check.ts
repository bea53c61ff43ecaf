/**
 * Is this backend right? Small random models through forward.ts, against plain Float64 JavaScript.
 *
 * Backends have been silently wrong before (flipped signs, bias added twice above an inner size of 48),
 * so nothing is computed on one that has not passed. Two models, which between them use every tensor operation
 * of the forward pass: GPT-2's kind, and one with rotary positions, grouped heads, gates, caps and windows. Both have
 * an MLP wider than 48 and a batch above 1, the second also padding.
 */
import * as tf from '@tensorflow/tfjs-core';
import { createRandom } from '../../random.ts';
import { parameterShapes, type ModelConfig } from '../config.ts';
import { forward } from '../forward/forward.ts';
import { referenceForward, type ReferenceParameters } from './reference.ts';

/** Largest |ours - reference| / max(1, |reference|) that a backend may show. float32 gives about 1e-6. */
export const SELF_CHECK_TOLERANCE = 1e-3;

const PLAIN: ModelConfig = {
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

const TURNING: ModelConfig = {
  ...PLAIN,
  family: 'gemma3',
  nHeads: 4,
  nKvHeads: 2,
  dHead: 8,
  dMlp: 64,
  norm: { kind: 'rms', eps: 1e-6, offset: 1 },
  layout: 'sandwich',
  positions: 'rotary',
  rotary: [
    { dims: 8, theta: 100 },
    { dims: 4, theta: 1000 },
  ],
  activation: 'silu',
  gated: true,
  attention: {
    scales: [0.3, 0.3],
    causal: true,
    windows: [3, null],
    softcap: 4,
    qkNorm: { kind: 'rms', eps: 1e-6, offset: 1 },
  },
  biases: { qkv: false, attnOut: false, mlp: false, unembed: false },
  embedding: { scale: 2 },
  logitSoftcap: 5,
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

const ROWS = [
  [3, 1, 4, 1, 5, 9, 2],
  [18, 0, 7, 7, 12, 3, 16],
  [2, 7, 1, 8, 2, 8, 1],
];

/** The largest relative error of the current backend's logits; the caller compares it with SELF_CHECK_TOLERANCE. */
export async function selfCheck(): Promise<number> {
  return Math.max(await errorOf(PLAIN, 0, 0.2), await errorOf(TURNING, 2, 0.1));
}

/** `padding` tokens at the start of the first row are hidden. `scale` keeps scores where float32 sums differ by rounding only. */
async function errorOf(config: ModelConfig, padding: number, scale: number): Promise<number> {
  const parameters = randomParameters(config, 20260101, scale);
  const onDevice = Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, values }]) => [
      name,
      tf.tensor(values as Float32Array, [...shape]),
    ]),
  );
  const tokens = tf.tensor2d(ROWS, undefined, 'int32');
  const hidden = (r: number): number => (r === 0 ? padding : 0);
  const attentionMask = padding === 0 ? undefined : ROWS.map((row, r) => row.map((_, s) => (s < hidden(r) ? 0 : 1)));
  const logits = forward(config, onDevice, tokens, { attentionMask });
  try {
    const ours = await logits.data();
    let worst = 0;
    ROWS.forEach((row, r) => {
      const first = (r * row.length + hidden(r)) * config.dVocabOut;
      referenceForward(config, parameters, row.slice(hidden(r))).logits.forEach((expected, i) => {
        const error = Math.abs(ours[first + i] - expected) / Math.max(1, Math.abs(expected));
        worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
      });
    });
    return worst;
  } finally {
    tf.dispose([logits, tokens, onDevice]);
  }
}
