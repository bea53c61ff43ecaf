import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runWithCache } from '../../src/hooks/run.ts';
import { createModel, type Model } from '../../src/model/model.ts';
import { columnsOf, float32Parameters, rowsOf, tensorOf } from '../../src/model/weights/parameters.ts';
import { parametersOfShared, shareWeights } from '../../src/model/weights/shared-weights.ts';
import { CONFIGS, open, randomModel } from '../tensors.ts';

const TOKENS = [3, 1, 4, 1, 5, 9, 2, 6];
/** The same model with its matrices in shared memory. */
async function shared(model: Model): Promise<Model> {
  return createModel(model.config, parametersOfShared(await shareWeights(model.parameters), 0), { name: 'shared' });
}

describe.each(['wasm', 'cpu'])('weights in shared memory on %s', (backend) => {
  let close: () => void;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => close());

  it.each(Object.keys(CONFIGS))('give the same activations to the last bit: %s', async (name) => {
    const { model } = randomModel(CONFIGS[name]);
    const twin = await shared(model);
    const runs = [model, twin].map((one) => runWithCache(one, TOKENS));
    const [logits, ofTwin] = await Promise.all(runs.map(async ({ logits }) => logits.data()));
    expect(ofTwin).toEqual(logits);
    for (const hook of runs[0].cache.names)
      expect(await runs[1].cache.get(hook).data(), hook).toEqual(await runs[0].cache.get(hook).data());
    for (const run of runs) {
      run.logits.dispose();
      run.cache[Symbol.dispose]();
    }
    model[Symbol.dispose]();
    twin[Symbol.dispose]();
  });

  it('keep matrices off the device and leave nothing there', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const weights = await shareWeights(model.parameters);
    const before = tf.memory();
    const twin = createModel(model.config, parametersOfShared(weights, 0), { name: 'shared' });
    const vectors = Object.values(weights).filter(({ shape }) => shape.length < 2);
    const floats = vectors.reduce((sum, { shared }) => sum + shared.length, 0);
    expect(tf.memory().numBytes - before.numBytes).toBe(4 * floats);
    expect(tf.memory().numTensors - before.numTensors).toBe(vectors.length);
    await expect(async () => {
      const { logits, cache } = runWithCache(twin, TOKENS);
      await logits.data();
      logits.dispose();
      cache[Symbol.dispose]();
    }).toLeakNoTensors();
    twin[Symbol.dispose]();
    expect(tf.memory().numTensors).toBe(before.numTensors);
    model[Symbol.dispose]();
  });

  it('are copied whole where the model is small', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const copied = parametersOfShared(await shareWeights(model.parameters), 2 ** 20);
    expect(Object.values(copied).every((parameter) => parameter instanceof tf.Tensor)).toBe(true);
    for (const [name, parameter] of Object.entries(copied))
      expect(await parameter.data(), name).toEqual(await model.parameters[name].data());
    tf.dispose(copied as Record<string, tf.Tensor>);
    model[Symbol.dispose]();
  });

  it('give rows and columns without copying the rest', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const twin = await shared(model);
    const [E, U] = ['embed.W_E', 'unembed.W_U'];
    const rows = tf.tensor1d([4, 0, 16, 4], 'int32');
    const pairs = [
      [rowsOf(model.parameters[E], rows), rowsOf(twin.parameters[E], rows)],
      [columnsOf(model.parameters[U], [5, 2, 16]), columnsOf(twin.parameters[U], [5, 2, 16])],
    ];
    for (const [plain, ours] of pairs) {
      expect(ours.shape).toEqual(plain.shape);
      expect(await ours.data()).toEqual(await plain.data());
    }
    tf.dispose([rows, ...pairs.flat()]);
    model[Symbol.dispose]();
    twin[Symbol.dispose]();
  });

  it('are read, never written: processing asks for the model they came from', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const twin = await shared(model);
    expect(() => float32Parameters(twin.parameters, 'folding')).toThrow(
      'folding: works on weights of one thread, and embed.W_E is shared; give it the model that they came from.',
    );
    const copy = tensorOf(twin.parameters['embed.W_E']);
    tf.dispose(tf.mul(copy, 2));
    expect(await copy.data()).toEqual(await model.parameters['embed.W_E'].data());
    copy.dispose();
    model[Symbol.dispose]();
    twin[Symbol.dispose]();
  });
});
