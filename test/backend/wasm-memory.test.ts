/** More than the wasm backend can hold: an error that says so, in time, and a game that goes on with less. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { createComponentGame } from '../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { metricOf } from '../../src/lens/metrics.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { createRandom } from '../../src/random.ts';
import { CONFIGS, open, randomModel } from '../tensors.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';

/** Memory that is taken and not written to: it counts as used but is not resident. */
function fill(bytes: number): () => void {
  const { wasm } = tf.backend() as unknown as {
    readonly wasm: { readonly _malloc: (bytes: number) => number; readonly _free: (at: number) => void };
  };
  const taken: number[] = [];
  for (let size = bytes; size >= 2 ** 16; ) {
    try {
      taken.push(wasm._malloc(size));
      expect(taken[taken.length - 1]).not.toBe(0);
    } catch (error) {
      expect(String(error)).toContain('out of memory');
      size /= 2;
    }
  }
  return () => taken.forEach((at) => wasm._free(at));
}

describe('a full wasm memory', () => {
  beforeAll(async () => {
    await open('wasm');
  });

  it('throws where a kernel would write to address 0, and computes right again once there is room', async () => {
    const x = tf.randomNormal([300, 300], 0, 1, 'float32', 1);
    const sums = await tf.matMul(x, x).data();
    const release = fill(2 ** 30);
    try {
      await expect(() => tf.matMul(x, x)).toLeakNoTensors();
      expect(() => tf.matMul(x, x)).toThrow(/out of memory: 1 MiB more cannot be had/);
      expect(() => tf.add(x, 1)).toThrow(/out of memory/);
    } finally {
      release();
    }
    expect([...(await tf.matMul(x, x).data())]).toEqual([...sums]);
  });

  it('halves the batch of a game until it fits', async () => {
    const { model } = randomModel(CONFIGS['gpt2']);
    const tokens = [3, 1, 4, 1, 5, 9, 2, 6];
    const task = {
      tokens,
      corrupted: undefined,
      correct: 5,
      incorrect: 2,
      label: 'prompt 1',
      text: { prompt: '' },
      strTokens: tokens.map(String),
    };
    const options = {
      players: parsePlayers('heads', model.config),
      tasks: [task],
      metric: metricOf('logit-diff'),
      ablation: ABLATIONS.zero,
    } as const;
    const masks = uniformMasks(9, 512, createRandom(1));
    const small = createComponentGame(model, { ...options, batchSize: 16 });
    const expected = await small.value(masks);
    const hold = tf.zeros([2 ** 18]); // what the game will have to do with
    const release = fill(2 ** 30);
    hold.dispose();
    try {
      const game = createComponentGame(model, { ...options, batchSize: 512, without: ['sharing', 'positions'] });
      expect(await game.value(masks)).toBeAllClose(expected, 1e-5);
      expect(game.batchSize).toBeLessThan(512);
      await expect(() => game.value(masks)).toLeakNoTensors();
      game[Symbol.dispose]();
    } finally {
      release();
    }
  });
});
