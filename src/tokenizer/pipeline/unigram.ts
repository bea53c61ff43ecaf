/**
 * Unigram: of all ways to cut a piece into tokens, the one whose scores sum highest (Kudo 2018), by Viterbi.
 *
 * As in Hugging Face's tokenizers a character without a token of its own costs the lowest score less 10, unknown
 * neighbours are one token, and with byte fallback become the bytes of their UTF-8.
 */
import { z } from 'zod';
import { bytesOf } from './bytes.ts';
import type { ModelToken, TokenModel } from './token-model.ts';
import { toCodes, toText } from './unicode.ts';

export const unigramSchema = z.looseObject({
  vocab: z.custom<readonly (readonly [string, number])[]>(),
  unk_id: z.int().min(0).nullish(),
  byte_fallback: z.boolean().nullish(),
});

const UNKNOWN_PENALTY = 10;
/** The characters that may follow, and the id of the token that ends here. */
interface Node {
  readonly next: Map<number, Node>;
  id?: number;
}

/** @throws Error for an unknown token outside the vocabulary. */
export function unigramModel({ vocab, unk_id, byte_fallback }: z.infer<typeof unigramSchema>): TokenModel {
  const unkId = unk_id ?? undefined;
  if (unkId !== undefined && unkId >= vocab.length)
    throw new Error(`unk_id is ${unkId}; the vocabulary has ${vocab.length} tokens`);
  const ids = new Map<string, number>();
  const root: Node = { next: new Map() };
  let lowest = Infinity;
  vocab.forEach(([token, score], id) => {
    ids.set(token, id);
    lowest = Math.min(lowest, score);
    let node = root;
    for (const code of toCodes(token)) {
      let next = node.next.get(code);
      if (next === undefined) node.next.set(code, (next = { next: new Map() }));
      node = next;
    }
    node.id = id;
  });
  delete root.id;

  /** The best cuts, from the left; `id` undefined is a character without a token. */
  const bestPath = (codes: readonly number[]): { id: number | undefined; start: number; end: number }[] => {
    const score = new Float64Array(codes.length + 1);
    const from = new Int32Array(codes.length + 1).fill(-1);
    const token: (number | undefined)[] = [];
    const offer = (start: number, end: number, id: number | undefined, gain: number): void => {
      const total = gain + score[start];
      if (from[end] >= 0 && total <= score[end]) return;
      score[end] = total;
      from[end] = start;
      token[end] = id;
    };
    for (let start = 0; start < codes.length; start++) {
      let single = false;
      let node: Node | undefined = root;
      for (let end = start; end < codes.length; end++) {
        node = node.next.get(codes[end]);
        if (node === undefined) break;
        if (node.id === undefined) continue;
        offer(start, end + 1, node.id, vocab[node.id][1]);
        if (end === start) single = true;
      }
      if (!single) offer(start, start + 1, unkId, lowest - UNKNOWN_PENALTY);
    }
    const path: { id: number | undefined; start: number; end: number }[] = [];
    for (let end = codes.length; end > 0; end = from[end]) path.push({ id: token[end], start: from[end], end });
    return path.reverse();
  };

  const tokensOf = (codes: readonly number[], start: number, end: number): ModelToken[] => {
    const text = toText(codes.slice(start, end));
    const id = ids.get(text);
    if (id !== undefined) return [{ id, unknown: id === unkId, start, end }];
    if (byte_fallback === true) {
      const bytes = [...bytesOf(text)].map((byte) =>
        ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
      );
      if (bytes.every((byte) => byte !== undefined))
        return bytes.map((byte) => ({ id: byte, unknown: false, start, end }));
    }
    return [{ id: unkId, unknown: true, start, end }];
  };

  return {
    kind: 'Unigram',
    ids,
    unkId,
    tokenize: (codes) => {
      const path = bestPath(codes);
      const spans: { start: number; end: number; unknown: boolean }[] = [];
      for (const { id, start, end } of path) {
        const unknown = id === unkId;
        const last = spans.at(-1);
        if (unknown && last?.unknown === true) last.end = end;
        else spans.push({ start, end, unknown });
      }
      return spans.flatMap(({ start, end }) => tokensOf(codes, start, end));
    },
  };
}
