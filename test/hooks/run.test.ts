import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { runWithCache, runWithHooks, type Hook } from '../../src/hooks/run.ts';
import { createRandom } from '../../src/random.ts';
import { referenceForward } from '../../src/model/reference/reference.ts';
import type { HookName } from '../../src/model/hook-points.ts';
import { CONFIGS, open, randomModel, TEST_BACKEND } from '../tensors.ts';

const ROW = [3, 1, 4, 1, 5, 9, 2, 6];
const config = CONFIGS['gpt2'];

beforeAll(async () => {
  await open(TEST_BACKEND);
});

const zeroHead =
  (head: number): Hook[1] =>
  (z) =>
    tf.mul(
      z,
      tf.tensor(
        Array.from({ length: 3 }, (_, h) => (h === head ? 0 : 1)),
        [1, 1, 3, 1],
      ),
    );

describe('runWithHooks', () => {
  it('replaces an activation: a zeroed head equals the reference with that head zeroed', async () => {
    const { model, reference } = randomModel(config);
    const logits = runWithHooks(model, ROW, [['blocks.1.attn.hook_z', zeroHead(2)]]);
    const truth = referenceForward(config, reference, ROW, {
      editZ: (layer, z) => (layer === 1 ? z.map((value, i) => (Math.floor(i / 8) % 3 === 2 ? 0 : value)) : z),
    });
    expect(await logits.data()).toBeAllClose(truth.logits, 1e-5);
  });

  it('runs several hooks of one name in their order, and predicates over all names', async () => {
    const { model } = randomModel(config);
    const order: string[] = [];
    runWithHooks(model, ROW, [
      ['blocks.0.hook_mlp_out', () => void order.push('first')],
      [(name) => name.endsWith('hook_mlp_out'), (_x, { name, layer }) => void order.push(`${name} ${layer}`)],
    ]).dispose();
    expect(order).toEqual(['first', 'blocks.0.hook_mlp_out 0', 'blocks.1.hook_mlp_out 1', 'blocks.2.hook_mlp_out 2']);
  });

  it('makes one row many when a hook returns a batch', async () => {
    const { model } = randomModel(config);
    const many = runWithHooks(model, ROW, [['blocks.2.attn.hook_z', (z) => tf.tile(z, [5, 1, 1, 1])]]);
    expect(many.shape).toEqual([5, 8, 17]);
  });

  it('leaves no state: a run after a hooked one equals a run before it', async () => {
    const { model } = randomModel(config);
    const before = await runWithHooks(model, ROW, []).data();
    expect(() =>
      runWithHooks(model, ROW, [
        [
          'blocks.1.hook_resid_pre',
          () => {
            throw new Error('mine');
          },
        ],
      ]),
    ).toThrow('mine');
    expect(await runWithHooks(model, ROW, []).data()).toEqual(before);
  });

  it.each([
    [
      'a misspelt name, with suggestions',
      [['blocks.1.attn.hook_zz' as HookName, () => undefined]],
      /"blocks.1.attn.hook_zz" is not a hook point.*blocks\.1\.attn\.hook_z/,
    ],
    [
      'a layer that is not there',
      [['blocks.9.attn.hook_z', () => undefined]],
      /"blocks.9.attn.hook_z" is not a hook point/,
    ],
    ['a predicate that matches nothing', [[() => false, () => undefined]], /matched none of the \d+ hook points/],
    [
      'a result of another shape',
      [['blocks.0.hook_mlp_out', () => tf.zeros([1, 8, 23])]],
      /returned shape \[1,8,23\]; the activation is \[1,8,24\]/,
    ],
    [
      'a hook that is async',
      [['blocks.0.hook_mlp_out', (async () => undefined) as unknown as Hook[1]]],
      /hooks must be synchronous/,
    ],
  ] as [string, Hook[], RegExp][])('refuses %s', (_what, hooks, message) => {
    const { model } = randomModel(config);
    expect(() => runWithHooks(model, ROW, hooks)).toThrow(message);
  });

  it('refuses a named hook that would never fire', () => {
    const { model } = randomModel(config);
    expect(() => runWithHooks(model, ROW, [['blocks.2.hook_resid_pre', () => undefined]], { stopAtLayer: 1 })).toThrow(
      /"blocks.2.hook_resid_pre" never fired: the run stops at layer 1 of 3/,
    );
  });

  it.each([
    ['too many tokens', Array.from({ length: 13 }, () => 1), /13 tokens; the context holds 12/],
    ['an id outside the vocabulary', [1, 17], /token id 17 in row 0 is outside the vocabulary 0..16/],
    ['no tokens', [], /no tokens/],
    ['ragged rows', [[1, 2], [1]], /row 1 has 1 tokens, row 0 has 2/],
    ['text without a tokenizer', 'hello', /no tokenizer.json/],
  ])('refuses %s', (_what, input, message) => {
    const { model } = randomModel(config);
    expect(() => runWithHooks(model, input, [])).toThrow(message);
  });
});

