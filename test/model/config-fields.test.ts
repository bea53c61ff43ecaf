/** What a family reads in config.json and in tensor names besides the golden files' spelling, and what it refuses by name. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SpexlensError } from '../../src/errors.ts';
import { familyOf } from '../../src/model/families/families.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { writeSafetensors } from '../../src/checkpoint/safetensors-write.ts';
import { createRandom } from '../../src/random.ts';
import { open } from '../tensors.ts';

const GOLDEN = 'test/golden/families';
const rawOf = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(GOLDEN, name, 'config.json'), 'utf8')) as Record<string, unknown>;
const root = mkdtempSync(join(tmpdir(), 'spexlens-families-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('a field that changes the numbers and is not implemented is refused by name', () => {
  it.each([
    [
      'llama',
      { rope_scaling: { rope_type: 'proportional', factor: 4 } },
      /"rope_type" is "proportional".*not implemented for llama; supported: default, linear, dynamic, yarn, longrope, llama3/,
    ],
    ['llama', { rope_scaling: { type: 'dynamic' } }, /"factor": .*expected number/],
    ['llama', { rope_scaling: 'linear' }, /"rope_scaling": .*expected record/],
    ['mistral', { rope_parameters: { rope_type: 'longrope', rope_theta: 1e4 } }, /"short_factor": .*expected array/],
    [
      'mistral',
      { rope_parameters: { rope_type: 'longrope', short_factor: [1], long_factor: [1] } },
      /"short_factor" has 1 numbers; mistral turns 8 dimensions of a head, so 4 are needed/,
    ],
    [
      'phi3',
      { rope_parameters: { rope_type: 'linear', factor: 2 } },
      /"rope_type" is "linear".*supported: absent or "default", "su"/,
    ],
    ['llama', { rope_scaling: { rope_type: 'llama3', factor: 8 } }, /"low_freq_factor"/],
    ['llama', { partial_rotary_factor: 0.5 }, /"partial_rotary_factor" is 0.5, which is not implemented for llama/],
    ['llama', { hidden_act: 'xielu' }, /"hidden_act" is "xielu"; llama supports relu, gelu/],
    ['olmo2', { clip_qkv: 8 }, /"clip_qkv" is 8/],
    ['stablelm', { qk_layernorm: true }, /"qk_layernorm" is true/],
    ['gptj', { rotary_dim: 64 }, /64 of 8 dimensions of a head would turn/],
    ['bloom', { apply_residual_connection_post_layernorm: true }, /"apply_residual_connection_post_layernorm" is true/],
    ['roberta', { max_position_embeddings: 2 }, /positions begin at row 2 \(pad_token_id \+ 1\)/],
    ['llama', { quantization_config: { bits: 4 } }, /"quantization_config" is .*it must be absent/],
    ['llama', { num_key_value_heads: 3 }, /num_attention_heads 4 is not a multiple of num_key_value_heads 3/],
    ['llama', { hidden_size: 30 }, /hidden_size 30 is not a multiple of num_attention_heads 4/],
    ['mistral', { layer_types: ['full_attention', 'full_attention'] }, /"layer_types" is/],
    ['qwen2', { layer_types: ['full_attention', 'linear_attention'] }, /"layer_types" has "linear_attention"/],
    ['qwen3', { layer_types: ['full_attention'] }, /"layer_types" has 1 entries; the model has 2 layers/],
    [
      'qwen3',
      { layer_types: ['sliding_attention', 'full_attention'] },
      /sliding_attention and "sliding_window" is not given/,
    ],
    ['gemma', { use_bidirectional_attention: true }, /"use_bidirectional_attention" is true/],
    ['gemma', { hidden_activation: 'relu' }, /"hidden_act" is "gelu" and "hidden_activation" "relu"/],
    [
      'gemma3',
      { rope_scaling: { type: 'linear', factor: 2 } },
      /"rope_scaling" has "type" "linear" and no "rope_type"/,
    ],
    ['gpt_neox', { head_dim: 16 }, /"head_dim" is 16/],
    ['gemma3', { attn_logit_softcapping: 50 }, /"attn_logit_softcapping" is 50/],
    [
      'gemma3',
      { rope_parameters: { rope_type: 'default', rope_theta: 1e4 } },
      /"rope_parameters.rope_type": .*expected record/,
    ],
    [
      'gemma3',
      { rope_parameters: { chunked_attention: {} } },
      /"rope_parameters" has "chunked_attention"; gemma3 reads them by layer type/,
    ],
    ['gpt_neox', { rotary_pct: 0.4 }, /3 of 8 dimensions of a head would turn; an even number of at most 8 is needed/],
    [
      'gpt_neo',
      {
        attention_layers: null,
        attention_types: [
          [['global', 'strided'], 1],
          [['local'], 1],
        ],
      },
      /"attention_types" has "strided"/,
    ],
    ['gpt_neo', { attention_layers: ['global'] }, /"attention_layers" is for 1 layers; the model has 3/],
    [
      'gpt_neo',
      { attention_layers: null, attention_types: [[['global'], 2]] },
      /"attention_types" is for 2 layers; the model has 3/,
    ],
    ['gpt2', { add_cross_attention: true }, /"add_cross_attention" is true/],
    ['opt', { activation_function: 'mish' }, /"activation_function" is "mish"/],
    ['bert', { is_decoder: true }, /"is_decoder" is true/],
    ['bert', { position_embedding_type: 'relative_key' }, /"position_embedding_type" is "relative_key"/],
    ['phi', { model_type: 'phimoe' }, /unknown architecture \(model_type "phimoe"\); supported: gpt2, gpt_neo/],
  ])('%s with %j', (name, change, message) => {
    const raw = { ...rawOf(name), ...change };
    expect(() => familyOf(raw).readConfig(raw, new Set())).toThrow(message);
  });
});

type Tensors = Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;

/** The golden checkpoint `name` written again with other names and fields. */
async function rewritten(
  name: string,
  rename: (tensor: string) => string,
  change: (raw: Record<string, unknown>) => Record<string, unknown>,
  edit: (tensors: Tensors) => Tensors = (tensors) => tensors,
): Promise<string> {
  const folder = join(root, `${name}-${Math.random().toString(36).slice(2)}`);
  await mkdir(folder);
  const source = await openSafetensors(join(GOLDEN, name, 'model.safetensors'));
  const tensors = await Promise.all(
    [...source.tensors].map(
      async ([tensor, { shape }]) => [rename(tensor), { shape: [...shape], data: await source.read(tensor) }] as const,
    ),
  );
  await writeSafetensors(join(folder, 'model.safetensors'), edit(Object.fromEntries(tensors)));
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify(
      change(JSON.parse(await readFile(join(GOLDEN, name, 'config.json'), 'utf8')) as Record<string, unknown>),
    ),
  );
  return folder;
}

