/**
 * Fine-tuning as a recipe: a loaded model goes on learning from texts, each answered by its label.
 *
 * A row is a text and its label as tokens (`{"text": "The capital of France is", "label": " Paris"}`), padded on the left. The loss is
 * the mean over the label's tokens, and `wordWeight` at each token of the text; a test example's label is one token. What
 * comes before the trained blocks is the same for every model and every step: it is computed once an example.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { forward } from '../../model/forward/forward.ts';
import { identifyModel } from '../../model/identity.ts';
import { tokenizerOf, type Model } from '../../model/model.ts';
import type { Examples } from '../../train/architecture.ts';
import { answerTokens } from '../tokens/answers.ts';
import type { Example } from './data-set.ts';
import { FINE_TUNE, type OpenedRecipe, type Recipe, type RecipeSettings } from './recipes.ts';
import { createTuned, TUNINGS, type Tuning } from './tuned-model.ts';

/**
 * The recipe that goes on training `model`, which stays the caller's and has to outlive what is opened.
 * @example attributeData(backend, { train, test, recipe: fineTune(model), value: TEST_VALUES['logit-diff'] });
 */
export function fineTune(model: Model): Recipe {
  return {
    name: FINE_TUNE,
    about: FINE_TUNE_ABOUT,
    defaults: {
      training: {
        optimiser: { kind: 'adamw', learningRate: 0.002, betas: [0.9, 0.98], eps: 1e-6 },
        epochs: 4,
        batchSize: 8,
        schedule: 'cosine',
      },
      seeds: 1,
      tune: 'lora',
      layers: model.config.nLayers,
      rank: 4,
      alpha: 8,
      wordWeight: 0,
    },
    model: () => identifyModel(model),
    open: (train, test, settings) => open(model, train, test, settings),
  };
}

export const FINE_TUNE_ABOUT = 'a loaded model (--model) that goes on learning from texts: lora | blocks | all';

/** @throws 'input' for a name that is none. */
export function tuningOf(name: string): Tuning {
  const found = TUNINGS.find((known) => known === name);
  if (found === undefined) throw fail('input', 'tune', `"${name}" is unknown; there are ${TUNINGS.join(', ')}.`);
  return found;
}

async function open(
  model: Model,
  train: readonly Example[],
  test: readonly Example[],
  { tune = 'lora', layers = model.config.nLayers, rank = 4, alpha = 8, wordWeight = 0, training }: RecipeSettings,
): Promise<OpenedRecipe> {
  const rows = train.map((example, i) => rowOf(model, example, `training example ${i}`));
  const tests = test.map((example, i) => rowOf(model, example, `test example ${i}`));
  tests.forEach(({ answer }, i) => {
    if (answer === 1) return;
    const label = JSON.stringify(test[i].label);
    throw fail('input', `test example ${i}`, `has the label ${label}, ${answer} tokens; one token is needed.`);
  });
  const { architecture, from } = await createTuned(model, { tune, blocks: layers, rank, alpha });
  const examples = await tokenRows(model, rows, wordWeight, from);
  const ids = [...new Set(rows.flatMap(({ tokens }) => tokens))];
  const place = new Map(ids.map((id, column) => [id, column]));
  const inputs = new Float32Array(rows.length * ids.length);
  rows.forEach(({ tokens }, i) => tokens.forEach((id) => (inputs[i * ids.length + (place.get(id) as number)] = 1)));
  return {
    examples,
    test: await tokenRows(model, tests, 0, from),
    labels: tests.map(({ tokens }) => tokens[tokens.length - 1]),
    against: test.map((example, i) => againstOf(model, example, `test example ${i}, against`)),
    inputs,
    width: ids.length,
    architecture: {
      ...architecture,
      stepBytes: stepBytes(model, examples, Math.min(training.batchSize ?? rows.length, rows.length), layers),
    },
  };
}

/** A text and its label as tokens, of which `answer` at the end are the label's. */
interface Row {
  readonly tokens: readonly number[];
  readonly answer: number;
}

