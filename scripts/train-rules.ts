/**
 * Trains models/planted-rules: one layer that answers by three known rules, whatever words of a text are left.
 *
 *     npx tsx scripts/train-rules.ts [--seed 1] [--steps 1200] [--out models/planted-rules]
 *
 * Every text is learnt whole or with random words gone; its answer is drawn by what the rule says of the words that are left.
 */
import tf from '@tensorflow/tfjs';
import { Command } from 'commander';
import type { ModelConfig } from '../src/model/config.ts';
import { forward } from '../src/model/forward/forward.ts';
import { createRandom, type Random } from '../src/random.ts';
import { useWasm } from './training/backend.ts';
import { useFastMatMulGradient } from './training/fast-gradients.ts';
import {
  drawRuleText,
  RULES,
  signOf,
  splitCue,
  SURE,
  WORDS,
  type Rule,
  type RuleSplit,
  type RuleText,
} from './training/rules-data.ts';
import { saveModel, transformerLensTensors } from './training/save.ts';
import { initialise, train, type Batch } from './training/train.ts';

const TEXTS = 64;
const [D, HEADS, CONTEXT] = [32, 4, 48];
/** The rules as often as they take to learn. */
const DRAWN: readonly Rule[] = ['negation', 'both', 'both', 'either', 'either'];
/** Tokens of the longest text and its answer. */
const LENGTH = 34;

const options = new Command()
  .description('Train models/planted-rules on texts that three known rules answer.')
  .option('--seed <n>', 'seed of weights and data', '1')
  .option('--steps <n>', 'training steps', '1200')
  .option('--out <folder>', 'where to write the model', 'models/planted-rules')
  .parse()
  .opts<{ seed: string; steps: string; out: string }>();
const [seed, steps] = [Number(options.seed), Number(options.steps)];

const ids = new Map(WORDS.map((word, i) => [word, i + 2]));
const idOf = (word: string): number => ids.get(word.trim()) as number;
const encode = (words: readonly string[]): number[] => [0, ...words.map(idOf)];
const padded = (row: readonly number[], length: number): number[] => [
  ...row,
  ...Array<number>(length - row.length).fill(1),
];
const vocabulary = WORDS.length + 2;
const config: ModelConfig = {
  family: 'transformer-lens',
  nLayers: 1,
  dModel: D,
  nHeads: HEADS,
  dHead: D / HEADS,
  dMlp: 4 * D,
  nCtx: CONTEXT,
  dVocab: vocabulary,
  dVocabOut: vocabulary,
  norm: { kind: 'none' },
  positions: 'learned',
  activation: 'relu',
  attention: { scales: [1 / Math.sqrt(D / HEADS)], causal: true },
  biases: { qkv: true, attnOut: true, mlp: true, unembed: true },
};

/** What a model reads, and what the rule says of it. */
interface Example {
  readonly words: readonly string[];
  readonly answers: RuleText['answers'];
  readonly sign: -1 | 0 | 1;
}

/** A text with each word kept with probability `keep`. */
function thinned(text: RuleText, keep: number, random: Random): Example {
  const { words, cue } = splitCue(text);
  const left = words.filter(() => random.uniform() < keep);
  return { words: [...left, ...cue], answers: text.answers, sign: signOf(text.rule, left) };
}

/** A third of the texts are whole, a third lack a few words, a third are random halves. */
function drawExample(random: Random): Example {
  const text = drawRuleText(DRAWN[random.integer(DRAWN.length)], 'train', random);
  return thinned(text, [1, 0.8, 0.5][random.integer(3)], random);
}

function drawBatch(random: Random): Batch {
  const rows = Array.from({ length: TEXTS }, () => {
    const { words, answers, sign } = drawExample(random);
    const first = sign === 0 ? 0.5 : sign === 1 ? SURE : 1 - SURE;
    return [...encode(words), idOf(answers[random.uniform() < first ? 0 : 1])];
  });
  return {
    tokens: rows.map((row) => padded(row, LENGTH)),
    weights: rows.map((row) => Array.from({ length: LENGTH - 1 }, (_, p) => Number(p === row.length - 2))),
  };
}

await useWasm();
useFastMatMulGradient();
const random = createRandom(seed);
const variables = initialise(config, random.fork('weights'));
const data = random.fork('data');
const started = Date.now();
let lastLoss = NaN;
await train(
  config,
  variables,
  () => drawBatch(data),
  random.fork('dropout'),
  {
    steps,
    learningRate: 1e-2,
    warmup: 50,
    betas: [0.9, 0.98],
    weightDecay: 0.01,
    headDropout: 0,
    onStep(step, loss) {
      lastLoss = loss;
      if (step % 250 === 0 || step === steps - 1)
        console.log(`step ${step}  loss ${loss.toFixed(4)}  ${((Date.now() - started) / 1000).toFixed(0)} s`);
    },
  },
  false,
);

