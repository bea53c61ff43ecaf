/**
 * An owner of cached activations that also explains them: what a run's residual stream is made of, and what that does to the logits.
 *
 * The names are TransformerLens's in camelCase. Results that hold tensors are the caller's to dispose.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../model/hook-points.ts';
import type { Model } from '../model/model.ts';
import { showsItself } from '../showing.ts';
import { holdActivations, type CachedActivations } from './cached-activations.ts';
import {
  accumulatedResid,
  applyLnToStack,
  decomposeResid,
  fullResidDecomposition,
  stackHeadResults,
  stackNeuronResults,
  type AccumulatedOptions,
  type DecomposeOptions,
  type FullOptions,
  type NeuronOptions,
  type RemainderOptions,
} from './explain/decompositions.ts';
import type { ExplainedRun, ReadPoint, ResidualStack, Where } from './explain/explained-run.ts';
import {
  logitAttribution,
  logitAttrs,
  type Answers,
  type AttributionOptions,
  type LogitAttribution,
} from './explain/logit-attribution.ts';
import { logitLens, type LogitLens, type LogitLensOptions } from './explain/logit-lens.ts';

/** Activations of one run, and what they explain of it. */
export interface ActivationCache extends CachedActivations {
  /** The residual streams that layers 0 .. layer read, [streams, batch, pos, d_model]: `0_pre`, `1_pre`, .., `final_post`. */
  accumulatedResid(options?: AccumulatedOptions): ResidualStack;
  /** A stream as the sum of what embeddings, attentions and MLPs wrote: `embed`, `pos_embed`, `0_attn_out`, `0_mlp_out`, .. */
  decomposeResid(options?: DecomposeOptions): ResidualStack;
  /** What every head before `layer` wrote: `L0H0`, `L0H1`, .. */
  stackHeadResults(options?: RemainderOptions): ResidualStack;
  /** What every neuron before `layer` wrote: `L0N0`, `L0N1`, .. @throws 'input' above 2 GiB. */
  stackNeuronResults(options?: NeuronOptions): ResidualStack;
  /** A stream as the sum of heads, neurons (or MLPs), embeddings and `bias`. @throws 'input' above 2 GiB. */
  fullResidDecomposition(options?: FullOptions): ResidualStack;
  /** A stack as the norm of its reader scaled the stream: centred (layer norm) and over the run's scale. A fresh tensor. */
  applyLnToStack(stack: tf.Tensor4D, options?: ReadPoint & Where): tf.Tensor4D;
  /** What each component of a stack at the end of the stream adds to a token's logit, [components, batch, pos]. */
  logitAttrs(
    stack: tf.Tensor4D,
    tokens: Answers,
    options?: Where & { readonly incorrectTokens?: Answers | undefined },
  ): tf.Tensor3D;
  /** Direct logit attribution by layers, heads or neurons, with all the rest: the values sum to the logit. */
  logitAttribution(options: AttributionOptions): LogitAttribution;
  /** The k likeliest tokens by layer and position, if the model stopped there. */
  logitLens(options?: LogitLensOptions): Promise<LogitLens>;
}

/** Takes ownership of `tensors`; the model stays the caller's, who disposes it last. */
export function createCache(model: Model, tensors: ReadonlyMap<HookName, tf.Tensor>): ActivationCache {
  const activations = holdActivations(model.config, tensors);
  const run: ExplainedRun = { model, activations };
  return showsItself({
    ...activations,
    accumulatedResid: (options) => accumulatedResid(run, options),
    decomposeResid: (options) => decomposeResid(run, options),
    stackHeadResults: (options) => stackHeadResults(run, options),
    stackNeuronResults: (options) => stackNeuronResults(run, options),
    fullResidDecomposition: (options) => fullResidDecomposition(run, options),
    applyLnToStack: (stack, options) => applyLnToStack(run, stack, options),
    logitAttrs: (stack, tokens, options) => logitAttrs(run, stack, tokens, options),
    logitAttribution: (options) => logitAttribution(run, options),
    logitLens: (options) => logitLens(run, options),
  });
}
