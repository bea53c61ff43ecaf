/**
 * What it means that a part of a text is absent: a table of absences, each an object that says what it needs and what stands
 * in for every token. Another one is one entry, or an object that a caller passes.
 *
 * Tokens are put in, left out or kept as ids, and never tokenized again: what remains of a text is the rest of its own tokens.
 */
import { closest, fail } from '../../errors.ts';
import { tokenizerOf, type Model } from '../../model/model.ts';
import type { PlayedText } from './text-players.ts';

/**
 * tokens: by token, the ids that stand in its place when its player is absent; none closes the gap. embedding: the mean
 * embedding of these token rows. attention: the token stays, and no other token attends to it.
 */
export type StandIn =
  | { readonly kind: 'tokens'; readonly tokens: readonly (readonly number[])[] }
  | { readonly kind: 'embedding'; readonly data: readonly (readonly number[])[] }
  | { readonly kind: 'attention' };

export interface AbsenceContext {
  readonly model: Model;
  readonly played: PlayedText;
  /** What `replace` puts in. */
  readonly replacement?: string | undefined;
  /** Tokens of a corrupted prompt. */
  readonly corrupted?: readonly number[] | undefined;
  /** Token rows that a mean is taken over; default the prompt itself. */
  readonly data?: readonly (readonly number[])[] | undefined;
}

/** What the absence of a part of a prompt means. */
export interface Absence {
  /** `remove`, `mask`, ...; what a study and a record say. */
  readonly name: string;
  readonly about: string;
  readonly needs: { readonly replacement: boolean; readonly corrupted: boolean };
  /** @throws 'input' for a prompt or a tokenizer that lacks what it needs. */
  open(context: AbsenceContext): StandIn;
}

export type AbsenceName = 'remove' | 'mask' | 'replace' | 'mean' | 'attention' | 'resample';

const nothing = { replacement: false, corrupted: false };

/** The absences by name. */
export const ABSENCES: Readonly<Record<AbsenceName, Absence>> = {
  remove: {
    name: 'remove',
    about: 'its tokens are left out and the others move up',
    needs: nothing,
    open: ({ played }) => ({ kind: 'tokens', tokens: played.tokens.map(() => []) }),
  },
  mask: {
    name: 'mask',
    about: "the tokenizer's mask token, or its unknown one, in the place of each token",
    needs: nothing,
    open({ model, played }) {
      const id = maskId(model);
      if (id === undefined)
        throw fail(
          'input',
          'mask',
          `the tokenizer of ${model.name} has no mask and no unknown token; use remove or mean.`,
        );
      return { kind: 'tokens', tokens: played.tokens.map(() => [id]) };
    },
  },
  replace: {
    name: 'replace',
    about: 'a text of your own in the place of each part',
    needs: { replacement: true, corrupted: false },
    open({ model, played: { owners }, replacement }) {
      if (replacement === undefined || replacement === '')
        throw fail('input', 'replace', 'needs the text that stands in; give one, or use remove for none.');
      const ids = tokenizerOf(model).encode(replacement, { bos: false });
      // Once for each run of tokens of one player.
      return { kind: 'tokens', tokens: owners.map((owner, i) => (i > 0 && owners[i - 1] === owner ? [] : ids)) };
    },
  },
  mean: {
    name: 'mean',
    about: 'the mean embedding of the tokens of the prompt, or of a data set',
    needs: nothing,
    open: ({ played, data }) => ({ kind: 'embedding', data: data ?? [played.tokens] }),
  },
  attention: {
    name: 'attention',
    about: 'it stays in its place, and no other token may attend to it',
    needs: nothing,
    open: () => ({ kind: 'attention' }),
  },
  resample: {
    name: 'resample',
    about: "the corrupted prompt's tokens in their places",
    needs: { replacement: false, corrupted: true },
    open({ played: { tokens }, corrupted }) {
      if (corrupted === undefined) throw fail('input', 'resample', 'needs a corrupted prompt of as many tokens.');
      if (corrupted.length !== tokens.length)
        throw fail(
          'input',
          'resample',
          `the corrupted prompt has ${corrupted.length} tokens, the prompt ${tokens.length}; equal lengths are needed.`,
        );
      return { kind: 'tokens', tokens: corrupted.map((id) => [id]) };
    },
  },
};

/** The absence of a name. @throws 'input' for an unknown one, with suggestions. */
export function absenceOf(name: string): Absence {
  if (Object.hasOwn(ABSENCES, name)) return ABSENCES[name as AbsenceName];
  const names = Object.keys(ABSENCES);
  throw fail(
    'input',
    'absence',
    `"${name}" is unknown; did you mean ${closest(name, names).join(', ')}? There are ${names.join(', ')}.`,
  );
}

/** The mask token, else the unknown one; undefined where there is neither. */
export function maskId({ tokenizer }: Model): number | undefined {
  const text = tokenizer?.specialTokens.mask_token ?? tokenizer?.specialTokens.unk_token;
  return text === undefined || tokenizer === undefined ? undefined : tokenizer.toSingleToken(text);
}
