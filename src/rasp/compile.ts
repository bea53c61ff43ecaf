/**
 * A RASP program becomes a transformer: values -> residual stream -> blocks -> layers -> weights, one call a pass.
 *
 * The transformer has no norms and no biases, ReLU MLPs, scores that are not scaled, learned positions, and BOS before every input; the layout
 * of the TransformerLens format. The construction is that of Lindner et al., Tracr, arXiv 2301.05062.
 */
import { fail } from '../errors.ts';
import { headOf } from './attention.ts';
import { indices, sequencesOf, tokens, type Computed, type Encoding, type Sequence, type Value } from './language.ts';
import { scheduleOf } from './layers.ts';
import { layOut, type ResidualSpace } from './residual-space.ts';
import { unitsOf } from './units.ts';
import { valueSetsOf, type ValueSets } from './value-sets.ts';
import { wordsOf, type Words } from './words.ts';
import { columnsOf, mlpOf, type Entry, type Head, type Matrix, type Mlp } from './wiring.ts';

/** What a program is compiled for: its tokens, the longest input, whether attention is causal. */
export interface CompileOptions {
  /** The tokens that inputs are made of. */
  readonly vocabulary: readonly Value[];
  /** Tokens of an input at most, BOS not counted. */
  readonly maxLength: number;
  /** Whether a position sees only those before it and itself. Default false. */
  readonly causal?: boolean | undefined;
}

interface PartFacts {
  /** EAP-IG's name: `a0.h1`, `m2`. */
  readonly name: string;
  readonly layer: number;
  /** The sequences of the program that it computes; a width's head and MLP both compute it. */
  readonly computes: readonly Sequence[];
}
/** A head or an MLP of the transformer. */
export type Part = PartFacts &
  (
    | { readonly kind: 'head'; readonly head: number; readonly wiring: Head }
    | { readonly kind: 'mlp'; readonly wiring: Mlp }
  );

/** The shape of a compiled transformer. */
export interface Sizes {
  readonly dModel: number;
  readonly layers: number;
  readonly heads: number;
  readonly dHead: number;
  /** 0: attention alone. */
  readonly dMlp: number;
}

/** A program as a transformer: its weights, and where each value stands in the residual stream. */
export interface CompiledProgram {
  readonly program: Sequence;
  readonly vocabulary: readonly Value[];
  readonly maxLength: number;
  readonly causal: boolean;
  readonly encoding: Encoding;
  readonly words: Words;
  /** What a categorical program can answer, and the column of the logits that says it; none for a numerical one. */
  readonly answers: readonly { readonly value: Value; readonly id: number }[];
  readonly space: ResidualSpace;
  readonly sizes: Sizes;
  /** Those that compute something, in forward order; a head or an MLP that is not among them has weights of zero. */
  readonly parts: readonly Part[];
  /** Token -> residual, by id. */
  readonly embedding: Matrix;
  /** Position -> residual. */
  readonly positions: Matrix;
  /** Residual -> logits. */
  readonly unembedding: Matrix;
}

/**
 * Compiles `program`.
 * @throws 'input' for a program that computes nothing, for a vocabulary with a value twice, and for values beyond what can be compiled.
 */
export function compile(program: Sequence, { vocabulary, maxLength, causal = false }: CompileOptions): CompiledProgram {
  requireInputs(vocabulary, maxLength);
  const sequences = sequencesOf(program);
  const computed = sequences.filter((sequence) => sequence.kind !== 'tokens' && sequence.kind !== 'indices');
  if (computed.length === 0)
    throw fail('input', program.label, 'computes nothing; a program with a map, an aggregate or a width is needed.');
  const sets = valueSetsOf([tokens, indices, ...computed], vocabulary, maxLength);
  const space = layOut(tokens, indices, computed, sets);
  const parts = partsOf(computed, space, sets);
  const answered = program.encoding === 'categorical' ? (sets.get(program) ?? []) : [];
  const words = wordsOf(vocabulary, answered);
  return {
    program,
    vocabulary,
    maxLength,
    causal,
    encoding: program.encoding,
    words,
    answers: answered.map((value) => ({ value, id: words.idOf(value) })),
    space,
    sizes: sizesOf(space, parts),
    parts,
    embedding: [
      [words.bos, space.bos, 1],
      [words.bos, space.one, 1],
      ...vocabulary.flatMap((value): Entry[] => [
        [words.idOf(value), space.direction(tokens, value), 1],
        [words.idOf(value), space.one, 1],
      ]),
    ],
    // position 0 is that of BOS
    positions: Array.from({ length: maxLength }, (_, k): Entry => [k + 1, space.direction(indices, k), 1]),
    unembedding:
      program.encoding === 'numerical'
        ? [[space.scalar(program), 0, 1]]
        : answered.map((value): Entry => [space.direction(program, value), words.idOf(value), 1]),
  };
}

/** Columns of the logits: a number, or the words. */
export function logitsOf({ encoding, words }: Pick<CompiledProgram, 'encoding' | 'words'>): number {
  return encoding === 'numerical' ? 1 : words.size;
}

function requireInputs(vocabulary: readonly Value[], maxLength: number): void {
  if (vocabulary.length === 0) throw fail('input', 'vocabulary', 'is empty; at least one token is needed.');
  const twice = vocabulary.find((value, k) => vocabulary.indexOf(value) < k);
  if (twice !== undefined) throw fail('input', 'vocabulary', `has ${String(twice)} twice; each token stands once.`);
  if (!Number.isInteger(maxLength) || maxLength < 1 || maxLength > 100)
    throw fail('input', 'max length', `${maxLength}; a whole number from 1 to 100 is needed.`);
}

/** Heads and MLPs by layer: what is ready at the same time stands side by side. */
function partsOf(computed: readonly Computed[], space: ResidualSpace, sets: ValueSets): Part[] {
  const done = scheduleOf(computed);
  const layerOf = (sequence: Computed): number => Math.floor((done.get(sequence) ?? 0) / 2);
  const layers = 1 + Math.max(...computed.map(layerOf));
  return Array.from({ length: layers }, (_, layer): Part[] => {
    const here = computed.filter((sequence) => layerOf(sequence) === layer);
    const heads = here.filter((sequence) => sequence.kind === 'aggregate' || sequence.kind === 'width');
    const rest = here.filter((sequence) => sequence.kind !== 'aggregate');
    const mlp: Part = {
      kind: 'mlp',
      name: `m${layer}`,
      layer,
      computes: rest,
      wiring: mlpOf(rest.flatMap((sequence) => unitsOf(sequence, space, sets))),
    };
    return [
      ...heads.map(
        (sequence, head): Part => ({
          kind: 'head',
          name: `a${layer}.h${head}`,
          layer,
          head,
          computes: [sequence],
          wiring: headOf(sequence, space, sets),
        }),
      ),
      ...(rest.length === 0 ? [] : [mlp]),
    ];
  }).flat();
}

function sizesOf({ dims }: ResidualSpace, parts: readonly Part[]): Sizes {
  const heads = parts.filter((part) => part.kind === 'head');
  const widths = heads.flatMap(({ wiring: { q, k, v } }) => [q, k, v].map(columnsOf));
  return {
    dModel: dims,
    layers: 1 + Math.max(...parts.map(({ layer }) => layer)),
    heads: 1 + Math.max(0, ...heads.map(({ head }) => head)),
    dHead: Math.max(1, ...widths),
    dMlp: Math.max(0, ...parts.map((part) => (part.kind === 'mlp' ? columnsOf(part.wiring.in) : 0))),
  };
}
