/**
 * A loaded model of which a part is trained, K times at once: adapters of a small rank, its last blocks, or all of it.
 *
 * Adapters (Hu et al., ICLR 2022, "LoRA") stand beside every matrix of the trained blocks: x·W + (alpha / rank)·x·A·B, where A starts uniform
 * on ±1/√inputs and B at 0, so that a fresh model is the loaded one. K models are then one pass over K times as many rows: the products with W
 * are common, those with A and B batched. Blocks, and everything, are trained by K passes, each with weights of its own.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { forward } from '../../model/forward/forward.ts';
import { withFixedParameters } from '../../model/forward/fused.ts';
import type { Model } from '../../model/model.ts';
import { float32Parameters, type Weights } from '../../model/weights/parameters.ts';
import {
  sizeOf,
  type Architecture,
  type Batch,
  type ParameterShape,
  type TunedBatch,
} from '../../train/architecture.ts';
import { crossEntropy } from '../../train/losses.ts';
import { products } from '../../train/products.ts';

/** What of a loaded model is trained. */
export const TUNINGS = ['lora', 'blocks', 'all'] as const;
/** One of TUNINGS. */
export type Tuning = (typeof TUNINGS)[number];

export interface TunedShape {
  readonly tune: Tuning;
  /** How many blocks are trained, from the last one. */
  readonly blocks: number;
  /** Of adapters: columns of A, and what alpha / rank multiplies them by. */
  readonly rank: number;
  readonly alpha: number;
}

export interface TunedModel {
  readonly architecture: Architecture;
  /** The block before which nothing is trained; undefined where everything is. */
  readonly from: number | undefined;
}

/** The model's part that is trained, starting as it was loaded; `model` stays the caller's and has to outlive it. @throws 'input' on sizes that are none. */
export async function createTuned(model: Model, shape: TunedShape): Promise<TunedModel> {
  const { config, name } = model;
  const { tune, blocks, rank } = shape;
  if (config.mlmHead === true || !config.attention.causal)
    throw fail(
      'input',
      'finetune',
      `${name} fills in words that are masked; a model that goes on with a text is needed.`,
    );
  if (!Number.isInteger(blocks) || blocks < 1 || blocks > config.nLayers)
    throw fail('input', 'finetune', `${blocks} blocks; a whole number from 1 to ${config.nLayers} is needed.`);
  if (tune === 'lora' && (!Number.isInteger(rank) || rank < 1 || rank > config.dModel))
    throw fail('input', 'finetune', `adapters of rank ${rank}; a whole number from 1 to ${config.dModel} is needed.`);
  const from = tune === 'all' ? undefined : config.nLayers - blocks;
  const part = tune === 'lora' ? adapters(model, shape) : await ownWeights(model, from);
  const passes = (theta: readonly tf.Tensor[], batch: Batch): tf.Tensor3D => part.logits(theta, batch, from);
  return {
    from,
    architecture: {
      name: `${name} ${tune}`,
      parameters: part.parameters,
      size: sizeOf(part.parameters),
      classes: config.dVocabOut,
      linear: [],
      twice: false,
      initialise: part.initialise,
      logits(theta, batch) {
        const [models, { counted }] = [theta[0].shape[0], tunedOf(batch)];
        const all = passes(theta, batch); // [K·B, counted, V]
        if (counted === 1) return tf.reshape(all, [models, -1, config.dVocabOut]);
        const flat = tf.reshape(all, [models, -1, config.dVocabOut]) as tf.Tensor3D;
        return products(tf.expandDims(answered(batch), 0) as tf.Tensor3D, flat);
      },
      losses(theta, batch) {
        const [models, { counted }] = [theta[0].shape[0], tunedOf(batch)];
        const [rows, length] = batch.inputs.shape;
        const last = <T extends tf.Tensor>(x: T): tf.Tensor =>
          tf.reshape(tf.slice(x, [0, length - counted], [rows, counted]), [-1]);
        const logits = tf.reshape(passes(theta, batch), [models, rows * counted, config.dVocabOut]);
        const each = crossEntropy(logits, last(batch.targets));
        const weighed = tf.mul(each, tf.expandDims(last(batch.counts as tf.Tensor2D), 0));
        return tf.sum(tf.reshape(weighed, [models, rows, counted]), 2);
      },
    },
  };
}

interface Part {
  readonly parameters: readonly ParameterShape[];
  readonly initialise: Architecture['initialise'];
  /** [K·B, counted, V] */
  logits(theta: readonly tf.Tensor[], batch: Batch, from: number | undefined): tf.Tensor3D;
}

function tunedOf({ tuned }: Batch): TunedBatch {
  if (tuned === undefined) throw fail('input', 'finetune', 'is given examples of another recipe.');
  return tuned;
}

