/**
 * Sets of characters in a pattern: `[^\s\p{L}&&[^x]]`, `\p{Han}`, `\d`, with or without case, as tests on a code point.
 *
 * The sets are Unicode's, as Oniguruma and Rust have them: `\s` is White_Space (JavaScript's own adds U+FEFF and
 * misses U+0085), `\d` every decimal digit, `\w` Alphabetic, marks, decimal digits and connectors. Compared over all
 * code points with tokenizers 0.23.3 (Unicode 16) they are equal; characters of later versions are as the runtime
 * has them.
 */

/** Whether the set holds a code point. */
export type CharacterTest = (code: number) => boolean;
/** A range of code points, or a set. */
export type Item = readonly [low: number, high: number] | CharacterTest;
type Fault = (what: string) => Error;

const CONTROL: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 };
const HEX = '0-9A-Fa-f';
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}';
/** Outside brackets Oniguruma counts the superscript and fraction signs of Latin-1 as word characters too. */
const WORD_OUTSIDE = `${WORD}\\u00b2\\u00b3\\u00b9\\u00bc-\\u00be`;
const SHORT: Readonly<Record<string, string>> = { d: '\\p{Nd}', s: '\\p{White_Space}', h: HEX, w: WORD };
const POSIX: Readonly<Record<string, string>> = {
  alnum: '\\p{Alphabetic}\\p{Nd}',
  alpha: '\\p{Alphabetic}',
  blank: '\\t\\p{Zs}',
  cntrl: '\\p{Cc}',
  digit: '\\p{Nd}',
  lower: '\\p{Lowercase}',
  space: '\\p{White_Space}',
  upper: '\\p{Uppercase}',
  word: WORD,
  xdigit: HEX,
};

/** Whether a character is of a word, as `\b` sees it. */
export const isWord = fromSource(WORD_OUTSIDE);
/** White space as Rust's char::is_whitespace and every pattern have it. */
export const isWhitespace = fromSource('\\p{White_Space}');
/** Numbers of every kind, as Rust's char::is_numeric has them. */
export const isNumeric = fromSource('\\p{N}');

/** A test that remembers its answers for the characters below 65536. */
function fromSource(source: string): CharacterTest {
  const regex = new RegExp(`[${source}]`, 'u');
  return remembered((code) => regex.test(String.fromCodePoint(code)));
}

function remembered(test: CharacterTest): CharacterTest {
  let known: Uint8Array | undefined;
  return (code) => {
    if (code > 0xffff) return test(code);
    known ??= new Uint8Array(0x10000);
    if (known[code] === 0) known[code] = test(code) ? 1 : 2;
    return known[code] === 1;
  };
}

const sets = new Map<string, CharacterTest>();
function namedSet(source: string): CharacterTest {
  const found = sets.get(source) ?? fromSource(source);
  sets.set(source, found);
  return found;
}

/** The set of `items`, with case ignored when asked. */
export function classOf(items: readonly Item[], ignoreCase: boolean): CharacterTest {
  const [first] = items;
  if (!ignoreCase && items.length === 1) {
    if (typeof first === 'function') return first;
    if (first[0] === first[1]) return (code) => code === first[0];
  }
  const has: CharacterTest = (code) =>
    items.some((item) => (typeof item === 'function' ? item(code) : item[0] <= code && code <= item[1]));
  return remembered(ignoreCase ? (code) => casesOf(code).some(has) : has);
}

/** The characters that equal `code` when case is ignored and one character stands for one. */
function casesOf(code: number): number[] {
  const found = new Set([code]);
  const add = (text: string): void => {
    const [char, ...more] = text;
    if (more.length === 0) found.add(char.codePointAt(0)!);
  };
  const char = String.fromCodePoint(code);
  const [lower, upper] = [char.toLowerCase(), char.toUpperCase()];
  for (const text of [lower, upper, lower.toUpperCase(), upper.toLowerCase()]) add(text);
  // The long s and the Kelvin sign fold to letters whose own other case they are not.
  if (found.has(0x73)) found.add(0x17f);
  if (found.has(0x6b)) found.add(0x212a);
  return [...found];
}

/**
 * The class that begins with the bracket at `start`.
 * @returns its test, and where it ends.
 */
