/** Writes a trained model as a folder in Hugging Face layout: weights, config, tokenizer, card, prompts. */
import type { Model } from '../../src/model/model.ts';
import type { TensorToWrite } from '../../src/checkpoint/safetensors-write.ts';
import { writeModelFolder } from '../../src/checkpoint/write-model-folder.ts';
import { wordLevelTokenizer } from '../../src/tokenizer/word-tokenizer.ts';
import type { Prompt } from '../../src/lens/prompts.ts';

export interface SavedModel {
  readonly folder: string;
  readonly config: object;
  readonly tensors: Readonly<Record<string, TensorToWrite>>;
  /** Vocabulary after BOS (0) and the unknown token (1). */
  readonly words: readonly string[];
  readonly card: string;
  /** Example prompts, the default data set of mean ablation. */
  readonly prompts: readonly Prompt[];
}

export async function saveModel({ folder, config, tensors, words, card, prompts }: SavedModel): Promise<void> {
  const lines = prompts.map((prompt) => `${JSON.stringify(prompt)}\n`).join('');
  await writeModelFolder(folder, {
    config,
    tensors,
    tokenizer: wordLevelTokenizer(words),
    texts: { 'README.md': card, 'prompts.jsonl': lines },
  });
}

/** GPT-2's tensors from canonical parameters: q, k and v side by side in c_attn, the unembedding tied and left out. */
export async function gpt2Tensors(model: Pick<Model, 'config' | 'parameters'>): Promise<Record<string, TensorToWrite>> {
  const { config, parameters } = model;
  const { dModel: d, dMlp: m } = config;
  const values = async (name: string): Promise<Float32Array> => (await parameters[name].data()) as Float32Array;
  const out: Record<string, TensorToWrite> = {};
  const put = async (name: string, shape: number[], source: string): Promise<void> => {
    out[`transformer.${name}`] = { shape, data: await values(source) };
  };
  const norm = async (name: string, source: string): Promise<void> => {
    await put(`${name}.weight`, [d], `${source}.w`);
    await put(`${name}.bias`, [d], `${source}.b`);
  };
  await put('wte.weight', [config.dVocab, d], 'embed.W_E');
  await put('wpe.weight', [config.nCtx, d], 'pos_embed.W_pos');
  for (let l = 0; l < config.nLayers; l++) {
    const b = `blocks.${l}`;
    await norm(`h.${l}.ln_1`, `${b}.ln1`);
    const fused = new Float32Array(d * 3 * d);
    const bias = new Float32Array(3 * d);
    for (const [i, letter] of ['Q', 'K', 'V'].entries()) {
      const W = await values(`${b}.attn.W_${letter}`);
      for (let r = 0; r < d; r++) fused.set(W.subarray(r * d, (r + 1) * d), r * 3 * d + i * d);
      bias.set(await values(`${b}.attn.b_${letter}`), i * d);
    }
    out[`transformer.h.${l}.attn.c_attn.weight`] = { shape: [d, 3 * d], data: fused };
    out[`transformer.h.${l}.attn.c_attn.bias`] = { shape: [3 * d], data: bias };
    await put(`h.${l}.attn.c_proj.weight`, [d, d], `${b}.attn.W_O`);
    await put(`h.${l}.attn.c_proj.bias`, [d], `${b}.attn.b_O`);
    await norm(`h.${l}.ln_2`, `${b}.ln2`);
    await put(`h.${l}.mlp.c_fc.weight`, [d, m], `${b}.mlp.W_in`);
    await put(`h.${l}.mlp.c_fc.bias`, [m], `${b}.mlp.b_in`);
    await put(`h.${l}.mlp.c_proj.weight`, [m, d], `${b}.mlp.W_out`);
    await put(`h.${l}.mlp.c_proj.bias`, [d], `${b}.mlp.b_out`);
  }
  await norm('ln_f', 'ln_final');
  return out;
}

/** The TransformerLens layout: W_Q, W_K, W_V as [head, d_model, d_head], W_O as [head, d_head, d_model]. */
export async function transformerLensTensors(
  model: Pick<Model, 'config' | 'parameters'>,
): Promise<Record<string, TensorToWrite>> {
  const { nHeads: h, dHead: e, dModel: d } = model.config;
  const out: Record<string, TensorToWrite> = {};
  for (const [name, tensor] of Object.entries(model.parameters)) {
    const data = (await tensor.data()) as Float32Array;
    if (/W_[QKV]$/.test(name)) {
      const byHead = new Float32Array(data.length);
      for (let r = 0; r < d; r++)
        for (let i = 0; i < h; i++) byHead.set(data.subarray((r * h + i) * e, (r * h + i + 1) * e), (i * d + r) * e);
      out[name] = { shape: [h, d, e], data: byHead };
    } else if (name.endsWith('W_O')) out[name] = { shape: [h, e, d], data };
    else if (/b_[QKV]$/.test(name)) out[name] = { shape: [h, e], data };
    else out[name] = { shape: tensor.shape, data };
  }
  return out;
}