/** The logits of `copies` times the rows of a batch, at the positions that count. */
function pass(
  { config }: Model,
  parameters: Weights,
  batch: Batch,
  from: number | undefined,
  copies: number,
): tf.Tensor3D {
  const { residual, padding, counted } = tunedOf(batch);
  const length = batch.inputs.shape[1];
  const scored = counted === length ? undefined : Array.from({ length: counted }, (_, at) => length - counted + at);
  return forward(config, parameters, tf.tile(batch.inputs, [copies, 1]), {
    scored,
    attentionMask: padding === undefined ? undefined : Array.from({ length: copies }, () => padding).flat(),
    start:
      residual === undefined || from === undefined
        ? undefined
        : { layer: from, residual: tf.tile(residual, [copies, 1, 1]) },
  });
}

/** Two matrices beside each one of the trained blocks. */
function adapters(model: Model, { blocks, rank, alpha }: TunedShape): Part {
  const { config, parameters: loaded } = model;
  const first = config.nLayers - blocks;
  const names = Object.keys(loaded).filter((name) => {
    const match = /^blocks\.(\d+)\.(?:attn\.W_[QKVO]|mlp\.W_(?:in|gate|out))$/.exec(name);
    return match !== null && Number(match[1]) >= first;
  });
  const parameters = names.flatMap((name) => {
    const [inputs, outputs] = loaded[name].shape;
    return [
      { name: `${name}.A`, shape: [inputs, rank] },
      { name: `${name}.B`, shape: [rank, outputs] },
    ];
  });
  return {
    parameters,
    initialise(random) {
      const all = new Float32Array(sizeOf(parameters));
      let at = 0;
      for (const { name, shape } of parameters) {
        const [count, bound] = [shape[0] * shape[1], 1 / Math.sqrt(shape[0])];
        if (name.endsWith('.A')) for (let i = 0; i < count; i++) all[at + i] = bound * (2 * random.uniform() - 1);
        at += count;
      }
      return all;
    },
    logits(theta, batch, from) {
      const [models] = theta[0].shape;
      const adapted: Record<string, Weights[string]> = { ...loaded };
      names.forEach((name, i) => {
        const base = loaded[name];
        const [A, B] = [theta[2 * i], theta[2 * i + 1]] as tf.Tensor3D[];
        const [inputs, outputs] = base.shape;
        adapted[name] = {
          shape: base.shape,
          base,
          added(x) {
            const low = products(tf.reshape(x, [models, -1, inputs]), A);
            return tf.reshape(products(tf.mul(low, alpha / rank), B), [...x.shape.slice(0, -1), outputs]);
          },
        };
      });
      return withFixedParameters(() => pass(model, adapted, batch, from, models));
    },
  };
}

/** The weights themselves: of the blocks `from` on and the last norm, or all of them, an unembedding that is the embedding turned being one with it. */
async function ownWeights(model: Model, from: number | undefined): Promise<Part> {
  const loaded = float32Parameters(model.parameters, 'finetune');
  const isTied = from === undefined && (await tied(loaded));
  const names = Object.keys(loaded).filter((name) => {
    if (from === undefined) return !(isTied && name === 'unembed.W_U');
    const block = /^blocks\.(\d+)\./.exec(name);
    return block === null ? name.startsWith('ln_final.') : Number(block[1]) >= from;
  });
  const parameters = names.map((name) => ({ name, shape: [...loaded[name].shape] }));
  const start = new Float32Array(sizeOf(parameters));
  let at = 0;
  for (const name of names) {
    start.set(await loaded[name].data<'float32'>(), at);
    at += loaded[name].size;
  }
  return {
    parameters,
    initialise: () => start.slice(),
    logits(theta, batch, first) {
      const [models] = theta[0].shape;
      const each = Array.from({ length: models }, (_, k) => {
        const mine: Record<string, tf.Tensor> = { ...loaded };
        names.forEach((name, i) => {
          const { shape } = parameters[i];
          mine[name] = tf.reshape(tf.slice(theta[i], [k, ...shape.map(() => 0)], [1, ...shape]), shape);
        });
        if (isTied) mine['unembed.W_U'] = tf.transpose(mine['embed.W_E']);
        return pass(model, mine, batch, first, 1);
      });
      return models === 1 ? each[0] : (tf.concat(each, 0) as tf.Tensor3D);
    },
  };
}

/** Whether the unembedding is the embedding turned. */
async function tied({ 'embed.W_E': E, 'unembed.W_U': U }: Readonly<Record<string, tf.Tensor>>): Promise<boolean> {
  if (E.shape[0] !== U.shape[1] || E.shape[1] !== U.shape[0]) return false;
  const most = tf.tidy(() => tf.max(tf.abs(tf.sub(tf.transpose(E), U))));
  const [difference] = await most.data();
  most.dispose();
  return difference === 0;
}

/** [B, B·counted], 1 where an example is answered. */
function answered(batch: Batch): tf.Tensor2D {
  const [rows, length] = batch.inputs.shape;
  const { counted } = tunedOf(batch);
  const inside = tf.sub(batch.positions as tf.Tensor1D, length - counted);
  const at = tf.add(tf.mul(tf.range(0, rows, 1, 'int32'), counted), inside);
  return tf.cast(tf.oneHot(tf.cast(at, 'int32') as tf.Tensor1D, rows * counted), 'float32') as tf.Tensor2D;
}
