/**
 * Trains models/ioi-tiny: a 4-layer, 4-head GPT-2 that answers indirect-object sentences.
 *
 *     npx tsx scripts/train-ioi.ts [--seed 1] [--steps 1500] [--out models/ioi-tiny]
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import tf from '@tensorflow/tfjs';
import { Command } from 'commander';
import { createRandom, type Random } from '../src/random.ts';
import type { ModelConfig } from '../src/model/config.ts';
import { forward } from '../src/model/forward/forward.ts';
import { useWasm } from './training/backend.ts';
import { useFastMatMulGradient } from './training/fast-gradients.ts';
import {
  drawIoi,
  drawIoiPair,
  drawTrainingSentence,
  HELD_OUT_NAMES,
  HELD_OUT_OBJECTS,
  NAMES,
  OBJECTS,
  splitWords,
  WORDS,
  type IoiPrompt,
  type Split,
} from './training/ioi-data.ts';
import { gpt2Tensors, saveModel } from './training/save.ts';
import { initialise, train, type Batch, type Variables } from './training/train.ts';

const BATCH = 64;
const LENGTH = 22;
const D = 64;

const options = new Command()
  .description('Train models/ioi-tiny on templated indirect-object sentences.')
  .option('--seed <n>', 'seed of weights and data', '1')
  .option('--steps <n>', 'training steps', '1500')
  .option('--head-dropout <p>', 'probability of zeroing a head of a row while training', '0.1')
  .option('--only-prompts', 'write prompts.jsonl into the folder and train nothing')
  .option('--out <folder>', 'where to write the model', 'models/ioi-tiny')
  .parse()
  .opts<{ seed: string; steps: string; headDropout: string; onlyPrompts?: boolean; out: string }>();
const seed = Number(options.seed);
const steps = Number(options.steps);
const headDropout = Number(options.headDropout);

const ids = new Map(WORDS.map((word, i) => [word, i + 2]));
const encode = (text: string): number[] => [0, ...splitWords(text).map((word) => ids.get(word) as number)];
const vocabulary = WORDS.length + 2;
const config: ModelConfig = {
  family: 'gpt2',
  nLayers: 4,
  dModel: D,
  nHeads: 4,
  dHead: D / 4,
  dMlp: 4 * D,
  nCtx: 32,
  dVocab: vocabulary,
  dVocabOut: vocabulary,
  norm: { kind: 'layer', eps: 1e-5, affine: true },
  positions: 'learned',
  activation: 'gelu_new',
  attention: { scales: Array.from({ length: 4 }, () => 1 / Math.sqrt(D / 4)), causal: true },
  biases: { qkv: true, attnOut: true, mlp: true, unembed: false },
};

if (options.onlyPrompts === true) {
  const prompts = examplePrompts(createRandom(seed).fork('prompts'));
  await writeFile(join(options.out, 'prompts.jsonl'), prompts.map((prompt) => `${JSON.stringify(prompt)}\n`).join(''));
  process.exit(0);
}

await useWasm();
useFastMatMulGradient();
const random = createRandom(seed);
const variables = initialise(config, random.fork('weights'));
const data = random.fork('data');

/** Sentences padded with the unused token 1; the answer weighs 1, every word before it 0.1. */
function drawBatch(): Batch {
  const rows = Array.from({ length: BATCH }, () => encode(drawTrainingSentence(data)));
  return {
    tokens: rows.map((row) => [...row, ...Array<number>(LENGTH - row.length).fill(1)]),
    weights: rows.map((row) =>
      Array.from({ length: LENGTH - 1 }, (_, p) => (p === row.length - 2 ? 1 : p < row.length - 2 ? 0.1 : 0)),
    ),
  };
}

/** Sixteen pairs that differ in who acts: the sentence everybody knows, and fifteen with held-out pairs of names. */
function examplePrompts(stream: Random): IoiPrompt[] {
  const corrupted = 'When Alice and Paul went to the store, Emma gave a drink to';
  const known: IoiPrompt[] = [
    {
      prompt: 'When Mary and John went to the store, John gave a drink to',
      correct: ' Mary',
      incorrect: ' John',
      corrupted,
    },
    {
      prompt: 'When Mary and John went to the store, Mary gave a drink to',
      correct: ' John',
      incorrect: ' Mary',
      corrupted,
    },
  ];
  return [...known, ...Array.from({ length: 15 }, () => drawIoiPair('pairs', stream)).flat()];
}

interface Score {
  readonly accuracy: number;
  readonly logitDifference: number;
}

