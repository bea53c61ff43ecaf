/**
 * One plain record drives one forward pass; a family is only a reader of its config.json and a map of
 * its tensor names (families/). Every field here is something the forward pass acts on: what a
 * checkpoint asks for and this record cannot say is refused by the family's reader, never approximated.
 *
 * Shape letters used across model/ and hooks/: B batch, S positions, d d_model, H heads, e d_head, m d_mlp, V vocabulary.
 */

export type Norm =
  /** Activations pass through unchanged. */
  | { readonly kind: 'none' }
  /** (x - mean) / sqrt(var + eps), then ·w + b where `affine`. */
  | { readonly kind: 'layer'; readonly eps: number; readonly affine: boolean };

/** How positions enter: added to the embedding, or (shortformer) to the inputs of queries and keys only. */
export type Positions = 'learned' | 'shortformer';

export type Activation = 'relu' | 'gelu' | 'gelu_new' | 'silu' | 'solu_ln';

export interface ModelConfig {
  /** The reader that made this record: 'gpt2', 'transformer-lens'. */
  readonly family: string;
  readonly nLayers: number;
  readonly dModel: number;
  readonly nHeads: number;
  readonly dHead: number;
  /** 0 = attention-only blocks. */
  readonly dMlp: number;
  readonly nCtx: number;
  readonly dVocab: number;
  /** Rows of the output; differs from dVocab in some algorithmic models. */
  readonly dVocabOut: number;
  readonly norm: Norm;
  readonly positions: Positions;
  readonly activation: Activation;
  readonly attention: {
    /** What layer l multiplies q·k by. */
    readonly scales: readonly number[];
    readonly causal: boolean;
  };
  readonly biases: { readonly qkv: boolean; readonly attnOut: boolean; readonly mlp: boolean; readonly unembed: boolean };
}

/**
 * Canonical parameter names (TransformerLens's) and the shapes they have on the device. Matrices are
 * stored the way matMul wants them: W_Q, W_K, W_V [d, H·e], W_O [H·e, d], W_in [d, m], W_out [m, d], W_U [d, V].
 */
export function parameterShapes(config: ModelConfig): Record<string, readonly number[]> {
  const { dModel: d, nHeads, dHead, dMlp: m, dVocab, dVocabOut, biases } = config;
  const he = nHeads * dHead;
  const affine = config.norm.kind === 'layer' && config.norm.affine;
  const shapes: Record<string, readonly number[]> = { 'embed.W_E': [dVocab, d], 'pos_embed.W_pos': [config.nCtx, d] };
  const norm = (name: string, size: number): void => {
    if (!affine) return;
    shapes[`${name}.w`] = [size];
    shapes[`${name}.b`] = [size];
  };
  for (let l = 0; l < config.nLayers; l++) {
    const block = `blocks.${l}`;
    norm(`${block}.ln1`, d);
    for (const letter of ['Q', 'K', 'V']) {
      shapes[`${block}.attn.W_${letter}`] = [d, he];
      if (biases.qkv) shapes[`${block}.attn.b_${letter}`] = [he];
    }
    shapes[`${block}.attn.W_O`] = [he, d];
    if (biases.attnOut) shapes[`${block}.attn.b_O`] = [d];
    if (m === 0) continue;
    norm(`${block}.ln2`, d);
    shapes[`${block}.mlp.W_in`] = [d, m];
    if (biases.mlp) shapes[`${block}.mlp.b_in`] = [m];
    if (config.activation === 'solu_ln') norm(`${block}.mlp.ln`, m);
    shapes[`${block}.mlp.W_out`] = [m, d];
    if (biases.mlp) shapes[`${block}.mlp.b_out`] = [d];
  }
  norm('ln_final', d);
  shapes['unembed.W_U'] = [d, dVocabOut];
  if (biases.unembed) shapes['unembed.b_U'] = [dVocabOut];
  return shapes;
}

/** The number of scalars in a model of this shape (a tied unembedding counted again: it is stored again). */
export function parameterCount(config: ModelConfig): number {
  return Object.values(parameterShapes(config)).reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
}