export function parseClass(
  chars: readonly string[],
  start: number,
  ignoreCase: boolean,
  fault: Fault,
  depth = 0,
): [test: CharacterTest, end: number] {
  if (depth > 32) throw fault('character classes nested deeper than 32');
  let at = start + 1;
  const negated = chars[at] === '^';
  if (negated) at++;
  const first = at;
  let items: Item[] = [];
  const operands: Item[][] = [items];
  for (;;) {
    const char = chars[at];
    if (char === undefined) throw fault('a character class that is not closed');
    if (char === ']' && at > first) break;
    if (char === '&' && chars[at + 1] === '&') {
      items = [];
      operands.push(items);
      at += 2;
      continue;
    }
    if (char === '[') {
      const posix = /^\[:(\^?)([a-z]+):\]/.exec(chars.slice(at, at + 16).join(''));
      if (posix !== null) {
        if (!Object.hasOwn(POSIX, posix[2])) throw fault(`the class ${posix[0]}, which is not supported,`);
        items.push(complement(namedSet(POSIX[posix[2]]), posix[1] === '^'));
        at += posix[0].length;
      } else {
        const [test, end] = parseClass(chars, at, false, fault, depth + 1);
        items.push(test);
        at = end;
      }
      continue;
    }
    const [item, end] = readItem(chars, at, fault);
    at = end;
    if (typeof item === 'function' || chars[at] !== '-' || chars[at + 1] === ']' || chars[at + 1] === undefined) {
      items.push(item);
      continue;
    }
    if (chars[at + 1] === '[' || (chars[at + 1] === '&' && chars[at + 2] === '&'))
      throw fault('a range that ends in a set');
    const [high, after] = readItem(chars, at + 1, fault);
    if (typeof high === 'function' || high[1] < item[0]) throw fault('a range that ends in a set or runs backwards');
    items.push([item[0], high[1]]);
    at = after;
  }
  if (operands.some((operand) => operand.length === 0)) throw fault('an empty character class');
  const tests = operands.map((operand) => classOf(operand, false));
  const all: CharacterTest = tests.length === 1 ? tests[0] : (code) => tests.every((test) => test(code));
  // Case is ignored in what the whole class holds, once, before it is inverted.
  return [complement(ignoreCase ? classOf([all], true) : all, negated), at + 1];
}

function readItem(chars: readonly string[], at: number, fault: Fault): [Item, number] {
  if (chars[at] === '\\') return readEscape(chars, at, 'inside', fault);
  const code = chars[at].codePointAt(0)!;
  return [[code, code], at + 1];
}

/** A character or set written with a backslash, and where it ends. */
export function readEscape(
  chars: readonly string[],
  at: number,
  where: 'inside' | 'outside',
  fault: Fault,
): [Item, number] {
  const char = chars[at + 1];
  if (char === undefined) throw fault('a backslash at the end');
  const text = chars.slice(at, at + 64).join('');
  const property = /^\\([pP])\{(\^?)([\w =-]+)\}/.exec(text);
  if (property !== null) {
    const inverted = (property[1] === 'P') !== (property[2] === '^');
    return [complement(propertyOf(property[3], fault), inverted), at + property[0].length];
  }
  const hex = /^\\(?:x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4}))/.exec(text);
  if (hex !== null) {
    const code = parseInt(hex[1] ?? hex[2] ?? hex[3], 16);
    if (code > 0x10ffff) throw fault(`${hex[0]}, which is no character,`);
    return [[code, code], at + hex[0].length];
  }
  const low = char.toLowerCase();
  if (Object.hasOwn(SHORT, low)) {
    const source = low === 'w' && where === 'outside' ? WORD_OUTSIDE : SHORT[low];
    return [complement(namedSet(source), char !== low), at + 2];
  }
  if (Object.hasOwn(CONTROL, char)) return [[CONTROL[char], CONTROL[char]], at + 2];
  const octal = /^\\0([0-7]{0,2})/.exec(text);
  if (octal !== null) return [[parseInt(`0${octal[1]}`, 8), parseInt(`0${octal[1]}`, 8)], at + octal[0].length];
  if (/[A-Za-z0-9]/.test(char)) throw fault(`\\${char}, which is not supported,`);
  const code = char.codePointAt(0)!;
  return [[code, code], at + 2];
}

/** A general category, a binary property or a script: L, Lu, Letter, Alphabetic, Han. */
function propertyOf(name: string, fault: Fault): CharacterTest {
  const plain = name.replaceAll(/[ -]/g, '_');
  const posix = plain.toLowerCase();
  if (Object.hasOwn(POSIX, posix)) return namedSet(POSIX[posix]);
  const candidates = [plain, plain.replace(/^./, (first) => first.toUpperCase())];
  for (const source of candidates.flatMap((word) => [`\\p{${word}}`, `\\p{Script=${word}}`])) {
    try {
      return namedSet(source);
    } catch {
      // Not of this kind.
    }
  }
  throw fault(`the property ${name}, which is not known,`);
}

function complement(test: CharacterTest, really: boolean): CharacterTest {
  return really ? (code) => !test(code) : test;
}
