/** Where heads look on one text, with its tokens beside the numbers: what is drawn of attention. */
import { closest, fail } from '../../errors.ts';
import type { Model } from '../../model/model.ts';
import { toSequences } from '../../model/tokens.ts';
import { showsItself } from '../../showing.ts';
import { attentionPatterns } from './attention-patterns.ts';

/** Where one head looks. */
export interface HeadPattern {
  /** `L2H1`. */
  readonly name: string;
  readonly layer: number;
  readonly head: number;
  /** Shares of attention to three decimals, [q_pos][k_pos]; a row sums to 1. */
  readonly pattern: readonly (readonly number[])[];
}

/** Where some heads look on one text. */
export interface Attention {
  /** The text as the tokenizer cut it; ids in brackets where there is none. */
  readonly tokens: readonly string[];
  readonly heads: readonly HeadPattern[];
}

/**
 * The attention of some heads on a text; in a notebook it draws itself.
 *
 * @example await attention(model, prompt, { heads: ['L2H1', 'L2H3'] });
 * @param options heads by name, default all.
 * @throws 'input' for a head that the model has not, and for more than one text.
 */
export async function attention(
  model: Model,
  text: string | readonly number[],
  { heads: names }: { readonly heads?: readonly string[] | undefined } = {},
): Promise<Attention> {
  const { nLayers, nHeads } = model.config;
  const all = Array.from({ length: nLayers * nHeads }, (_, i) => ({
    name: `L${Math.floor(i / nHeads)}H${i % nHeads}`,
    layer: Math.floor(i / nHeads),
    head: i % nHeads,
  }));
  const known = all.map(({ name }) => name);
  const heads = (names ?? known).map((name) => {
    const found = all.find((head) => head.name === name);
    if (found !== undefined) return found;
    throw fail(
      'input',
      'attention',
      `"${name}" is no head of ${model.name}; did you mean ${closest(name, known).join(', ')}?`,
    );
  });
  const rows = toSequences(model, text);
  if (rows.length !== 1) throw fail('input', 'attention', `was given ${rows.length} texts; give one.`);
  const [tokens] = rows;
  const patterns = await attentionPatterns(model, rows, heads, { mostWeights: Infinity });
  return showsItself({
    tokens: tokens.map((id) => model.tokenizer?.toStrTokens([id])[0] ?? `[${id}]`),
    heads: heads.map((head, k) => ({
      ...head,
      pattern: patterns[k].weights.map((row) => [...row, ...Array<number>(tokens.length - row.length).fill(0)]),
    })),
  });
}
