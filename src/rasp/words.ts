/**
 * Token ids of a compiled transformer: BOS, the unknown token, the vocabulary, and behind it what the program answers beyond it.
 *
 * The columns of the logits are the same ids, so that an answer reads as a token: `hist` answers " 2".
 */
import { fail } from '../errors.ts';
import type { Value } from './language.ts';

export interface Words {
  readonly bos: number;
  /** Ids in all. */
  readonly size: number;
  /** The words from id 2 on, as a tokenizer has them. */
  readonly list: readonly string[];
  /** @throws 'input' for a value that is no word here. */
  idOf(value: Value): number;
}

/** Ids of BOS and the unknown token. */
const SPECIAL = 2;

/** The ids of `vocabulary` and of the values that a program answers. @throws 'input' for two tokens of the same text. */
export function wordsOf(vocabulary: readonly Value[], answers: readonly Value[]): Words {
  const ids = new Map<Value, number>();
  const list: string[] = [];
  const add = (value: Value): void => {
    const text = wordOf(value);
    const at = list.indexOf(text);
    ids.set(value, SPECIAL + (at >= 0 ? at : list.push(text) - 1));
  };
  vocabulary.forEach(add);
  if (list.length < vocabulary.length)
    throw fail('input', 'vocabulary', `has two tokens of the same text among ${vocabulary.map(String).join(', ')}.`);
  answers.filter((value) => !ids.has(value)).forEach(add);
  return {
    bos: 0,
    size: SPECIAL + list.length,
    list,
    idOf(value) {
      const id = ids.get(value);
      if (id !== undefined) return id;
      throw fail('input', 'token', `${JSON.stringify(value)} is none of ${[...ids.keys()].map(String).join(', ')}.`);
    },
  };
}

/** A value as one word of a tokenizer: numbers with signs and points are spelled. */
export function wordOf(value: Value): string {
  return typeof value === 'number' ? String(value).replace('-', 'minus').replace('.', 'point') : String(value);
}
