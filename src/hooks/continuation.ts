/**
 * The text that new tokens add to a prompt.
 *
 * A token's text depends on what stands before it (a leading space, the bytes of one character), so what was added is
 * the difference between two decoded texts. A few tokens of the prompt are enough to stand before.
 */
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

export interface Continuation {
  /** Takes a token and returns the text it completes: '' while a character's bytes are not all there. */
  add(token: number): string;
  /** All that was added. */
  all(): string;
}

const BEFORE = 4;

/** Special tokens are left out; without a tokenizer all texts are ''. */
export function continuation(tokenizer: Tokenizer | undefined, prompt: readonly number[]): Continuation {
  const before = prompt.slice(-BEFORE).filter((token) => isKnown(tokenizer, token));
  const added: number[] = [];
  let shown = 0;
  const all = (): string => {
    if (tokenizer === undefined || added.length === 0) return '';
    const [start, whole] = [tokenizer.decode(before), tokenizer.decode([...before, ...added])];
    return whole.startsWith(start) ? whole.slice(start.length) : tokenizer.decode(added);
  };
  return {
    all,
    add(token) {
      if (isKnown(tokenizer, token)) added.push(token);
      const text = all();
      if (text.endsWith('\uFFFD') || text.length <= shown) return '';
      const piece = text.slice(shown);
      shown = text.length;
      return piece;
    },
  };
}

/** Models have rows that no token of their tokenizer stands for: they are no text. */
function isKnown(tokenizer: Tokenizer | undefined, token: number): boolean {
  try {
    return tokenizer?.decode([token]) !== undefined;
  } catch {
    return false;
  }
}
