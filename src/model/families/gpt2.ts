/**
 * GPT-2 (model_type "gpt2"): learned positions, pre-LayerNorm, Conv1D weights already [in, out], fused
 * c_attn [d, 3d] = q | k | v, tied unembedding. Layout checked against transformers' modeling_gpt2.
 */
import { z } from 'zod';
import type { ModelConfig } from '../config.ts';
import {
  activationOf,
  columns,
  field,
  isTied,
  parseConfig,
  refuseUnless,
  requireMultiple,
  same,
  transposed,
  type Family,
  type Source,
} from './family.ts';

const schema = z.object({
  n_embd: field.size,
  n_layer: field.layers,
  n_head: field.size,
  n_positions: field.size.default(1024),
  vocab_size: field.size,
  n_inner: field.size.nullish(),
  layer_norm_epsilon: field.eps.default(1e-5),
  activation_function: z.string().default('gelu_new'),
  scale_attn_weights: field.flag.default(true),
  scale_attn_by_inverse_layer_idx: field.flag.default(false),
});

export const gpt2: Family = {
  name: 'gpt2',
  bos: 'none',
  matches: (raw) => raw['model_type'] === 'gpt2',

  readConfig(raw) {
    const c = parseConfig(schema, raw, 'gpt2');
    refuseUnless(raw, 'gpt2', {});
    requireMultiple(['n_embd', c.n_embd], ['n_head', c.n_head]);
    const dHead = c.n_embd / c.n_head;
    const scale = c.scale_attn_weights ? 1 / Math.sqrt(dHead) : 1;
    const config: ModelConfig = {
      family: 'gpt2',
      nLayers: c.n_layer,
      dModel: c.n_embd,
      nHeads: c.n_head,
      dHead,
      dMlp: c.n_inner ?? 4 * c.n_embd,
      nCtx: c.n_positions,
      dVocab: c.vocab_size,
      dVocabOut: c.vocab_size,
      norm: { kind: 'layer', eps: c.layer_norm_epsilon, affine: true },
      positions: 'learned',
      activation: activationOf(c.activation_function, 'activation_function', 'gpt2'),
      attention: {
        scales: Array.from({ length: c.n_layer }, (_, l) =>
          c.scale_attn_by_inverse_layer_idx ? scale / (l + 1) : scale,
        ),
        causal: true,
      },
      biases: { qkv: true, attnOut: true, mlp: true, unembed: false },
    };
    return config;
  },

  sources(config, names, raw) {
    const { dModel: d, dMlp: m, dVocab: V } = config;
    const prefix = names.has('transformer.wte.weight') ? 'transformer.' : '';
    const untied = !isTied(raw, names, 'lm_head.weight', true);
    const list: Source[] = [];
    const add = (tensor: string, shape: number[], gives: Source['gives']): void => {
      list.push({ tensor: tensor.startsWith('lm_head') ? tensor : prefix + tensor, shape, gives });
    };
    const norm = (tensor: string, name: string): void => {
      add(`${tensor}.weight`, [d], { [`${name}.w`]: same });
      add(`${tensor}.bias`, [d], { [`${name}.b`]: same });
    };
    add('wte.weight', [V, d], untied ? { 'embed.W_E': same } : { 'embed.W_E': same, 'unembed.W_U': transposed(V, d) });
    if (untied) add('lm_head.weight', [V, d], { 'unembed.W_U': transposed(V, d) });
    add('wpe.weight', [config.nCtx, d], { 'pos_embed.W_pos': same });
    for (let l = 0; l < config.nLayers; l++) {
      const b = `blocks.${l}`;
      const letters = ['Q', 'K', 'V'];
      norm(`h.${l}.ln_1`, `${b}.ln1`);
      add(
        `h.${l}.attn.c_attn.weight`,
        [d, 3 * d],
        Object.fromEntries(letters.map((x, i) => [`${b}.attn.W_${x}`, columns(d, 3 * d, i * d, (i + 1) * d)])),
      );
      add(
        `h.${l}.attn.c_attn.bias`,
        [3 * d],
        Object.fromEntries(letters.map((x, i) => [`${b}.attn.b_${x}`, columns(1, 3 * d, i * d, (i + 1) * d)])),
      );
      add(`h.${l}.attn.c_proj.weight`, [d, d], { [`${b}.attn.W_O`]: same });
      add(`h.${l}.attn.c_proj.bias`, [d], { [`${b}.attn.b_O`]: same });
      norm(`h.${l}.ln_2`, `${b}.ln2`);
      add(`h.${l}.mlp.c_fc.weight`, [d, m], { [`${b}.mlp.W_in`]: same });
      add(`h.${l}.mlp.c_fc.bias`, [m], { [`${b}.mlp.b_in`]: same });
      add(`h.${l}.mlp.c_proj.weight`, [m, d], { [`${b}.mlp.W_out`]: same });
      add(`h.${l}.mlp.c_proj.bias`, [d], { [`${b}.mlp.b_out`]: same });
    }
    norm('ln_f', 'ln_final');
    return list;
  },

  isBuffer: (name) => /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$/.test(name),
};
