/**
 * Values of a GGUF file's metadata by key, each of the kind that is asked for, so that every other place can take them
 * as they are.
 */
import { fail } from '../../errors.ts';
import { quote } from '../strict-json.ts';
import type { GgufList, GgufValue } from './header.ts';

export interface Metadata {
  readonly who: string;
  readonly keys: readonly string[];
  number(key: string): number | undefined;
  flag(key: string): boolean | undefined;
  text(key: string): string | undefined;
  texts(key: string): readonly string[] | undefined;
  numbers(key: string): Exclude<GgufList, readonly string[]> | undefined;
  /** `value`, which a getter above gave for `key`. @throws 'checkpoint' when it is undefined. */
  need<T>(key: string, value: T | undefined): T;
}

/** Getters over `pairs`; each throws 'checkpoint' when the value is there and of another kind. */
export function metadataOf(pairs: ReadonlyMap<string, GgufValue>, who: string): Metadata {
  const get = <T>(key: string, what: string, is: (value: GgufValue) => value is GgufValue & T): T | undefined => {
    const value = pairs.get(key);
    if (value === undefined || is(value)) return value;
    throw fail('checkpoint', who, `has ${quote(key)} as ${kindOf(value)}; it should be ${what}.`);
  };
  return {
    who,
    keys: [...pairs.keys()],
    number: (key) => get(key, 'a number', (value): value is number => typeof value === 'number'),
    flag: (key) => get(key, 'true or false', (value): value is boolean => typeof value === 'boolean'),
    text: (key) => get(key, 'a text', (value): value is string => typeof value === 'string'),
    texts: (key) => get(key, 'a list of texts', (value): value is readonly string[] => Array.isArray(value)),
    numbers: (key) => get(key, 'a list of numbers', isNumbers),
    need: (key, value) => {
      if (value === undefined) throw fail('checkpoint', who, `has no ${quote(key)} in its metadata and needs it.`);
      return value;
    },
  };
}

function isNumbers(value: GgufValue): value is Exclude<GgufList, readonly string[]> {
  return typeof value === 'object' && !Array.isArray(value);
}

function kindOf(value: GgufValue): string {
  if (typeof value !== 'object') return `${typeof value} ${quote(String(value))}`;
  return Array.isArray(value) ? `a list of ${value.length} texts` : `a list of ${value.length} numbers`;
}
