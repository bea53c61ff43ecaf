/**
 * One plain record drives one forward pass; a family is only a reader of its config.json and a map of
 * its tensor names (families/). Every field here is something the forward pass acts on: what a
 * checkpoint asks for and this record cannot say is refused by the family's reader, never approximated.
 * An optional field that is absent is a feature that is off.
 *
 * Shape letters used across model/ and hooks/: B batch, S positions, d d_model, H heads, K key/value heads,
 * e d_head, m d_mlp, V vocabulary.
 */
import { layoutOf, type BlockNorm, type LayoutName } from './layout.ts';

export type Norm =
  /** Activations pass through unchanged. */
  | { readonly kind: 'none' }
  /** (x - mean) / sqrt(var + eps), then ·w + b where `affine`. */
  | { readonly kind: 'layer'; readonly eps: number; readonly affine: boolean }
  /**
   * x / sqrt(mean(x²) + eps), then ·(w + offset); the offset is 1 in Gemma, whose checkpoints store w - 1. With affine
   * false there is no w.
   */
  | { readonly kind: 'rms'; readonly eps: number; readonly offset: 0 | 1; readonly affine?: false };

/**
 * How positions enter: added to the embedding, (shortformer) to the inputs of queries and keys only, by turning queries
 * and keys, or (alibi) as a penalty on scores that grows with the distance.
 */
export type Positions = 'learned' | 'shortformer' | 'rotary' | 'alibi';

/** solu is x·softmax(x), solu_ln that and a norm over it; relu2 is relu(x)², quick_gelu x·sigmoid(1.702 x). */
export type Activation = 'relu' | 'relu2' | 'gelu' | 'gelu_new' | 'quick_gelu' | 'silu' | 'solu' | 'solu_ln';

/** Rotary positions of one layer: two dimensions of a head turn together by position · frequency_i. */
export interface Rotary {
  /** Leading dimensions of a head that turn; the rest pass. */
  readonly dims: number;
  /** frequency_i = theta^(-2i/dims), before scaling. */
  readonly theta: number;
  /** Which two: i and i + dims/2 ('halves', when absent), or 2i and 2i + 1 (GPT-J). */
  readonly pairs?: 'halves' | 'adjacent' | undefined;
  /** Turned queries and keys are multiplied by it (YaRN, LongRoPE); 1 when absent. */
  readonly amplitude?: number | undefined;
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
    }
  /**
   * NTK-aware (YaRN, Peng et al. 2023, section 3.2): frequencies / factor from dimension pair `high` on, kept before
   * `low`, a ramp between.
   */
  | { readonly kind: 'yarn'; readonly factor: number; readonly low: number; readonly high: number }
  /** Rows longer than the context have theta · (factor · length / context - (factor - 1))^(dims / (dims - 2)). */
  | { readonly kind: 'dynamic'; readonly factor: number; readonly originalContext: number }
  /** Each frequency over a factor of its own: `long` for rows longer than the original context, `short` for others. */
  | {
      readonly kind: 'longrope';
      readonly short: readonly number[];
      readonly long: readonly number[];
      readonly originalContext: number;
    };

/** What a model computes, as plain data: sizes, norms, positions, attention, activations. */
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
  /** Where the norms of a block stand and what its parts read; see LAYOUTS. */
  readonly layout?: LayoutName;
  /** False where a pre-norm model ends without ln_final. */
  readonly finalNorm?: boolean;
  readonly positions: Positions;
  /** With positions 'rotary': one per layer. */
  readonly rotary?: readonly Rotary[];
  readonly activation: Activation;
  /** The MLP is W_out (act(W_gate x) · W_in x). */
  readonly gated?: boolean;
  /**
   * A mixture: the d_mlp hidden units are those of `count` gated MLPs side by side, and each MLP's are multiplied by its score,
   * softmax(W_router x), where that is among the `active` largest, else by 0; `normalised`: by its share of those. What is computed
   * in vain for the others is the price of having every unit in one activation.
   */
  readonly experts?: { readonly count: number; readonly active: number; readonly normalised: boolean } | undefined;
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
    /** qkNorm stands over all heads together (OLMo 2) instead of over each. */
    readonly qkNormAcrossHeads?: boolean;
    /** Queries, keys and values are cut to -clip..clip, behind their hooks and norms (OLMo). */
    readonly clip?: number | undefined;
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
    /** A norm stands over the sum of all embeddings (BERT), or over the token embedding alone (BLOOM). */
    readonly norm?: 'sum' | 'token' | undefined;
  };
  /** Dense, activation and norm before the unembedding: BERT's masked-LM head. */
  readonly mlmHead?: boolean;
  /** The activation there, where it is not the MLP's (RoBERTa). */
  readonly mlmActivation?: Activation;
  /** Logits become cap·tanh(logit / cap). */
  readonly logitSoftcap?: number | undefined;
}

