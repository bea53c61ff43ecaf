/**
 * What heads do by their weights: OV and QK circuits and how much one head's output feeds another's queries, keys or values.
 *
 * Elhage et al., A Mathematical Framework for Transformer Circuits, 2021. Weights are taken as they are: where norms have weights,
 * fold them in first (foldLayerNorm); turned queries and keys (rotary) are read at distance 0. Heads that share keys and values
 * have the same ones.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { kvHeads } from '../../model/config.ts';
import type { Model } from '../../model/model.ts';
import { columnsOf, tensorOf } from '../../model/weights/parameters.ts';
import { factoredMatrix, type FactoredMatrix } from './factored-matrix.ts';
import { transposed, type Matrix } from './matrix.ts';

type Letter = 'Q' | 'K' | 'V' | 'O';

/** W_V W_O of a head: what it writes [d_model] for what it attends to, x · OV. */
export async function ovCircuit(model: Model, layer: number, head: number): Promise<FactoredMatrix> {
  const [V, O] = await Promise.all([weightsOf(model, layer, head, 'V'), weightsOf(model, layer, head, 'O')]);
  return factoredMatrix(V, O);
}

/** W_Q W_Kᵀ of a head: x_query · QK · x_keyᵀ is its score, before biases and the factor 1 / √d_head. */
export async function qkCircuit(model: Model, layer: number, head: number): Promise<FactoredMatrix> {
  const [Q, K] = await Promise.all([weightsOf(model, layer, head, 'Q'), weightsOf(model, layer, head, 'K')]);
  return factoredMatrix(Q, transposed(K));
}

/**
 * W_E W_V W_O W_U of a head, [d_vocab, d_vocab_out]: row t, column u is how much attending to token t raises the logit of u. Its
 * eigenvalues are positive where the head copies. Norms and MLPs are left out.
 */
export async function fullOvCircuit(model: Model, layer: number, head: number): Promise<FactoredMatrix> {
  const { A, B } = await ovCircuit(model, layer, head);
  const { parameters } = model;
  const through = (...names: readonly string[]): tf.Tensor2D[] =>
    names.flatMap((name) => (parameters[name] === undefined ? [] : [tensorOf(parameters[name]) as tf.Tensor2D]));
  const product = (matrices: readonly tf.Tensor2D[]): tf.Tensor2D => matrices.reduce((x, y) => tf.matMul(x, y));
  const [read, written] = [
    tf.tidy(() => product([...through('embed.W_E', 'embed.W_in'), onDevice(A)])),
    tf.tidy(() => product([onDevice(B), ...through('unembed.W_in', 'unembed.W_U')])),
  ];
  try {
    return factoredMatrix(await toMatrix(read), await toMatrix(written));
  } finally {
    tf.dispose([read, written]);
  }
}

function onDevice({ rows, columns, values }: Matrix): tf.Tensor2D {
  return tf.tensor2d(Float32Array.from(values), [rows, columns]);
}

async function toMatrix(tensor: tf.Tensor): Promise<Matrix> {
  const [rows, columns] = tensor.shape as [number, number];
  return { rows, columns, values: Float64Array.from(await tensor.data()) };
}

/** By head of an earlier and head of a later layer. */
export interface CompositionScores {
  readonly layers: number;
  readonly heads: number;
  /** Numbers [layers, heads, layers, heads] by earlier layer, its head, later layer, its head; 0 where the second is not later. */
  readonly values: Float32Array;
}

/**
 * ‖OV₁ · M‖ / (‖OV₁‖ ‖M‖) for all pairs of heads, M the later head's QK (Q), QKᵀ (K) or OV (V): which share of what one writes the
 * other reads.
 */
export async function compositionScores(model: Model, mode: 'Q' | 'K' | 'V'): Promise<CompositionScores> {
  const { nLayers: layers, nHeads: heads } = model.config;
  const values = new Float32Array(layers * heads * layers * heads);
  for (let from = 0; from < layers; from++)
    for (let to = from + 1; to < layers; to++) {
      const scores = tf.tidy(() => pairScores(model, from, to, mode));
      const found = await scores.data();
      scores.dispose();
      found.forEach((score, i) => {
        const [one, other] = [Math.floor(i / heads), i % heads];
        values[((from * heads + one) * layers + to) * heads + other] = score;
      });
    }
  return { layers, heads, values };
}

