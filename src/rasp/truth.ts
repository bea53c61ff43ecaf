/**
 * The circuit of a compiled program, from the compiler: which edges its answers depend on, for each kind of ablation.
 *
 * An edge can be true only if its receiver reads a direction of the residual stream that its sender writes: that is known from the
 * wiring, and no other edge carries anything. Of those, an edge is true for a kind of ablation if what it carries matters: for some
 * input, with what is carried replaced as that kind replaces it and all else as it is, the logits change at a position behind BOS. What the
 * program ignores does not matter (the queries of a width over all tokens), nor does what a replacement does not change (a position, where
 * inputs of one length stand in for each other).
 *
 * Parts that compute the same expression stand in for each other, so that none of them matters while the others are there. An edge into or
 * out of such a part is also asked with any number of its twins replaced as a whole.
 *
 * A part is true where a true edge enters or leaves it. Truth is decided in Float64, up to CHANGE.
 */
import { fail } from '../errors.ts';
import { createRandom, type Random } from '../random.ts';
import type { CompiledProgram, Part } from './compile.ts';
import { interpret } from './interpret.ts';
import type { Selector, Sequence, Value } from './language.ts';
import { idsOf, readersOf, runCompiled, runWithEdge, type CompiledRun } from './run-compiled.ts';
import type { Matrix } from './wiring.ts';

/** What a part or an edge is replaced by: nothing, its mean over a data set and its positions, what it is on another input of the same length. */
export type AblationKind = 'zero' | 'mean' | 'resample';
/** The ablations under which a program's edges are known. */
export const ABLATION_KINDS: readonly AblationKind[] = ['zero', 'mean', 'resample'];

/** The least change of a logit that is one: answers are 1 or multiples of 1/length, and a softmax leaks e^-50. */
const CHANGE = 1e-3;

/** Other inputs that an input is compared with, for resampling. */
const PARTNERS = 4;

export interface Edge {
  readonly from: string;
  /** With `<q>`, `<k>` or `<v>` for a head. */
  readonly to: string;
}

/** An input and one of the same length that stands in for it. */
export interface InputPair {
  readonly input: readonly Value[];
  readonly corrupted: readonly Value[];
}

/** The edges and parts of a compiled program that do something, and the inputs that show it. */
export interface Truth {
  /**
   * True edges by kind of ablation, by EAP-IG's names, in forward order of receivers. What the table of positions writes is
   * `positions->...`: a sender of its own, which a game over edges leaves in place.
   */
  readonly edges: Readonly<Record<AblationKind, readonly string[]>>;
  /** Parts on true edges. */
  readonly parts: Readonly<Record<AblationKind, readonly string[]>>;
  /** Inputs on which every true edge shows, and more: what to measure it on. Mean ablation is over these. */
  readonly pairs: readonly InputPair[];
}

/** The inputs that the truth is looked for on. */
export interface TruthOptions {
  /** Inputs that the program accepts, such as all of them (inputsOf). */
  readonly inputs: readonly (readonly Value[])[];
  /** Pairs at least. Default 24. */
  readonly pairs?: number | undefined;
  readonly seed?: number | undefined;
}

/** Senders before any part: tokens and positions. */
const SOURCES = 2;

/** The edges that carry anything: a direction that one end writes and the other reads. */
export function carryingEdges(compiled: CompiledProgram): Edge[] {
  const senders = [
    { name: 'input', writes: compiled.embedding.map(([, to]) => to) },
    { name: 'positions', writes: compiled.positions.map(([, to]) => to) },
    ...compiled.parts.map((part) => ({ name: part.name, writes: outOf(part).map(([, to]) => to) })),
  ];
  const edges: Edge[] = [];
  const add = (to: string, reads: Matrix, before: number): void => {
    const read = new Set(reads.map(([dimension]) => dimension));
    for (const { name, writes } of senders.slice(0, before))
      if (writes.some((dimension) => read.has(dimension))) edges.push({ from: name, to });
  };
  compiled.parts.forEach((part, k) => {
    for (const { name, reads } of readersOf(part)) add(name, reads, k + SOURCES);
  });
  add('logits', compiled.unembedding, senders.length);
  return edges;
}

