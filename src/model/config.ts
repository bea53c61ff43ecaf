/**
 * One plain record drives one forward pass; a family is only a reader of its config.json and a map of
 * its tensor names (families/). Every field here is something the forward pass acts on: what a
 * checkpoint asks for and this record cannot say is refused by the family's reader, never approximated.
 * An optional field that is absent is a feature that is off.
 *
 * Shape letters used across model/ and hooks/: B batch, S positions, d d_model, H heads, K key/value heads,
 * e d_head, m d_mlp, V vocabulary.
 */

export type Norm =
  /** Activations pass through unchanged. */
  | { readonly kind: 'none' }
  /** (x - mean) / sqrt(var + eps), then ·w + b where `affine`. */
  | { readonly kind: 'layer'; readonly eps: number; readonly affine: boolean }
  /** x / sqrt(mean(x²) + eps), then ·(w + offset); the offset is 1 in Gemma, whose checkpoints store w - 1. */
  | { readonly kind: 'rms'; readonly eps: number; readonly offset: 0 | 1 };

/** How positions enter: added to the embedding, (shortformer) to the inputs of queries and keys only, or by turning queries and keys. */
export type Positions = 'learned' | 'shortformer' | 'rotary';

export type Activation = 'relu' | 'gelu' | 'gelu_new' | 'silu' | 'solu_ln';

/** Rotary positions of one layer: dimension i of a head turns with i + dims/2 by position · frequency_i. */
export interface Rotary {
  /** Leading dimensions of a head that turn; the rest pass. */
  readonly dims: number;
  /** frequency_i = theta^(-2i/dims), before scaling. */
  readonly theta: number;
  readonly scaling?: RotaryScaling | undefined;
}

export type RotaryScaling =
  /** Every frequency / factor. */
  | { readonly kind: 'linear'; readonly factor: number }
  /** Low frequencies / factor, high ones kept, a ramp between: Llama 3. Frequency factors count waves per original context. */
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFrequency: number;
      readonly highFrequency: number;
      readonly originalContext: number;
    };

/** Where the norms of a block stand and what its MLP reads. */
export type Layout =
  /** x + attn(ln1 x), then + mlp(ln2 ·). The default. */
  | 'pre'
  /** As pre, and what each part writes is normed first: ln1_post, ln2_post (Gemma 2 and 3). */
  | 'sandwich'
  /** ln1(x + attn x), then ln2(· + mlp ·); no ln_final (BERT, OPT-350m). */
  | 'post'
  /** x + attn(ln1 x) + mlp(ln2 x) (GPT-NeoX). */
  | 'parallel'
  /** As parallel, with ln1's parameters in ln2 (Phi). */
  | 'parallel-shared';

export interface ModelConfig {
  /** The reader that made this record: 'gpt2', 'llama', ... */
  readonly family: string;
  readonly nLayers: number;
  readonly dModel: number;
  readonly nHeads: number;
  /** Key/value heads, each read by nHeads / nKvHeads consecutive heads; nHeads when absent. */
  readonly nKvHeads?: number;
  readonly dHead: number;
  /** 0 = attention-only blocks. */
  readonly dMlp: number;
  readonly nCtx: number;
  readonly dVocab: number;
  /** Rows of the output; differs from dVocab in some algorithmic models. */
  readonly dVocabOut: number;
  readonly norm: Norm;
  readonly layout?: Layout;
  /** False where a pre-norm model ends without ln_final. */
  readonly finalNorm?: boolean;
  readonly positions: Positions;
  /** With positions 'rotary': one per layer. */
  readonly rotary?: readonly Rotary[];
  readonly activation: Activation;
  /** The MLP is W_out (act(W_gate x) · W_in x). */
  readonly gated?: boolean;
  readonly attention: {
    /** What layer l multiplies q·k by. */
    readonly scales: readonly number[];
    readonly causal: boolean;
    /** Keys a query of layer l sees, itself and the ones before: i - window < j <= i; null = all. */
    readonly windows?: readonly (number | null)[] | undefined;
    /** Scores become cap·tanh(score / cap), before the mask. */
    readonly softcap?: number | undefined;
    /** Over each head's queries and keys, before they turn. */
    readonly qkNorm?: Norm | undefined;
    /** hook_k and hook_v once per query head instead of once per key/value head; see withUngroupedHeads. */
    readonly ungrouped?: boolean;
  };
  readonly biases: {
    readonly qkv: boolean;
    readonly attnOut: boolean;
    readonly mlp: boolean;
    readonly unembed: boolean;
  };
  readonly embedding?: {
    /** Token embeddings are multiplied by it (Gemma). */
    readonly scale?: number;
    /** Their width, where a matrix takes them to d_model and another takes the residual back (OPT-350m). */
    readonly width?: number | undefined;
    /** Kinds of token, each with an embedding of its own (BERT). */
    readonly tokenTypes?: number;
    /** A norm stands over the sum of all embeddings (BERT). */
    readonly norm?: boolean;
  };
  /** Dense, activation and norm before the unembedding: BERT's masked-LM head. */
  readonly mlmHead?: boolean;
  /** Logits become cap·tanh(logit / cap). */
  readonly logitSoftcap?: number | undefined;
}

