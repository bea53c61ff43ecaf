/** GGUF files for tests, written by the format's text, and what llama.cpp's converter does to a Hugging Face checkpoint. */
import { readFileSync } from 'node:fs';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';

/** A number is u32, or f32 when it is not whole or given as { f32 }. */
export type Pair = string | number | boolean | { readonly f32: number } | readonly string[] | readonly number[];
export interface Stored {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

class Bytes {
  readonly parts: Buffer[] = [];
  add(part: Buffer): void {
    this.parts.push(part);
  }
  u32(value: number): void {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    this.add(part);
  }
  u64(value: number): void {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(BigInt(value));
    this.add(part);
  }
  f32(value: number): void {
    const part = Buffer.alloc(4);
    part.writeFloatLE(value);
    this.add(part);
  }
  text(value: string): void {
    const part = Buffer.from(value);
    this.u64(part.length);
    this.add(part);
  }
}

export function ggufOf(pairs: Readonly<Record<string, Pair>>, tensors: Readonly<Record<string, Stored>> = {}): Buffer {
  const head = new Bytes();
  head.add(Buffer.from('GGUF'));
  head.u32(3);
  head.u64(Object.keys(tensors).length);
  head.u64(Object.keys(pairs).length);
  for (const [key, value] of Object.entries(pairs)) {
    head.text(key);
    writePair(head, value);
  }
  let offset = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    head.text(name);
    head.u32(shape.length);
    for (const size of shape.toReversed()) head.u64(size);
    head.u32(0); // F32
    head.u64(offset);
    offset = Math.ceil((offset + data.byteLength) / 32) * 32;
  }
  const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)]);
  const data = Object.values(tensors).map((one) =>
    Buffer.from(one.data.buffer, one.data.byteOffset, one.data.byteLength),
  );
  return Buffer.concat([padded(Buffer.concat(head.parts)), ...data.map(padded)]);
}

function writePair(head: Bytes, value: Pair): void {
  if (typeof value === 'string') {
    head.u32(8);
    head.text(value);
  } else if (typeof value === 'boolean') {
    head.u32(7);
    head.add(Buffer.from([Number(value)]));
  } else if (typeof value === 'number' && Number.isInteger(value)) {
    head.u32(4);
    head.u32(value);
  } else if (typeof value === 'number' || 'f32' in (value as object)) {
    head.u32(6);
    head.f32(typeof value === 'number' ? value : (value as { f32: number }).f32);
  } else {
    const list = value as readonly (string | number)[];
    head.u32(9);
    head.u32(typeof list[0] === 'number' ? 5 : 8);
    head.u64(list.length);
    for (const item of list) {
      if (typeof item === 'string') head.text(item);
      else {
        const part = Buffer.alloc(4);
        part.writeInt32LE(item);
        head.add(part);
      }
    }
  }
}

/** Architecture and names of a family's golden model in llama.cpp; from test/golden/make-gguf.py. */
const NAMES = JSON.parse(readFileSync('test/golden/gguf/names.json', 'utf8')) as Record<
  string,
  { architecture: string; names: Record<string, string> }
>;
export const CONVERTED = Object.keys(NAMES);

