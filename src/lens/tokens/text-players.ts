/**
 * A prompt whose parts are players: its tokens, and which player each of them belongs to.
 *
 * A token belongs to the player in which its first visible character stands, also where it goes on into the next one; a token
 * of white space alone goes with the token after it, which is how tokenizers attach spaces. Special tokens that the tokenizer
 * puts around a text, and whatever no player covers, are always kept.
 */
import { fail } from '../../errors.ts';
import type { Player } from '../../game.ts';
import type { Model } from '../../model/model.ts';
import { tokenizerOf } from '../../model/model.ts';
import { toSequences } from '../../model/tokens.ts';
import { cutText, UNITS, type CutOptions, type Piece, type Unit } from './cut-text.ts';
import { checkSpans, outside, type Span } from './spans.ts';

export interface TextPlayer extends Player {
  readonly place: { readonly kind: 'span'; readonly pieces: readonly Piece[] };
}

/** A text and its parts as players, token by token. */
export interface PlayedText {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly strTokens: readonly string[];
  readonly players: readonly TextPlayer[];
  /** By token: its player's number, or -1 for one that is always kept. */
  readonly owners: readonly number[];
  /** What the players are, plural. */
  readonly unit: string;
}

export interface TextPlayersOptions extends CutOptions {
  /** Default 'words'. */
  readonly players?: Unit | 'tokens' | readonly Span[] | undefined;
  /** Ranges that are always kept: a question, instructions, a template. */
  readonly kept?: readonly Piece[] | undefined;
  /** Whether BOS and its like are put around the text; default: the tokenizer's policy. */
  readonly prependBos?: boolean | undefined;
}

export const PLAYER_KINDS = ['tokens', ...UNITS] as const;

/**
 * The players of `text` by the model's own tokenizer.
 * @throws 'input' for spans that overlap or leave the text, a text without players, one longer than the context.
 */
export function toPlayers(model: Model, text: string, options: TextPlayersOptions = {}): PlayedText {
  const { players: asked = 'words', kept = [], prependBos } = options;
  if (text.trim() === '') throw fail('input', 'prompt', 'is empty; a text with words is needed.');
  const tokenizer = tokenizerOf(model);
  const { ids, offsets } = tokenizer.encodeWithOffsets(text, prependBos === undefined ? {} : { bos: prependBos });
  const [tokens] = toSequences(model, ids);
  if (tokens.length > model.config.nCtx)
    throw fail(
      'input',
      'prompt',
      `has ${tokens.length} tokens; the context of ${model.name} holds ${model.config.nCtx}.`,
    );
  const standing = offsets.map(([start, end]) => trimmedStart(text, start, end));
  if (typeof asked !== 'string') checkSpans(asked, text);
  const spans: readonly Span[] =
    asked === 'tokens' ? tokenSpans(text, offsets) : typeof asked === 'string' ? cutText(text, asked, options) : asked;
  const free = outside(text, spans, kept);
  const what = typeof asked === 'string' ? asked : 'spans';
  if (free.length === 0)
    throw fail(
      'input',
      'players',
      `every part of the prompt is kept, or it has no ${what}; nothing is left to take away.`,
    );
  const named = nameSpans(text, free);
  const answerAt = model.config.mlmHead === true ? maskedToken(model, tokens) : -1;
  const owners: number[] = Array<number>(tokens.length).fill(-1);
  for (let i = tokens.length - 1; i >= 0; i--) {
    const at = standing[i];
    if (i === answerAt || at === undefined) continue;
    const after = i + 1 < tokens.length ? owners[i + 1] : -1;
    owners[i] =
      at === -1 ? after : named.findIndex(({ pieces }) => pieces.some(({ start, end }) => at >= start && at < end));
  }
  // A player that no token begins in (a span inside one token) cannot be taken away.
  const lost = named.find((_, player) => !owners.includes(player));
  if (lost !== undefined && typeof asked !== 'string')
    throw fail(
      'input',
      'players',
      `no token of the prompt begins in "${lost.name}"; make the span wider, to a whole token.`,
    );
  const alive = named.flatMap((_, player) => (owners.includes(player) ? [player] : []));
  if (alive.length === 0) throw fail('input', 'players', 'no token belongs to a part that may be taken away.');
  return {
    text,
    tokens,
    strTokens: tokenizer.toStrTokens(tokens),
    players: alive.map((player) => ({
      name: named[player].name,
      place: { kind: 'span', pieces: named[player].pieces },
    })),
    owners: owners.map((owner) => (owner === -1 ? -1 : alive.indexOf(owner))),
    unit: what,
  };
}

/** Where the first visible character of [start, end) stands; -1 in white space alone; undefined for a token that was added. */
function trimmedStart(text: string, start: number, end: number): number | undefined {
  if (start === 0 && end === 0) return undefined;
  const slice = text.slice(start, end);
  const space = slice.length - slice.trimStart().length;
  return space === slice.length ? -1 : start + space;
}

/** One span a token; the tokens of one character are one span. */
function tokenSpans(text: string, offsets: readonly (readonly [number, number])[]): Span[] {
  const spans: { start: number; end: number }[] = [];
  for (const [start, end] of offsets) {
    const last = spans.at(-1);
    if (end <= start || text.slice(start, end).trim() === '') continue;
    if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
    else spans.push({ start, end });
  }
  return spans;
}

interface Named {
  readonly name: string;
  readonly pieces: readonly Piece[];
}

/** Spans of one name together; the others by their text, repeated ones numbered. */
function nameSpans(text: string, spans: readonly Span[]): Named[] {
  const order: { name: string | undefined; pieces: Piece[] }[] = [];
  for (const { start, end, name } of spans) {
    const same = name === undefined ? undefined : order.find((each) => each.name === name);
    if (same === undefined) order.push({ name, pieces: [{ start, end }] });
    else same.pieces.push({ start, end });
  }
  const taken = new Set(order.flatMap(({ name }) => (name === undefined ? [] : [name])));
  const counts = new Map<string, number>();
  return order.map(({ name, pieces }) => {
    if (name !== undefined) return { name, pieces };
    const written = text.slice(pieces[0].start, pieces[0].end).replace(/\s+/gu, ' ').trim();
    let count = (counts.get(written) ?? 0) + 1;
    const numbered = (): string => (count === 1 ? written : `${written} (${count})`);
    while (taken.has(numbered())) count++;
    counts.set(written, count);
    taken.add(numbered());
    return { name: numbered(), pieces };
  });
}

/** The one [MASK] of a masked-LM prompt. @throws 'input' for none or several. */
export function maskedToken(model: Model, tokens: readonly number[]): number {
  const tokenizer = tokenizerOf(model);
  const mask = tokenizer.toSingleToken(tokenizer.specialTokens.mask_token ?? '[MASK]');
  const count = tokens.filter((token) => token === mask).length;
  if (count !== 1)
    throw fail(
      'input',
      'prompt',
      `has ${count} mask tokens; ${model.name} is a masked-LM model and needs exactly one, where the answer belongs.`,
    );
  return tokens.indexOf(mask);
}