/** `from->to`. */
export function edgeName({ from, to }: Edge): string {
  return `${from}->${to}`;
}

/** The truth of `compiled`. @throws 'input' without inputs, and where none answers anything at its last position. */
export function truthOf(compiled: CompiledProgram, { inputs, pairs: wanted = 24, seed = 0 }: TruthOptions): Truth {
  const random = createRandom(seed, 'rasp truth');
  const asked = pairsOf(compiled, inputs, random);
  const witnesses = new Set<InputPair>();
  const edges = carryingEdges(compiled).map((edge): Asked => ({ ...edge, contexts: contextsOf(compiled, edge) }));
  const matter = (kind: AblationKind, among: Iterable<InputPair>, mean?: Means): readonly string[] => {
    const undecided = new Set(edges);
    for (const pair of among) {
      if (undecided.size === 0) break;
      const found = changed(compiled, pair, kind, undecided, mean);
      if (found.length > 0) witnesses.add(pair);
      for (const edge of found) undecided.delete(edge);
    }
    return edges.filter((edge) => !undecided.has(edge)).map(edgeName);
  };
  const zero = matter('zero', new Map(asked.map((pair) => [pair.input, pair])).values());
  const resample = matter('resample', asked);
  for (const pair of asked) {
    if (witnesses.size >= wanted) break;
    witnesses.add(pair);
  }
  const pairs = [...witnesses];
  const mean = matter('mean', pairs, meansOf(compiled, pairs));
  const byKind = { zero, mean, resample };
  const names = compiled.parts.map(({ name }) => name);
  const partsOn = (found: readonly string[]): string[] => {
    const ends = new Set(found.flatMap((edge) => edge.replace(/<.>$/, '').split('->')));
    return names.filter((name) => ends.has(name));
  };
  return {
    edges: byKind,
    parts: { zero: partsOn(zero), mean: partsOn(mean), resample: partsOn(resample) },
    pairs,
  };
}

/** An edge, and the sets of parts that may be absent while it is asked. */
interface Asked extends Edge {
  readonly contexts: readonly (readonly string[])[];
}

type Means = ReadonlyMap<string, Float64Array>;

/** Each input with PARTNERS others of its length, in random order; those that answer at their last position first. */
function pairsOf(compiled: CompiledProgram, inputs: readonly (readonly Value[])[], random: Random): InputPair[] {
  const byLength = new Map<number, (readonly Value[])[]>();
  for (const input of inputs) {
    const same = byLength.get(input.length);
    if (same === undefined) byLength.set(input.length, [input]);
    else same.push(input);
  }
  const shuffled = random.shuffle([...inputs]);
  const rounds = Array.from({ length: PARTNERS }, () =>
    shuffled.map((input): InputPair => {
      const same = byLength.get(input.length) ?? [];
      const other = same[random.integer(same.length)];
      return {
        input,
        corrupted: other === input && same.length > 1 ? same[(same.indexOf(input) + 1) % same.length] : other,
      };
    }),
  ).flat();
  const answers = new Map(
    inputs.map((input) => [input, interpret(compiled.program, input, compiled)[input.length - 1] !== undefined]),
  );
  const answering = rounds.filter(({ input }) => answers.get(input) === true);
  if (answering.length === 0)
    throw fail(
      'input',
      compiled.program.label,
      `answers nothing at the last position of any of ${inputs.length} inputs.`,
    );
  return [...answering, ...rounds.filter(({ input }) => answers.get(input) !== true)];
}