describe('runWithCache', () => {
  it('keeps what was asked for, by name, list or predicate, and finds it by shorthand', () => {
    const { model } = randomModel(config);
    const { cache, logits } = runWithCache(model, [ROW, ROW], {
      names: ['blocks.0.attn.hook_pattern', 'blocks.2.mlp.hook_post', 'hook_embed', 'blocks.1.ln1.hook_scale'],
    });
    expect(cache.names).toEqual([
      'hook_embed',
      'blocks.0.attn.hook_pattern',
      'blocks.1.ln1.hook_scale',
      'blocks.2.mlp.hook_post',
    ]);
    expect(cache.get('pattern', 0).shape).toEqual([2, 3, 8, 8]);
    expect(cache.get('post', -1).shape).toEqual([2, 8, 64]);
    expect(cache.get('ln1.hook_scale', 1).shape).toEqual([2, 8, 1]);
    expect(() => cache.get('z', 0)).toThrow(/"blocks.0.attn.hook_z" was not cached/);
    expect(() => cache.get('pattern')).toThrow(
      /"pattern" is a name within a layer; say which one, get\('pattern', 0\)/,
    );
    expect(() => cache.get('patern')).toThrow(/"patern" was not cached; the closest/);
    tf.dispose(logits);
    cache[Symbol.dispose]();
    expect(() => cache.get('hook_embed')).toThrow(/after the cache was disposed/);
  });

  it('leaves the costly points out by default and can slice positions, also of patterns', async () => {
    const { model } = randomModel(config);
    const all = runWithCache(model, ROW);
    expect(all.cache.has('blocks.0.attn.hook_result')).toBe(false);
    expect(all.cache.has('blocks.0.attn.hook_z')).toBe(true);
    const some = runWithCache(model, ROW, { positions: [-1, 2] });
    expect(some.cache.get('pattern', 1).shape).toEqual([1, 3, 2, 8]);
    const wanted = await tf.gather(all.cache.get('resid_post', 1), tf.tensor1d([7, 2], 'int32'), 1).data();
    expect(await some.cache.get('resid_post', 1).data()).toEqual(wanted);
  });

  it('sees what the hooks of the same call return', async () => {
    const { model } = randomModel(config);
    const { cache } = runWithCache(model, ROW, {
      names: 'blocks.1.attn.hook_z',
      hooks: [['blocks.1.attn.hook_z', (z) => tf.zerosLike(z)]],
    });
    expect((await cache.get('z', 1).data()).every((value) => value === 0)).toBe(true);
  });

  it('stops at a layer and returns the residual there', async () => {
    const { model } = randomModel(config);
    const { logits: residual } = runWithCache(model, ROW, { stopAtLayer: 2, names: 'blocks.1.hook_resid_post' });
    const { cache } = runWithCache(model, ROW, { names: 'blocks.2.hook_resid_pre' });
    expect(await residual.data()).toEqual(await cache.get('resid_pre', 2).data());
  });

  it('refuses to keep more than the byte limit, with the numbers', () => {
    const { model } = randomModel(config);
    expect(() => runWithCache(model, ROW, { byteLimit: 2 ** 14 })).toThrow(
      /keeping \d+ activations takes .* MiB, above the limit/,
    );
  });

  it('holds the decomposition of the residual: embed + positions + all outputs = the last residual', async () => {
    const { model } = randomModel(config);
    const { cache } = runWithCache(model, ROW);
    const parts = [
      'hook_embed',
      'hook_pos_embed',
      ...[0, 1, 2].flatMap((l) => [`blocks.${l}.hook_attn_out`, `blocks.${l}.hook_mlp_out`]),
    ];
    const sum = tf.addN(parts.map((name) => cache.get(name)));
    expect(await sum.data()).toBeAllClose(await cache.get('resid_post', 2).data(), 1e-5);
  });
});

describe('memory', () => {
  it('0 tensors leak in 1,000 mixed calls, including ones that throw', () => {
    const { model } = randomModel(config);
    const random = createRandom(5);
    const before = tf.memory().numTensors;
    let thrown = 0;
    for (let call = 0; call < 1000; call++) {
      const row = Array.from({ length: 1 + random.integer(8) }, () => random.integer(17));
      const layer = random.integer(3);
      const kind = random.integer(5);
      try {
        if (kind === 0)
          runWithHooks(model, row, [[`blocks.${layer}.attn.hook_z`, zeroHead(random.integer(3))]]).dispose();
        else if (kind === 1) {
          const { logits, cache } = runWithCache(model, row, { positions: [-1] });
          logits.dispose();
          cache[Symbol.dispose]();
        } else if (kind === 2)
          runWithHooks(model, row, [
            [
              `blocks.${layer}.hook_resid_mid`,
              (x) => {
                tf.mul(x, 2);
                throw new Error('in a hook');
              },
            ],
          ]);
        else if (kind === 3) runWithCache(model, row, { hooks: [['blocks.2.hook_mlp_out', () => tf.zeros([9, 9])]] });
        else runWithHooks(model, row, [[`blocks.${layer}.nothing` as HookName, () => undefined]]);
      } catch {
        thrown++;
      }
    }
    expect(thrown).toBeGreaterThan(400);
    expect(tf.memory().numTensors).toBe(before);
  });
});