function rowOf(model: Model, { text, label }: Example, who: string): Row {
  if (text === undefined) throw fail('input', who, 'is a vector; a language model reads texts.');
  const before = tokenizerOf(model).encode(text);
  if (before.length === 0) throw fail('input', who, 'has a text of no tokens.');
  const answer = answerTokens(model, { text, tokens: before }, label, `${who}, label`);
  const tokens = [...before, ...answer];
  if (tokens.length - 1 > model.config.nCtx)
    throw fail('input', who, `has ${tokens.length} tokens; ${model.name} holds ${model.config.nCtx}.`);
  return { tokens, answer: answer.length };
}

/** The token of a test example's field `against`; -1 where it has none. */
function againstOf(model: Model, { text, fields: { against } }: Example, who: string): number {
  if (against === undefined) return -1;
  const ids = answerTokens(
    model,
    { text: text as string, tokens: tokenizerOf(model).encode(text as string) },
    against,
    who,
  );
  if (ids.length !== 1)
    throw fail('input', who, `is ${JSON.stringify(against)}, ${ids.length} tokens; one token is needed.`);
  return ids[0];
}

/** Rows of one run of the part that is not trained. */
const AT_ONCE = 32;

interface TokenRows extends Examples {
  readonly length: number;
  readonly counted: number;
}

/** Rows padded on the left to one length, with what the model makes of them before block `from`. */
async function tokenRows(
  model: Model,
  rows: readonly Row[],
  wordWeight: number,
  from: number | undefined,
): Promise<TokenRows> {
  const length = Math.max(...rows.map(({ tokens }) => tokens.length - 1));
  const counted = wordWeight > 0 ? length : Math.max(...rows.map(({ answer }) => answer));
  const padded = (line: readonly number[]): number[] => [...Array<number>(length - line.length).fill(0), ...line];
  const inputs = rows.map(({ tokens }) => padded(tokens.slice(0, -1)));
  const targets = rows.map(({ tokens }) => padded(tokens.slice(1)));
  const kept = rows.map(({ tokens }) => padded(tokens.slice(1).map(() => 1)));
  const counts = rows.map(({ tokens, answer }) =>
    padded(tokens.slice(1).map((_, at) => (at >= tokens.length - 1 - answer ? 1 / answer : wordWeight))),
  );
  const even = rows.every(({ tokens }) => tokens.length - 1 === length);
  const width = model.config.dModel;
  const before = from === undefined ? undefined : new Float32Array(rows.length * length * width);
  for (let at = 0; before !== undefined && at < rows.length; at += AT_ONCE) {
    const some = inputs.slice(at, at + AT_ONCE);
    const residual = tf.tidy(() =>
      forward(model.config, model.parameters, tf.tensor2d(some, [some.length, length], 'int32'), {
        stopAtLayer: from,
        attentionMask: even ? undefined : kept.slice(at, at + AT_ONCE),
      }),
    );
    before.set(await residual.data<'float32'>(), at * length * width);
    residual.dispose();
  }
  return {
    count: rows.length,
    length,
    counted,
    batch(picked) {
      const numbers = Array.from(picked);
      const shape: [number, number] = [numbers.length, length];
      const of = (all: readonly (readonly number[])[]): number[] => numbers.flatMap((row) => all[row]);
      const residual = (all: Float32Array): tf.Tensor3D => {
        const each = new Float32Array(numbers.length * length * width);
        numbers.forEach((row, b) =>
          each.set(all.subarray(row * length * width, (row + 1) * length * width), b * length * width),
        );
        return tf.tensor3d(each, [numbers.length, length, width]);
      };
      return {
        inputs: tf.tensor2d(of(inputs), shape, 'int32'),
        targets: tf.tensor2d(of(targets), shape, 'int32'),
        counts: tf.tensor2d(of(counts), shape),
        positions: tf.tensor1d(
          numbers.map((row) => length - rows[row].answer),
          'int32',
        ),
        tuned: {
          residual: before === undefined ? undefined : residual(before),
          padding: even ? undefined : numbers.map((row) => kept[row]),
          counted,
        },
      };
    },
  };
}

/** Copies of the residual, and of the MLP's width, that the way back holds of a block; and of the logits. */
const HELD = { residual: 12, mlp: 4, logits: 4 };

/** Bytes of one model's step on `batch` rows. */
function stepBytes({ config }: Model, { length, counted }: TokenRows, batch: number, blocks: number): number {
  const block = HELD.residual * config.dModel + HELD.mlp * config.dMlp;
  return 4 * batch * (length * blocks * block + counted * HELD.logits * config.dVocabOut);
}
