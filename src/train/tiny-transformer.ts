/**
 * A decoder-only transformer to be trained from scratch: learned positions, pre-LayerNorm blocks, SiLU MLPs, an untied unembedding; no biases
 * in attention, where that of the keys moves nothing and an optimiser that divides by its gradient's size moves it by rounding errors.
 *
 * K models share the tokens and nothing else; rows of a batch and their positions are one axis except in attention. Everything is a
 * product or an operation with gradients of any order.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import type { Random } from '../random.ts';
import { sizeOf, type Architecture, type Batch, type Examples, type LinearTap } from './architecture.ts';
import { crossEntropy } from './losses.ts';
import { affine, products } from './products.ts';
import { rsqrt, silu, softmax } from './smooth.ts';

export interface TinyTransformerShape {
  readonly vocabulary: number;
  /** Tokens of a row at most. */
  readonly context: number;
  readonly layers: number;
  readonly dModel: number;
  readonly heads: number;
  /** Width of the MLPs; default four times dModel, 0 for none. */
  readonly dMlp?: number | undefined;
}

const EPS = 1e-5;
const NEVER = -1e9;

type Part = tf.Tensor3D;

export function createTinyTransformer(given: TinyTransformerShape): Architecture {
  const { vocabulary, context, layers, dModel: d, heads, dMlp = 4 * given.dModel } = given;
  for (const [name, size] of Object.entries({ vocabulary, context, dModel: d, heads }))
    if (!Number.isInteger(size) || size < 1)
      throw fail('input', 'transformer', `${name} is ${size}; a whole number >= 1 is needed.`);
  if (d % heads !== 0) throw fail('input', 'transformer', `${heads} heads do not divide ${d} numbers.`);
  const block = (l: number): { name: string; shape: number[] }[] => [
    { name: `blocks.${l}.ln1.w`, shape: [1, d] },
    { name: `blocks.${l}.ln1.b`, shape: [1, d] },
    ...['Q', 'K', 'V', 'O'].map((letter) => ({ name: `blocks.${l}.attn.W_${letter}`, shape: [d, d] })),
    ...(dMlp === 0
      ? []
      : [
          { name: `blocks.${l}.ln2.w`, shape: [1, d] },
          { name: `blocks.${l}.ln2.b`, shape: [1, d] },
          { name: `blocks.${l}.mlp.W_in`, shape: [d, dMlp] },
          { name: `blocks.${l}.mlp.b_in`, shape: [1, dMlp] },
          { name: `blocks.${l}.mlp.W_out`, shape: [dMlp, d] },
          { name: `blocks.${l}.mlp.b_out`, shape: [1, d] },
        ]),
  ];
  const parameters = [
    { name: 'embed.W_E', shape: [vocabulary, d] },
    { name: 'pos_embed.W_pos', shape: [context, d] },
    ...Array.from({ length: layers }, (_, l) => block(l)).flat(),
    { name: 'ln_final.w', shape: [1, d] },
    { name: 'ln_final.b', shape: [1, d] },
    { name: 'unembed.W_U', shape: [d, vocabulary] },
    { name: 'unembed.b_U', shape: [1, vocabulary] },
  ];
  const place = new Map(parameters.map(({ name }, i) => [name, i]));
  const at = (name: string): number => place.get(name) as number;
  const size = sizeOf(parameters);
  const linear = parameters
    .filter(({ name }) => /\.(?:W_[QKVO]|W_in|W_out|W_U)$/.test(name))
    .map(({ name }) => ({ name, weight: at(name), bias: place.get(name.replace('.W_', '.b_')) }));

  /** The residual before the unembedding's norm, [K, B·T, d]. */
  const residual = (theta: readonly tf.Tensor[], tokens: tf.Tensor2D, tap?: LinearTap): Part => {
    const [batch, length] = tokens.shape;
    if (length > context)
      throw fail('input', 'transformer', `rows of ${length} tokens; at most ${context} were made room for.`);
    const models = theta[0].shape[0];
    const of = (name: string): Part => theta[at(name)] as Part;
    const layer = (name: string, x: Part): Part => {
      const which = { name, weight: at(name), bias: place.get(name.replace('.W_', '.b_')) };
      const out = which.bias === undefined ? products(x, of(name)) : affine(x, of(name), theta[which.bias] as Part);
      return tap === undefined ? out : tap(which, x, out);
    };
    const norm = (name: string, x: Part): Part => {
      const centred = tf.sub(x, tf.mean(x, 2, true));
      const scale = rsqrt(tf.add(tf.mean(tf.square(centred), 2, true), EPS));
      return tf.add(tf.mul(tf.mul(centred, scale), of(`${name}.w`)), of(`${name}.b`));
    };
    const chosen = tf.cast(tf.oneHot(tf.reshape(tokens, [-1]), vocabulary), 'float32');
    const placed = tf.tile(tf.cast(tf.oneHot(tf.range(0, length, 1, 'int32'), context), 'float32'), [batch, 1]);
    let x = tf.add(
      products(tf.expandDims(chosen, 0), of('embed.W_E')),
      products(tf.expandDims(placed, 0), of('pos_embed.W_pos')),
    ) as Part;
    const unseen = tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([length, length]), -1, 0)), NEVER);
    const split = (y: Part): Part =>
      tf.reshape(tf.transpose(tf.reshape(y, [models * batch, length, heads, d / heads]), [0, 2, 1, 3]), [
        models * batch * heads,
        length,
        d / heads,
      ]);
    for (let l = 0; l < layers; l++) {
      const read = norm(`blocks.${l}.ln1`, x);
      const [q, k, v] = ['Q', 'K', 'V'].map((letter) => split(layer(`blocks.${l}.attn.W_${letter}`, read)));
      const scores = tf.add(
        tf.mul(products(q, k, { turnB: true }), 1 / Math.sqrt(d / heads)),
        tf.expandDims(unseen, 0),
      );
      const z = products(softmax(scores) as Part, v);
      const joined = tf.reshape(tf.transpose(tf.reshape(z, [models * batch, heads, length, d / heads]), [0, 2, 1, 3]), [
        models,
        batch * length,
        d,
      ]) as Part;
      x = tf.add(x, layer(`blocks.${l}.attn.W_O`, joined));
      if (dMlp === 0) continue;
      const hidden = silu(layer(`blocks.${l}.mlp.W_in`, norm(`blocks.${l}.ln2`, x)));
      x = tf.add(x, layer(`blocks.${l}.mlp.W_out`, hidden));
    }
    return x;
  };
  const unembed = (theta: readonly tf.Tensor[], x: Part, tap?: LinearTap): Part => {
    const [gain, offset] = [theta[at('ln_final.w')], theta[at('ln_final.b')]];
    const centred = tf.sub(x, tf.mean(x, 2, true));
    const scale = rsqrt(tf.add(tf.mean(tf.square(centred), 2, true), EPS));
    const read = tf.add(tf.mul(tf.mul(centred, scale), gain), offset) as Part;
    const which = { name: 'unembed.W_U', weight: at('unembed.W_U'), bias: at('unembed.b_U') };
    const out = affine(read, theta[which.weight] as Part, theta[which.bias] as Part);
    return tap === undefined ? out : tap(which, read, out);
  };
  return {
    name: 'transformer',
    parameters,
    size,
    classes: vocabulary,
    linear,
    initialise: (random) => initial(parameters, random),
    logits(theta, batch, tap) {
      const x = residual(theta, batch.inputs, tap);
      return unembed(theta, products(tf.expandDims(answered(batch), 0), x), tap);
    },
    losses(theta, batch, tap) {
      const x = residual(theta, batch.inputs, tap);
      const [rows, length] = batch.inputs.shape;
      const logits = unembed(theta, x, tap);
      const each = crossEntropy(logits, tf.reshape(batch.targets, [-1]));
      const counted = tf.mul(each, tf.reshape(batch.counts as tf.Tensor2D, [1, -1]));
      return tf.sum(tf.reshape(counted, [-1, rows, length]), 2);
    },
  };
}

