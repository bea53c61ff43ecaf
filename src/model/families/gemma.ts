/**
 * Gemma (model_type "gemma"): llama with norms that store w - 1, embeddings times sqrt(d_model), a tanh-GELU
 * gate and a tied unembedding. Checked against transformers' modeling_gemma.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { ModelConfig } from '../config.ts';
import { activationOf, field, parseConfig, refuseUnless, type Family } from './family.ts';
import { decoderConfig, decoderFields, decoderSources, isDecoderBuffer, type DecoderFields } from './llama.ts';
import type { RopeDefaults } from './rope.ts';

const schema = z.object({
  ...decoderFields,
  num_key_value_heads: field.size.nullish().default(16),
  head_dim: field.size.default(256),
  hidden_act: z.string().default('gelu_pytorch_tanh'),
  hidden_activation: z.string().nullish(),
});

/** What all Gemmas share. The embedding factor is rounded to float32, as transformers rounds it to the weights' type. */
export function gemmaConfig(
  raw: Readonly<Record<string, unknown>>,
  c: DecoderFields,
  family: string,
  activation: string,
  rope: Partial<RopeDefaults> = {},
): ModelConfig {
  return {
    ...decoderConfig(raw, c, family, rope),
    norm: { kind: 'rms', eps: c.rms_norm_eps, offset: 1 },
    activation: activationOf(activation, 'hidden_activation', family),
    embedding: { scale: Math.fround(Math.sqrt(c.hidden_size)) },
  };
}

export const gemma: Family = {
  name: 'gemma',
  bos: 'bos',
  matches: (raw) => raw['model_type'] === 'gemma',
  readConfig(raw) {
    const c = parseConfig(schema, raw, 'gemma');
    refuseUnless(raw, 'gemma', {});
    // The first Gemma files say "gelu" and mean its tanh form; transformers reads them so.
    const activation = c.hidden_act === 'gelu' ? 'gelu_pytorch_tanh' : c.hidden_act;
    if (c.hidden_activation != null && c.hidden_activation !== activation) {
      throw fail(
        'checkpoint',
        'config.json',
        `"hidden_act" is "${c.hidden_act}" and "hidden_activation" "${c.hidden_activation}"; gemma needs them to agree.`,
      );
    }
    return gemmaConfig(raw, c, 'gemma', activation);
  },
  sources: (config, names, raw) => decoderSources(config, names, raw, { tied: true }),
  isBuffer: isDecoderBuffer,
};
