/**
 * GPT-J (model_type "gptj"): attention and MLP in parallel behind one norm, rotary positions on adjacent pairs of the
 * first rotary_dim dimensions of a head, a head with a bias. Checked against transformers' modeling_gptj.
 */
import { z } from 'zod';
import { activationOf, field, isTied, parseConfig, refuseUnless, requireMultiple, type Family } from './family.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';
import { turningDims } from './rope.ts';

const schema = z.object({
  vocab_size: field.size,
  n_embd: field.size,
  n_layer: field.layers,
  n_head: field.size,
  n_positions: field.size.default(2048),
  n_inner: field.size.nullish(),
  rotary_dim: field.size.default(64),
  layer_norm_epsilon: field.eps.default(1e-5),
  activation_function: z.string().default('gelu_new'),
});

export const gptj: Family = {
  name: 'gptj',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'gptj',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'gptj');
    refuseUnless(raw, 'gptj', {});
    requireMultiple(['n_embd', c.n_embd], ['n_head', c.n_head]);
    const dHead = c.n_embd / c.n_head;
    const dims = turningDims(c.rotary_dim, dHead);
    const each = <T>(value: T): T[] => Array.from({ length: c.n_layer }, () => value);
    return {
      family: 'gptj',
      nLayers: c.n_layer,
      dModel: c.n_embd,
      nHeads: c.n_head,
      dHead,
      dMlp: c.n_inner ?? 4 * c.n_embd,
      nCtx: c.n_positions,
      dVocab: c.vocab_size,
      dVocabOut: c.vocab_size,
      norm: { kind: 'layer', eps: c.layer_norm_epsilon, affine: true },
      layout: 'parallel-shared',
      positions: 'rotary',
      rotary: each({ dims, theta: 10000, pairs: 'adjacent' }),
      activation: activationOf(c.activation_function, 'activation_function', 'gptj'),
      attention: { scales: each(1 / Math.sqrt(dHead)), causal: true },
      biases: { qkv: false, attnOut: false, mlp: true, unembed: true },
    };
  },
  sources(config, names, raw) {
    const map = nameMap(config, prefixOf(names, 'wte.weight', ['transformer.', '']));
    map.vocabulary('wte', 'lm_head', isTied(raw, names, 'lm_head.weight', false));
    for (const { l, b } of blocks(config)) {
      map.norm(`h.${l}.ln_1`, `${b}.ln1`);
      for (const letter of ['Q', 'K', 'V']) map.linear(`h.${l}.attn.${letter.toLowerCase()}_proj`, `${b}.attn`, letter);
      map.linear(`h.${l}.attn.out_proj`, `${b}.attn`, 'O');
      map.linear(`h.${l}.mlp.fc_in`, `${b}.mlp`, 'in');
      map.linear(`h.${l}.mlp.fc_out`, `${b}.mlp`, 'out');
    }
    map.norm('ln_f', 'ln_final');
    return map.list;
  },
  isBuffer: (name) => /\.attn\.(bias|masked_bias)$/.test(name),
};
