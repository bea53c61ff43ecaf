/**
 * RoBERTa with its masked-LM head (model_type "roberta"): BERT whose positions begin at row pad_token_id + 1 of their
 * table and whose head has exact GELU whatever the blocks have. Checked against transformers' modeling_roberta, which
 * gives a pad token inside a text no position of its own; here padding is what the attention mask says.
 */
import { fail } from '../../errors.ts';
import { encoderConfig, encoderSources, headSources, type HeadNames } from './bert.ts';
import { field, isTied, parseConfig, type Family } from './family.ts';
import { nameMap, prefixOf } from './name-map.ts';
import { z } from 'zod';

const HEAD: HeadNames = {
  dense: 'lm_head.dense',
  norm: 'lm_head.layer_norm',
  decoder: 'lm_head.decoder',
  bias: 'lm_head.bias',
};
const SUFFIXES = ['weight', 'bias'] as const;

/** Rows of the position table before that of the first token. */
function offsetOf(raw: Readonly<Record<string, unknown>>): number {
  return parseConfig(z.object({ pad_token_id: field.count.default(1) }), raw, 'roberta').pad_token_id + 1;
}

export const roberta: Family = {
  name: 'roberta',
  bos: 'cls-sep',
  matches: (raw) => raw['model_type'] === 'roberta',
  readConfig(raw) {
    const config = encoderConfig(raw, 'roberta');
    const nCtx = config.nCtx - offsetOf(raw);
    if (nCtx < 1)
      throw fail(
        'checkpoint',
        'config.json',
        `"max_position_embeddings" is ${config.nCtx} and positions begin at row ${offsetOf(raw)} (pad_token_id + 1); more rows are needed.`,
      );
    return { ...config, nCtx, mlmActivation: 'gelu' };
  },
  sources(config, names, raw) {
    const prefix = prefixOf(names, 'embeddings.word_embeddings.weight', ['roberta.', '']);
    const tied = isTied(raw, names, `${HEAD.decoder}.weight`, true);
    const offset = offsetOf(raw);
    const positions = nameMap(config, prefix);
    positions.add({
      tensor: `${prefix}embeddings.position_embeddings.weight`,
      shape: [config.nCtx + offset, config.dModel],
      gives: { 'pos_embed.W_pos': (data) => data.slice(offset * config.dModel) },
    });
    return [
      ...encoderSources(config, prefix, SUFFIXES, tied),
      ...positions.list,
      ...headSources(config, names, HEAD, SUFFIXES, tied),
    ];
  },
  isBuffer: (name) => name.endsWith('embeddings.position_ids') || /^lm_head\.(bias|decoder\.(weight|bias))$/.test(name),
};
