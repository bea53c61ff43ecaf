/**
 * GPT-Neo (model_type "gpt_neo": GPT-Neo, TinyStories): GPT-2's block with unscaled scores and a window of
 * window_size keys in its local layers. Checked against transformers' modeling_gpt_neo.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import { activationOf, field, isTied, parseConfig, refuseUnless, requireMultiple, type Family } from './family.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';

const schema = z.object({
  vocab_size: field.size,
  hidden_size: field.size,
  num_layers: field.layers,
  num_heads: field.size,
  max_position_embeddings: field.size.default(2048),
  intermediate_size: field.size.nullish(),
  window_size: field.size.default(256),
  layer_norm_epsilon: field.eps.default(1e-5),
  activation_function: z.string().default('gelu_new'),
  attention_layers: z.array(z.string()).nullish(),
  attention_types: z.array(z.tuple([z.array(z.string()), field.count])).nullish(),
});

export const gptNeo: Family = {
  name: 'gpt_neo',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'gpt_neo',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'gpt_neo');
    refuseUnless(raw, 'gpt_neo', {});
    requireMultiple(['hidden_size', c.hidden_size], ['num_heads', c.num_heads]);
    // A list of layers counts before attention_types, which is expanded where there is none, as in transformers.
    const listed =
      c.attention_layers?.length ??
      c.attention_types?.reduce((sum, [pattern, times]) => sum + pattern.length * times, 0);
    if (listed !== c.num_layers)
      throw fail(
        'checkpoint',
        'config.json',
        `"${c.attention_layers ? 'attention_layers' : 'attention_types'}" is for ${listed ?? 'no'} layers; the model has ${c.num_layers}.`,
      );
    const kinds =
      c.attention_layers ??
      c.attention_types?.flatMap(([pattern, times]) =>
        pattern.length === 0 ? [] : Array.from({ length: times }, () => pattern).flat(),
      ) ??
      [];
    const odd = kinds.find((kind) => kind !== 'global' && kind !== 'local');
    if (odd !== undefined)
      throw fail('checkpoint', 'config.json', `"attention_types" has "${odd}"; gpt_neo supports global, local.`);
    return {
      family: 'gpt_neo',
      nLayers: c.num_layers,
      dModel: c.hidden_size,
      nHeads: c.num_heads,
      dHead: c.hidden_size / c.num_heads,
      dMlp: c.intermediate_size ?? 4 * c.hidden_size,
      nCtx: c.max_position_embeddings,
      dVocab: c.vocab_size,
      dVocabOut: c.vocab_size,
      norm: { kind: 'layer', eps: c.layer_norm_epsilon, affine: true },
      positions: 'learned',
      activation: activationOf(c.activation_function, 'activation_function', 'gpt_neo'),
      attention: {
        scales: kinds.map(() => 1),
        causal: true,
        windows: kinds.map((kind) => (kind === 'local' ? c.window_size : null)),
      },
      biases: { qkv: false, attnOut: true, mlp: true, unembed: false },
    };
  },
  sources(config, names, raw) {
    const map = nameMap(config, prefixOf(names, 'wte.weight', ['transformer.', '']));
    map.vocabulary('wte', 'lm_head', isTied(raw, names, 'lm_head.weight', true));
    map.table('wpe.weight', 'pos_embed.W_pos');
    for (const { l, b } of blocks(config)) {
      map.norm(`h.${l}.ln_1`, `${b}.ln1`);
      for (const letter of ['Q', 'K', 'V'])
        map.linear(`h.${l}.attn.attention.${letter.toLowerCase()}_proj`, `${b}.attn`, letter);
      map.linear(`h.${l}.attn.attention.out_proj`, `${b}.attn`, 'O');
      map.norm(`h.${l}.ln_2`, `${b}.ln2`);
      map.linear(`h.${l}.mlp.c_fc`, `${b}.mlp`, 'in');
      map.linear(`h.${l}.mlp.c_proj`, `${b}.mlp`, 'out');
    }
    map.norm('ln_f', 'ln_final');
    return map.list;
  },
  isBuffer: (name) => /\.attn\.attention\.(bias|masked_bias)$/.test(name),
};