async function sameModel(a: Model, b: Model): Promise<void> {
  expect({ ...b.config }).toEqual({ ...a.config });
  for (const [name, tensor] of Object.entries(a.parameters))
    expect(await b.parameters[name].data(), name).toEqual(await tensor.data());
}

describe('other spellings of the same model', () => {
  beforeAll(async () => {
    await open('cpu');
  });

  it.each([
    [
      'bert',
      'norms called gamma and beta',
      (t: string) => t.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta'),
      (raw: Record<string, unknown>) => raw,
    ],
    [
      'gemma3',
      'the text part of a multimodal checkpoint',
      (t: string) => `language_model.${t}`,
      (raw: Record<string, unknown>) => ({ model_type: 'gemma3', text_config: raw, vision_config: {} }),
    ],
    [
      'gemma3',
      'the same, as transformers 5 names it',
      (t: string) => t.replace(/^model\./, 'model.language_model.'),
      (raw: Record<string, unknown>) => ({ model_type: 'gemma3', text_config: raw }),
    ],
    [
      'llama-smol',
      'a bare decoder without a head',
      (t: string) => t.replace(/^model\./, ''),
      (raw: Record<string, unknown>) => raw,
    ],
    [
      'opt',
      'the prefix of its first release',
      (t: string) => t.replace(/^model\./, ''),
      (raw: Record<string, unknown>) => raw,
    ],
    [
      'gpt_neo',
      'layers listed one by one',
      (t: string) => t,
      (raw: Record<string, unknown>) => ({ ...raw, attention_types: undefined }),
    ],
  ])('%s: %s', async (name, _what, rename, change) => {
    const [plain, other] = [
      await loadModel(join(GOLDEN, name)),
      await loadModel(await rewritten(name, rename, change)),
    ];
    expect(other.unusedTensors).toEqual([]);
    await sameModel(plain, other);
    plain[Symbol.dispose]();
    other[Symbol.dispose]();
  });

  it.each(['llama-smol', 'gpt2', 'gpt_neox', 'phi', 'gemma', 'opt', 'bert', 'bloom', 'roberta', 'distilbert'])(
    '%s: a head of its own in the file wins over tie_word_embeddings',
    async (name) => {
      const heads: Record<string, string> = {
        gpt_neox: 'embed_out.weight',
        bert: 'cls.predictions.decoder.weight',
        roberta: 'lm_head.decoder.weight',
        distilbert: 'vocab_projector.weight',
      };
      const folder = await rewritten(
        name,
        (t) => t,
        (raw) => ({ ...raw, tie_word_embeddings: true }),
        (tensors) => {
          const width =
            Object.values(tensors).find(({ shape }) => shape.length === 2 && shape[0] === 29)?.shape[1] ?? 0;
          return {
            ...tensors,
            [heads[name] ?? 'lm_head.weight']: { shape: [29, width], data: new Float32Array(29 * width).fill(0.5) },
          };
        },
      );
      const model = await loadModel(folder);
      expect(new Set(await model.parameters['unembed.W_U'].data())).toEqual(new Set([0.5]));
      expect((await model.parameters['embed.W_E'].data())[0]).not.toBe(0.5);
      model[Symbol.dispose]();
    },
  );

  it('names the missing head of a gpt2 that is not tied', async () => {
    const folder = await rewritten(
      'gpt2',
      (t) => t,
      (raw) => ({ ...raw, tie_word_embeddings: false }),
    );
    await expect(loadModel(folder)).rejects.toThrow(/tensor "lm_head.weight" .* is missing/);
  });

  it('names a missing head instead of tying what is not tied', async () => {
    const folder = await rewritten(
      'llama',
      (t) => (t === 'lm_head.weight' ? 'other.weight' : t),
      (raw) => raw,
    );
    await expect(loadModel(folder)).rejects.toThrow(
      /tensor "lm_head.weight" \[29,32\] is missing; a llama model of 2 layers needs it/,
    );
  });
});