export function kvHeads(config: ModelConfig): number {
  return config.nKvHeads ?? config.nHeads;
}

export function hasFinalNorm(config: ModelConfig): boolean {
  return layoutOf(config).mlp.stream === undefined && config.finalNorm !== false;
}

/** Whether a table of positions is added somewhere. */
export function hasPositionTable({ positions }: ModelConfig): boolean {
  return positions === 'learned' || positions === 'shortformer';
}

/** Whether the norm multiplies by weights. */
export function hasWeights(norm: Norm): boolean {
  return norm.kind !== 'none' && norm.affine !== false;
}

/**
 * Canonical parameter names (TransformerLens's) and the shapes they have on the device. Matrices are
 * stored the way matMul wants them: W_Q [d, H·e], W_K, W_V [d, K·e], W_O [H·e, d], W_in, W_gate [d, m],
 * W_out [m, d], W_U [d, V].
 */
export function parameterShapes(config: ModelConfig): Record<string, readonly number[]> {
  const { dModel: d, nHeads, dHead, dMlp: m, dVocab, dVocabOut, biases, embedding = {} } = config;
  const { attn: around, mlp: aroundMlp } = layoutOf(config);
  const width = embedding.width ?? d;
  const shapes: Record<string, readonly number[]> = {};
  const norm = (name: string, size: number, kind: Norm = config.norm): void => {
    if (!hasWeights(kind)) return;
    shapes[`${name}.w`] = [size];
    if (kind.kind === 'layer') shapes[`${name}.b`] = [size];
  };
  const norms = (block: string, ...names: (BlockNorm | undefined)[]): void => {
    for (const name of names) if (name !== undefined) norm(`${block}.${name}`, d);
  };
  const linear = (name: string, letter: string, rows: number, cols: number, biased: boolean): void => {
    shapes[`${name}.W_${letter}`] = [rows, cols];
    if (biased) shapes[`${name}.b_${letter}`] = [cols];
  };
  shapes['embed.W_E'] = [dVocab, width];
  if (width !== d) shapes['embed.W_in'] = [width, d];
  if (hasPositionTable(config)) shapes['pos_embed.W_pos'] = [config.nCtx, d];
  if (embedding.tokenTypes !== undefined) shapes['token_type_embed.W_token_type'] = [embedding.tokenTypes, d];
  if (embedding.norm !== undefined) norm('embed.ln', d);
  for (let l = 0; l < config.nLayers; l++) {
    const block = `blocks.${l}`;
    norms(block, around.input, around.stream);
    linear(`${block}.attn`, 'Q', d, nHeads * dHead, biases.qkv);
    linear(`${block}.attn`, 'K', d, kvHeads(config) * dHead, biases.qkv);
    linear(`${block}.attn`, 'V', d, kvHeads(config) * dHead, biases.qkv);
    if (config.attention.qkNorm !== undefined) {
      const across = config.attention.qkNormAcrossHeads === true;
      norm(`${block}.attn.q_norm`, across ? nHeads * dHead : dHead, config.attention.qkNorm);
      norm(`${block}.attn.k_norm`, across ? kvHeads(config) * dHead : dHead, config.attention.qkNorm);
    }
    linear(`${block}.attn`, 'O', nHeads * dHead, d, biases.attnOut);
    norms(block, around.output);
    if (m === 0) continue;
    norms(block, aroundMlp.inputWeights === undefined ? aroundMlp.input : undefined, aroundMlp.stream);
    if (config.experts !== undefined) linear(`${block}.mlp`, 'router', d, config.experts.count, false);
    if (config.gated === true) linear(`${block}.mlp`, 'gate', d, m, biases.mlp);
    linear(`${block}.mlp`, 'in', d, m, biases.mlp);
    if (config.activation === 'solu_ln') norm(`${block}.mlp.ln`, m);
    linear(`${block}.mlp`, 'out', m, d, biases.mlp);
    norms(block, aroundMlp.output);
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
