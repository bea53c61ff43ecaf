/**
 * A compiled transformer in Float64, part by part, with what each part wrote kept apart: the arithmetic by which truth is decided.
 *
 * What an edge carries, or what a part writes to all its readers, can be replaced.
 */
import { fail } from '../errors.ts';
import { logitsOf, type CompiledProgram, type Part } from './compile.ts';
import type { Value } from './language.ts';
import { columnsOf, type Matrix } from './wiring.ts';

/** One run of a compiled program, part by part. */
export interface CompiledRun {
  /** By `input` (the token embedding), `positions` (their table) and part, [position, d_model]: what it adds to the residual stream. */
  readonly written: ReadonlyMap<string, Float64Array>;
  /** [position, logits] */
  readonly logits: Float64Array;
  readonly positions: number;
}

const READERS = ['q', 'k', 'v'] as const;

/** Where a part reads, by the receiver's name in an edge. */
export function readersOf(part: Part): readonly { readonly name: string; readonly reads: Matrix }[] {
  return part.kind === 'mlp'
    ? [{ name: part.name, reads: part.wiring.in }]
    : READERS.map((port) => ({ name: `${part.name}<${port}>`, reads: part.wiring[port] }));
}

/** Ids of an input, BOS before it. @throws 'input' for one that is longer than the model, and for a token it has not. */
export function idsOf({ words, maxLength }: CompiledProgram, input: readonly Value[]): number[] {
  if (input.length > maxLength)
    throw fail('input', 'compiled program', `the input has ${input.length} tokens; at most ${maxLength} fit.`);
  return [words.bos, ...input.map((value) => words.idOf(value))];
}

/** What stands in for what parts write, by their names, [position, d_model] row by row. */
export type Absent = ReadonlyMap<string, Float64Array>;

/** Runs `ids` through the transformer, with `absent` for what some parts write. */
export function runCompiled(
  compiled: CompiledProgram,
  ids: readonly number[],
  absent: Absent = new Map(),
): CompiledRun {
  const stream = openStream(compiled, ids.length);
  const { dims } = compiled.space;
  stream.write('input', rowsOf(ids, compiled.embedding, dims));
  stream.write('positions', rowsOf([...ids.keys()], compiled.positions, dims));
  for (const part of compiled.parts)
    stream.write(part.name, absent.get(part.name) ?? outputOf(compiled, part, () => stream.values, ids.length));
  return stream.close(stream.values);
}

/** What an edge carries instead, [position, d_model] row by row. */
export interface ReplacedEdge {
  readonly from: string;
  /** `m2`, `a3.h0<q>`, `logits`. */
  readonly to: string;
  readonly by: Float64Array;
}

/** The run `whole`, of parts but the `absent`, with one edge replaced: what comes before its receiver is taken from there. */
export function runWithEdge(
  compiled: CompiledProgram,
  whole: CompiledRun,
  { from, to, by }: ReplacedEdge,
  absent: Absent = new Map(),
): CompiledRun {
  const stream = openStream(compiled, whole.positions);
  const before = (name: string): Float64Array => whole.written.get(name) as Float64Array;
  /** The residual stream as the receiver sees it. */
  const instead = (): Float64Array => {
    const carried = before(from);
    return stream.values.map((x, i) => x + by[i] - carried[i]);
  };
  for (const name of ['input', 'positions']) stream.write(name, before(name));
  const receiver = compiled.parts.findIndex((part) => readersOf(part).some(({ name }) => name === to));
  for (const [k, part] of compiled.parts.entries()) {
    const same = to === 'logits' || k < receiver || absent.has(part.name);
    const seen = (name: string): Float64Array => (name === to ? instead() : stream.values);
    const output = same ? before(part.name) : outputOf(compiled, part, seen, whole.positions);
    if (k === receiver && before(part.name).every((x, i) => Math.abs(output[i] - x) < SAME)) return whole;
    stream.write(part.name, output);
  }
  return stream.close(to === 'logits' ? instead() : stream.values);
}

