/**
 * What stands before a text: whether BOS is prepended, which token it is, and who says so.
 *
 * The model's own tokenizer files decide, so that ids are those that Python gives; the family says what its
 * original tokenizer does, and where the two differ the report says it. `prependBos` overrides both.
 */
import type { ModelConfig } from './config.ts';
import { families } from './families/families.ts';
import type { BosPolicy } from './families/family.ts';
import { quote } from '../checkpoint/strict-json.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** Whether a text begins with BOS, and who says so. */
export interface BosReport {
  /** Whether a text begins with BOS when `prependBos` is not given. */
  readonly prepended: boolean;
  /** BOS ([CLS] in BERT); undefined when the tokenizer has none. */
  readonly id: number | undefined;
  readonly token: string | undefined;
  /** All ids that a text is given by default: [BOS], [CLS, SEP], or none. */
  readonly added: readonly number[];
  /** Who decides: "add_bos_token is true in tokenizer_config.json", "the tokenizer's own template begins with BOS", ... */
  readonly because: string;
  /** What the family's original tokenizer does; undefined for a family of no known name. */
  readonly family: BosPolicy | undefined;
  /** All of it in one line. */
  readonly text: string;
}

const FAMILY_TEXT = {
  bos: 'begins a text with BOS',
  'cls-sep': 'puts [CLS] and [SEP] around a text',
  none: 'adds nothing',
} as const;

/** The BOS policy of a model with this record and this tokenizer. */
export function bosOf({
  config,
  tokenizer,
}: {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
}): BosReport {
  const { bosId: id, bosByDefault: prepended, bosPolicy: because } = tokenizer;
  const family = families.find(({ name }) => name === config.family)?.bos;
  const nameOf = (token: number): string => quote(tokenizer.decode([token], { special: true }));
  const added = prepended ? tokenizer.encode('') : [];
  const said = added.map((token) => `${nameOf(token)} (id ${token})`).join(' and ');
  const possible = id === undefined ? '' : `; prependBos: true would add ${nameOf(id)} (id ${id})`;
  const differs =
    family !== undefined && (family === 'none') === prepended
      ? `; ${config.family}'s original tokenizer ${FAMILY_TEXT[family]}`
      : '';
  return {
    prepended,
    id,
    token: id === undefined ? undefined : tokenizer.decode([id], { special: true }),
    added,
    because,
    family,
    text: prepended
      ? `a text is given ${said}: ${because}${differs}`
      : `a text is given no BOS: ${because}${possible}${differs}`,
  };
}
