/**
 * llama.cpp's architectures as Hugging Face knows them: metadata to the fields of a config.json, tensor names to names.
 *
 * A row of the table says all that an architecture needs; what the fields mean stays with src/model/families. Sources: llama.cpp's
 * convert_hf_to_gguf.py and gguf's tensor_mapping.py, whose work is undone here, and llama-model.cpp for what
 * llama.cpp knows by size alone (Gemma 27B's attention scale).
 */
export type Fields = Record<string, unknown>;

/** What the converter did to the values of a tensor and reading undoes. */
export type Undo = 'nothing' | 'rotary rows' | 'one added' | 'transposed';

export interface Architecture {
  /** Fields of config.json. `has` tells whether the file holds a tensor. */
  config(read: Read, has: (tensor: string) => boolean): Fields;
  /** GGUF name -> Hugging Face's, without `.weight` or `.bias`; `#` stands for the layer. */
  readonly names: Readonly<Record<string, string>>;
  /** A fused tensor -> the names of its equal parts, first rows first. */
  readonly fused?: Readonly<Record<string, readonly string[]>>;
  undo(name: string): Undo;
  /** Keys after `<architecture>.` beyond COMMON that it reads. */
  readonly keys: readonly string[];
}

/** The metadata under `<architecture>.`. */
export interface Read {
  readonly number: (key: string) => number;
  readonly optional: (key: string) => number | undefined;
  readonly text: (key: string) => string | undefined;
}

/** Llama's names, which most architectures share. */
const DECODER = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
  'blk.#.attn_norm': 'model.layers.#.input_layernorm',
  'blk.#.attn_q': 'model.layers.#.self_attn.q_proj',
  'blk.#.attn_k': 'model.layers.#.self_attn.k_proj',
  'blk.#.attn_v': 'model.layers.#.self_attn.v_proj',
  'blk.#.attn_output': 'model.layers.#.self_attn.o_proj',
  'blk.#.attn_q_norm': 'model.layers.#.self_attn.q_norm',
  'blk.#.attn_k_norm': 'model.layers.#.self_attn.k_norm',
  'blk.#.ffn_norm': 'model.layers.#.post_attention_layernorm',
  'blk.#.ffn_gate': 'model.layers.#.mlp.gate_proj',
  'blk.#.ffn_up': 'model.layers.#.mlp.up_proj',
  'blk.#.ffn_down': 'model.layers.#.mlp.down_proj',
};
const SANDWICH = {
  ...DECODER,
  'blk.#.post_attention_norm': 'model.layers.#.post_attention_layernorm',
  'blk.#.ffn_norm': 'model.layers.#.pre_feedforward_layernorm',
  'blk.#.post_ffw_norm': 'model.layers.#.post_feedforward_layernorm',
};

const nothing = (): Undo => 'nothing';
/** Gemma's norms multiply by 1 + w; the converter adds the 1. */
const gemmaNorms = (name: string): Undo => (name.endsWith('norm.weight') ? 'one added' : 'nothing');

