/**
 * Matching in linear time: a backtracking machine that never tries the same state at the same place twice.
 *
 * What follows from (instruction, position) does not depend on how it was reached, because there are no
 * back-references; so a choice that failed once is marked and never tried again, also from later starts. All matches
 * of a text of n characters by a pattern of m instructions take O(n·m) steps, with the answers of an unbounded
 * backtracking matcher (leftmost, first alternative). Look-arounds and atomic groups are machines of their own, asked
 * once a position. The idea is RE2's BitState, kept over the starts (Davis et al. 2021, "Using selective memoization
 * to defeat regular expression denial of service").
 */
import { isWord, type CharacterTest } from './classes.ts';
import { parsePattern, widthsOf, type Anchor, type Node } from './parse.ts';

export interface Pattern {
  /** All matches in `text` (code points), as [start, end), in order and without overlap; empty ones included. */
  matches(text: readonly number[]): (readonly [start: number, end: number])[];
}

type Instruction =
  | { readonly kind: 'set'; readonly test: CharacterTest }
  | { readonly kind: 'at'; readonly where: Anchor }
  | { readonly kind: 'go'; readonly to: number }
  | { readonly kind: 'fork'; readonly first: number; readonly second: number; readonly index: number }
  | { readonly kind: 'atomic'; readonly program: Program }
  | {
      readonly kind: 'look';
      readonly program: Program;
      readonly negative: boolean;
      /** How far before the position the program begins; [0] looks ahead. */
      readonly back: readonly number[];
    }
  | { readonly kind: 'end' };
interface Program {
  readonly code: readonly Instruction[];
  /** Number of forks: only they are marked. */
  readonly forks: number;
}

const PROGRAM_LIMIT = 20_000;

/** @throws Error saying what in `source` is malformed, not supported or too large. */
export function compilePattern(source: string): Pattern {
  if (source.length > 10_000) throw new Error(`a pattern of ${source.length} characters; the limit is 10000`);
  const program = compile(parsePattern(source), { left: PROGRAM_LIMIT });
  return { matches: (text) => allMatches(program, text) };
}

/** The pattern that matches `text` and nothing else. */
export function literalPattern(text: string): Pattern {
  const wanted = Array.from(text, (char) => char.codePointAt(0)!);
  return {
    matches: (codes) => {
      const found: [number, number][] = [];
      for (let at = 0; wanted.length > 0 && at + wanted.length <= codes.length; at++) {
        if (!wanted.every((code, i) => codes[at + i] === code)) continue;
        found.push([at, at + wanted.length]);
        at += wanted.length - 1;
      }
      return found;
    },
  };
}

function compile(tree: Node, room: { left: number }): Program {
  const code: Instruction[] = [];
  let forks = 0;
  const put = (instruction: Instruction): number => {
    if (--room.left < 0) throw new Error(`a pattern of more than ${PROGRAM_LIMIT} steps`);
    return code.push(instruction) - 1;
  };
  const fork = (first: number, second: number, lazy = false): Instruction => ({
    kind: 'fork',
    first: lazy ? second : first,
    second: lazy ? first : second,
    index: forks++,
  });
  const HOLE: Instruction = { kind: 'end' };
  const emit = (node: Node): void => {
    switch (node.kind) {
      case 'empty':
        return;
      case 'set':
        put({ kind: 'set', test: node.test });
        return;
      case 'at':
        put({ kind: 'at', where: node.where });
        return;
      case 'sequence':
        node.parts.forEach(emit);
        return;
      case 'atomic':
        put({ kind: 'atomic', program: compile(node.of, room) });
        return;
      case 'look': {
        const back = node.behind ? (widthsOf(node.of) ?? []) : [0];
        put({ kind: 'look', program: compile(node.of, room), negative: node.negative, back });
        return;
      }
      case 'choice': {
        const ends: number[] = [];
        node.options.forEach((option, i) => {
          if (i === node.options.length - 1) return emit(option);
          const at = put(HOLE);
          emit(option);
          ends.push(put(HOLE));
          code[at] = fork(at + 1, code.length);
        });
        for (const end of ends) code[end] = { kind: 'go', to: code.length };
        return;
      }
      case 'repeat': {
        for (let i = 0; i < node.min; i++) emit(node.of);
        if (node.max === Infinity) {
          const at = put(HOLE);
          emit(node.of);
          put({ kind: 'go', to: at });
          code[at] = fork(at + 1, code.length, node.lazy);
          return;
        }
        const starts: number[] = [];
        for (let i = node.min; i < node.max; i++) {
          starts.push(put(HOLE));
          emit(node.of);
        }
        for (const start of starts) code[start] = fork(start + 1, code.length, node.lazy);
        return;
      }
      default:
        node satisfies never;
    }
  };
  emit(tree);
  put({ kind: 'end' });
  return { code, forks };
}

