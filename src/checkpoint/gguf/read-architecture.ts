/**
 * A file's metadata by its architecture's row of the table. A key of the architecture that the row does not know is refused, since
 * it may change the numbers.
 */
import { fail } from '../../errors.ts';
import { quote } from '../strict-json.ts';
import { ARCHITECTURES, type Architecture, type Fields, type Read } from './architectures.ts';
import type { Metadata } from './metadata.ts';

/** Keys that every architecture reads, or that say nothing beyond the tensors' shapes. */
// prettier-ignore
const COMMON = [
  'block_count', 'context_length', 'embedding_length', 'feed_forward_length', 'vocab_size', 'attention.head_count', 'attention.head_count_kv',
  'attention.layer_norm_rms_epsilon', 'attention.layer_norm_epsilon', 'attention.key_length', 'attention.value_length', 'rope.dimension_count',
  'rope.freq_base', 'rope.scaling.type', 'rope.scaling.factor', 'rope.scaling.original_context_length', 'rope.scaling.attn_factor',
  'rope.scaling.finetuned', 'tensor_data_layout',
];
/** Keys that change the numbers unless they have this value. */
const HARMLESS: Readonly<Record<string, number | boolean>> = {
  expert_count: 0,
  expert_used_count: 0,
  use_parallel_residual: true,
  'attention.causal': true,
  'attention.max_alibi_bias': 0,
  'attention.clamp_kqv': 0,
};

/** The architecture of a file and the fields of its config.json. @throws 'checkpoint' naming what is not read. */
export function readArchitecture(
  metadata: Metadata,
  has: (tensor: string) => boolean,
): { readonly architecture: Architecture; readonly config: Fields } {
  const { who } = metadata;
  const name = metadata.need('general.architecture', metadata.text('general.architecture'));
  const architecture = ARCHITECTURES.get(name);
  if (architecture === undefined) {
    const known = [...ARCHITECTURES.keys()].join(', ');
    throw fail('checkpoint', who, `is of the architecture ${quote(name)}, which is not read from GGUF; ${known} are.`);
  }
  const prefix = `${name}.`;
  for (const key of metadata.keys.filter((one) => one.startsWith(prefix)).map((one) => one.slice(prefix.length))) {
    if (COMMON.includes(key) || architecture.keys.includes(key)) continue;
    const harmless = Object.hasOwn(HARMLESS, key) ? HARMLESS[key] : undefined;
    const value =
      typeof harmless === 'boolean'
        ? metadata.flag(prefix + key)
        : harmless !== undefined && metadata.number(prefix + key);
    if (harmless !== undefined && value === harmless) continue;
    const only = harmless === undefined ? 'it is not known here' : `only ${harmless} is implemented`;
    throw fail('checkpoint', who, `has ${quote(prefix + key)}, which may change the numbers; ${only}.`);
  }
  const [keyLength, valueLength] = ['key', 'value'].map((part) => metadata.number(`${prefix}attention.${part}_length`));
  if (valueLength !== undefined && keyLength !== undefined && valueLength !== keyLength)
    throw fail('checkpoint', who, `has keys ${keyLength} and values ${valueLength} wide; heads of one width are read.`);
  const read: Read = {
    number: (key) => metadata.need(prefix + key, metadata.number(prefix + key)),
    optional: (key) => metadata.number(prefix + key),
    text: (key) => metadata.text(prefix + key),
  };
  return { architecture, config: architecture.config(read, has) };
}
