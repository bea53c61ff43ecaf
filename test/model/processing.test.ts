/** Weight processing: logits (log-probabilities for centerUnembed) stay, and the property each step promises holds. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { runWithCache, runWithHooks } from '../../src/hooks/run.ts';
import { createModel, loadModel, type Model } from '../../src/model/model.ts';
import { centerUnembed } from '../../src/model/processing/center-unembed.ts';
import { centerWritingWeights } from '../../src/model/processing/center-writing-weights.ts';
import { foldLayerNorm } from '../../src/model/processing/fold-layer-norm.ts';
import { foldValueBiases } from '../../src/model/processing/fold-value-biases.ts';
import { referenceForward } from '../../src/model/reference/reference.ts';
import { CONFIGS, open, randomModel } from '../tensors.ts';

const FAMILIES = 'test/golden/families';
const GOLDEN = readdirSync(FAMILIES);
const MODELS = [
  ...GOLDEN.map((name) => join(FAMILIES, name)),
  ...readdirSync('models').map((name) => join('models', name)),
  ...Object.keys(CONFIGS),
];
const ROWS = [
  [3, 1, 4, 1, 5, 9, 2, 6],
  [16, 0, 7, 7, 12, 3, 16, 2],
];

/** A checkpoint by its folder, or a random model of a configuration, where w and b of norms are far from 1 and 0. */
const made = async (name: string): Promise<Model> =>
  name in CONFIGS ? randomModel(CONFIGS[name]).model : loadModel(name);
const tensors = (model: Model): Readonly<Record<string, tf.Tensor>> => model.parameters as Record<string, tf.Tensor>;
const dispose = (...models: readonly Model[]): void => models.forEach((model) => model[Symbol.dispose]());
const maxAbs = (x: tf.Tensor): number => tf.tidy(() => tf.max(tf.abs(x)).dataSync()[0]);

beforeAll(async () => {
  await open('wasm');
});

/** Why a step refuses a model, read from the record alone; undefined where it applies. */
const REFUSALS = {
  foldLayerNorm({ norm, layout, mlmHead, positions }) {
    if (norm.kind === 'none') return /has no norms/;
    if (norm.affine === false) return /have no weights; there is nothing left to fold/;
    if (layout === 'post') return /stand on the residual stream/;
    return mlmHead === true || positions === 'shortformer' ? /cannot/ : undefined;
  },
  centerWritingWeights({ norm, layout, finalNorm, embedding }) {
    if (norm.kind === 'none') return /no norm takes the mean away/;
    if (norm.kind === 'rms') return /RMS norms do not take the mean away/;
    if (layout === 'post') return /norms stand on the residual stream/;
    if (embedding?.norm !== undefined) return /a norm stands behind the embeddings/;
    return finalNorm === false ? /reads the residual without a norm/ : undefined;
  },
  centerUnembed: ({ logitSoftcap }) => (logitSoftcap === undefined ? undefined : /caps its logits at/),
  foldValueBiases: ({ biases, attention }) =>
    !biases.qkv ? /values have no biases/ : attention.clip === undefined ? undefined : /cut to/,
} satisfies Record<string, (config: Model['config']) => RegExp | undefined>;
const STEPS = { foldLayerNorm, centerWritingWeights, centerUnembed, foldValueBiases };

/** Where a step must apply, so that the rules above cannot quietly excuse all. */
const MUST: Record<keyof typeof STEPS, readonly string[]> = {
  foldLayerNorm: [
    'gpt2',
    'gpt_neo',
    'gpt_neox',
    'llama',
    'mistral',
    'qwen2',
    'qwen3',
    'gemma',
    'gemma2',
    'gemma3',
    'phi',
    'opt',
  ],
  centerWritingWeights: ['gpt2', 'gpt_neo', 'gpt_neox', 'phi', 'opt'],
  centerUnembed: [
    'gpt2',
    'gpt_neo',
    'gpt_neox',
    'llama',
    'mistral',
    'qwen2',
    'qwen3',
    'gemma',
    'gemma3',
    'phi',
    'opt',
    'opt-350m',
    'bert',
  ],
  foldValueBiases: ['gpt2', 'gpt_neox', 'qwen2', 'phi', 'opt', 'opt-350m', 'bert', 'llama-biased'],
};