/** Accuracy of the indirect object over the whole vocabulary, and the mean logit difference to the subject. */
function score(prompts: readonly IoiPrompt[]): Score {
  let right = 0;
  let difference = 0;
  for (let start = 0; start < prompts.length; start += BATCH) {
    const chunk = prompts.slice(start, start + BATCH);
    const rows = chunk.map((p) => encode(p.prompt));
    tf.tidy(() => {
      const tokens = tf.tensor2d(
        rows.map((row) => [...row, ...Array<number>(LENGTH - row.length).fill(1)]),
        [chunk.length, LENGTH],
        'int32',
      );
      const logits = forward(config, variables, tokens).arraySync();
      chunk.forEach((p, i) => {
        const last = logits[i][rows[i].length - 1];
        const [io, subject] = [p.correct, p.incorrect].map((word) => ids.get(word.trim()) as number);
        difference += last[io] - last[subject];
        if (last.indexOf(Math.max(...last)) === io) right++;
      });
    });
  }
  return { accuracy: right / prompts.length, logitDifference: difference / prompts.length };
}

const started = Date.now();
let lastLoss = NaN;
await train(
  config,
  variables as Variables,
  drawBatch,
  random.fork('dropout'),
  {
    steps,
    learningRate: 2e-3,
    warmup: 50,
    betas: [0.9, 0.98],
    weightDecay: 0.01,
    headDropout,
    onStep(step, loss) {
      lastLoss = loss;
      if (step % 100 === 0 || step === steps - 1)
        console.log(`step ${step}  loss ${loss.toFixed(4)}  ${((Date.now() - started) / 1000).toFixed(0)} s`);
    },
  },
  true,
);

const test = random.fork('test');
const splits: readonly (readonly [Split, string])[] = [
  ['train', 'training distribution'],
  ['pairs', 'pairs of names never seen together'],
  ['names', 'names never seen in an indirect-object sentence'],
  ['objects', 'objects never seen in an indirect-object sentence'],
];
const scores = splits.map(([split, meaning]) => {
  const result = score(Array.from({ length: 512 }, () => drawIoi(split, test)));
  console.log(
    `${split.padEnd(8)} accuracy ${result.accuracy.toFixed(4)}  logit difference ${result.logitDifference.toFixed(2)}`,
  );
  return { meaning, ...result };
});
const table = scores
  .map((s) => `| ${s.meaning} | ${s.accuracy.toFixed(4)} | ${s.logitDifference.toFixed(2)} |`)
  .join('\n');
const card = `# ioi-tiny

A GPT-2 of 4 layers x 4 heads (d_model ${D}, d_mlp ${4 * D}, LayerNorm, learned positions, tied unembedding, vocabulary ${vocabulary}) trained to
complete indirect-object sentences: "When Mary and John went to the store, John gave a drink to" -> " Mary".

* **Made by** \`npx tsx scripts/train-ioi.ts --seed ${seed} --steps ${steps} --head-dropout ${headDropout}\` (TensorFlow.js, wasm backend).
* **Data** drawn on the fly from templates (scripts/training/ioi-data.ts): half indirect-object sentences in both name orders, a fifth
  about one person, the rest about two people to whom a stranger gives. Held out everywhere: every 5th pair of names. Held out of indirect-object
  sentences: the names ${HELD_OUT_NAMES.join(', ')} (of ${NAMES.length}), the objects ${HELD_OUT_OBJECTS.join(', ')} (of ${OBJECTS.length}).
* **Training** ${steps} steps of ${BATCH} sentences, AdamW (2e-3, cosine), head dropout ${headDropout}; last loss ${lastLoss.toFixed(4)} nats (the answer weighs 1, other words 0.1).
* **prompts.jsonl**: 16 pairs of sentences that differ in who acts (the one above, and 15 with held-out pairs of names), each with a corrupted
  twin about three other people. In the mean over a pair, a part that merely favours one of the names counts for nothing.

| 512 fresh sentences | accuracy of the indirect object (whole vocabulary) | mean logit difference IO - S |
|---|---|---|
${table}
`;
await saveModel({
  folder: options.out,
  config: {
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    n_embd: D,
    n_layer: 4,
    n_head: 4,
    n_positions: 32,
    n_inner: null,
    vocab_size: vocabulary,
    activation_function: 'gelu_new',
    layer_norm_epsilon: 1e-5,
    scale_attn_weights: true,
    tie_word_embeddings: true,
    attn_pdrop: 0,
    embd_pdrop: 0,
    resid_pdrop: 0,
    bos_token_id: 0,
    eos_token_id: 0,
  },
  tensors: await gpt2Tensors({ config, parameters: variables }),
  words: WORDS,
  card,
  prompts: examplePrompts(random.fork('prompts')),
});
console.log(`written to ${options.out}`);
