/**
 * What explanations of a run read: the model and its cached activations, and norms as that run scaled them.
 *
 * With its scale held at what it was, a norm is linear: x -> (x - mean x) / scale · w. So is every way from a part of the model to
 * the residual stream and from there to the logits, and contributions of parts add up ("freezing" the norm; Elhage et al.,
 * A Mathematical Framework for Transformer Circuits, 2021).
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { hasWeights } from '../../model/config.ts';
import type { HookName, NormName } from '../../model/hook-points.ts';
import { handedOn, layoutOf } from '../../model/layout.ts';
import type { Model } from '../../model/model.ts';
import { tensorOf } from '../../model/weights/parameters.ts';
import { atPositions, type CachedActivations } from '../cached-activations.ts';

export interface ExplainedRun {
  readonly model: Model;
  readonly activations: CachedActivations;
}

export interface Where {
  /** Of the cached positions, by their place in the cache; negative ones count from the end. All when absent. */
  readonly positions?: readonly number[] | undefined;
}

/** Where the residual stream is read. */
export interface ReadPoint {
  /** The layer that reads: 0 .. n_layers, where n_layers (the default, also -1) is the unembedding. */
  readonly layer?: number | undefined;
  /** Read by the layer's MLP instead of its attention. */
  readonly mlpInput?: true | undefined;
}

/** Contributions to a residual stream. */
export interface ResidualStack {
  /** By component: `embed`, `0_attn_out`, `L0H3`, `L1N17`, `bias`, ... */
  readonly labels: readonly string[];
  /** [components, batch, pos, d_model]; the caller's to dispose. */
  readonly stack: tf.Tensor4D;
}

/** A cached activation at `positions`, [batch, pos, ..]; inside tf.tidy. @throws 'input' where it was not cached. */
export function read({ activations }: ExplainedRun, name: HookName, { positions }: Where = {}): tf.Tensor {
  const whole = activations.get(name);
  if (positions === undefined) return whole;
  return atPositions(name, whole, placesOf(positions, whole.shape[1] as number));
}

function placesOf(positions: readonly number[], length: number): number[] {
  return positions.map((position) => {
    const place = position < 0 ? length + position : position;
    if (Number.isInteger(place) && place >= 0 && place < length) return place;
    throw fail('input', 'positions', `${position} is outside the ${length} positions of the cache.`);
  });
}

/** The layer of a read point. @throws 'input' for one that the model has not. */
export function layerRead(
  { model: { config } }: ExplainedRun,
  { layer = config.nLayers, mlpInput }: ReadPoint,
): number {
  const at = layer === -1 ? config.nLayers : layer;
  const last = mlpInput === true ? config.nLayers - 1 : config.nLayers;
  if (!Number.isInteger(at) || at < 0 || at > last)
    throw fail('input', 'layer', `${layer} reads no residual stream${mlpInput ? ' with its MLP' : ''}; 0..${last} do.`);
  if (mlpInput === true && config.dMlp === 0) throw fail('input', 'mlpInput', 'the model has no MLPs.');
  return at;
}

/** The residual stream that a layer's attention, or the unembedding, reads, [batch, pos, d_model]. */
export function residualAt(run: ExplainedRun, layer: number, where: Where): tf.Tensor {
  const { config } = run.model;
  if (layer < config.nLayers) return read(run, `blocks.${layer}.hook_resid_pre`, where);
  const last = config.dMlp === 0 ? 'hook_resid_post' : handedOn(layoutOf(config));
  return read(run, `blocks.${layer - 1}.${last}`, where);
}

export interface FrozenOptions extends Where {
  /** Multiply by the norm's weights; default 'yes'. */
  readonly weights?: 'yes' | 'no';
}

/** x [.., batch, pos, d] through the norm `name` with the scale that it had: (x - mean x) / scale · w, its bias left out. */
export function frozenNorm(run: ExplainedRun, name: NormName, x: tf.Tensor, options: FrozenOptions = {}): tf.Tensor {
  const { config, parameters } = run.model;
  const { norm } = config;
  if (norm.kind === 'none') return x;
  const centred = norm.kind === 'rms' ? x : tf.sub(x, tf.mean(x, -1, true));
  const quotient = tf.div(centred, read(run, `${name}.hook_scale` as HookName, options));
  if (options.weights === 'no' || !hasWeights(norm)) return quotient;
  const w = tensorOf(parameters[`${name}.w`]);
  return tf.mul(quotient, norm.kind === 'rms' && norm.offset === 1 ? tf.add(w, 1) : w);
}

/** The bias of a norm, [d]; undefined where it has none. */
export function normBias({ model: { config, parameters } }: ExplainedRun, name: NormName): tf.Tensor | undefined {
  const { norm } = config;
  return norm.kind === 'layer' && norm.affine ? tensorOf(parameters[`${name}.b`]) : undefined;
}

/** tf.tidy for records that hold tensors and text. */
export function tidied<T extends object>(make: () => T): T {
  return tf.tidy(make as unknown as () => tf.TensorContainer) as unknown as T;
}
