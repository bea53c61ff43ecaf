/**
 * Repeated-sequence data for induction: BOS, then a period of p distinct letters tiled to `length`.
 *
 * p is uniform in 4..12 per row, so no fixed offset predicts the next letter: only "find where this letter
 * stood before and copy what followed" does. Loss and accuracy count positions whose answer is determined.
 */
import type { Prompt } from '../../src/lens/prompts.ts';
import type { Random } from '../../src/random.ts';
import type { Batch } from './train.ts';

/** 32 letters; ids 0 and 1 are BOS and the unknown token, so letter i is id i + 2. */
export const LETTERS: readonly string[] = 'abcdefghijklmnopqrstuvwxyz012345'.split('');
export const LENGTH = 24;
const [MIN_PERIOD, MAX_PERIOD] = [4, 12];

function draw(random: Random): { readonly period: number; readonly letters: readonly number[] } {
  const period = MIN_PERIOD + random.integer(MAX_PERIOD - MIN_PERIOD + 1);
  return { period, letters: random.shuffle(LETTERS.map((_, i) => i)).slice(0, period) };
}

/** `rows` sequences; the weight is 1 where the next letter is determined, from the second period on. */
export function inductionBatch(rows: number, random: Random): Batch {
  const tokens: number[][] = [];
  const weights: number[][] = [];
  for (let r = 0; r < rows; r++) {
    const { period, letters } = draw(random);
    tokens.push([0, ...Array.from({ length: LENGTH }, (_, t) => letters[t % period] + 2)]);
    // position q holds letter q - 1 and predicts letter q
    weights.push(Array.from({ length: LENGTH }, (_, q) => (q >= period ? 1 : 0)));
  }
  return { tokens, weights };
}

/** A sequence cut somewhere in its second period or later; the wrong answer is another letter of it, the corrupted twin is without repetition of order. */
export function inductionPrompt(random: Random): Prompt {
  const { period, letters } = draw(random);
  const length = period + 1 + random.integer(LENGTH - period - 1);
  const text = (sequence: readonly number[]): string => sequence.map((i) => LETTERS[i]).join(' ');
  const sequence = Array.from({ length }, (_, t) => letters[t % period]);
  const next = letters[length % period];
  const others = letters.filter((letter) => letter !== next && letter !== sequence[length - 1]);
  // Corrupted: as long, its last letter is new to it, so there is nothing to look up.
  const strangers = random.shuffle(LETTERS.map((_, i) => i).filter((i) => !letters.includes(i)));
  const corrupted = Array.from({ length }, (_, t) =>
    t === length - 1 ? strangers[0] : strangers[1 + (t % (strangers.length - 1))],
  );
  return {
    prompt: text(sequence),
    correct: ` ${LETTERS[next]}`,
    incorrect: ` ${LETTERS[others[random.integer(others.length)]]}`,
    corrupted: text(corrupted),
  };
}
