/**
 * A compiled program as the arrays and the configuration of a checkpoint in the TransformerLens format.
 */
import { logitsOf, type CompiledProgram } from './compile.ts';
import type { Matrix } from './wiring.ts';

/** The numbers of a weight, and their shape. */
export interface WeightArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The tensors by TransformerLens's names: W_Q [head, d_model, d_head], W_in [d_model, d_mlp], ... */
export function weightsOf(compiled: CompiledProgram): Record<string, WeightArray> {
  const { sizes, parts, words } = compiled;
  const { dModel: d, heads, dHead: e, dMlp: m } = sizes;
  const arrays: Record<string, WeightArray> = {
    'embed.W_E': dense([words.size, d], compiled.embedding),
    'pos_embed.W_pos': dense([compiled.maxLength + 1, d], compiled.positions),
    'unembed.W_U': dense([d, logitsOf(compiled)], compiled.unembedding),
  };
  for (let layer = 0; layer < sizes.layers; layer++) {
    const block = `blocks.${layer}`;
    for (const letter of ['Q', 'K', 'V']) arrays[`${block}.attn.W_${letter}`] = dense([heads, d, e], []);
    arrays[`${block}.attn.W_O`] = dense([heads, e, d], []);
    if (m > 0) {
      arrays[`${block}.mlp.W_in`] = dense([d, m], []);
      arrays[`${block}.mlp.W_out`] = dense([m, d], []);
    }
  }
  for (const part of parts) {
    const block = `blocks.${part.layer}`;
    if (part.kind === 'mlp') {
      fill(arrays[`${block}.mlp.W_in`], part.wiring.in);
      fill(arrays[`${block}.mlp.W_out`], part.wiring.out);
      continue;
    }
    const { q, k, v, o } = part.wiring;
    for (const [letter, matrix] of [
      ['Q', q],
      ['K', k],
      ['V', v],
      ['O', o],
    ] as const)
      fill(arrays[`${block}.attn.W_${letter}`], matrix, part.head);
  }
  return arrays;
}

/** HookedTransformer's configuration, as config.json holds it. */
export function configurationOf(compiled: CompiledProgram): Readonly<Record<string, unknown>> {
  const { sizes, words, maxLength, causal } = compiled;
  return {
    model_type: 'transformer-lens',
    d_model: sizes.dModel,
    n_layers: sizes.layers,
    n_heads: sizes.heads,
    d_head: sizes.dHead,
    n_ctx: maxLength + 1,
    d_vocab: words.size,
    d_vocab_out: logitsOf(compiled),
    ...(sizes.dMlp === 0 ? { attn_only: true, act_fn: null } : { d_mlp: sizes.dMlp, act_fn: 'relu' }),
    normalization_type: null,
    positional_embedding_type: 'standard',
    attention_dir: causal ? 'causal' : 'bidirectional',
    use_attn_scale: false,
  };
}

function dense(shape: readonly number[], entries: Matrix): WeightArray {
  const array = { shape, data: new Float32Array(shape.reduce((size, side) => size * side, 1)) };
  fill(array, entries);
  return array;
}

/** Adds the entries to the last two axes, in slice `head` of the first where there are three. */
function fill({ shape, data }: WeightArray, entries: Matrix, head = 0): void {
  const [rows, columns] = shape.slice(-2);
  for (const [row, column, value] of entries) data[(head * rows + row) * columns + column] += value;
}