export function kvHeads(config: ModelConfig): number {
  return config.nKvHeads ?? config.nHeads;
}

/** Whether attention and MLP read the same residual. */
export function isParallel(config: ModelConfig): boolean {
  return config.layout === 'parallel' || config.layout === 'parallel-shared';
}

export function hasFinalNorm(config: ModelConfig): boolean {
  return config.layout !== 'post' && config.finalNorm !== false;
}

/**
 * Canonical parameter names (TransformerLens's) and the shapes they have on the device. Matrices are
 * stored the way matMul wants them: W_Q [d, H·e], W_K, W_V [d, K·e], W_O [H·e, d], W_in, W_gate [d, m],
 * W_out [m, d], W_U [d, V].
 */
export function parameterShapes(config: ModelConfig): Record<string, readonly number[]> {
  const { dModel: d, nHeads, dHead, dMlp: m, dVocab, dVocabOut, biases, layout = 'pre', embedding = {} } = config;
  const width = embedding.width ?? d;
  const shapes: Record<string, readonly number[]> = {};
  const norm = (name: string, size: number, kind: Norm = config.norm): void => {
    if (kind.kind === 'none' || (kind.kind === 'layer' && !kind.affine)) return;
    shapes[`${name}.w`] = [size];
    if (kind.kind === 'layer') shapes[`${name}.b`] = [size];
  };
  const linear = (name: string, letter: string, rows: number, cols: number, biased: boolean): void => {
    shapes[`${name}.W_${letter}`] = [rows, cols];
    if (biased) shapes[`${name}.b_${letter}`] = [cols];
  };
  shapes['embed.W_E'] = [dVocab, width];
  if (width !== d) shapes['embed.W_in'] = [width, d];
  if (config.positions !== 'rotary') shapes['pos_embed.W_pos'] = [config.nCtx, d];
  if (embedding.tokenTypes !== undefined) shapes['token_type_embed.W_token_type'] = [embedding.tokenTypes, d];
  if (embedding.norm === true) norm('embed.ln', d);
  for (let l = 0; l < config.nLayers; l++) {
    const block = `blocks.${l}`;
    norm(`${block}.ln1`, d);
    linear(`${block}.attn`, 'Q', d, nHeads * dHead, biases.qkv);
    linear(`${block}.attn`, 'K', d, kvHeads(config) * dHead, biases.qkv);
    linear(`${block}.attn`, 'V', d, kvHeads(config) * dHead, biases.qkv);
    if (config.attention.qkNorm !== undefined) {
      norm(`${block}.attn.q_norm`, dHead, config.attention.qkNorm);
      norm(`${block}.attn.k_norm`, dHead, config.attention.qkNorm);
    }
    linear(`${block}.attn`, 'O', nHeads * dHead, d, biases.attnOut);
    if (layout === 'sandwich') norm(`${block}.ln1_post`, d);
    if (m === 0) continue;
    if (layout !== 'parallel-shared') norm(`${block}.ln2`, d);
    if (config.gated === true) linear(`${block}.mlp`, 'gate', d, m, biases.mlp);
    linear(`${block}.mlp`, 'in', d, m, biases.mlp);
    if (config.activation === 'solu_ln') norm(`${block}.mlp.ln`, m);
    linear(`${block}.mlp`, 'out', m, d, biases.mlp);
    if (layout === 'sandwich') norm(`${block}.ln2_post`, d);
  }
  if (hasFinalNorm(config)) norm('ln_final', d);
  if (config.mlmHead === true) {
    shapes['mlm_head.W'] = [d, d];
    shapes['mlm_head.b'] = [d];
    norm('mlm_head.ln', d);
  }
  if (width !== d) shapes['unembed.W_in'] = [d, width];
  linear('unembed', 'U', width, dVocabOut, biases.unembed);
  return shapes;
}

/** The number of scalars in a model of this shape (a tied unembedding counted again: it is stored again). */
export function parameterCount(config: ModelConfig): number {
  return Object.values(parameterShapes(config)).reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
