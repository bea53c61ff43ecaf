/**
 * Added tokens: found in the text before anything else, and never cut.
 *
 * Those that are not `normalized` are looked for in the text as it is, the others in what the normalizer makes of it
 * (their own text normalized alike). At each place the longest wins; a token may ask to be a whole word, or to take
 * the white space beside it. The rules are those of Hugging Face's tokenizers 0.23.
 */
import { isWhitespace, type CharacterTest } from '../pattern/classes.ts';
import { alignedText, slice, textOf, type AlignedText } from './aligned-text.ts';
import type { Normalizer } from './normalizers.ts';
import { toCodes } from './unicode.ts';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}
/** A piece of text, or an added token found in it. */
export interface Piece {
  readonly text: AlignedText;
  readonly token: AddedToken | undefined;
}
export interface AddedTokens {
  /** The text of an added token as decoders see it. */
  readonly textOf: ReadonlyMap<number, string>;
  /** `text` cut at the added tokens, the rest normalized. */
  extract(text: AlignedText): Piece[];
}

/** `\w` of Rust's regex. */
const isWordCharacter: CharacterTest = (code) =>
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u.test(String.fromCodePoint(code));

interface Node {
  readonly next: Map<number, Node>;
  token?: AddedToken;
}

export function addedTokens(tokens: readonly AddedToken[], normalizer: Normalizer): AddedTokens {
  const seen = tokens.map((token) => ({
    token,
    text: token.normalized ? textOf(normalizer(alignedText(token.content))) : token.content,
  }));
  const raw = trieOf(seen.filter(({ token }) => !token.normalized));
  const normal = trieOf(seen.filter(({ token }) => token.normalized));
  const normalizedPieces = ({ text, token }: Piece): Piece[] =>
    token === undefined ? cut(normalizer(text), normal) : [{ text, token }];
  return {
    textOf: new Map(seen.map(({ token, text }) => [token.id, text])),
    extract: (text) => cut(text, raw).flatMap(normalizedPieces),
  };
}

function trieOf(tokens: readonly { readonly token: AddedToken; readonly text: string }[]): Node {
  const root: Node = { next: new Map() };
  for (const { token, text } of tokens) {
    let node = root;
    for (const code of toCodes(text)) {
      let next = node.next.get(code);
      if (next === undefined) node.next.set(code, (next = { next: new Map() }));
      node = next;
    }
    if (node !== root) node.token = token;
  }
  return root;
}

function longestAt(
  root: Node,
  codes: readonly number[],
  start: number,
): { token: AddedToken; end: number } | undefined {
  let found: { token: AddedToken; end: number } | undefined;
  let node: Node | undefined = root;
  for (let at = start; at < codes.length; at++) {
    node = node.next.get(codes[at]);
    if (node === undefined) break;
    if (node.token !== undefined) found = { token: node.token, end: at + 1 };
  }
  return found;
}

function cut(text: AlignedText, root: Node): Piece[] {
  const { codes } = text;
  const pieces: Piece[] = [];
  const put = (start: number, end: number, token: AddedToken | undefined): void => {
    if (end > start) pieces.push({ text: slice(text, start, end), token });
  };
  /** Where the text that is not yet in a piece begins. */
  let last = 0;
  for (let at = 0; at < codes.length; ) {
    const found = longestAt(root, codes, at);
    if (found === undefined) {
      at++;
      continue;
    }
    const { token } = found;
    let [start, end] = [at, found.end];
    // The next search begins after the match as it was found, also when it is not taken.
    at = found.end;
    const inWord =
      (start > 0 && isWordCharacter(codes[start - 1])) || (end < codes.length && isWordCharacter(codes[end]));
    if (token.single_word && inWord) continue;
    if (token.lstrip) while (start > last && isWhitespace(codes[start - 1])) start--;
    if (token.rstrip) while (end < codes.length && isWhitespace(codes[end])) end++;
    put(last, start, undefined);
    put(start, end, token);
    last = end;
  }
  put(last, codes.length, undefined);
  return pieces;
}