/** Outputs that differ by less are the same: what a softmax leaks. */
const SAME = 1e-12;

interface Stream {
  /** What was written so far, added up, [position, d_model]. */
  readonly values: Float64Array;
  write(sender: string, contribution: Float64Array): void;
  /** The run whose logits are read from `last`. */
  close(last: Float64Array): CompiledRun;
}

function openStream(compiled: CompiledProgram, positions: number): Stream {
  const d = compiled.space.dims;
  const values = new Float64Array(positions * d);
  const written = new Map<string, Float64Array>();
  return {
    values,
    write(sender, contribution) {
      written.set(sender, contribution);
      for (let i = 0; i < values.length; i++) values[i] += contribution[i];
    },
    close: (last) => ({
      written,
      positions,
      logits: product(last, positions, d, compiled.unembedding, logitsOf(compiled)),
    }),
  };
}

/** What a part writes for what its readers see, [position, d_model]. */
function outputOf(
  { space, causal }: CompiledProgram,
  part: Part,
  seen: (reader: string) => Float64Array,
  n: number,
): Float64Array {
  const [first, ...others] = readersOf(part).map(({ name, reads }) =>
    product(seen(name), n, space.dims, reads, columnsOf(reads)),
  );
  const isMlp = part.kind === 'mlp';
  const inner = isMlp ? first.map((x) => Math.max(0, x)) : attend(first, others[0], others[1], n, causal);
  return product(inner, n, inner.length / n, isMlp ? part.wiring.out : part.wiring.o, space.dims);
}

/** What a compiled program says at each position behind BOS. */
export function answersOf(compiled: CompiledProgram, { logits, positions }: CompiledRun): (Value | undefined)[] {
  return Array.from({ length: positions - 1 }, (_, k) => {
    const width = logits.length / positions;
    return decode(compiled, logits.subarray((k + 1) * width, (k + 2) * width));
  });
}

/** The answer that a row of logits says: the number, or the value whose logit is above one half. */
export function decode({ encoding, answers }: CompiledProgram, logits: ArrayLike<number>): Value | undefined {
  if (encoding === 'numerical') return logits[0];
  return answers.find(({ id }) => logits[id] > 0.5)?.value;
}

/** Rows of a sparse table with `columns` columns, [rows, columns]. */
function rowsOf(wanted: readonly number[], table: Matrix, columns: number): Float64Array {
  const out = new Float64Array(wanted.length * columns);
  wanted.forEach((id, at) => {
    for (const [row, column, value] of table) if (row === id) out[at * columns + column] += value;
  });
  return out;
}

/** x [rows, width] times a sparse matrix -> [rows, columns]. */
function product(x: Float64Array, rows: number, width: number, matrix: Matrix, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  for (const [from, to, value] of matrix)
    for (let row = 0; row < rows; row++) out[row * columns + to] += value * x[row * width + from];
  return out;
}

/** softmax(q kᵀ) v, [n, columns of v]. */
function attend(q: Float64Array, k: Float64Array, v: Float64Array, n: number, causal: boolean): Float64Array {
  const width = v.length / n;
  const inner = q.length / n;
  const out = new Float64Array(v.length);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const seen = causal ? i + 1 : n;
    let most = -Infinity;
    for (let j = 0; j < seen; j++) {
      weights[j] = 0;
      for (let c = 0; c < inner; c++) weights[j] += q[i * inner + c] * k[j * inner + c];
      most = Math.max(most, weights[j]);
    }
    let total = 0;
    for (let j = 0; j < seen; j++) total += weights[j] = Math.exp(weights[j] - most);
    for (let j = 0; j < seen; j++)
      for (let c = 0; c < width; c++) out[i * width + c] += (weights[j] / total) * v[j * width + c];
  }
  return out;
}
