/** The bundled models as they are committed: they load, answer, agree with Float64, and are what their cards say. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPrompts } from '../../src/lens/prompts.ts';
import { runWithCache, runWithHooks } from '../../src/hooks/run.ts';
import { loadModel, tokenizerOf } from '../../src/model/model.ts';
import { toSequences } from '../../src/model/tokens.ts';
import { referenceForward, type ReferenceParameters } from '../../src/model/reference/reference.ts';
import { availableBackends, open, TEST_BACKEND } from '../tensors.ts';

const MODELS = [
  'ioi-tiny',
  'induction-2l-h1',
  'induction-2l-h2',
  'induction-2l-h2-spare',
  'induction-2l-h4',
  'planted-rules',
];

/** All but webgpu, whose float32 is held to 1e-3 elsewhere. */
const backends = (await availableBackends()).filter((name) => name !== 'webgpu');

describe.each(backends)('bundled models on %s', (backend) => {
  let close: () => void;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => close());

  it.each(MODELS)('%s gives Float64 logits and residuals to 1e-5', async (name) => {
    const model = await loadModel(`models/${name}`);
    const reference: ReferenceParameters = Object.fromEntries(
      await Promise.all(
        Object.entries(model.parameters).map(
          async ([key, tensor]) => [key, { shape: tensor.shape, values: await tensor.data() }] as const,
        ),
      ),
    );
    const prompts = await readPrompts(`models/${name}/prompts.jsonl`);
    for (const { prompt } of prompts.slice(0, 8)) {
      const [tokens] = toSequences(model, prompt);
      const { logits, cache } = runWithCache(model, tokens, { names: (hook) => /hook_resid_(pre|post)$/.test(hook) });
      const truth = referenceForward(model.config, reference, tokens);
      expect(await logits.data()).toBeAllClose(truth.logits, 1e-5);
      for (let l = 0; l < model.config.nLayers; l++)
        expect(await cache.get('resid_pre', l).data()).toBeAllClose(truth.residuals[l], 1e-5);
      expect(await cache.get('resid_post', -1).data()).toBeAllClose(truth.residuals[model.config.nLayers], 1e-5);
      tf.dispose(logits);
      cache[Symbol.dispose]();
    }
    model[Symbol.dispose]();
  });
});

interface Golden {
  readonly cases: readonly {
    readonly prompt: string;
    readonly ids: number[];
    readonly lastLogits: number[];
    readonly hidden: readonly number[][];
  }[];
}

describe.each(backends)('ioi-tiny against Hugging Face transformers, on %s', (backend) => {
  it('has the same token ids, hidden states of every layer and logits, to 1e-5', async () => {
    const { close } = await open(backend);
    const golden = JSON.parse(readFileSync('test/golden/ioi-tiny.json', 'utf8')) as Golden;
    const model = await loadModel('models/ioi-tiny');
    for (const { prompt, ids, lastLogits, hidden } of golden.cases) {
      expect(tokenizerOf(model).encode(prompt)).toEqual(ids);
      const { logits, cache } = runWithCache(model, ids, {
        names: (hook) => /hook_resid_pre$|unembed.hook_in/.test(hook),
        positions: [-2, -1],
      });
      expect((await logits.data()).slice(-model.config.dVocabOut)).toBeAllClose(lastLogits, 1e-5);
      for (const [l, expected] of hidden.entries()) {
        const ours = l < model.config.nLayers ? cache.get('resid_pre', l) : cache.get('unembed.hook_in');
        expect(await ours.data()).toBeAllClose(expected, 1e-5);
      }
      logits.dispose();
      cache[Symbol.dispose]();
    }
    model[Symbol.dispose]();
    close();
  });
});

describe('bundled models', () => {
  beforeAll(async () => {
    await open(TEST_BACKEND);
  });

  it.each(MODELS)('%s answers its own prompts', async (name) => {
    const model = await loadModel(`models/${name}`);
    const tokenizer = tokenizerOf(model);
    const prompts = await readPrompts(`models/${name}/prompts.jsonl`);
    let right = 0;
    for (const { prompt, correct } of prompts) {
      const logits = runWithHooks(model, prompt, []);
      const last = (await logits.data()).slice(-model.config.dVocabOut);
      if (last.indexOf(Math.max(...last)) === tokenizer.toSingleToken(String(correct))) right++;
      logits.dispose();
    }
    expect(right / prompts.length).toBeGreaterThanOrEqual(0.95);
    model[Symbol.dispose]();
  });

  it.each(MODELS)('%s has a card that names its command and a held-out accuracy of at least 0.97', (name) => {
    const card = readFileSync(`models/${name}/README.md`, 'utf8');
    expect(card).toMatch(/`npx tsx scripts\/train-\w+\.ts .*--seed \d+ --steps \d+/);
    const rows =
      name === 'ioi-tiny'
        ? [...card.matchAll(/^\| \w.*? \| ([01]\.\d{4}) \| \d/gm)]
        : [...card.matchAll(/Held-out accuracy\*\* (\d\.\d{4})/g)];
    expect(rows).toHaveLength(name === 'ioi-tiny' ? 4 : 1);
    for (const [, accuracy] of rows) expect(Number(accuracy)).toBeGreaterThanOrEqual(0.97);
  });

  it('are a few megabytes together', () => {
    const bytes = readdirSync('models', { recursive: true, encoding: 'utf8' }).reduce(
      (sum, file) => sum + statSync(join('models', file)).size,
      0,
    );
    expect(bytes).toBeLessThan(5e6);
  });

  it('load and unload without leaking, also when loading fails', async () => {
    await expect(async () => (await loadModel('models/ioi-tiny'))[Symbol.dispose]()).toLeakNoTensors();
    await expect(() => loadModel('models')).toLeakNoTensors();
  });
});
