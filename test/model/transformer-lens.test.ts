/** TransformerLens's own format and its hooks, by name and value: golden files made by test/golden/make-transformer-lens.py. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runWithCache } from '../../src/hooks/run.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { familyOf } from '../../src/model/families/families.ts';
import { hookPoints, type HookName } from '../../src/model/hook-points.ts';
import { loadModel } from '../../src/model/model.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

const FOLDER = 'test/golden/transformer-lens';
const CASES = readdirSync(FOLDER);

/** hook_attn_in excludes split queries, keys and values in TransformerLens, with which the golden files were made. */
const OURS_ALONE = /hook_attn_in$/;
/** Shortformer's input is not offered here; BERT's hook_mlp_in is the residual before ln1 there, what the MLP alone reads here. */
const otherwise = (name: string): RegExp => (name === 'bert' ? /hook_mlp_in$/ : /attn\.hook_attn_input$/);

describe('a TransformerLens model', () => {
  beforeAll(async () => {
    await open(TEST_BACKEND);
  });

  it.each(CASES)('%s has its logits and, at every hook that fires there, its values', async (name) => {
    const model = await loadModel(name === 'bert' ? 'test/golden/families/bert' : join(FOLDER, name));
    const golden = await openSafetensors(join(FOLDER, name, 'golden.safetensors'));
    const tokens = [...(await golden.readIntegers('tokens'))];
    const { logits, cache } = runWithCache(model, tokens, { names: () => true });
    expect(await logits.data()).toBeAllClose(await golden.read('logits'), 1e-5);
    const theirs = [...golden.tensors.keys()].filter((hook) => !/^tokens$|^logits$/.test(hook));
    const ours = hookPoints(model.config).map((point) => point.name);
    const alike = theirs.filter((hook) => !otherwise(name).test(hook));
    expect(alike.filter((hook) => !ours.includes(hook as HookName))).toEqual([]);
    expect(ours.filter((hook) => !theirs.includes(hook) && !OURS_ALONE.test(hook))).toEqual([]);
    for (const hook of alike) {
      const values = await cache.get(hook as HookName).data();
      const expected = await golden.read(hook);
      // What is hidden is -Infinity there and -1e30 here.
      const seen = (x: Float32Array): Float32Array => x.map((value, i) => (expected[i] === -Infinity ? 0 : value));
      expect(seen(values as Float32Array), hook).toBeAllClose(seen(expected), 1e-5);
    }
    logits.dispose();
    cache[Symbol.dispose]();
    model[Symbol.dispose]();
  });
});

describe('a TransformerLens configuration', () => {
  const rawOf = (name: string): Record<string, unknown> =>
    JSON.parse(readFileSync(join(FOLDER, name, 'config.json'), 'utf8')) as Record<string, unknown>;

  it.each([
    ['plain', { use_wavelet_attn: true }, /"use_wavelet_attn" is true, and transformer-lens has no such field/],
    ['plain', { clip_qvk: 3 }, /"clip_qvk".*the closest known: clip_qkv/],
    ['plain', { use_logn_attn: true }, /"use_logn_attn" is true/],
    ['plain', { use_attention_sinks: true }, /"use_attention_sinks" is true/],
    ['plain', { num_experts: 4 }, /"num_experts" is 4/],
    ['plain', { use_yarn_rope: true }, /"use_yarn_rope" is true/],
    ['plain', { act_fn: 'xielu' }, /"act_fn" is "xielu"; transformer-lens supports relu/],
    ['plain', { positional_embedding_type: 'relative_positional_bias' }, /"positional_embedding_type" is/],
    ['plain', { original_architecture: 'Olmo2ForCausalLM' }, /"original_architecture" is "Olmo2ForCausalLM"/],
    ['plain', { final_rms: true }, /"final_rms" is true/],
    ['plain', { use_normalization_before_and_after: true }, /"use_normalization_before_and_after" is true/],
    ['alibi', { n_heads: 3 }, /n_heads is 3; with alibi a power of two is needed/],
    ['rms-pre', { post_embedding_ln: true }, /"post_embedding_ln" is true/],
    ['solu', { normalization_type: null }, /"act_fn" is "solu_ln"/],
    ['solu', { use_local_attn: true, window_size: 2, attn_types: ['local', 'local'] }, /"attention_dir" is/],
    ['plain', { use_local_attn: true }, /a type for each of 2 layers and a size are needed/],
    ['rotary', { rotary_dim: 6 }, /6 of 4 dimensions of a head would turn/],
    ['rms-gated-grouped', { n_key_value_heads: 3 }, /n_heads 4 is not a multiple of n_key_value_heads 3/],
  ])('%s with %j is refused by name', (name, change, message) => {
    const raw = { ...rawOf(name), ...change };
    expect(() => familyOf(raw).readConfig(raw, new Set())).toThrow(message);
  });
});
