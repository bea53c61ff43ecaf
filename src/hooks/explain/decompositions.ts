/**
 * Residual streams taken apart: by what accumulated, by layers, heads, neurons, or all of it. TransformerLens's ActivationCache,
 * with the same labels and order.
 *
 * Where that leaves something out, it is here, so that the parts sum to the stream in every family: norms over what a part
 * writes (its heads go through them), norms in the stream, token types. Where it counts something that is not in the stream
 * (shortformer's positions; attention beside a parallel MLP), it is not here.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { hasFinalNorm } from '../../model/config.ts';
import { norm } from '../../model/forward/norm.ts';
import { layoutOf } from '../../model/layout.ts';
import {
  frozenNorm,
  layerRead,
  read,
  residualAt,
  tidied,
  type ExplainedRun,
  type ReadPoint,
  type ResidualStack,
  type Where,
} from './explained-run.ts';
import { residualParts, type Part } from './residual-parts.ts';

export interface StackOptions extends ReadPoint, Where {
  /** Scale the components as the reader's norm scaled their sum; see applyLnToStack. */
  readonly applyLn?: true | undefined;
}

export interface AccumulatedOptions extends StackOptions {
  /** Also the streams between attention and MLP. */
  readonly inclMid?: true | undefined;
}

export interface DecomposeOptions extends StackOptions {
  /** Which layers' outputs: all, or the attentions' or MLPs' alone. Default 'all'. */
  readonly mode?: 'all' | 'attn' | 'mlp' | undefined;
  /** Without the embeddings. */
  readonly withoutEmbeds?: true | undefined;
}

export interface RemainderOptions extends Omit<StackOptions, 'mlpInput'> {
  /** A last component `remainder`: the stream less the others. */
  readonly inclRemainder?: true | undefined;
}

export interface NeuronOptions extends RemainderOptions {
  /** Of each layer; all when absent. */
  readonly neurons?: readonly number[] | undefined;
}

export interface FullOptions extends StackOptions {
  /** The MLPs whole instead of neuron by neuron. */
  readonly mlpsWhole?: true | undefined;
}

/** Bytes that a stack may take. */
const STACK_BYTES = 2 ** 31;

/** The streams that layers 0 .. layer read: `0_pre`, `0_mid`, `1_pre`, .., `final_post`. */
export function accumulatedResid(run: ExplainedRun, options: AccumulatedOptions = {}): ResidualStack {
  const { config } = run.model;
  const layer = layerRead(run, options);
  const parts: Part[] = [];
  const add = (label: string, x: tf.Tensor): void => void parts.push({ labels: [label], stack: tf.expandDims(x, 0) });
  return tidied(() => {
    for (let l = 0; l <= layer; l++) {
      add(l === config.nLayers ? 'final_post' : `${l}_pre`, residualAt(run, l, options));
      const wanted = l < layer ? options.inclMid : options.mlpInput;
      if (wanted === true) add(`${l}_mid`, read(run, `blocks.${l}.hook_resid_mid`, options));
    }
    const stacked = stackOf(parts);
    if (options.applyLn !== true) return stacked;
    if (layer < config.nLayers) return { ...stacked, stack: applyLnToStack(run, stacked.stack, options) };
    return { ...stacked, stack: finalNorm(run, stacked.stack) };
  });
}

/** Through ln_final with the statistics of each stream: what a logit lens unembeds. */
function finalNorm({ model: { config, parameters } }: ExplainedRun, stack: tf.Tensor4D): tf.Tensor4D {
  if (!hasFinalNorm(config)) return tf.clone(stack);
  const { shape } = stack;
  const silent = { config, parameters, visit: (_name: unknown, x: tf.Tensor) => x, wants: () => false };
  const flat = tf.reshape(stack, [shape[0] * shape[1], shape[2], shape[3]]);
  return tf.reshape(norm(silent, 'ln_final', flat, []), shape);
}

/** What embeddings, attentions and MLPs added to the stream: `embed`, `pos_embed`, `0_attn_out`, `0_mlp_out`, ... */
export function decomposeResid(run: ExplainedRun, options: DecomposeOptions = {}): ResidualStack {
  const layer = layerRead(run, options);
  const { mode = 'all' } = options;
  return tidied(() => {
    const from = residualParts(run, options, options);
    const parts = options.withoutEmbeds === true ? [] : from.embeddings();
    for (let l = 0; l <= Math.min(layer, run.model.config.nLayers - 1); l++) {
      if (mode !== 'mlp') parts.push(...from.attention(l), ...from.streamBiases(l, 'attn'));
      if (mode !== 'attn' && run.model.config.dMlp > 0) parts.push(...from.mlp(l), ...from.streamBiases(l, 'mlp'));
    }
    return finished(run, parts, options);
  });
}

/** What each head of the layers before `layer` added: `L0H0`, `L0H1`, .. */
export function stackHeadResults(run: ExplainedRun, options: RemainderOptions = {}): ResidualStack {
  const layer = layerRead(run, options);
  return tidied(() => {
    const from = residualParts(run, options, options);
    const parts = Array.from({ length: layer }, (_, l) => from.heads(l)).flat();
    return finished(run, withRemainder(run, parts, layer, options), options);
  });
}

/**
 * What each neuron of the MLPs before `layer` added: `L0N0`, `L0N1`, ..
 * @throws 'input' for more than 2 GiB: name neurons or positions, or take logitAttribution, which needs less.
 */
