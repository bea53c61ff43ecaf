/**
 * Regular expressions of tokenizer files, from text to a tree.
 *
 * The dialect is Oniguruma's Ruby syntax, which Hugging Face's tokenizers match with: `^` and `$` are at lines,
 * `\h` is a hexadecimal digit, `?+ *+ ++` are possessive but `{1,3}+` is a loop around a loop. What cannot be matched
 * here exactly (back-references, calls, conditionals, look-behind of open length) is refused by name.
 */
import { classOf, parseClass, readEscape, type CharacterTest } from './classes.ts';

export type Node =
  | { readonly kind: 'empty' }
  | { readonly kind: 'set'; readonly test: CharacterTest; readonly text: string }
  | { readonly kind: 'sequence'; readonly parts: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly min: number; readonly max: number; readonly lazy: boolean }
  | { readonly kind: 'atomic'; readonly of: Node }
  | { readonly kind: 'look'; readonly of: Node; readonly behind: boolean; readonly negative: boolean }
  | { readonly kind: 'at'; readonly where: Anchor };
export type Anchor = 'line start' | 'line end' | 'start' | 'end' | 'last line end' | 'word edge' | 'no word edge';

/** What a flag group changes: i ignores case, m lets `.` match a newline, x skips white space of the pattern. */
interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly x: boolean;
}

const ANCHORS: Readonly<Record<string, Anchor>> = {
  A: 'start',
  z: 'end',
  Z: 'last line end',
  b: 'word edge',
  B: 'no word edge',
};
/** Letter pairs that ignoring case joins to one character (ß is ss): a step here is one character. */
const JOINED = ['ss', 'ff', 'fi', 'fl', 'st'];
const DEPTH_LIMIT = 100;

