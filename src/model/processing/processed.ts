/**
 * What all weight processing shares: a new model from an edit of the parameters, and what the edit did to the logits.
 *
 * A checkpoint is used raw unless somebody asks. Every step is a function model -> { model, largestLogitChange }:
 * the new model owns its parameters, the old one is as it was, and they may be disposed in any order (what the
 * edit left alone is the same memory, counted by the backend). Its name says what was done.
 */
import * as tf from '@tensorflow/tfjs-core';
import { createRandom } from '../../random.ts';
import { parameterShapes, type ModelConfig } from '../config.ts';
import { forward } from '../forward/forward.ts';
import { createModel, type Model } from '../model.ts';
import { float32Parameters } from '../weights/parameters.ts';
import { tokenTensor, toTokens, type BatchOptions, type Input, type TokenBatch } from '../tokens.ts';

/** On what the change of the logits is measured. */
export interface ProcessOptions extends BatchOptions {
  /** What the change of the logits is measured on; default: two rows of at most 16 seeded random tokens. */
  readonly prompts?: Input;
}

/** A model whose weights were rewritten, and how far that moved its logits. */
export interface Processed {
  /** The caller's to dispose. */
  readonly model: Model;
  /** max |new - old| over the logits of all tokens of the prompts. */
  readonly largestLogitChange: number;
  /** The same of log-probabilities, in nats. */
  readonly largestLogProbChange: number;
  /** Tokens it was measured on. */
  readonly tokens: number;
}

/** Parameters as float32 tensors. */
export type Tensors = Readonly<Record<string, tf.Tensor>>;

/** The new record and the parameters that changed or are new; biases that only the new record has are zeros when not given. */
export interface Edit {
  readonly config: ModelConfig;
  readonly changed: Tensors;
}

/** The model that `edit` makes (inside tf.tidy: it returns fresh tensors), and what changed. */
export async function processed(
  who: string,
  model: Model,
  { prompts, ...batch }: ProcessOptions,
  edit: (config: ModelConfig, parameters: Tensors) => Edit,
): Promise<Processed> {
  const sample = toTokens(model, prompts ?? randomRows(model.config), batch);
  const given: Tensors = float32Parameters(model.parameters, who);
  let { config } = model;
  const parameters = tf.tidy(() => {
    const edited = edit(model.config, given);
    config = edited.config;
    const parameterOf = (name: string, shape: readonly number[]): tf.Tensor => {
      const old: tf.Tensor | undefined = given[name];
      return edited.changed[name] ?? (old === undefined ? tf.zeros([...shape]) : tf.clone(old));
    };
    return Object.fromEntries(
      Object.entries(parameterShapes(config)).map(([name, shape]) => [name, parameterOf(name, shape)]),
    );
  });
  const result = createModel(config, parameters, {
    name: `${model.name}+${who}`,
    tokenizer: model.tokenizer,
    unusedTensors: model.unusedTensors,
    notes: model.notes,
  });
  try {
    return { model: result, ...compare(await logitsOf(model, sample), await logitsOf(result, sample), sample) };
  } catch (error) {
    result[Symbol.dispose]();
    throw error;
  }
}

function randomRows({ dVocab, nCtx }: ModelConfig): number[][] {
  const random = createRandom(0, 'weight processing');
  return [0, 1].map(() => Array.from({ length: Math.min(16, nCtx) }, () => random.integer(dVocab)));
}

/** [batch·pos][V] */
async function logitsOf({ config, parameters }: Model, batch: TokenBatch): Promise<Float32Array[]> {
  const logits = tf.tidy(() => forward(config, parameters, tokenTensor(batch), { attentionMask: batch.attentionMask }));
  try {
    const values = (await logits.data()) as Float32Array;
    const V = config.dVocabOut;
    return Array.from({ length: values.length / V }, (_, i) => values.subarray(i * V, (i + 1) * V));
  } finally {
    logits.dispose();
  }
}

function compare(
  before: readonly Float32Array[],
  after: readonly Float32Array[],
  { attentionMask }: TokenBatch,
): Omit<Processed, 'model'> {
  const kept = attentionMask?.flat();
  let [largestLogitChange, largestLogProbChange, tokens] = [0, 0, 0];
  before.forEach((logits, i) => {
    if (kept?.[i] === 0) return;
    tokens++;
    const shift = logSumExp(after[i]) - logSumExp(logits);
    logits.forEach((logit, id) => {
      const change = after[i][id] - logit;
      largestLogitChange = Math.max(largestLogitChange, Math.abs(change));
      largestLogProbChange = Math.max(largestLogProbChange, Math.abs(change - shift));
    });
  });
  return { largestLogitChange, largestLogProbChange, tokens };
}

function logSumExp(logits: Float32Array): number {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  return top + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
}
