/**
 * JSON as RFC 8259 has it, for headers that an attacker may have written.
 *
 * JSON.parse keeps the last of two equal keys, reads 1e3 and 1.0 as the integer they equal and
 * rounds integers above 2^53. Here duplicate keys are an error, objects become Maps (so
 * `__proto__` is a key like any other), depth is bounded (so nesting cannot exhaust the stack),
 * strings are well-formed Unicode, and numbers are plain unsigned integers unless asked otherwise.
 */
import { fail } from '../errors.ts';

export type StrictJson = string | number | boolean | null | StrictJson[] | Map<string, StrictJson>;

export interface StrictJsonOptions {
  /** Who is blamed in errors, as in `fail`. */
  readonly who: string;
  /** Deepest nesting of arrays and objects allowed. */
  readonly depth: number;
  /** 'unsigned': only 0 and [1-9][0-9]* up to 2^53 - 1, as Rust's usize reads. 'any': every JSON number. */
  readonly numbers: 'unsigned' | 'any';
  /** Most values of all kinds; default VALUES_LIMIT. */
  readonly values?: number;
}

/** A million values are the header of some 100,000 tensors; as small objects they are 0.3 GB. */
const VALUES_LIMIT = 1_000_000;

/**
 * The value written in `text`; whitespace may surround it, nothing else.
 *
 * @throws 'checkpoint' at the first fault, with its position in UTF-16 units.
 */
export function parseStrictJson(text: string, options: StrictJsonOptions): StrictJson {
  let at = 0;
  let values = 0;
  const limit = options.values ?? VALUES_LIMIT;

  const fault = (what: string): Error =>
    fail('checkpoint', options.who, `bad JSON at character ${at} of ${text.length}: ${what}; the file is damaged.`);
  const skipSpace = (): void => {
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    }
  };
  const found = (): string => (at < text.length ? JSON.stringify(text[at]) : 'the end');
  const expectChar = (char: string): void => {
    if (text[at] !== char) throw fault(`expected ${JSON.stringify(char)}, found ${found()}`);
    at++;
  };

  const parseString = (): string => {
    const start = at;
    expectChar('"');
    let escaped = false;
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (code === 0x22) break;
      // NaN past the end fails this comparison too.
      if (!(code >= 0x20)) throw fault('a string that is not closed or holds a control character');
      if (code === 0x5c) {
        escaped = true;
        at++;
      }
    }
    at++;
    if (!escaped) return text.slice(start + 1, at - 1);
    let value: string;
    try {
      value = JSON.parse(text.slice(start, at)) as string;
    } catch {
      throw fault('a string with an invalid escape');
    }
    if (/\p{Surrogate}/u.test(value)) throw fault('a string with half a surrogate pair');
    return value;
  };

  const numberPattern = options.numbers === 'any' ? /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y : /0|[1-9]\d*/y;
  const parseNumber = (): number => {
    numberPattern.lastIndex = at;
    const lexeme = numberPattern.exec(text)?.[0];
    const wanted = options.numbers === 'any' ? 'a number' : 'an unsigned integer';
    if (lexeme === undefined) throw fault(`expected ${wanted}, found ${found()}`);
    const next = text[at + lexeme.length];
    if (next !== undefined && /[\w.+-]/.test(next))
      throw fault(`expected ${wanted}, found ${lexeme.slice(0, 20)}${next}`);
    const value = Number(lexeme);
    if (options.numbers === 'unsigned' && !Number.isSafeInteger(value)) {
      throw fault(`the integer ${lexeme.slice(0, 30)} is above 2^53 - 1`);
    }
    at += lexeme.length;
    return value;
  };

  const parseWord = (word: string, value: boolean | null): boolean | null => {
    if (!text.startsWith(word, at)) throw fault(`expected a value, found ${found()}`);
    at += word.length;
    return value;
  };

  const parseObject = (depth: number): Map<string, StrictJson> => {
    const object = new Map<string, StrictJson>();
    at++;
    skipSpace();
    if (text[at] === '}') {
      at++;
      return object;
    }
    for (;;) {
      skipSpace();
      const key = parseString();
      if (object.has(key)) throw fault(`the key ${quote(key)} is there twice`);
      skipSpace();
      expectChar(':');
      object.set(key, parseValue(depth));
      skipSpace();
      if (text[at] === '}') break;
      expectChar(',');
    }
    at++;
    return object;
  };

  const parseArray = (depth: number): StrictJson[] => {
    const array: StrictJson[] = [];
    at++;
    skipSpace();
    if (text[at] === ']') {
      at++;
      return array;
    }
    for (;;) {
      array.push(parseValue(depth));
      skipSpace();
      if (text[at] === ']') break;
      expectChar(',');
    }
    at++;
    return array;
  };

  const parseValue = (depth: number): StrictJson => {
    skipSpace();
    if (++values > limit) throw fault(`more than ${limit} values`);
    const first = text[at];
    if (first === '{' || first === '[') {
      if (depth === 0) throw fault(`nested deeper than ${options.depth}`);
      return first === '{' ? parseObject(depth - 1) : parseArray(depth - 1);
    }
    if (first === '"') return parseString();
    if (first === 't') return parseWord('true', true);
    if (first === 'f') return parseWord('false', false);
    if (first === 'n') return parseWord('null', null);
    return parseNumber();
  };

  const value = parseValue(options.depth);
  skipSpace();
  if (at < text.length) throw fault(`expected the end, found ${found()}`);
  return value;
}

/** A name from a file as it may stand in a one-line message: quoted, escaped, at most 120 characters. */
export function quote(name: string): string {
  return JSON.stringify(name.length <= 120 ? name : `${name.slice(0, 117)}...`).replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`,
  );
}