/** Those of `edges` whose replacement changes the answer to a pair's input. */
function changed(
  compiled: CompiledProgram,
  { input, corrupted }: InputPair,
  kind: AblationKind,
  edges: Iterable<Asked>,
  means: Means | undefined,
): Asked[] {
  const ids = idsOf(compiled, input);
  const clean = runCompiled(compiled, ids);
  const other = kind === 'resample' ? runCompiled(compiled, idsOf(compiled, corrupted)) : undefined;
  const instead = (name: string): Float64Array => {
    if (other !== undefined) return other.written.get(name) as Float64Array;
    const mean = means?.get(name);
    const zeros = new Float64Array(ids.length * compiled.space.dims);
    return mean === undefined ? zeros : zeros.map((_, i) => mean[i % mean.length]);
  };
  return [...edges].filter(({ from, to, contexts }) => {
    const edge = { from, to, by: instead(from) };
    return contexts.some((absent) => {
      const parts = new Map(absent.map((name) => [name, instead(name)]));
      const whole = absent.length === 0 ? clean : runCompiled(compiled, ids, parts);
      return differ(runWithEdge(compiled, whole, edge, parts), whole);
    });
  });
}

function differ(a: CompiledRun, b: CompiledRun): boolean {
  const first = a.logits.length / a.positions; // behind BOS
  return a.logits.some((logit, i) => i >= first && Math.abs(logit - b.logits[i]) > CHANGE);
}

/** Sets of parts that may be absent while an edge is asked: none, and each set of the twins of either of its ends. */
function contextsOf({ parts }: CompiledProgram, { from, to }: Edge): string[][] {
  const contexts: string[][] = [[]];
  for (const end of [from, to.replace(/<.>$/, '')]) {
    const part = parts.find(({ name }) => name === end);
    if (part === undefined) continue;
    const twins = parts.filter((other) => other !== part && other.kind === part.kind && areTwins(other, part));
    for (let bits = 1; bits < 2 ** twins.length; bits++)
      contexts.push(twins.filter((_, k) => (bits >> k) & 1).map(({ name }) => name));
  }
  return contexts;
}

/** Whether two parts compute the same expressions. */
function areTwins(a: Part, b: Part): boolean {
  return (
    a.computes.length === b.computes.length &&
    a.computes.every((sequence, k) => sameExpression(sequence, b.computes[k]))
  );
}

/** Whether two sequences are written alike: the same operation, of the same functions, of inputs that are. */
function sameExpression(a: Sequence, b: Sequence): boolean {
  if (a === b) return true;
  if (a.encoding !== b.encoding) return false;
  if (a.kind === 'map' && b.kind === 'map') return a.f === b.f && sameExpression(a.of, b.of);
  if (a.kind === 'sequence-map' && b.kind === 'sequence-map')
    return a.f === b.f && sameExpression(a.first, b.first) && sameExpression(a.second, b.second);
  if (a.kind === 'linear' && b.kind === 'linear')
    return (
      String(a.weights) === String(b.weights) && sameExpression(a.first, b.first) && sameExpression(a.second, b.second)
    );
  if (a.kind === 'aggregate' && b.kind === 'aggregate')
    return sameSelector(a.selector, b.selector) && sameExpression(a.values, b.values);
  return a.kind === 'width' && b.kind === 'width' && sameSelector(a.selector, b.selector);
}

function sameSelector(a: Selector, b: Selector): boolean {
  return a.predicate === b.predicate && sameExpression(a.keys, b.keys) && sameExpression(a.queries, b.queries);
}

/** The mean of what each part and the embeddings write, over the positions of the pairs' inputs, BOS included. */
function meansOf(compiled: CompiledProgram, pairs: readonly InputPair[]): Means {
  const d = compiled.space.dims;
  const sums = new Map<string, Float64Array>();
  let positions = 0;
  for (const { input } of pairs) {
    const run = runCompiled(compiled, idsOf(compiled, input));
    positions += run.positions;
    for (const [name, written] of run.written) {
      const sum = sums.get(name) ?? new Float64Array(d);
      written.forEach((x, i) => (sum[i % d] += x));
      sums.set(name, sum);
    }
  }
  return new Map([...sums].map(([name, sum]) => [name, sum.map((x) => x / positions)]));
}

function outOf(part: Part): Matrix {
  return part.kind === 'mlp' ? part.wiring.out : part.wiring.o;
}
