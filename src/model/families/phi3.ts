/**
 * Phi 3, 3.5 and 4 mini (model_type "phi3"): llama's block with fused q | k | v and gate | up matrices, rotary positions
 * on a part of each head, LongRoPE for long contexts. Checked against transformers' modeling_phi3.
 */
import { z } from 'zod';
import { activationOf, field, isTied, parseConfig, refuseUnless, transposedRows, type Family } from './family.ts';
import { decoderConfig, decoderFields, isDecoderBuffer } from './llama.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';
import { ropeObject } from './rope.ts';

const schema = z.object({
  ...decoderFields,
  rms_norm_eps: field.eps.default(1e-5),
  hidden_act: z.string().default('silu'),
  sliding_window: field.size.nullish(),
  original_max_position_embeddings: field.size.default(4096),
});

/** The first files call LongRoPE "su", and some "yarn"; transformers reads both so. */
const LONGROPE = ['su', 'yarn', 'longrope'];

export const phi3: Family = {
  name: 'phi3',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'phi3',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'phi3');
    refuseUnless(raw, 'phi3', {});
    const object = ropeObject(raw);
    const type = object['rope_type'] ?? object['type'] ?? 'default';
    refuseUnless({ rope_type: type }, 'phi3', { rope_type: ['default', ...LONGROPE] });
    const named = LONGROPE.some((name) => name === type) ? { ...object, rope_type: 'longrope' } : object;
    const read = {
      ...raw,
      rope_scaling: named,
      original_max_position_embeddings: c.original_max_position_embeddings,
    };
    const config = decoderConfig(read, c, 'phi3', { partial: true });
    const window = c.sliding_window ?? undefined;
    return {
      ...config,
      activation: activationOf(c.hidden_act, 'hidden_act', 'phi3'),
      attention: { ...config.attention, windows: window === undefined ? undefined : config.rotary?.map(() => window) },
      biases: { qkv: false, attnOut: false, mlp: false, unembed: false },
    };
  },
  sources(config, names, raw) {
    const { dModel: d, dMlp: m, nHeads, dHead } = config;
    const prefix = prefixOf(names, 'embed_tokens.weight', ['model.', '']);
    const map = nameMap(config, prefix);
    map.vocabulary('embed_tokens', 'lm_head', isTied(raw, names, 'lm_head.weight', false));
    const queries = nHeads * dHead;
    const keys = (config.nKvHeads ?? nHeads) * dHead;
    for (const { l, b } of blocks(config)) {
      const layer = `layers.${l}`;
      map.norm(`${layer}.input_layernorm`, `${b}.ln1`);
      map.add({
        tensor: `${prefix}${layer}.self_attn.qkv_proj.weight`,
        shape: [queries + 2 * keys, d],
        gives: {
          [`${b}.attn.W_Q`]: transposedRows(d, 0, queries),
          [`${b}.attn.W_K`]: transposedRows(d, queries, queries + keys),
          [`${b}.attn.W_V`]: transposedRows(d, queries + keys, queries + 2 * keys),
        },
      });
      map.linear(`${layer}.self_attn.o_proj`, `${b}.attn`, 'O');
      map.norm(`${layer}.post_attention_layernorm`, `${b}.ln2`);
      map.add({
        tensor: `${prefix}${layer}.mlp.gate_up_proj.weight`,
        shape: [2 * m, d],
        gives: {
          [`${b}.mlp.W_gate`]: transposedRows(d, 0, m),
          [`${b}.mlp.W_in`]: transposedRows(d, m, 2 * m),
        },
      });
      map.linear(`${layer}.mlp.down_proj`, `${b}.mlp`, 'out');
    }
    map.norm('norm', 'ln_final');
    return map.list;
  },
  isBuffer: isDecoderBuffer,
};