/** [B, B·T], 1 where an example is answered. */
function answered({ inputs: { shape }, positions }: Batch): tf.Tensor2D {
  const [batch, length] = shape;
  const rows = tf.add(tf.mul(tf.range(0, batch, 1, 'int32'), length), positions as tf.Tensor1D);
  return tf.cast(tf.oneHot(tf.cast(rows, 'int32'), batch * length), 'float32') as tf.Tensor2D;
}

/** Norms 1 and 0, biases 0, matrices normal with a variance of 1 over their rows, embeddings over dModel. */
function initial(parameters: Architecture['parameters'], random: Random): Float32Array {
  const all = new Float32Array(sizeOf(parameters));
  let at = 0;
  for (const { name, shape } of parameters) {
    const count = shape[0] * shape[1];
    const isGain = /(?:ln1|ln2|ln_final)\.w$/.test(name);
    const spread =
      name.includes('embed.') && !name.startsWith('unembed') ? 1 / Math.sqrt(shape[1]) : 1 / Math.sqrt(shape[0]);
    for (let i = 0; i < count; i++) all[at + i] = isGain ? 1 : shape[0] === 1 ? 0 : spread * random.normal();
    at += count;
  }
  return all;
}

/** A row of tokens whose last one is the answer. */
export interface TokenRow {
  readonly tokens: readonly number[];
}

/**
 * Rows of tokens, each predicting the next; the last token of a row is its answer, whose loss counts 1, and that of every other
 * `wordWeight`. Rows are filled up to `length` with `filler`, which counts nothing.
 */
export function tokenExamples(
  rows: readonly TokenRow[],
  { length, filler, wordWeight }: { readonly length: number; readonly filler: number; readonly wordWeight: number },
): Examples {
  const long = rows.findIndex(({ tokens }) => tokens.length < 2 || tokens.length > length + 1);
  if (long >= 0)
    throw fail(
      'input',
      'examples',
      `row ${long} has ${rows[long].tokens.length} tokens; 2 to ${length + 1} are needed, the answer among them.`,
    );
  return {
    count: rows.length,
    batch(picked) {
      const [inputs, targets, counts] = [[], [], []] as [number[][], number[][], number[][]];
      const positions: number[] = [];
      for (let b = 0; b < picked.length; b++) {
        const { tokens } = rows[picked[b]];
        const last = tokens.length - 2;
        const padded = (line: readonly number[]): number[] => [
          ...line,
          ...Array<number>(length - line.length).fill(filler),
        ];
        inputs.push(padded(tokens.slice(0, -1)));
        targets.push(padded(tokens.slice(1)));
        counts.push(Array.from({ length }, (_, t) => (t === last ? 1 : t < last ? wordWeight : 0)));
        positions.push(last);
      }
      return {
        inputs: tf.tensor2d(inputs, [picked.length, length], 'int32'),
        targets: tf.tensor2d(targets, [picked.length, length], 'int32'),
        counts: tf.tensor2d(counts, [picked.length, length]),
        positions: tf.tensor1d(positions, 'int32'),
      };
    },
  };
}
