/**
 * From labelled examples to what a model is trained on: classes, vectors or tokens.
 *
 * Everything that is learned of the data here (classes, words, means and spreads) is learned of the whole training set, once: it is
 * part of the question, and no subset changes it.
 */
import { fail } from '../../errors.ts';
import type { Examples } from '../../train/architecture.ts';
import { vectorExamples } from '../../train/perceptron.ts';
import { tokenExamples } from '../../train/tiny-transformer.ts';
import type { Example } from './data-set.ts';

export interface Encoded {
  readonly examples: Examples;
  readonly test: Examples;
  /** The class of each test example, and of its field `against`; -1 where it has none. */
  readonly labels: readonly number[];
  readonly against: readonly number[];
  /** Names of the classes. */
  readonly classes: readonly string[];
  /** Numbers of an input: what clusters are made of, [N, width]. */
  readonly inputs: Float32Array;
  readonly width: number;
}

/** Vectors as they are given, or texts as the words that they hold (1 for one that is there); classes are the labels. */
export function encodeVectors(
  train: readonly Example[],
  test: readonly Example[],
  { scale }: { readonly scale: 'none' | 'standard' },
): Encoded {
  const classes = classesOf(train, test);
  const words = wordsOf(train.map(({ text }) => text ?? ''));
  const texts = train[0].text !== undefined;
  const width = texts ? words.length : (train[0].vector as readonly number[]).length;
  const place = new Map(words.map((word, i) => [word, i]));
  const rowOf = (example: Example, who: string): Float32Array => {
    if (texts !== (example.text !== undefined))
      throw fail('input', who, 'is a text where others are vectors, or the other way round; one kind is needed.');
    if (example.text !== undefined) {
      const row = new Float32Array(width);
      for (const word of splitWords(example.text)) if (place.has(word)) row[place.get(word) as number] = 1;
      return row;
    }
    const vector = example.vector as readonly number[];
    if (vector.length !== width)
      throw fail('input', who, `has a vector of ${vector.length} numbers; the first one has ${width}.`);
    return Float32Array.from(vector);
  };
  const rows = train.map((example, i) => rowOf(example, `training example ${i}`));
  const scaled = scale === 'standard' && !texts ? standardise(rows, width) : (row: Float32Array): Float32Array => row;
  const flat = (all: readonly Float32Array[]): Float32Array => {
    const out = new Float32Array(all.length * width);
    all.forEach((row, i) => out.set(scaled(row), i * width));
    return out;
  };
  const inputs = flat(rows);
  const numbers = (all: readonly Example[]): number[] => all.map(({ label }) => classes.indexOf(label));
  const tests = flat(test.map((example, i) => rowOf(example, `test example ${i}`)));
  return {
    examples: vectorExamples(inputs, numbers(train), width),
    test: vectorExamples(tests, numbers(test), width),
    labels: numbers(test),
    against: test.map(({ fields: { against } }) => (against === undefined ? -1 : classes.indexOf(against))),
    classes,
    inputs,
    width,
  };
}

/**
 * Texts as words, each followed by its label, which is a word too; classes are all words. Inputs are the words that a text holds.
 * `wordWeight` is what the loss at a word counts where an answer's counts 1.
 */
export function encodeWords(
  train: readonly Example[],
  test: readonly Example[],
  { wordWeight }: { readonly wordWeight: number },
): Encoded & { readonly context: number } {
  const textOf = ({ text }: Example, who: string): string => {
    if (text === undefined) throw fail('input', who, 'is a vector; a transformer reads texts.');
    return text;
  };
  const texts = train.map((example, i) => textOf(example, `training example ${i}`));
  const words = wordsOf([...texts, ...train.flatMap(({ label }) => label)]);
  const classes = [START, UNKNOWN, ...words];
  const place = new Map(classes.map((word, i) => [word, i]));
  const idOf = (word: string): number => place.get(word) ?? 1;
  const answerOf = ({ label }: Example, who: string): number => {
    const parts = splitWords(label);
    if (parts.length !== 1 || !place.has(parts[0]))
      throw fail('input', who, `has the label "${label}"; one word of the training set is needed.`);
    return idOf(parts[0]);
  };
  const row = (example: Example, who: string): { tokens: number[] } => ({
    tokens: [0, ...splitWords(textOf(example, who)).map(idOf), answerOf(example, who)],
  });
  const rows = train.map((example, i) => row(example, `training example ${i}`));
  const tests = test.map((example, i) => row(example, `test example ${i}`));
  const context = Math.max(...rows.map(({ tokens }) => tokens.length - 1));
  const layout = { length: context, filler: 1, wordWeight };
  const width = classes.length;
  const inputs = new Float32Array(train.length * width);
  rows.forEach(({ tokens }, i) => tokens.forEach((token) => (inputs[i * width + token] = 1)));
  return {
    examples: tokenExamples(rows, layout),
    test: tokenExamples(tests, layout),
    labels: tests.map(({ tokens }) => tokens[tokens.length - 1]),
    against: test.map(({ fields: { against } }) => (against === undefined ? -1 : classes.indexOf(against.trim()))),
    classes,
    inputs,
    width,
    context,
  };
}

const START = '<s>';
const UNKNOWN = '<unk>';

/** Words, numbers and single marks. */
export function splitWords(text: string): string[] {
  return text.match(/[\p{L}\p{M}\p{N}_']+|[^\s\p{L}\p{M}\p{N}_']/gu) ?? [];
}

function wordsOf(texts: readonly string[]): string[] {
  return [...new Set(texts.flatMap(splitWords))];
}

/** Distinct labels of the training set, numbers in their order, others as they come. @throws on fewer than two, or a test label that is none. */
function classesOf(train: readonly Example[], test: readonly Example[]): string[] {
  const labels = [...new Set(train.map(({ label }) => label))];
  if (labels.every((label) => label.trim() !== '' && Number.isFinite(Number(label))))
    labels.sort((a, b) => Number(a) - Number(b));
  if (labels.length < 2)
    throw fail('input', 'train', `every example has the label "${labels[0]}"; two classes at least are needed.`);
  test.forEach(({ label }, i) => {
    if (!labels.includes(label))
      throw fail('input', 'test', `example ${i} has the label "${label}"; the training set has ${labels.join(', ')}.`);
  });
  return labels;
}

/** Each column to mean 0 and standard deviation 1 over `rows`; one that does not vary to 0. */
function standardise(rows: readonly Float32Array[], width: number): (row: Float32Array) => Float32Array {
  const [means, spreads] = [new Float64Array(width), new Float64Array(width)];
  for (const row of rows) row.forEach((x, j) => (means[j] += x / rows.length));
  for (const row of rows) row.forEach((x, j) => (spreads[j] += (x - means[j]) ** 2 / rows.length));
  return (row) => row.map((x, j) => (spreads[j] > 0 ? (x - means[j]) / Math.sqrt(spreads[j]) : 0));
}