describe('a damaged config.json', () => {
  const values: readonly unknown[] = [
    null,
    true,
    false,
    0,
    -1,
    0.5,
    1e308,
    2 ** 31,
    4_000_000_000,
    99_999,
    '',
    'default',
    [],
    [[]],
    {},
    { full_attention: 1 },
    [['global'], 1e9],
    [[[], 1e9]],
    { rope_type: 3 },
    '\u0000',
  ];

  it('of 400 seeded mutations ends in one clear error or a record whose tensors can be listed', () => {
    const names = readdirSync(GOLDEN);
    let [errors, slowest] = [0, 0];
    for (let seed = 0; seed < 400; seed++) {
      const random = createRandom(seed, 'config');
      const raw = rawOf(names[random.integer(names.length)]);
      const keys = Object.keys(raw).filter((key) => key !== 'model_type');
      const key = keys[random.integer(keys.length)];
      if (random.integer(5) === 0) delete raw[key];
      else raw[key] = values[random.integer(values.length)];
      const began = performance.now();
      try {
        const family = familyOf(raw);
        const config = family.readConfig(raw, new Set());
        expect(family.sources(config, new Set(), raw).length).toBeGreaterThan(5);
      } catch (error) {
        if (!(error instanceof SpexlensError)) throw new Error(`${key}: ${JSON.stringify(raw[key])}`, { cause: error });
        expect(error.message).toMatch(/^config\.json: .+\.$/);
        errors++;
      }
      slowest = Math.max(slowest, performance.now() - began);
    }
    expect(errors).toBeGreaterThan(100);
    expect(slowest).toBeLessThan(2000);
  });
});