/** @throws Error saying what is not supported or malformed, and where. */
export function parsePattern(pattern: string): Node {
  const chars = Array.from(pattern);
  let at = 0;
  let depth = 0;
  const fault = (what: string): Error => new Error(`${what} at character ${at} of the pattern`);
  const ahead = (text: string): boolean => Array.from(text).every((char, i) => chars[at + i] === char);
  const take = (text: string): boolean => {
    if (!ahead(text)) return false;
    at += text.length;
    return true;
  };

  const parseChoice = (flags: Flags): Node => {
    if (++depth > DEPTH_LIMIT) throw fault(`groups nested deeper than ${DEPTH_LIMIT}`);
    const options: Node[] = [];
    // Flags that stand alone hold to the end of their group, over its bars.
    let current = flags;
    do {
      const [option, left] = parseSequence(current);
      options.push(option);
      current = left;
    } while (take('|'));
    depth--;
    return options.length === 1 ? options[0] : { kind: 'choice', options };
  };

  const parseSequence = (given: Flags): [Node, Flags] => {
    let flags = given;
    const parts: Node[] = [];
    while (at < chars.length && chars[at] !== '|' && chars[at] !== ')') {
      if (flags.x && skipBlank()) continue;
      if (take('(?#')) {
        while (at < chars.length && chars[at] !== ')') at++;
        if (!take(')')) throw fault('a comment that is not closed');
        continue;
      }
      const alone = takeFlags(flags);
      if (alone !== undefined) {
        flags = alone;
        continue;
      }
      parts.push(parseQuantified(flags));
    }
    requireSingleSteps(parts, flags);
    return [parts.length === 1 ? parts[0] : { kind: 'sequence', parts }, flags];
  };

  const skipBlank = (): boolean => {
    if (/\s/.test(chars[at])) {
      at++;
      return true;
    }
    if (chars[at] !== '#') return false;
    while (at < chars.length && chars[at] !== '\n') at++;
    return true;
  };

  /** `(?i)` on its own: the flags from here to the end of the group. */
  const takeFlags = (flags: Flags): Flags | undefined => {
    const found = /^\(\?([imx]*)(?:-([imx]*))?\)/.exec(chars.slice(at, at + 12).join(''));
    if (found === null) return undefined;
    at += found[0].length;
    return changed(flags, found[1], found[2] ?? '');
  };

  const requireSingleSteps = (parts: readonly Node[], flags: Flags): void => {
    if (!flags.i) return;
    const letters = parts.map((part) => (part.kind === 'set' ? part.text.toLowerCase() : ' ')).join('');
    const joined = JOINED.find((pair) => letters.includes(pair));
    if (joined !== undefined) throw fault(`"${joined}" with case ignored, which one character can match too,`);
  };

  const parseQuantified = (flags: Flags): Node => {
    let node = parseAtom(flags);
    for (;;) {
      if (flags.x && at < chars.length && skipBlank()) continue;
      const count = takeCount();
      if (count === undefined) return node;
      const [min, max, interval] = count;
      if (node.kind === 'at' || node.kind === 'look') throw fault('a repeated anchor or look-around');
      const lazy = (!interval || min !== max) && take('?');
      node = { kind: 'repeat', of: node, min, max, lazy };
      if (!interval && !lazy && take('+')) node = { kind: 'atomic', of: node };
    }
  };

  const takeCount = (): [min: number, max: number, interval: boolean] | undefined => {
    if (take('*')) return [0, Infinity, false];
    if (take('+')) return [1, Infinity, false];
    if (take('?')) return [0, 1, false];
    const found = /^\{(\d*)(,?)(\d*)\}/.exec(chars.slice(at, at + 24).join(''));
    if (found === null || (found[1] === '' && found[3] === '')) return undefined;
    const [all, low, comma, high] = found;
    const min = Number(low);
    const max = comma === '' ? min : high === '' ? Infinity : Number(high);
    if (max < min) throw fault(`the interval ${all}, which runs backwards,`);
    if (min > 1000 || (max !== Infinity && max > 1000)) throw fault(`the interval ${all}, above the limit of 1000,`);
    at += all.length;
    return [min, max, true];
  };

  const parseAtom = (flags: Flags): Node => {
    const char = chars[at];
    if (char === '(') return parseGroup(flags);
    if (char === '[') {
      const start = at;
      const [test, end] = parseClass(chars, at, flags.i, fault);
      at = end;
      return { kind: 'set', test, text: chars.slice(start, end).join('') };
    }
    if (char === '*' || char === '+' || char === '?') throw fault(`"${char}" with nothing before it`);
    if (char === '\\') return parseEscape(flags);
    at++;
    if (char === '^') return { kind: 'at', where: 'line start' };
    if (char === '$') return { kind: 'at', where: 'line end' };
    if (char === '.') return { kind: 'set', test: flags.m ? () => true : (code) => code !== 10, text: '.' };
    return { kind: 'set', test: classOf([[char.codePointAt(0)!, char.codePointAt(0)!]], flags.i), text: char };
  };

  const parseEscape = (flags: Flags): Node => {
    const next = chars[at + 1];
    if (next === undefined) throw fault('a backslash at the end');
    if (Object.hasOwn(ANCHORS, next)) {
      at += 2;
      return { kind: 'at', where: ANCHORS[next] };
    }
    if (next === 'R') {
      at += 2;
      const one = (...codes: number[]): Node => ({
        kind: 'set',
        test: (code) => codes.includes(code),
        text: '\\R',
      });
      const pair: Node = { kind: 'sequence', parts: [one(13), one(10)] };
      return { kind: 'atomic', of: { kind: 'choice', options: [pair, one(10, 11, 12, 13, 0x85, 0x2028, 0x2029)] } };
    }
    const start = at;
    const [item, end] = readEscape(chars, at, 'outside', fault);
    at = end;
    return {
      kind: 'set',
      test: classOf([item], flags.i && typeof item !== 'function'),
      text: chars.slice(start, end).join(''),
    };
  };

  const parseGroup = (flags: Flags): Node => {
    let wrap: (of: Node) => Node = (of) => of;
    let inner = flags;
    if (take('(?:')) wrap = (of) => of;
    else if (take('(?>')) wrap = (of) => ({ kind: 'atomic', of });
    else if (take('(?=')) wrap = (of) => ({ kind: 'look', of, behind: false, negative: false });
    else if (take('(?!')) wrap = (of) => ({ kind: 'look', of, behind: false, negative: true });
    else if (take('(?<=')) wrap = (of) => ({ kind: 'look', of, behind: true, negative: false });
    else if (take('(?<!')) wrap = (of) => ({ kind: 'look', of, behind: true, negative: true });
    else {
      const text = chars.slice(at, at + 80).join('');
      const set = /^\(\?([imx]*)(?:-([imx]*))?:/.exec(text);
      const named = /^\(\?<[A-Za-z_]\w*>/.exec(text);
      if (set !== null) {
        at += set[0].length;
        inner = changed(flags, set[1], set[2] ?? '');
      } else if (named !== null) at += named[0].length;
      else if (ahead('(?')) throw fault(`the group ${text.slice(0, 6)}..., which is not supported,`);
      else at++;
    }
    const of = parseChoice(inner);
    if (!take(')')) throw fault('a group that is not closed');
    const node = wrap(of);
    if (node.kind === 'look' && node.behind && widthsOf(node.of) === undefined)
      throw fault('a look-behind whose length is not fixed, which is not supported,');
    return node;
  };

  const tree = parseChoice({ i: false, m: false, x: false });
  if (at < chars.length) throw fault(`a "${chars[at]}" that closes nothing`);
  return tree;
}

function changed(flags: Flags, on: string, off: string): Flags {
  const value = (flag: keyof Flags): boolean => (off.includes(flag) ? false : flags[flag] || on.includes(flag));
  return { i: value('i'), m: value('m'), x: value('x') };
}

/** The lengths that `node` can match, when they are few and fixed. */
export function widthsOf(node: Node): readonly number[] | undefined {
  switch (node.kind) {
    case 'set':
      return [1];
    case 'empty':
    case 'at':
    case 'look':
      return [0];
    case 'atomic':
      return widthsOf(node.of);
    case 'choice': {
      const all = node.options.map(widthsOf);
      return all.includes(undefined) ? undefined : unique(all.flatMap((widths) => widths ?? []));
    }
    case 'sequence': {
      let sums: readonly number[] = [0];
      for (const part of node.parts) {
        const widths = widthsOf(part);
        if (widths === undefined) return undefined;
        sums = unique(sums.flatMap((sum) => widths.map((width) => sum + width)));
        if (sums.length > 64) return undefined;
      }
      return sums;
    }
    case 'repeat': {
      const widths = widthsOf(node.of);
      return node.min === node.max && widths?.length === 1 ? [widths[0] * node.min] : undefined;
    }
    default:
      return node satisfies never;
  }
}

function unique(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}
