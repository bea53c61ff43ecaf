/** Checkpoints to load: the shapes of models people have, filled with random numbers. One table; a new shape is one entry. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../../src/errors.ts';
import { writeSafetensors, type TensorToWrite } from '../../src/model/safetensors-write.ts';
import { createRandom } from '../../src/random.ts';

export interface CheckpointShape {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

const layers = (count: number, prefix: string, each: Readonly<Record<string, readonly number[]>>) =>
  Object.fromEntries(Array.from({ length: count }, (_, l) => Object.entries(each).map(([name, shape]) => [`${prefix}.${l}.${name}`, shape] as const)).flat());

/** Layouts as transformers writes them. */
export const SHAPES: Readonly<Record<string, CheckpointShape>> = {
  // openai-community/gpt2: 124 M parameters
  gpt2: gpt2Shape(768, 12, 12, 50257, 1024),
  // HuggingFaceTB/SmolLM2-135M: 135 M parameters, 9 heads on 3 key-value heads
  smollm2: llamaShape({ d: 576, layers: 30, heads: 9, kvHeads: 3, mlp: 1536, vocab: 49152 }),
  // for trying the script out
  'gpt2-tiny': gpt2Shape(64, 2, 4, 500, 64),
};

function gpt2Shape(d: number, count: number, heads: number, vocab: number, positions: number): CheckpointShape {
  const norm = (name: string) => ({ [`${name}.weight`]: [d], [`${name}.bias`]: [d] });
  const linear = (name: string, from: number, to: number) => ({ [`${name}.weight`]: [from, to], [`${name}.bias`]: [to] });
  return {
    config: { model_type: 'gpt2', n_embd: d, n_layer: count, n_head: heads, n_positions: positions, vocab_size: vocab, layer_norm_epsilon: 1e-5, activation_function: 'gelu_new' },
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

function llamaShape({ d, layers: count, heads, kvHeads, mlp, vocab }: { d: number; layers: number; heads: number; kvHeads: number; mlp: number; vocab: number }): CheckpointShape {
  const kv = (d / heads) * kvHeads;
  return {
    config: {
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

/** Writes the checkpoint with numbers from `seed`: config.json and model.safetensors. */
export async function writeCheckpoint(folder: string, name: string, storedAs: StoredAs, seed: number): Promise<void> {
  if (!Object.hasOwn(SHAPES, name)) throw fail('input', '--shapes', `"${name}" is unknown; there are ${Object.keys(SHAPES).join(', ')}.`);
  const { config, tensors } = SHAPES[name];
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  const random = createRandom(seed, 'checkpoint');
  // A table of values taken at random places: as good as fresh numbers here, and much faster to draw.
  const table = Float32Array.from({ length: 65_521 }, () => 0.04 * (random.uniform() - 0.5));
  const filled = (shape: readonly number[]): TensorToWrite => {
    const length = shape.reduce((product, size) => product * size, 1);
    let at = random.integer(table.length);
    if (storedAs === 'F32') {
      const data = new Float32Array(length);
      for (let i = 0; i < length; i++) data[i] = table[at = (at + 1) % table.length];
      return { shape, data };
    }
    const data = new Uint16Array(length);
    const bits = storedAs === 'F16' ? float16Bits(table) : new Uint32Array(table.buffer).map((word) => word >>> 16);
    for (let i = 0; i < length; i++) data[i] = bits[at = (at + 1) % table.length];
    return { shape, data, dtype: storedAs };
  };
  await writeSafetensors(join(folder, 'model.safetensors'), Object.fromEntries(Object.entries(tensors).map(([tensor, shape]) => [tensor, filled(shape)])));
}

/** Half precision by truncation, for |x| < 0.03: exponent 15 - 127, fraction cut to 10 bits, subnormals to zero. */
function float16Bits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer).map((word) => {
    const exponent = ((word >>> 23) & 255) - 112;
    return ((word >>> 16) & 0x8000) | (exponent <= 0 ? 0 : (exponent << 10) | ((word >>> 13) & 1023));
  });
}