describe.each(Object.keys(STEPS) as (keyof typeof STEPS)[])('%s', (step) => {
  it.each(MODELS)('%s: leaves the answers as they are, or says why it cannot be', async (name) => {
    const model = await made(name);
    const refusal = REFUSALS[step](model.config);
    if (refusal !== undefined) {
      expect(MUST[step].map((family) => join(FAMILIES, family))).not.toContain(name);
      await expect(STEPS[step](model)).rejects.toThrow(refusal);
      await expect(STEPS[step](model)).rejects.toThrow(new RegExp(`^${step}: `));
      model[Symbol.dispose]();
      return;
    }
    const result = await STEPS[step](model, { prompts: ROWS });
    expect(result.tokens).toBe(16);
    expect(result.model.name).toBe(`${model.name}+${step}`);
    const [before, after] = [runWithHooks(model, ROWS, []), runWithHooks(result.model, ROWS, [])];
    const change = maxAbs(tf.sub(after, before));
    expect(result.largestLogitChange).toBeCloseTo(change, 6);
    const logProbChange = maxAbs(tf.sub(tf.logSoftmax(after), tf.logSoftmax(before)));
    expect(Math.abs(result.largestLogProbChange - logProbChange)).toBeLessThan(1e-5);
    const [kind, x, y] =
      step === 'centerUnembed'
        ? ['log-probabilities', tf.logSoftmax(after), tf.logSoftmax(before)]
        : ['logits', after, before];
    expect(await x.data(), kind).toBeAllClose(await y.data(), 1e-5);
    tf.dispose([before, after, x, y]);
    result.model[Symbol.dispose]();
    model[Symbol.dispose]();
  });

  it.each(MUST[step])('applies to %s', async (family) => {
    const model = await loadModel(join(FAMILIES, family));
    const { model: after, largestLogProbChange } = await STEPS[step](model);
    expect(largestLogProbChange).toBeLessThan(1e-4);
    after[Symbol.dispose]();
    model[Symbol.dispose]();
  });

  it('owns what it returns: either model works after the other is disposed, and nothing is left after both', async () => {
    const before = tf.memory().numTensors;
    for (const first of ['old', 'new']) {
      const { model } = randomModel(CONFIGS['gpt2']);
      const { model: after } = await STEPS[step](model);
      const expected = await runWithHooks(first === 'old' ? after : model, ROWS, []).data();
      (first === 'old' ? model : after)[Symbol.dispose]();
      const left = first === 'old' ? after : model;
      expect(await runWithHooks(left, ROWS, []).data()).toEqual(expected);
      left[Symbol.dispose]();
    }
    expect(tf.memory().numTensors).toBe(before + 4); // the four logits
  });

  it('leaves no tensors when it refuses or its prompts are wrong', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const bare = randomModel(CONFIGS['attention-only, no norm, no bias']).model;
    await expect(STEPS[step](model, { prompts: [99] })).rejects.toThrow(/token id 99/);
    await expect(() => STEPS[step](model, { prompts: [99] })).toLeakNoTensors();
    if (step !== 'centerUnembed') await expect(() => STEPS[step](bare)).toLeakNoTensors();
    await expect(async () => (await STEPS[step](model)).model[Symbol.dispose]()).toLeakNoTensors();
    dispose(model, bare);
  });
});

