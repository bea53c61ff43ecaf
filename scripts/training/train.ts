/**
 * Trains a small model through spexlens's own forward pass, on TF.js, from a seed.
 *
 * AdamW with linear warm-up and cosine decay, global-norm clipping; token embeddings by a one-hot product
 * (the scatter kernel that a gather's gradient needs is missing on wasm). Head dropout is a hook on hook_z.
 */
import tf from '@tensorflow/tfjs';
import type { ModelConfig } from '../../src/model/config.ts';
import { parameterShapes } from '../../src/model/config.ts';
import { forward, type Tap } from '../../src/model/forward/forward.ts';
import type { Random } from '../../src/random.ts';

export interface Batch {
  /** B rows of S token ids. */
  readonly tokens: readonly (readonly number[])[];
  /** Loss weight of predicting token p + 1 at position p, B rows of S - 1. */
  readonly weights: readonly (readonly number[])[];
}

export interface TrainOptions {
  readonly steps: number;
  readonly learningRate: number;
  readonly warmup: number;
  readonly betas: readonly [number, number];
  readonly weightDecay: number;
  /** Probability with which each head of each row is zeroed in a training step. */
  readonly headDropout: number;
  /** Keep the rate after the warm-up instead of the cosine. */
  readonly constantRate?: boolean;
  readonly onStep: (step: number, loss: number) => void | Promise<void>;
}

export type Variables = Record<string, tf.Variable>;

/** Normal(0, scale²) matrices with scale 0.8/sqrt(d_model) as in TransformerLens, zero biases, unit norms. */
export function initialise(config: ModelConfig, random: Random): Variables {
  const variables: Variables = {};
  for (const [name, shape] of Object.entries(parameterShapes(config))) {
    const size = shape.reduce((a, b) => a * b, 1);
    const isNormScale = name.endsWith('.w');
    const isBias = /\.b(_\w+)?$/.test(name);
    const scale = 0.8 / Math.sqrt(config.dModel);
    const values = Float32Array.from({ length: size }, () => (isNormScale ? 1 : isBias ? 0 : scale * random.normal()));
    variables[name] = tf.variable(tf.tensor(values, [...shape]), true, name);
  }
  return variables;
}

/** Trains `variables` in place; a tied unembedding is one variable seen twice. */
export async function train(
  config: ModelConfig,
  variables: Variables,
  draw: (step: number) => Batch,
  random: Random,
  options: TrainOptions,
  tied: boolean,
): Promise<void> {
  const trained = Object.values(variables).filter((v) => !(tied && v.name === 'unembed.W_U'));
  const first = trained.map((v) => tf.variable(tf.zerosLike(v)));
  const second = trained.map((v) => tf.variable(tf.zerosLike(v)));
  for (let step = 0; step < options.steps; step++) {
    const batch = draw(step);
    const rate = schedule(step, options);
    const loss = tf.tidy(() => {
      const { value, grads } = tf.variableGrads(
        () => lossOf(config, variables, batch, random, options.headDropout, tied),
        trained,
      );
      const norm = Math.sqrt(trained.reduce((sum, v) => sum + tf.sum(tf.square(grads[v.name])).dataSync()[0], 0));
      const clip = Math.min(1, 1 / (norm + 1e-6));
      const [b1, b2] = options.betas;
      trained.forEach((v, i) => {
        const g = tf.mul(grads[v.name], clip);
        first[i].assign(tf.add(tf.mul(first[i], b1), tf.mul(g, 1 - b1)));
        second[i].assign(tf.add(tf.mul(second[i], b2), tf.mul(tf.square(g), 1 - b2)));
        const m = tf.div(first[i], 1 - b1 ** (step + 1));
        const s = tf.div(second[i], 1 - b2 ** (step + 1));
        const decay = v.rank >= 2 ? options.weightDecay * rate : 0;
        v.assign(tf.sub(tf.mul(v, 1 - decay), tf.mul(tf.div(m, tf.add(tf.sqrt(s), 1e-8)), rate)) as tf.Tensor);
      });
      return value.dataSync()[0];
    });
    await options.onStep(step, loss);
  }
  if (tied) variables['unembed.W_U'].assign(tf.transpose(variables['embed.W_E']));
  tf.dispose([first, second]);
}

function schedule(step: number, { learningRate, warmup, steps, constantRate }: TrainOptions): number {
  if (step < warmup) return (learningRate * (step + 1)) / warmup;
  if (constantRate === true) return learningRate;
  const share = (step - warmup) / Math.max(1, steps - warmup);
  return learningRate * (0.05 + 0.95 * 0.5 * (1 + Math.cos(Math.PI * share)));
}

/** Weighted mean next-token cross-entropy in nats. */
function lossOf(
  config: ModelConfig,
  variables: Variables,
  batch: Batch,
  random: Random,
  headDropout: number,
  tied: boolean,
): tf.Scalar {
  const rows = batch.tokens.length;
  const length = batch.tokens[0].length;
  const ids = tf.tensor2d(
    batch.tokens.map((row) => [...row]),
    [rows, length],
    'int32',
  );
  const inputs = tf.slice(ids, [0, 0], [rows, length - 1]);
  const hot = tf.reshape(tf.oneHot(tf.reshape(inputs, [-1]), config.dVocab), [rows * (length - 1), config.dVocab]);
  const embedding = tf.reshape(
    tf.matMul(tf.cast(hot, 'float32') as tf.Tensor2D, variables['embed.W_E'] as tf.Tensor2D),
    [rows, length - 1, config.dModel],
  );
  const parameters: Record<string, tf.Tensor> = { ...variables };
  if (tied) parameters['unembed.W_U'] = tf.transpose(variables['embed.W_E']);
  const logits = forward(config, parameters, inputs as tf.Tensor2D, {
    embedding,
    tap: headDropout > 0 ? dropHeads(config, rows, headDropout, random) : undefined,
  });
  const logProbabilities = tf.logSoftmax(tf.reshape(logits, [rows * (length - 1), config.dVocabOut]) as tf.Tensor2D);
  const targets = tf.cast(
    tf.oneHot(tf.reshape(tf.slice(ids, [0, 1], [rows, length - 1]), [-1]), config.dVocabOut),
    'float32',
  );
  const weights = tf.tensor1d(batch.weights.flat());
  const total = tf.sum(tf.mul(tf.sum(tf.mul(logProbabilities, targets), 1), weights));
  return tf.neg(tf.div(total, tf.sum(weights))) as tf.Scalar;
}

function dropHeads(config: ModelConfig, rows: number, probability: number, random: Random): Tap {
  return {
    wants: (name) => name.endsWith('hook_z'),
    visit(_name, z) {
      const kept = Float32Array.from({ length: rows * config.nHeads }, () => (random.uniform() < probability ? 0 : 1));
      return tf.mul(z, tf.tensor(kept, [rows, 1, config.nHeads, 1]));
    },
  };
}
