/**
 * Checkpoints to measure on: the shapes of models people have, filled with random numbers from a seed. One table; a new
 * shape is one entry.
 *
 * The numbers are those of a model before training: matrices N(0, 0.02²), norms 1, biases 0 (both with a little noise), so
 * that no activation vanishes or explodes and every part of the model moves the logits. In float32 one
 * tensor is in memory at a time.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../src/errors.ts';
import { writeSafetensors, type TensorToWrite } from '../src/checkpoint/safetensors-write.ts';
import { createRandom, type Random } from '../src/random.ts';

export interface CheckpointShape {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

const layers = (count: number, prefix: string, each: Readonly<Record<string, readonly number[]>>) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, l) =>
      Object.entries(each).map(([name, shape]) => [`${prefix}.${l}.${name}`, shape] as const),
    ).flat(),
  );

/** Layouts as transformers writes them. */
export const SHAPES: Readonly<Record<string, CheckpointShape>> = {
  // openai-community/gpt2: 124 M parameters
  'gpt2-small': gpt2Shape(768, 12, 12, 50257, 1024),
  // the same for long prompts
  'gpt2-small-2048': gpt2Shape(768, 12, 12, 50257, 2048),
  // of Gemma 3's vocabulary, depth and width (google/gemma-3-270m), in GPT-2's layout
  'gpt2-262144': gpt2Shape(640, 18, 10, 262144, 1024),
  // EleutherAI/pythia-160m: 162 M parameters, 38.6 M of them an unembedding of its own
  'pythia-160m': neoxShape({ d: 768, layers: 12, heads: 12, vocab: 50304, positions: 2048 }),
  // HuggingFaceTB/SmolLM2-135M: 135 M parameters, 9 heads on 3 key-value heads
  'SmolLM2-135M': llamaShape({ d: 576, layers: 30, heads: 9, kvHeads: 3, mlp: 1536, vocab: 49152 }),
  // meta-llama/Llama-3.2-1B: 1.24 G parameters, 32 heads on 8 key-value heads
  'Llama-3.2-1B': llamaShape({ d: 2048, layers: 16, heads: 32, kvHeads: 8, mlp: 8192, vocab: 128256 }),
  // for trying the scripts out
  'gpt2-tiny': gpt2Shape(64, 2, 4, 500, 64),
  'pythia-tiny': neoxShape({ d: 64, layers: 2, heads: 4, vocab: 500, positions: 64 }),
  'SmolLM2-tiny': llamaShape({ d: 48, layers: 3, heads: 6, kvHeads: 2, mlp: 128, vocab: 500 }),
};

function gpt2Shape(d: number, count: number, heads: number, vocab: number, positions: number): CheckpointShape {
  const norm = (name: string) => ({ [`${name}.weight`]: [d], [`${name}.bias`]: [d] });
  const linear = (name: string, from: number, to: number) => ({
    [`${name}.weight`]: [from, to],
    [`${name}.bias`]: [to],
  });
  return {
    config: {
      architectures: ['GPT2LMHeadModel'],
      model_type: 'gpt2',
      n_embd: d,
      n_layer: count,
      n_head: heads,
      n_positions: positions,
      vocab_size: vocab,
      layer_norm_epsilon: 1e-5,
      activation_function: 'gelu_new',
      tie_word_embeddings: true,
      bos_token_id: 0,
      eos_token_id: 0,
    },
    tensors: {
      'wte.weight': [vocab, d],
      'wpe.weight': [positions, d],
      ...layers(count, 'h', {
        ...norm('ln_1'),
        ...linear('attn.c_attn', d, 3 * d),
        ...linear('attn.c_proj', d, d),
        ...norm('ln_2'),
        ...linear('mlp.c_fc', d, 4 * d),
        ...linear('mlp.c_proj', 4 * d, d),
      }),
      ...norm('ln_f'),
    },
  };
}

