/**
 * BERT with its masked-LM head (model_type "bert"): bidirectional, norms after each part, token types, a norm over
 * the embeddings; the unembedding is tied and has a bias. Old files call a norm's w and b gamma and beta.
 * Checked against transformers' modeling_bert.
 */
import { z } from 'zod';
import {
  activationOf,
  field,
  parseConfig,
  refuseUnless,
  requireMultiple,
  same,
  transposed,
  type Family,
} from './family.ts';
import { blocks, nameMap, prefixOf } from './name-map.ts';

const schema = z.object({
  vocab_size: field.size,
  hidden_size: field.size,
  num_hidden_layers: field.layers,
  num_attention_heads: field.size,
  intermediate_size: field.size,
  max_position_embeddings: field.size,
  type_vocab_size: field.size.default(2),
  layer_norm_eps: field.eps.default(1e-12),
  hidden_act: z.string().default('gelu'),
});

export const bert: Family = {
  name: 'bert',
  bos: 'cls-sep',
  matches: (raw) => raw['model_type'] === 'bert',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'bert');
    refuseUnless(raw, 'bert', { is_decoder: [false], position_embedding_type: ['absolute'] });
    requireMultiple(['hidden_size', c.hidden_size], ['num_attention_heads', c.num_attention_heads]);
    const dHead = c.hidden_size / c.num_attention_heads;
    return {
      family: 'bert',
      nLayers: c.num_hidden_layers,
      dModel: c.hidden_size,
      nHeads: c.num_attention_heads,
      dHead,
      dMlp: c.intermediate_size,
      nCtx: c.max_position_embeddings,
      dVocab: c.vocab_size,
      dVocabOut: c.vocab_size,
      norm: { kind: 'layer', eps: c.layer_norm_eps, affine: true },
      layout: 'post',
      positions: 'learned',
      activation: activationOf(c.hidden_act, 'hidden_act', 'bert'),
      attention: { scales: Array.from({ length: c.num_hidden_layers }, () => 1 / Math.sqrt(dHead)), causal: false },
      biases: { qkv: true, attnOut: true, mlp: true, unembed: true },
      embedding: { tokenTypes: c.type_vocab_size, norm: 'sum' },
      mlmHead: true,
    };
  },
  sources(config, names, raw) {
    const { dModel: d, dVocab: V } = config;
    const prefix = prefixOf(names, 'embeddings.word_embeddings.weight', ['bert.', '']);
    const old = names.has(`${prefix}embeddings.LayerNorm.gamma`);
    const suffixes = old ? (['gamma', 'beta'] as const) : (['weight', 'bias'] as const);
    const map = nameMap(config, prefix);
    const tied = raw['tie_word_embeddings'] !== false;
    const unembedding = { 'unembed.W_U': transposed(V, d) };
    map.add({
      tensor: `${prefix}embeddings.word_embeddings.weight`,
      shape: [V, d],
      gives: { 'embed.W_E': same, ...(tied ? unembedding : {}) },
    });
    map.table('embeddings.position_embeddings.weight', 'pos_embed.W_pos');
    map.table('embeddings.token_type_embeddings.weight', 'token_type_embed.W_token_type');
    map.norm('embeddings.LayerNorm', 'embed.ln', suffixes);
    for (const { l, b } of blocks(config)) {
      const layer = `encoder.layer.${l}`;
      for (const part of ['query', 'key', 'value'])
        map.linear(`${layer}.attention.self.${part}`, `${b}.attn`, part[0].toUpperCase());
      map.linear(`${layer}.attention.output.dense`, `${b}.attn`, 'O');
      map.norm(`${layer}.attention.output.LayerNorm`, `${b}.ln1`, suffixes);
      map.linear(`${layer}.intermediate.dense`, `${b}.mlp`, 'in');
      map.linear(`${layer}.output.dense`, `${b}.mlp`, 'out');
      map.norm(`${layer}.output.LayerNorm`, `${b}.ln2`, suffixes);
    }
    const head = nameMap(config, 'cls.predictions.');
    head.add({
      tensor: 'cls.predictions.transform.dense.weight',
      shape: [d, d],
      gives: { 'mlm_head.W': transposed(d, d) },
    });
    head.table('transform.dense.bias', 'mlm_head.b');
    head.norm('transform.LayerNorm', 'mlm_head.ln', suffixes);
    if (!tied) head.add({ tensor: 'cls.predictions.decoder.weight', shape: [V, d], gives: unembedding });
    // Tied, both names are one tensor and a file may have either; untied, the decoder's own counts.
    const order = tied ? ['bias', 'decoder.bias'] : ['decoder.bias', 'bias'];
    head.table(order.find((name) => names.has(`cls.predictions.${name}`)) ?? order[0], 'unembed.b_U');
    return [...map.list, ...head.list];
  },
  isBuffer: (name) =>
    name.endsWith('embeddings.position_ids') || /^cls\.predictions\.(bias|decoder\.(weight|bias))$/.test(name),
};
