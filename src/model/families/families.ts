/** The families this version reads, in the order in which they are tried. */
import { fail } from '../../errors.ts';
import { bert } from './bert.ts';
import { bloom } from './bloom.ts';
import { distilbert } from './distilbert.ts';
import type { Family } from './family.ts';
import { gemma } from './gemma.ts';
import { gemma2 } from './gemma2.ts';
import { gemma3 } from './gemma3.ts';
import { gptNeo } from './gpt-neo.ts';
import { gptNeox } from './gpt-neox.ts';
import { gptj } from './gptj.ts';
import { gpt2 } from './gpt2.ts';
import { llama } from './llama.ts';
import { mistral } from './mistral.ts';
import { mixtral } from './mixtral.ts';
import { olmo } from './olmo.ts';
import { olmo2 } from './olmo2.ts';
import { opt } from './opt.ts';
import { phi } from './phi.ts';
import { phi3 } from './phi3.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';
import { qwen3Moe } from './qwen3-moe.ts';
import { roberta } from './roberta.ts';
import { stablelm } from './stablelm.ts';
import { transformerLens } from './transformer-lens.ts';

export const families: readonly Family[] = [
  gpt2,
  gptNeo,
  gptNeox,
  gptj,
  bloom,
  llama,
  mistral,
  mixtral,
  qwen2,
  qwen3,
  qwen3Moe,
  gemma,
  gemma2,
  gemma3,
  olmo,
  olmo2,
  stablelm,
  phi,
  phi3,
  opt,
  bert,
  roberta,
  distilbert,
  transformerLens,
];

/** The family of a config.json. @throws naming model_type when none reads it. */
export function familyOf(raw: Readonly<Record<string, unknown>>): Family {
  const family = families.find((candidate) => candidate.matches(raw));
  if (family !== undefined) return family;
  const type = raw['model_type'] === undefined ? 'no "model_type"' : `model_type ${JSON.stringify(raw['model_type'])}`;
  throw fail(
    'checkpoint',
    'config.json',
    `unknown architecture (${type}); supported: ${families.map((f) => f.name).join(', ')}.`,
  );
}
