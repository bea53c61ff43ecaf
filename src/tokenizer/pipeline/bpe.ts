/**
 * Byte-pair encoding: characters, then the merges of the file by rank until none is left (Sennrich et al. 2016).
 *
 * The details are those of Hugging Face's tokenizers: bytes `<0x0A>` for characters without a token, unknown ones
 * fused or not, a prefix within and a suffix at the end of words, whole words taken before any merge. Dropout is an
 * error: its tokens are random.
 */
import { z } from 'zod';
import { quote } from '../../checkpoint/strict-json.ts';
import { bytesOf } from './bytes.ts';
import { createHeap } from './heap.ts';
import { createMergeTable, type MergeTable } from './merge-table.ts';
import { vocabularyOf } from './vocabulary.ts';
import type { ModelToken, TokenModel } from './token-model.ts';
import { toText } from './unicode.ts';

const optionalText = z.string().nullish();
export const bpeSchema = z.looseObject({
  vocab: z.custom<Readonly<Record<string, number>>>(),
  merges: z.custom<readonly (string | readonly [string, string])[]>(Array.isArray, 'expected a list of merges'),
  dropout: z.number().nullish(),
  unk_token: optionalText,
  continuing_subword_prefix: optionalText,
  end_of_word_suffix: optionalText,
  fuse_unk: z.boolean().nullish(),
  byte_fallback: z.boolean().nullish(),
  ignore_merges: z.boolean().nullish(),
});

/** A token of the word so far, linked to its neighbours by index; -1 is none. */
interface Symbol {
  id: number;
  unknown: boolean;
  start: number;
  end: number;
  previous: number;
  next: number;
  gone: boolean;
}
const CACHE_LIMIT = 10_000;

/** @throws Error for a merge whose parts or whole are no tokens, and for dropout. */
export function bpeModel(given: z.infer<typeof bpeSchema>): TokenModel {
  if ((given.dropout ?? 0) !== 0) throw new Error(`dropout is ${given.dropout}, which makes tokens random`);
  const ids = vocabularyOf(given.vocab);
  const prefix = given.continuing_subword_prefix ?? '';
  const suffix = given.end_of_word_suffix ?? '';
  const merges = mergesOf(given.merges, ids, prefix);
  const { fuse_unk, byte_fallback, ignore_merges } = given;
  const unkId = given.unk_token == null ? undefined : ids.get(given.unk_token);
  if (given.unk_token != null && unkId === undefined)
    throw new Error(`the unknown token ${quote(given.unk_token)} is not in the vocabulary`);

  const charactersOf = (codes: readonly number[]): { tokens: ModelToken[]; dropped: ModelToken[] } => {
    const tokens: ModelToken[] = [];
    const dropped: ModelToken[] = [];
    let unknown: ModelToken | undefined;
    codes.forEach((code, at) => {
      const char = String.fromCodePoint(code);
      const text = (at > 0 ? prefix : '') + char + (at === codes.length - 1 ? suffix : '');
      const place = { unknown: false, start: at, end: at + 1 };
      const id = ids.get(text);
      if (id !== undefined) {
        if (unknown !== undefined) tokens.push(unknown);
        unknown = undefined;
        tokens.push({ id, ...place });
        return;
      }
      const bytes = byte_fallback === true ? [...bytesOf(text)].map((byte) => ids.get(byteToken(byte))) : [undefined];
      if (bytes.every((byte) => byte !== undefined)) {
        // An unknown character before keeps waiting, and comes after these bytes: so it is in the original.
        for (const byte of bytes) tokens.push({ id: byte, ...place });
      } else if (unkId === undefined) dropped.push({ ...place, id: undefined, unknown: true });
      else if (unknown !== undefined && fuse_unk === true) unknown = { ...unknown, end: at + 1 };
      else {
        if (unknown !== undefined) tokens.push(unknown);
        unknown = { ...place, id: unkId, unknown: true };
      }
    });
    if (unknown !== undefined) tokens.push(unknown);
    return { tokens, dropped };
  };

  const known = new Map<string, ModelToken[]>();
  return {
    kind: 'BPE',
    ids,
    unkId,
    tokenize: (codes) => {
      const word = toText(codes);
      const whole = ignore_merges === true ? ids.get(word) : undefined;
      if (whole !== undefined) return [{ id: whole, unknown: false, start: 0, end: codes.length }];
      const found = known.get(word);
      if (found !== undefined) return found;
      const { tokens, dropped } = charactersOf(codes);
      const merged = [...mergeAll(tokens, merges), ...dropped];
      if (dropped.length > 0) merged.sort((a, b) => a.start - b.start);
      if (codes.length < 256 && known.size < CACHE_LIMIT) known.set(word, merged);
      return merged;
    },
  };
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

function mergesOf(
  list: readonly (string | readonly [string, string])[],
  ids: ReadonlyMap<string, number>,
  prefix: string,
): MergeTable {
  const merges = createMergeTable(list.length);
  for (let rank = 0; rank < list.length; rank++) {
    const merge = list[rank];
    if (typeof merge === 'string' && merge.startsWith('#version')) continue;
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    if (pair.length !== 2) throw new Error(`merge ${rank}, ${quote(String(merge))}, is not two tokens`);
    const [first, second] = pair;
    const [a, b] = [ids.get(first), ids.get(second)];
    const id = ids.get(prefix === '' ? first + second : first + second.slice(prefix.length));
    if (a === undefined || b === undefined || id === undefined)
      throw new Error(`merge ${rank}, ${quote(first)} + ${quote(second)}, has a part or a whole that is no token`);
    merges.set(a, b, rank, id);
  }
  return merges;
}

/** The pair of lowest rank first, the leftmost of equals; new pairs join the queue as they come up. */
function mergeAll(tokens: readonly ModelToken[], merges: MergeTable): ModelToken[] {
  const symbols = tokens.map(
    ({ id, unknown, start, end }, i): Symbol => ({
      id: id!,
      unknown,
      start,
      end,
      previous: i - 1,
      next: i + 1 < tokens.length ? i + 1 : -1,
      gone: false,
    }),
  );
  const queue = createHeap<{ readonly rank: number; readonly id: number; readonly at: number }>(
    (a, b) => a.rank < b.rank || (a.rank === b.rank && a.at < b.at),
  );
  const consider = (at: number): void => {
    const right = symbols[at].next;
    const slot = right < 0 ? -1 : merges.find(symbols[at].id, symbols[right].id);
    if (slot >= 0) queue.push({ rank: merges.rankAt(slot), id: merges.idAt(slot), at });
  };
  symbols.forEach((_, at) => consider(at));
  for (let top = queue.pop(); top !== undefined; top = queue.pop()) {
    const left = symbols[top.at];
    if (left.gone || left.next < 0) continue;
    const right = symbols[left.next];
    // The pair may have changed since it was queued.
    const slot = merges.find(left.id, right.id);
    if (slot < 0 || merges.idAt(slot) !== top.id) continue;
    left.id = top.id;
    left.unknown = false;
    left.end = right.end;
    left.next = right.next;
    right.gone = true;
    if (right.next >= 0) symbols[right.next].previous = top.at;
    if (left.previous >= 0) consider(left.previous);
    consider(top.at);
  }
  return symbols.filter(({ gone }) => !gone).map(({ id, unknown, start, end }) => ({ id, unknown, start, end }));
}