function neoxShape({
  d,
  layers: count,
  heads,
  vocab,
  positions,
}: {
  d: number;
  layers: number;
  heads: number;
  vocab: number;
  positions: number;
}): CheckpointShape {
  const norm = (name: string) => ({ [`${name}.weight`]: [d], [`${name}.bias`]: [d] });
  const linear = (name: string, from: number, to: number) => ({
    [`${name}.weight`]: [to, from],
    [`${name}.bias`]: [to],
  });
  return {
    config: {
      architectures: ['GPTNeoXForCausalLM'],
      model_type: 'gpt_neox',
      hidden_size: d,
      num_hidden_layers: count,
      num_attention_heads: heads,
      intermediate_size: 4 * d,
      vocab_size: vocab,
      max_position_embeddings: positions,
      layer_norm_eps: 1e-5,
      hidden_act: 'gelu',
      rotary_pct: 0.25,
      rotary_emb_base: 10000,
      use_parallel_residual: true,
      tie_word_embeddings: false,
      bos_token_id: 0,
      eos_token_id: 0,
    },
    tensors: {
      'gpt_neox.embed_in.weight': [vocab, d],
      ...layers(count, 'gpt_neox.layers', {
        ...norm('input_layernorm'),
        ...linear('attention.query_key_value', d, 3 * d),
        ...linear('attention.dense', d, d),
        ...norm('post_attention_layernorm'),
        ...linear('mlp.dense_h_to_4h', d, 4 * d),
        ...linear('mlp.dense_4h_to_h', 4 * d, d),
      }),
      ...norm('gpt_neox.final_layer_norm'),
      'embed_out.weight': [vocab, d],
    },
  };
}

function llamaShape({
  d,
  layers: count,
  heads,
  kvHeads,
  mlp,
  vocab,
}: {
  d: number;
  layers: number;
  heads: number;
  kvHeads: number;
  mlp: number;
  vocab: number;
}): CheckpointShape {
  const kv = (d / heads) * kvHeads;
  return {
    config: {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      hidden_size: d,
      num_hidden_layers: count,
      num_attention_heads: heads,
      num_key_value_heads: kvHeads,
      intermediate_size: mlp,
      vocab_size: vocab,
      max_position_embeddings: 8192,
      hidden_act: 'silu',
      rms_norm_eps: 1e-5,
      rope_theta: 100000,
      tie_word_embeddings: true,
      bos_token_id: 0,
      eos_token_id: 0,
    },
    tensors: {
      'model.embed_tokens.weight': [vocab, d],
      ...layers(count, 'model.layers', {
        'input_layernorm.weight': [d],
        'self_attn.q_proj.weight': [d, d],
        'self_attn.k_proj.weight': [kv, d],
        'self_attn.v_proj.weight': [kv, d],
        'self_attn.o_proj.weight': [d, d],
        'post_attention_layernorm.weight': [d],
        'mlp.gate_proj.weight': [mlp, d],
        'mlp.up_proj.weight': [mlp, d],
        'mlp.down_proj.weight': [d, mlp],
      }),
      'model.norm.weight': [d],
    },
  };
}

export type StoredAs = 'F32' | 'F16' | 'BF16';

/** What transformers initialises the matrices of these models with. */
const DEVIATION = 0.02;

/** Writes the checkpoint with numbers from `seed`: config.json and model.safetensors. @throws 'input' for an unknown shape. */
export async function writeCheckpoint(folder: string, name: string, storedAs: StoredAs, seed: number): Promise<void> {
  if (!Object.hasOwn(SHAPES, name))
    throw fail('input', 'shape', `"${name}" is unknown; there are ${Object.keys(SHAPES).join(', ')}.`);
  const { config, tensors } = SHAPES[name];
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(config, null, 2));
  const random = createRandom(seed, 'checkpoint');
  const normals = Float32Array.from({ length: 65_536 }, () => DEVIATION * random.normal());
  const filled = ([tensor, shape]: [string, readonly number[]]): [string, TensorToWrite] => {
    const make = (): Float32Array =>
      numbers(shape, normals, shape.length === 1 && tensor.endsWith('.weight') ? 1 : 0, random.fork(tensor));
    if (storedAs === 'F32') return [tensor, { shape, data: make, dtype: 'F32' }];
    const bits = new Uint32Array(make().buffer);
    return [
      tensor,
      {
        shape,
        data: Uint16Array.from(bits, storedAs === 'F16' ? float16Bits : (word) => word >>> 16),
        dtype: storedAs,
      },
    ];
  };
  await writeSafetensors(join(folder, 'model.safetensors'), Object.fromEntries(Object.entries(tensors).map(filled)));
}

/** offset + entries of `table`, a sample of 2^16 numbers, each drawn anew: a 32-bit word of the generator names two. */
function numbers(shape: readonly number[], table: Float32Array, offset: number, random: Random): Float32Array {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let i = 0; i < values.length; i += 2) {
    const word = random.bits();
    values[i] = offset + table[word & 0xffff];
    if (i + 1 < values.length) values[i + 1] = offset + table[word >>> 16];
  }
  return values;
}

/** Half precision by truncation of a float32 pattern, for |x| < 2: exponent 15 - 127, fraction cut to 10 bits, subnormals to zero. */
function float16Bits(word: number): number {
  const exponent = ((word >>> 23) & 255) - 112;
  return ((word >>> 16) & 0x8000) | (exponent <= 0 ? 0 : (exponent << 10) | ((word >>> 13) & 1023));
}