describe('what each step promises', () => {
  it('foldLayerNorm: no norm before a matrix has weights, and hook_normalized is the bare normalised residual', async () => {
    for (const name of ['gpt_neo', 'gpt_neox', 'phi', 'phi-normed']) {
      const model = await loadModel(join(FAMILIES, name));
      const { model: folded } = await foldLayerNorm(model);
      expect(folded.config.norm).toMatchObject({ kind: 'layer', affine: false });
      expect(Object.keys(folded.parameters).filter((parameter) => /\.(ln1|ln2)\.|ln_final/.test(parameter))).toEqual(
        [],
      );
      // after a layer norm the mean is gone, so the matrices read nothing of it
      for (const W of ['blocks.0.attn.W_Q', 'blocks.1.attn.W_V', 'blocks.1.mlp.W_in', 'unembed.W_U'])
        expect(maxAbs(tf.mean(tensors(folded)[W], 0))).toBeLessThan(1e-6);
      dispose(folded, model);
    }
    for (const name of ['llama', 'gemma', 'gemma2']) {
      const model = await loadModel(join(FAMILIES, name));
      const { model: folded } = await foldLayerNorm(model);
      const offset = folded.config.norm.kind === 'rms' ? folded.config.norm.offset : 0;
      const { cache } = runWithCache(folded, ROWS, { names: (hook) => /resid_pre$|ln1.hook_normalized/.test(hook) });
      for (const norm of ['blocks.0.ln1', 'blocks.1.ln2', 'ln_final'])
        expect(maxAbs(tf.sub(tf.add(tensors(folded)[`${norm}.w`], offset), 1))).toBe(0);
      if (name === 'gemma2')
        expect(maxAbs(tf.sub(tensors(folded)['blocks.0.ln1_post.w'], tensors(model)['blocks.0.ln1_post.w']))).toBe(0);
      const rms = tf.sqrt(tf.mean(tf.square(cache.get('ln1.hook_normalized', 0)), -1));
      expect(maxAbs(tf.sub(rms, 1))).toBeLessThan(1e-3); // eps apart
      dispose(folded, model);
      cache[Symbol.dispose]();
    }
  });

  it('foldLayerNorm: reaches the MLP norm of solu_ln, and stays true in the Float64 twin', async () => {
    const { model } = randomModel(CONFIGS['solu_ln']);
    const { model: folded } = await foldLayerNorm(model);
    expect(Object.keys(folded.parameters).filter((name) => /ln/.test(name))).toEqual([]);
    const twin = (of: Model): Float64Array =>
      referenceForward(
        of.config,
        Object.fromEntries(
          Object.entries(tensors(of)).map(([name, tensor]) => [
            name,
            { shape: tensor.shape, values: tensor.dataSync() },
          ]),
        ),
        ROWS[0],
      ).logits;
    expect(twin(folded)).toBeAllClose(twin(model), 1e-5);
    dispose(folded, model);
  });

  it('foldLayerNorm: leaves norms of what a part writes as they are, also layer norms, and refuses positions behind the norm', async () => {
    const { model } = randomModel({ ...CONFIGS['gpt2'], layout: 'sandwich' });
    const { model: folded, largestLogitChange } = await foldLayerNorm(model);
    expect(largestLogitChange).toBeLessThan(1e-5);
    expect(folded.config.norm).toEqual(model.config.norm);
    expect([maxAbs(tf.sub(tensors(folded)['blocks.1.ln2.w'], 1)), maxAbs(tensors(folded)['ln_final.b'])]).toEqual([
      0, 0,
    ]);
    expect(maxAbs(tf.sub(tensors(folded)['blocks.1.ln2_post.w'], tensors(model)['blocks.1.ln2_post.w']))).toBe(0);
    const { model: shifted } = randomModel({ ...CONFIGS['shortformer, LNPre'], norm: CONFIGS['gpt2'].norm });
    await expect(foldLayerNorm(shifted)).rejects.toThrow(/positions are added between ln1 and W_Q, W_K/);
    dispose(model, folded, shifted);
  });

  it('centerWritingWeights: what is written has mean 0, and so has the residual everywhere', async () => {
    for (const name of ['gpt2', 'gpt_neox', 'phi', 'opt']) {
      const model = await loadModel(join(FAMILIES, name));
      const { model: centred } = await centerWritingWeights(model);
      const means = (of: Model): number[] =>
        Object.entries(tensors(of))
          .filter(([parameter]) => /embed\.W_(E|pos)|attn\.[Wb]_O|mlp\.[Wb]_out/.test(parameter))
          .map(([, tensor]) => maxAbs(tf.mean(tensor, -1)));
      expect(means(centred).length).toBeGreaterThanOrEqual(5);
      expect(Math.max(...means(model))).toBeGreaterThan(1e-3);
      expect(Math.max(...means(centred))).toBeLessThan(1e-6);
      const { cache, logits } = runWithCache(centred, ROWS, { names: (hook) => hook.endsWith('hook_resid_post') });
      for (let l = 0; l < model.config.nLayers; l++)
        expect(maxAbs(tf.mean(cache.get('resid_post', l), -1))).toBeLessThan(1e-5);
      logits.dispose();
      dispose(centred, model);
      cache[Symbol.dispose]();
    }
  });

  it('centerUnembed: the logits of a position have mean 0', async () => {
    const model = await loadModel(join(FAMILIES, 'phi'));
    const { model: centred, largestLogitChange, largestLogProbChange } = await centerUnembed(model);
    expect(maxAbs(tf.mean(tensors(centred)['unembed.W_U'], 1))).toBeLessThan(1e-6);
    expect(maxAbs(tf.mean(runWithHooks(centred, ROWS, []), -1))).toBeLessThan(1e-5);
    expect(largestLogitChange).toBeGreaterThan(1e-2); // the shift
    expect(largestLogProbChange).toBeLessThan(1e-5);
    dispose(centred, model);
  });

  it('foldValueBiases: b_V is 0, and z is what it was less the bias', async () => {
    for (const name of ['gpt2', 'qwen2', 'llama-biased']) {
      const model = await loadModel(join(FAMILIES, name));
      const { model: folded } = await foldValueBiases(model);
      expect(maxAbs(tensors(folded)['blocks.1.attn.b_V'])).toBe(0);
      expect(maxAbs(tensors(model)['blocks.1.attn.b_V'])).toBeGreaterThan(0.01);
      const z = (of: Model): tf.Tensor => runWithCache(of, ROWS, { names: 'blocks.0.attn.hook_z' }).cache.get('z', 0);
      const { nHeads, nKvHeads = nHeads, dHead } = model.config;
      const bias = tf.reshape(
        tf.tile(tf.reshape(tensors(model)['blocks.0.attn.b_V'], [nKvHeads, 1, dHead]), [1, nHeads / nKvHeads, 1]),
        [1, 1, nHeads, dHead],
      );
      expect(maxAbs(tf.sub(z(model), tf.add(z(folded), bias)))).toBeLessThan(1e-5);
      dispose(folded, model);
    }
  });

  it('all four, one after the other, leave the probabilities of gpt2 and of ioi-tiny within 1e-5', async () => {
    for (const folder of [join(FAMILIES, 'gpt2'), 'models/ioi-tiny']) {
      const model = await loadModel(folder);
      let current = model;
      for (const step of Object.values(STEPS)) current = (await step(current)).model;
      expect(current.name).toBe(`${model.name}+foldLayerNorm+centerWritingWeights+centerUnembed+foldValueBiases`);
      const probabilities = (of: Model): tf.Tensor => tf.softmax(runWithHooks(of, ROWS, []));
      expect(maxAbs(tf.sub(probabilities(current), probabilities(model)))).toBeLessThan(1e-5);
    }
  });

  it('measures on texts, padding left out', async () => {
    const model = await loadModel('models/ioi-tiny');
    const { tokens, model: after } = await foldLayerNorm(model, { prompts: ['Mary gave', 'Mary gave a drink to'] });
    expect(tokens).toBe(3 + 6);
    dispose(after, model);
  });

  it('reports a change that is not rounding: centring where the mean is read', async () => {
    // the refusal has a reason: the same edit by hand moves the logits of an RMS model
    const { model } = randomModel(CONFIGS['llama: rotary, gated, grouped heads']);
    await expect(centerWritingWeights(model)).rejects.toThrow(
      /RMS norms do not take the mean away in this llama model/,
    );
    const W_E = tf.sub(tensors(model)['embed.W_E'], tf.mean(tensors(model)['embed.W_E'], 1, true));
    const centred = createModel(model.config, { ...tensors(model), 'embed.W_E': W_E }, { name: 'by hand' });
    expect(maxAbs(tf.sub(runWithHooks(centred, ROWS, []), runWithHooks(model, ROWS, [])))).toBeGreaterThan(0.01);
  });
});