function decoder(read: Read, has: (tensor: string) => boolean, modelType: string): Fields {
  const heads = read.number('attention.head_count');
  const width = read.number('embedding_length');
  const headDim = read.optional('attention.key_length') ?? width / heads;
  return {
    model_type: modelType,
    hidden_size: width,
    num_hidden_layers: read.number('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: read.optional('attention.head_count_kv') ?? heads,
    head_dim: headDim,
    intermediate_size: read.number('feed_forward_length'),
    max_position_embeddings: read.number('context_length'),
    rms_norm_eps: read.optional('attention.layer_norm_rms_epsilon'),
    tie_word_embeddings: !has('output.weight'),
    ...rotary(read, headDim),
  };
}

/** rope_theta, the share of a head that turns, and scaling, which the families read or refuse. */
function rotary(read: Read, headDim: number): Fields {
  const dims = read.optional('rope.dimension_count') ?? headDim;
  const type = read.text('rope.scaling.type') ?? 'none';
  const original = read.optional('rope.scaling.original_context_length');
  return {
    rope_theta: read.optional('rope.freq_base') ?? 10_000,
    ...(dims === headDim ? {} : { partial_rotary_factor: dims / headDim }),
    ...(type === 'none'
      ? {}
      : {
          rope_scaling: {
            rope_type: type,
            factor: read.number('rope.scaling.factor'),
            ...(original === undefined ? {} : { original_max_position_embeddings: original }),
          },
        }),
  };
}

/** Gemma 2 and 3 divide scores by √(width / heads) in their 27B models and by √(width of a head) in the others. */
function queryScalar(fields: Fields, layersOf27B: number): number {
  const [width, heads] = [Number(fields['hidden_size']), Number(fields['num_attention_heads'])];
  return fields['num_hidden_layers'] === layersOf27B ? width / heads : Number(fields['head_dim']);
}

/** By llama.cpp's name of the architecture. */
export const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map<string, Architecture>([
  [
    'llama',
    {
      config: (read, has) => ({
        ...decoder(read, has, 'llama'),
        attention_bias: has('blk.0.attn_q.bias'),
        mlp_bias: has('blk.0.ffn_up.bias'),
      }),
      names: DECODER,
      // Rotary pairs are (i, i + d/2) in Hugging Face's layout and (2i, 2i + 1) in llama.cpp's.
      undo: (name) => (/\.attn_[qk]\.(weight|bias)$/.test(name) ? 'rotary rows' : 'nothing'),
      keys: [],
    },
  ],
  ['qwen2', { config: (read, has) => decoder(read, has, 'qwen2'), names: DECODER, undo: nothing, keys: [] }],
  ['qwen3', { config: (read, has) => decoder(read, has, 'qwen3'), names: DECODER, undo: nothing, keys: [] }],
  ['gemma', { config: (read, has) => decoder(read, has, 'gemma'), names: DECODER, undo: gemmaNorms, keys: [] }],
  [
    'gemma2',
    {
      config: (read, has) => {
        const fields = decoder(read, has, 'gemma2');
        return {
          ...fields,
          query_pre_attn_scalar: queryScalar(fields, 46),
          sliding_window: read.optional('attention.sliding_window') ?? 4096,
          attn_logit_softcapping: read.optional('attn_logit_softcapping') ?? 50,
          final_logit_softcapping: read.optional('final_logit_softcapping') ?? 30,
        };
      },
      names: SANDWICH,
      undo: gemmaNorms,
      keys: ['attention.sliding_window', 'attn_logit_softcapping', 'final_logit_softcapping'],
    },
  ],
  [
    'gemma3',
    {
      config: (read, has) => {
        const fields = decoder(read, has, 'gemma3_text');
        return {
          ...fields,
          query_pre_attn_scalar: queryScalar(fields, 62),
          sliding_window: read.number('attention.sliding_window'),
          sliding_window_pattern: 6,
          rope_local_base_freq: read.optional('rope.freq_base_swa') ?? 10_000,
          final_logit_softcapping: read.optional('final_logit_softcapping'),
        };
      },
      names: SANDWICH,
      undo: gemmaNorms,
      keys: ['attention.sliding_window', 'rope.freq_base_swa', 'final_logit_softcapping'],
    },
  ],
  [
    'gpt2',
    {
      config: (read, has) => ({
        model_type: 'gpt2',
        n_embd: read.number('embedding_length'),
        n_layer: read.number('block_count'),
        n_head: read.number('attention.head_count'),
        n_positions: read.number('context_length'),
        n_inner: read.number('feed_forward_length'),
        layer_norm_epsilon: read.number('attention.layer_norm_epsilon'),
        activation_function: 'gelu_new',
        tie_word_embeddings: !has('output.weight'),
      }),
      names: {
        token_embd: 'transformer.wte',
        position_embd: 'transformer.wpe',
        output_norm: 'transformer.ln_f',
        output: 'lm_head',
        'blk.#.attn_norm': 'transformer.h.#.ln_1',
        'blk.#.attn_qkv': 'transformer.h.#.attn.c_attn',
        'blk.#.attn_output': 'transformer.h.#.attn.c_proj',
        'blk.#.ffn_norm': 'transformer.h.#.ln_2',
        'blk.#.ffn_up': 'transformer.h.#.mlp.c_fc',
        'blk.#.ffn_down': 'transformer.h.#.mlp.c_proj',
      },
      // GPT-2's own layout is Conv1D's, [in, out].
      undo: (name) => (/\.(attn_qkv|attn_output|ffn_up|ffn_down)\.weight$/.test(name) ? 'transposed' : 'nothing'),
      keys: [],
    },
  ],
  [
    'phi2',
    {
      config: (read) => {
        const [heads, width] = [read.number('attention.head_count'), read.number('embedding_length')];
        return {
          model_type: 'phi',
          hidden_size: width,
          num_hidden_layers: read.number('block_count'),
          num_attention_heads: heads,
          num_key_value_heads: read.optional('attention.head_count_kv') ?? heads,
          intermediate_size: read.number('feed_forward_length'),
          max_position_embeddings: read.number('context_length'),
          layer_norm_eps: read.number('attention.layer_norm_epsilon'),
          hidden_act: 'gelu_new',
          tie_word_embeddings: false,
          partial_rotary_factor: 1,
          ...rotary(read, width / heads),
        };
      },
      names: {
        token_embd: 'model.embed_tokens',
        output_norm: 'model.final_layernorm',
        output: 'lm_head',
        'blk.#.attn_norm': 'model.layers.#.input_layernorm',
        'blk.#.attn_q': 'model.layers.#.self_attn.q_proj',
        'blk.#.attn_k': 'model.layers.#.self_attn.k_proj',
        'blk.#.attn_v': 'model.layers.#.self_attn.v_proj',
        'blk.#.attn_output': 'model.layers.#.self_attn.dense',
        'blk.#.ffn_up': 'model.layers.#.mlp.fc1',
        'blk.#.ffn_down': 'model.layers.#.mlp.fc2',
      },
      fused: {
        'blk.#.attn_qkv': ['q', 'k', 'v'].map((letter) => `model.layers.#.self_attn.${letter}_proj`),
      },
      undo: nothing,
      keys: [],
    },
  ],
  [
    'phi3',
    {
      config: (read, has) => {
        const window = read.optional('attention.sliding_window') ?? 0;
        return {
          ...decoder(read, has, 'phi3'),
          original_max_position_embeddings:
            read.optional('rope.scaling.original_context_length') ?? read.number('context_length'),
          sliding_window: window === 0 ? null : window, // Phi 4 has none, and 0 says so
        };
      },
      names: {
        ...DECODER,
        'blk.#.attn_qkv': 'model.layers.#.self_attn.qkv_proj',
        'blk.#.ffn_up': 'model.layers.#.mlp.gate_up_proj',
      },
      undo: nothing,
      keys: ['attention.sliding_window'],
    },
  ],
]);