/** The later head's matrix by its two factors, the second transposed. */
const READS: Readonly<Record<'Q' | 'K' | 'V', readonly [Letter, Letter]>> = {
  Q: ['Q', 'K'],
  K: ['K', 'Q'],
  V: ['V', 'O'],
};

/** Scores of layer `from`'s heads with layer `to`'s, [H, H]. With A B the earlier and C D the later: ‖A (B C) D‖² = Σ M ⊙ (AᵀA M DDᵀ), M = B C. */
function pairScores(model: Model, from: number, to: number, mode: 'Q' | 'K' | 'V'): tf.Tensor {
  const [first, second] = READS[mode];
  const [A, B] = [byHead(model, from, 'V'), byHead(model, from, 'O')]; // [H, d, e] and [H, d, e] (W_O transposed)
  const [C, D] = [byHead(model, to, first), byHead(model, to, second)];
  const [H, , e] = A.shape;
  const ofA = tf.matMul(A, A, true, false); // AᵀA [H, e, e]
  const ofB = tf.matMul(B, B, true, false);
  const ofC = tf.matMul(C, C, true, false);
  const ofD = tf.matMul(D, D, true, false);
  const wide = (x: tf.Tensor): tf.Tensor2D => tf.reshape(tf.transpose(x, [1, 0, 2]), [x.shape[1] as number, H * e]);
  const M = tf.matMul(wide(B), wide(C), true, false); // [H e, H e]
  const left = tf.reshape(tf.matMul(ofA, tf.reshape(M, [H, e, H * e])), [H * e, H, e]); // AᵀA M
  const both = tf.matMul(tf.transpose(left, [1, 0, 2]), ofD); // [H, H e, e]
  const aligned = tf.transpose(tf.reshape(M, [H * e, H, e]), [1, 0, 2]);
  const squares = tf.sum(tf.reshape(tf.mul(both, aligned), [H, H, e * e]), 2); // [later, earlier]
  const norm = (x: tf.Tensor, y: tf.Tensor): tf.Tensor => tf.sqrt(tf.sum(tf.mul(x, y), [1, 2])); // ‖A B‖² = Σ AᵀA ⊙ B Bᵀ
  const joint = tf.sqrt(tf.relu(tf.transpose(squares)));
  return tf.divNoNan(joint, tf.mul(tf.expandDims(norm(ofA, ofB), 1), tf.expandDims(norm(ofC, ofD), 0)));
}

/** W_Q, W_K, W_V, or W_O transposed, by query head: [H, d, e]. */
function byHead({ config, parameters }: Model, layer: number, letter: Letter): tf.Tensor3D {
  const { nHeads, dHead, dModel } = config;
  const W = tensorOf(parameters[`blocks.${layer}.attn.W_${letter}`]);
  if (letter === 'O') return tf.transpose(tf.reshape(W, [nHeads, dHead, dModel]), [0, 2, 1]);
  const held = letter === 'Q' ? nHeads : kvHeads(config);
  const split = tf.transpose(tf.reshape(W, [dModel, held, dHead]), [1, 0, 2]) as tf.Tensor3D;
  if (held === nHeads) return split;
  const owner = Array.from({ length: nHeads }, (_, head) => Math.floor((head * held) / nHeads));
  return tf.gather(split, tf.tensor1d(owner, 'int32'));
}

/** W_Q, W_K, W_V [d, e] or W_O [e, d] of a head. */
async function weightsOf({ config, parameters }: Model, layer: number, head: number, letter: Letter): Promise<Matrix> {
  const { nLayers, nHeads, dHead, dModel } = config;
  const within = (place: number, count: number): boolean => Number.isInteger(place) && place >= 0 && place < count;
  if (!within(layer, nLayers) || !within(head, nHeads))
    throw fail('input', 'head', `L${layer}H${head} is none of the model's ${nLayers} layers of ${nHeads} heads.`);
  const W = parameters[`blocks.${layer}.attn.W_${letter}`];
  const held = letter === 'Q' || letter === 'O' ? nHeads : kvHeads(config);
  const first = Math.floor((head * held) / nHeads) * dHead;
  const tensor =
    letter === 'O'
      ? tf.tidy(() => tf.slice(tensorOf(W), [first, 0], [dHead, dModel]))
      : columnsOf(
          W,
          Array.from({ length: dHead }, (_, i) => first + i),
        );
  try {
    return await toMatrix(tensor);
  } finally {
    tensor.dispose();
  }
}