/** What convert_hf_to_gguf.py makes of a golden model, in float32. */
export async function converted(family: string, checkpoint: Checkpoint): Promise<Buffer> {
  const { architecture, names } = NAMES[family];
  const field = (...keys: string[]): number => {
    const found = keys.map((key) => checkpoint.config[key]).find((value) => typeof value === 'number');
    if (typeof found !== 'number') throw new Error(`no ${keys.join(' or ')}`);
    return found;
  };
  const optional = (key: string): number | undefined => {
    const value = checkpoint.config[key];
    return typeof value === 'number' ? value : undefined;
  };
  const heads = field('num_attention_heads', 'n_head');
  const kvHeads = optional('num_key_value_heads') ?? heads;
  const width = field('hidden_size', 'n_embd');
  const headDim = optional('head_dim') ?? width / heads;
  const rope = (checkpoint.config['rope_parameters'] ?? {}) as Record<string, unknown>;
  const full = (rope['full_attention'] ?? rope) as Record<string, unknown>;
  const theta = full['rope_theta'] ?? checkpoint.config['rope_theta'];
  const share = (full['partial_rotary_factor'] ?? checkpoint.config['partial_rotary_factor'] ?? 1) as number;
  const eps = field('rms_norm_eps', 'layer_norm_eps', 'layer_norm_epsilon');
  const sliding = ['gemma2', 'gemma3', 'phi3'].includes(architecture) ? (optional('sliding_window') ?? 0) : undefined;
  const given = checkpoint.config['rope_scaling'] as Record<string, unknown> | null | undefined;
  const long = given?.['rope_type'] === 'longrope' ? (given as Record<string, number[]>) : undefined;
  const scaling = long === undefined ? (given as { factor: number } | null | undefined) : undefined;
  const original = architecture === 'phi3' ? optional('original_max_position_embeddings') : undefined;
  const stretch = optional('max_position_embeddings') ?? 1;
  const local = optional('rope_local_base_freq');
  const pairs: Record<string, Pair | undefined> = {
    'rope.scaling.type': scaling ? 'linear' : undefined,
    'rope.scaling.factor': scaling ? { f32: scaling.factor } : undefined,
    'rope.scaling.original_context_length': original,
    'rope.scaling.attn_factor':
      long === undefined || original === undefined
        ? undefined
        : { f32: Math.sqrt(1 + Math.log(stretch / original) / Math.log(original)) },
    'rope.freq_base_swa': local === undefined ? undefined : { f32: local },
    block_count: field('num_hidden_layers', 'n_layer'),
    context_length: field('max_position_embeddings', 'n_positions'),
    embedding_length: width,
    feed_forward_length: optional('intermediate_size') ?? optional('n_inner') ?? 4 * width,
    'attention.head_count': heads,
    'attention.head_count_kv': kvHeads,
    'attention.key_length': architecture === 'gpt2' ? undefined : headDim,
    'attention.value_length': architecture === 'gpt2' ? undefined : headDim,
    'rope.dimension_count': architecture === 'gpt2' ? undefined : headDim * share,
    'rope.freq_base': typeof theta === 'number' ? { f32: theta } : undefined,
    [`attention.layer_norm_${checkpoint.config['rms_norm_eps'] === undefined ? '' : 'rms_'}epsilon`]: { f32: eps },
    'attention.sliding_window': sliding,
    attn_logit_softcapping: architecture === 'gemma2' ? { f32: field('attn_logit_softcapping') } : undefined,
    final_logit_softcapping: architecture === 'gemma2' ? { f32: field('final_logit_softcapping') } : undefined,
  };
  const metadata: Record<string, Pair> = { 'general.architecture': architecture };
  for (const [key, value] of Object.entries(pairs)) if (value !== undefined) metadata[`${architecture}.${key}`] = value;
  const tensors: Record<string, Stored> = {};
  for (const [name, { shape }] of checkpoint.tensors) {
    const data = await checkpoint.read(name);
    const target = names[name];
    if (architecture === 'llama' && /\.[qk]_proj\./.test(name))
      tensors[target] = { shape, data: permuted(data, name.includes('.q_proj') ? heads : kvHeads, shape) };
    else if (architecture.startsWith('gemma') && name.endsWith('norm.weight'))
      tensors[target] = { shape, data: data.map((value) => value + 1) };
    else if (architecture === 'gpt2' && /\.(c_attn|c_proj|c_fc)\.weight$/.test(name))
      tensors[target] = { shape: shape.toReversed(), data: turned(data, shape[0], shape[1]) };
    else tensors[target] = { shape, data };
  }
  for (const length of long === undefined ? [] : (['long', 'short'] as const)) {
    const data = Float32Array.from((long as Record<string, number[]>)[`${length}_factor`]);
    tensors[`rope_factors_${length}.weight`] = { shape: [data.length], data };
  }
  return ggufOf(metadata, tensors);
}

/** weights.reshape(heads, 2, d / 2, cols).swapaxes(1, 2), as the converter writes it. */
function permuted(data: Float32Array, heads: number, shape: readonly number[]): Float32Array {
  const cols = data.length / shape[0];
  const half = shape[0] / heads / 2;
  return data.map((_, k) => {
    const [col, row] = [k % cols, Math.floor(k / cols)];
    const [h, i, a] = [Math.floor(row / (2 * half)), Math.floor((row % (2 * half)) / 2), row % 2];
    return data[((h * 2 + a) * half + i) * cols + col];
  });
}

function turned(data: Float32Array, rows: number, cols: number): Float32Array {
  return data.map((_, k) => data[(k % rows) * cols + Math.floor(k / rows)]);
}