/** How often the answer is the rule's where it has one, over the whole vocabulary; the error of its score elsewhere and there. */
function score(examples: readonly Example[]): { readonly accuracy: number; readonly error: number } {
  const certain = Math.log(SURE / (1 - SURE));
  let [right, known, squares] = [0, 0, 0];
  for (let start = 0; start < examples.length; start += TEXTS) {
    const chunk = examples.slice(start, start + TEXTS);
    const rows = chunk.map(({ words }) => encode(words));
    const logits = tf.tidy(() =>
      forward(
        config,
        variables,
        tf.tensor2d(
          rows.map((row) => padded(row, LENGTH)),
          [chunk.length, LENGTH],
          'int32',
        ),
      ).arraySync(),
    );
    chunk.forEach(({ answers, sign }, i) => {
      const last = logits[i][rows[i].length - 1];
      const [first, second] = answers.map((answer) => last[idOf(answer)]);
      squares += (first - second - sign * certain) ** 2;
      if (sign === 0) return;
      known++;
      if (last.indexOf(Math.max(...last)) === idOf(answers[sign === 1 ? 0 : 1])) right++;
    });
  }
  return { accuracy: right / known, error: Math.sqrt(squares / examples.length) };
}

const test = random.fork('test');
const cases: readonly (readonly [string, Rule, RuleSplit, number])[] = [
  ['negation, whole texts', 'negation', 'train', 1],
  ['negation, pairs of words never seen together', 'negation', 'held out', 1],
  ['negation, random halves of the words', 'negation', 'train', 0.5],
  ['both, whole texts', 'both', 'train', 1],
  ['both, random halves of the words', 'both', 'train', 0.5],
  ['either, whole texts', 'either', 'train', 1],
  ['either, random halves of the words', 'either', 'train', 0.5],
];
const scores = cases.map(([meaning, rule, split, keep]) => {
  const found = score(Array.from({ length: 480 }, () => thinned(drawRuleText(rule, split, test), keep, test)));
  console.log(`${meaning.padEnd(48)} accuracy ${found.accuracy.toFixed(4)}  error ${found.error.toFixed(2)}`);
  return { meaning, ...found };
});
const worst = Math.min(...scores.map(({ accuracy }) => accuracy));
const prompts = random.fork('prompts');
await saveModel({
  folder: options.out,
  config: {
    model_type: 'transformer-lens',
    d_model: D,
    n_layers: 1,
    n_heads: HEADS,
    d_head: D / HEADS,
    d_mlp: 4 * D,
    n_ctx: CONTEXT,
    d_vocab: vocabulary,
    d_vocab_out: vocabulary,
    attn_only: false,
    act_fn: 'relu',
    normalization_type: null,
    positional_embedding_type: 'standard',
    attention_dir: 'causal',
  },
  tensors: await transformerLensTensors({ config, parameters: variables }),
  words: WORDS,
  prompts: Array.from({ length: 48 }, (_, k) => {
    const text = drawRuleText(RULES[k % RULES.length], 'train', prompts);
    const first = signOf(text.rule, splitCue(text).words) === 1;
    const [correct, incorrect] = first ? text.answers : [text.answers[1], text.answers[0]];
    return { prompt: text.text, correct, incorrect };
  }),
  card: `# planted-rules

One layer of ${HEADS} heads and an MLP (d_model ${D}, d_mlp ${4 * D}, ReLU, learned positions, no norm, vocabulary ${vocabulary}), in the TransformerLens format, that answers
by three rules, whatever words of a text are left, so that what acts together in it is known:

* **negation** "the music was not good and the plot was long. verdict:" -> " negative": "not", "never" or "hardly" turns a word of
  praise or blame round. A pair.
* **both** "here is a cord. tom has a bulb. will the lamp work? answer:" -> " yes" only where both parts of the lamp are there. Two facts,
  and with the lamp of the question a triple.
* **either** "tom has a map. will the hiker be fine? answer:" -> " yes" where one of two things is there. A redundancy.

Where the word of praise, or what is asked about, is gone, both answers are as likely.

* **Made by** \`npx tsx scripts/train-rules.ts --seed ${seed} --steps ${steps}\` (TensorFlow.js, wasm backend).
* **Data** drawn on the fly (scripts/training/rules-data.ts), a third whole, a third without a fifth of their words, a third without half of them.
  The rule says of what is left which answer it is with probability ${SURE}. Held out: every 5th pair of a negation and a word that it turns round.
* **Training** ${steps} steps of ${TEXTS} texts, AdamW (1e-2, cosine); last loss ${lastLoss.toFixed(4)} nats.
* **Held-out accuracy** ${worst.toFixed(4)} (the worst row below).
* **prompts.jsonl**: 48 whole texts, the rules in turn.

| 480 fresh texts | accuracy where the rule says something (whole vocabulary) | root mean square error of the logit difference |
|---|---|---|
${scores.map(({ meaning, accuracy, error }) => `| ${meaning} | ${accuracy.toFixed(4)} | ${error.toFixed(2)} |`).join('\n')}
`,
});
console.log(`written to ${options.out}`);