/**
 * One text before one program; the marks of what was tried live as long. With `remembers`, so do the ends that were
 * reached: an inner program is asked at many places, and its paths run together.
 */
function machine(program: Program, text: readonly number[], remembers = false): (start: number) => number {
  const { code, forks } = program;
  const width = text.length + 1;
  const tried = new Uint8Array(Math.ceil((forks * width) / 8));
  const reached = new Map<number, number>();
  const inner = new Map<Program, (start: number) => number>();
  const ends = new Map<Program, Map<number, number>>();
  /** Where a program that starts at `start` ends, -1 when it does not match; each place is tried once. */
  const ask = (other: Program, start: number): number => {
    let run = inner.get(other);
    if (run === undefined) inner.set(other, (run = machine(other, text, true)));
    let known = ends.get(other);
    if (known === undefined) ends.set(other, (known = new Map()));
    let end = known.get(start);
    if (end === undefined) known.set(start, (end = run(start)));
    return end;
  };
  /** Whether the look-around holds; one that looks back must end where it is asked. */
  const looks = ({ program: other, back }: Instruction & { kind: 'look' }, at: number): boolean =>
    back.length === 1 && back[0] === 0
      ? ask(other, at) >= 0
      : back.some((distance) => distance <= at && ask(other, at - distance) === at);

  const trail: number[] = [];
  const stack: number[] = [];
  /** The forks on the way did not fail: their end is kept, or they may be tried again. */
  const succeed = (end: number): number => {
    for (const mark of trail) {
      if (remembers) reached.set(mark, end);
      else tried[mark >> 3] &= ~(1 << (mark & 7));
    }
    return end;
  };
  return (start) => {
    trail.length = 0;
    stack.length = 0;
    let pc = 0;
    let at = start;
    for (;;) {
      const step = code[pc];
      let alive: boolean;
      switch (step.kind) {
        case 'set':
          alive = at < text.length && step.test(text[at]);
          at++;
          pc++;
          break;
        case 'at':
          alive = isAt(step.where, text, at);
          pc++;
          break;
        case 'go':
          alive = true;
          pc = step.to;
          break;
        case 'fork': {
          const mark = step.index * width + at;
          alive = (tried[mark >> 3] & (1 << (mark & 7))) === 0;
          if (!alive) {
            const end = reached.get(mark);
            if (end !== undefined) return succeed(end);
            break;
          }
          // Marked while it is tried: a loop that comes back without having moved on fails here.
          tried[mark >> 3] |= 1 << (mark & 7);
          trail.push(mark);
          stack.push(step.second, at, trail.length);
          pc = step.first;
          break;
        }
        case 'atomic': {
          const end = ask(step.program, at);
          alive = end >= 0;
          at = end;
          pc++;
          break;
        }
        case 'look':
          alive = looks(step, at) !== step.negative;
          pc++;
          break;
        case 'end':
          return succeed(at);
        default:
          return step satisfies never;
      }
      if (alive) continue;
      if (stack.length === 0) return -1;
      trail.length = stack.pop()!;
      at = stack.pop()!;
      pc = stack.pop()!;
    }
  };
}

function isAt(where: Anchor, text: readonly number[], at: number): boolean {
  const { length } = text;
  switch (where) {
    case 'start':
      return at === 0;
    case 'end':
      return at === length;
    case 'last line end':
      return at === length || (at === length - 1 && text[at] === 10);
    case 'line start':
      return at === 0 || (text[at - 1] === 10 && at < length);
    case 'line end':
      return at === length || text[at] === 10;
    case 'word edge':
    case 'no word edge': {
      const edge = (at > 0 && isWord(text[at - 1])) !== (at < length && isWord(text[at]));
      return edge === (where === 'word edge');
    }
    default:
      return where satisfies never;
  }
}

function allMatches(program: Program, text: readonly number[]): [number, number][] {
  const run = machine(program, text);
  const found: [number, number][] = [];
  let from = 0;
  let lastEnd = -1;
  while (from <= text.length) {
    let start = from;
    let end = -1;
    for (; start <= text.length; start++) {
      end = run(start);
      if (end >= 0) break;
    }
    if (end < 0) break;
    // An empty match right after another is none: the search moves on by one character.
    if (end === start && end === lastEnd) {
      from++;
      continue;
    }
    found.push([start, end]);
    from = end;
    lastEnd = end;
  }
  return found;
}