export function stackNeuronResults(run: ExplainedRun, options: NeuronOptions = {}): ResidualStack {
  const layer = layerRead(run, options);
  const which = neuronsOf(run, options.neurons);
  return tidied(() => {
    requireBytes(run, layer * which.length, options);
    const from = residualParts(run, options, options);
    const parts = Array.from({ length: layer }, (_, l) => from.neurons(l, which)).flat();
    return finished(run, withRemainder(run, parts, layer, options), options);
  });
}

/** Everything: heads, neurons (or MLPs), embeddings, and all biases as one component. It sums to the stream. */
export function fullResidDecomposition(run: ExplainedRun, options: FullOptions = {}): ResidualStack {
  const layer = layerRead(run, options);
  const { nLayers, dMlp } = run.model.config;
  return tidied(() => {
    const layers = Array.from({ length: Math.min(layer + 1, nLayers) }, (_, l) => l);
    if (options.mlpsWhole !== true) requireBytes(run, layer * dMlp, options);
    const from = residualParts(run, options, options);
    const all = neuronsOf(run, undefined);
    const mlps = layers.flatMap((l) => {
      if (dMlp === 0) return [];
      return options.mlpsWhole === true ? from.mlp(l) : from.neurons(l, all);
    });
    const embeddings = from.embeddings().filter(({ labels }) => labels[0] !== 'embed_bias');
    const parts = [...layers.flatMap((l) => from.heads(l)), ...mlps, ...embeddings];
    parts.push(from.bias(options.mlpsWhole === true ? 'heads' : 'heads and neurons'));
    return finished(run, parts, options);
  });
}

/**
 * A stack [components, batch, pos, d_model] as the norm of its reader scaled the stream: centred where that is a layer norm, over
 * the scale that the run had. Weights of the norm are left out (they belong to the reader: foldLayerNorm). A fresh tensor.
 */
export function applyLnToStack(run: ExplainedRun, stack: tf.Tensor4D, options: ReadPoint & Where = {}): tf.Tensor4D {
  const { config } = run.model;
  const layer = layerRead(run, options);
  const { attn, mlp } = layoutOf(config);
  const inBlock = options.mlpInput === true ? mlp.input : attn.input;
  const name = layer < config.nLayers ? inBlock && (`blocks.${layer}.${inBlock}` as const) : 'ln_final';
  const reads = name !== undefined && (name !== 'ln_final' || hasFinalNorm(config));
  return tf.tidy(() =>
    tf.clone(reads ? frozenNorm(run, name, stack, { ...options, weights: 'no' }) : stack),
  ) as tf.Tensor4D;
}

/** @throws 'input' for neurons that the MLPs have not. */
export function neuronsOf({ model: { config } }: ExplainedRun, neurons: readonly number[] | undefined): number[] {
  const odd = neurons?.find((neuron) => !Number.isInteger(neuron) || neuron < 0 || neuron >= config.dMlp);
  if (odd !== undefined) throw fail('input', 'neurons', `${odd} is outside the ${config.dMlp} neurons of an MLP.`);
  return neurons === undefined ? Array.from({ length: config.dMlp }, (_, neuron) => neuron) : [...neurons];
}

/** Components that broadcast over batch and positions are written out. */
function stackOf(parts: readonly Part[]): ResidualStack {
  const most = [0, 1, 2, 3].map((axis) => Math.max(...parts.map(({ stack }) => stack.shape[axis] as number)));
  const whole = parts.map(({ stack }) =>
    stack.shape[1] === most[1] && stack.shape[2] === most[2]
      ? stack
      : tf.add(stack, tf.zeros([1, most[1], most[2], 1])),
  );
  return {
    labels: parts.flatMap(({ labels }) => labels),
    stack: (whole.length === 1 ? tf.clone(whole[0]) : tf.concat(whole, 0)) as tf.Tensor4D,
  };
}

function finished(run: ExplainedRun, parts: readonly Part[], options: StackOptions): ResidualStack {
  if (parts.length === 0)
    throw fail(
      'input',
      'decomposition',
      'no such part comes before that layer; take a later layer, or the remainder too.',
    );
  const stacked = stackOf(parts);
  return options.applyLn === true ? { ...stacked, stack: applyLnToStack(run, stacked.stack, options) } : stacked;
}

function withRemainder(
  run: ExplainedRun,
  parts: readonly Part[],
  layer: number,
  options: RemainderOptions,
): readonly Part[] {
  if (options.inclRemainder !== true) return parts;
  const rest = parts.reduce((left, { stack }) => tf.sub(left, tf.sum(stack, 0)), residualAt(run, layer, options));
  return [...parts, { labels: ['remainder'], stack: tf.expandDims(rest, 0) }];
}

function requireBytes(run: ExplainedRun, components: number, where: Where): void {
  const [batch, length] = residualAt(run, 0, where).shape;
  const bytes = 4 * components * batch * (length as number) * run.model.config.dModel;
  if (bytes > STACK_BYTES)
    throw fail(
      'input',
      'neurons',
      `${components} of them at ${batch} x ${length} positions take ${Math.ceil(bytes / 2 ** 20)} MiB, above 2048; name fewer positions or neurons, or take logitAttribution, which needs less.`,
    );
}
