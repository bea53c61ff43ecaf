/** What other parts build on: keys and values of earlier calls, padded rows, heads without groups. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { runWithCache, runWithHooks } from '../../src/hooks/run.ts';
import { padRows } from '../../src/model/forward/attention-mask.ts';
import { forward } from '../../src/model/forward/forward.ts';
import { createKeyValueCache } from '../../src/model/forward/key-value-cache.ts';
import { withUngroupedHeads } from '../../src/model/model.ts';
import { CONFIGS, open, randomModel } from '../tensors.ts';

const ROWS = [
  [3, 1, 4, 1, 5, 9, 2, 6],
  [16, 0, 7, 7, 12, 3, 16, 2],
];
const causal = Object.keys(CONFIGS).filter((name) => CONFIGS[name].attention.causal);
const GROUPED = CONFIGS['llama: rotary, gated, grouped heads'];

beforeAll(async () => {
  await open('wasm');
});

describe('keys and values of earlier calls', () => {
  it.each(causal)('give the logits of the uncached run, padded on the left: %s', async (name) => {
    const { model } = randomModel(CONFIGS[name]);
    const { tokens, attentionMask } = padRows([ROWS[0], ROWS[1].slice(0, 6)], 'left');
    const whole = forward(model.config, model.parameters, tf.tensor2d(tokens, undefined, 'int32'), { attentionMask });
    const cache = createKeyValueCache();
    const V = model.config.dVocabOut;
    for (const [from, to] of [
      [0, 3],
      [3, 4],
      [4, 8],
    ]) {
      const chunk = tf.tensor2d(
        tokens.map((row) => row.slice(from, to)),
        undefined,
        'int32',
      );
      const part = forward(model.config, model.parameters, chunk, {
        cache,
        attentionMask: attentionMask.map((row) => row.slice(0, to)),
      });
      cache.advance(to - from);
      for (const [r, row] of attentionMask.entries()) {
        const first = Math.max(from, row.indexOf(1)); // what stands in padding says nothing
        if (first >= to) continue;
        const rest = (logits: tf.Tensor, at: number): Promise<Float32Array> =>
          tf.slice(logits, [r, at, 0], [1, to - first, V]).data() as Promise<Float32Array>;
        expect(await rest(part, first - from)).toBeAllClose(await rest(whole, first), 1e-5);
      }
    }
    cache[Symbol.dispose]();
    model[Symbol.dispose]();
  });
});

describe('padded rows', () => {
  it('are made equally long on either side, with the mask that says which are tokens', () => {
    expect(padRows([[1, 2, 3], [4]], 'left', 9)).toEqual({
      tokens: [
        [1, 2, 3],
        [9, 9, 4],
      ],
      attentionMask: [
        [1, 1, 1],
        [0, 0, 1],
      ],
    });
    expect(padRows([[1, 2, 3], [4]], 'right')).toEqual({
      tokens: [
        [1, 2, 3],
        [4, 0, 0],
      ],
      attentionMask: [
        [1, 1, 1],
        [1, 0, 0],
      ],
    });
    expect(() => padRows([], 'left')).toThrow(/no rows/);
    expect(() => padRows([[1], []], 'left')).toThrow(/a row has no tokens/);
  });

  it.each([
    ['rows that are missing', [[1, 1]], /has 1 rows, the tokens have 2/],
    ['another length', [[1, 1], [1]], /row 1 has 1 columns for 2 tokens/],
    [
      'other numbers',
      [
        [1, 1],
        [1, 2],
      ],
      /row 1 holds 2; 1 marks a token/,
    ],
    [
      'nothing but padding',
      [
        [1, 1],
        [0, 0],
      ],
      /row 1 is all padding/,
    ],
  ])('are refused with a mask of %s', (_what, attentionMask, message) => {
    const { model } = randomModel(CONFIGS['gpt2']);
    expect(() =>
      runWithHooks(
        model,
        [
          [1, 2],
          [3, 4],
        ],
        [],
        { attentionMask },
      ),
    ).toThrow(message);
    model[Symbol.dispose]();
  });

  it('are never looked at: their patterns are 0 at padding, in every layout', async () => {
    for (const config of Object.values(CONFIGS)) {
      const { model } = randomModel(config);
      const { tokens, attentionMask } = padRows([ROWS[0], [1, 2, 3]], 'left');
      const { cache, logits } = runWithCache(model, tokens, {
        names: (name) => name.endsWith('hook_pattern'),
        attentionMask,
      });
      for (let l = 0; l < config.nLayers; l++) {
        const seen = await tf.slice(cache.get('pattern', l), [1, 0, 5, 0], [1, config.nHeads, 3, 5]).data(); // tokens looking at padding
        expect(Math.max(...seen)).toBe(0);
      }
      tf.dispose(logits);
      cache[Symbol.dispose]();
      model[Symbol.dispose]();
    }
  });

  it('of BERT have kinds; a model without kinds refuses them, and so do unknown kinds', () => {
    const bert = randomModel(CONFIGS['post-norm, bidirectional, token types, masked-LM head']).model;
    expect(() => runWithHooks(bert, ROWS, [], { tokenTypes: [[0]] })).toThrow(/must be 2 rows of 8/);
    expect(() => runWithHooks(bert, [[1, 2]], [], { tokenTypes: [[0, 2]] })).toThrow(/2 is outside 0\.\.1/);
    const { model } = randomModel(CONFIGS['gpt2']);
    expect(() => runWithHooks(model, [[1, 2]], [], { tokenTypes: [[0, 1]] })).toThrow(/this gpt2 model has none/);
  });
});

describe('heads without groups', () => {
  it('are hooked one by one, and change nothing when only watched', async () => {
    const { model } = randomModel(GROUPED);
    const single = withUngroupedHeads(model);
    const seen = runWithCache(single, ROWS, { names: (name) => /hook_(k|v|rot_k|attn_in|k_input)$/.test(name) });
    expect(seen.cache.get('k', 1).shape).toEqual([2, 8, 4, 6]);
    expect(seen.cache.get('rot_k', 1).shape).toEqual([2, 8, 4, 6]);
    expect(seen.cache.get('k_input', 1).shape).toEqual([2, 8, 4, 24]);
    const grouped = runWithCache(model, ROWS, { names: 'blocks.1.attn.hook_k' });
    expect(grouped.cache.get('k', 1).shape).toEqual([2, 8, 2, 6]);
    expect(await seen.logits.data()).toBeAllClose(await grouped.logits.data(), 1e-5);
    expect(await tf.gather(seen.cache.get('k', 1), tf.tensor1d([0, 2], 'int32'), 2).data()).toBeAllClose(
      await grouped.cache.get('k', 1).data(),
      1e-5,
    );
    single[Symbol.dispose]();
    expect(await runWithHooks(model, ROWS, []).data()).toBeAllClose(await grouped.logits.data(), 1e-6);
    expect(() => runWithHooks(model, ROWS, [['blocks.0.hook_attn_in', () => undefined]])).toThrow(
      /not a hook point of this model: its 4 heads share 2 key\/value heads.*hook_q_input.*withUngroupedHeads/,
    );
  });

  it('let one head lose its keys while the other of its group keeps them', async () => {
    const { model } = randomModel(GROUPED);
    const zeroed = (head: number) => (k: tf.Tensor) =>
      tf.mul(
        k,
        tf.tensor(
          Array.from({ length: 4 }, (_, h) => (h === head ? 0 : 1)),
          [1, 1, 4, 1],
        ),
      );
    const { cache } = runWithCache(withUngroupedHeads(model), ROWS, {
      names: 'blocks.1.attn.hook_pattern',
      hooks: [['blocks.1.attn.hook_k', zeroed(1)]],
    });
    const plain = runWithCache(model, ROWS, { names: 'blocks.1.attn.hook_pattern' });
    const pattern = (of: typeof cache, head: number): Promise<Float32Array> =>
      tf.slice(of.get('pattern', 1), [0, head, 7, 0], [1, 1, 1, 8]).data() as Promise<Float32Array>;
    expect(await pattern(cache, 1)).toBeAllClose(Array(8).fill(1 / 8), 1e-6);
    for (const head of [0, 2, 3])
      expect(await pattern(cache, head)).toBeAllClose(await pattern(plain.cache, head), 1e-6);
  });
});

describe('gradients', () => {
  it.each(Object.keys(CONFIGS))('with respect to the embedding equal central differences: %s', async (name) => {
    await open('cpu');
    const { model } = randomModel(CONFIGS[name]);
    const tokens = tf.tensor2d(ROWS, undefined, 'int32');
    const weights = tf.randomNormal([2, 8, model.config.dVocabOut], 0, 1, 'float32', 1);
    const value = (embedding: tf.Tensor): tf.Scalar =>
      tf.sum(tf.mul(forward(model.config, model.parameters, tokens, { embedding }), weights));
    const at = tf.randomNormal([2, 8, model.config.dModel], 0, 1, 'float32', 2);
    const direction = tf.randomNormal(at.shape, 0, 1, 'float32', 3);
    const slope = tf.tidy(() => tf.sum(tf.mul(tf.grad(value)(at), direction)));
    const step = 1e-3;
    const measured = tf.tidy(() =>
      tf.div(tf.sub(value(tf.add(at, tf.mul(direction, step))), value(tf.sub(at, tf.mul(direction, step)))), 2 * step),
    );
    const [expected] = await measured.data();
    expect(Math.abs((await slope.data())[0] - expected) / Math.max(1, Math.abs(expected))).toBeLessThan(0.1); // of float32 differences, across kinks of relu too;
    model[Symbol.dispose]();
  });
});
