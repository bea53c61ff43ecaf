/** Generation: equal to one uncached forward pass, for every family; hooks, padding, seeds, streams and stops. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate, generateSteps, type GeneratedStep, type GenerateOptions } from '../../src/hooks/generate.ts';
import { runWithHooks, type Hook } from '../../src/hooks/run.ts';
import { chooseToken } from '../../src/hooks/sampling.ts';
import { padRows } from '../../src/model/forward/attention-mask.ts';
import { cacheBytesPerToken, createKeyValueCache } from '../../src/model/forward/key-value-cache.ts';
import { forward } from '../../src/model/forward/forward.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { createRandom } from '../../src/random.ts';
import { availableBackends, CONFIGS, open, randomModel } from '../tensors.ts';

const FAMILIES = 'test/golden/families';
const BUNDLED = ['models/ioi-tiny', 'models/induction-2l-h2'];
const PROMPTS = [
  [3, 1, 4, 1, 5, 9, 2],
  [16, 2, 7],
];
let ioi: Model;

async function collect(
  model: Model,
  prompts: typeof PROMPTS | string,
  options: GenerateOptions,
): Promise<GeneratedStep[]> {
  const steps: GeneratedStep[] = [];
  for await (const step of generateSteps(model, prompts, options)) steps.push(step);
  return steps;
}

/**
 * Every step's logits equal those of one pass over the whole text, alone, without cache; its token is their largest. Where
 * rotary frequencies depend on the length of a row, the pass is over the text as it was at that step.
 */
async function expectAsOnePass(
  model: Model,
  prompts: readonly (readonly number[])[],
  steps: readonly GeneratedStep[],
  hooks: readonly Hook[] = [],
  tolerance = 1e-5,
): Promise<void> {
  for (const [r, prompt] of prompts.entries()) {
    const fresh = steps.map(({ tokens }) => tokens[r] as number);
    const lengths = model.config.rotary?.some(({ scaling }) => /dynamic|longrope/.test(scaling?.kind ?? ''));
    const passOver = async (until: number): Promise<Float32Array> => {
      const logits = runWithHooks(model, [...prompt, ...fresh.slice(0, until)], hooks);
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      return values;
    };
    const V = model.config.dVocabOut;
    const whole = await passOver(steps.length - 1);
    for (const [s, step] of steps.entries()) {
      const values = lengths === true ? await passOver(s) : whole;
      const expected = values.slice((prompt.length - 1 + s) * V, (prompt.length + s) * V);
      expect(step.logits[r], `row ${r}, step ${s}`).toBeAllClose(expected, tolerance);
      expect(step.tokens[r]).toBe(expected.indexOf(Math.max(...expected)));
    }
  }
}

const checkpoints = [...readdirSync(FAMILIES).map((name) => join(FAMILIES, name)), ...BUNDLED];
const causal = checkpoints.filter((path) => !/bert/.test(path));
/** A GPU emulated in software takes 20 s for a checkpoint; these use every operation of the forward pass. */
const FEW = /\/(gpt2|gpt_neox|llama|gemma3)$/;

describe.each(await availableBackends())('generation on %s', (backend) => {
  const tolerance = backend === 'webgpu' ? 1e-3 : 1e-5;
  let close: () => void;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => close());

  it.each(causal.filter((path) => backend !== 'webgpu' || FEW.test(path)))(
    '%s goes on with the tokens and logits of one uncached pass, prompts padded in one batch',
    async (path) => {
      const model = await loadModel(path);
      const steps = await collect(model, PROMPTS, { maxNewTokens: 9, stopTokens: [] });
      expect(steps).toHaveLength(9);
      await expectAsOnePass(model, PROMPTS, steps, [], tolerance);
      const slow = await collect(model, PROMPTS, { maxNewTokens: 9, stopTokens: [], cache: false });
      expect(slow.map(({ tokens }) => tokens)).toEqual(steps.map(({ tokens }) => tokens));
      steps.forEach((step, s) =>
        step.logits.forEach((logits, r) => expect(logits).toBeAllClose(slow[s].logits[r], tolerance)),
      );
      model[Symbol.dispose]();
    },
  );
});

describe('with text, hooks and options', () => {
  beforeAll(async () => {
    await open('wasm');
    ioi = await loadModel('models/ioi-tiny');
  });

  describe('a model that reads in both directions', () => {
    it('is refused, by name', async () => {
      expect(existsSync(join(FAMILIES, 'bert'))).toBe(true);
      const model = await loadModel(join(FAMILIES, 'bert'));
      await expect(generate(model, PROMPTS)).rejects.toThrow(
        /^generate: bert \(bert\) reads in both directions, .*; a causal model is needed\.$/,
      );
      model[Symbol.dispose]();
    });
  });

  describe('hooks', () => {
    const heads = (z: tf.Tensor): tf.Tensor => tf.mul(z, tf.tensor([1, 0, 1], [1, 1, 3, 1]));

    it('change every step as they change the whole pass', async () => {
      const { model } = randomModel(CONFIGS['gpt2']);
      const hooks: Hook[] = [
        ['blocks.1.attn.hook_z', heads],
        ['blocks.2.hook_resid_post', (x) => tf.mul(x, 0.7)],
        ['ln_final.hook_normalized', (x) => tf.mul(x, 1.2)],
      ];
      const steps = await collect(model, PROMPTS, { maxNewTokens: 5, hooks });
      await expectAsOnePass(model, PROMPTS, steps, hooks);
      const plain = await collect(model, PROMPTS, { maxNewTokens: 1 });
      expect(Math.max(...plain[0].logits[0].map((x, i) => Math.abs(x - steps[0].logits[0][i])))).toBeGreaterThan(0.01);
      model[Symbol.dispose]();
    });

    it('see every column once, and are told which', async () => {
      const { model } = randomModel(CONFIGS['llama: rotary, gated, grouped heads']);
      const seen: Record<string, number[][]> = { 'blocks.0.hook_attn_out': [], 'blocks.2.attn.hook_pattern': [] };
      const shapes: number[][] = [];
      const hooks: Hook[] = [
        [
          Object.keys(seen) as never,
          (x, { name, positions }) => {
            seen[name].push([...positions]);
            if (name.endsWith('pattern')) shapes.push(x.shape);
          },
        ],
      ];
      await generate(model, PROMPTS, { maxNewTokens: 3, hooks });
      for (const columns of Object.values(seen)) expect(columns).toEqual([[0, 1, 2, 3, 4, 5, 6], [7], [8]]);
      expect(shapes).toEqual([
        [2, 4, 7, 7],
        [2, 4, 1, 8],
        [2, 4, 1, 9],
      ]);
      model[Symbol.dispose]();
    });

    it('at one position act there only: at that step and in what was cached', async () => {
      const { model } = randomModel(CONFIGS['gpt2']);
      const at = 8; // the second token after the longer prompt
      const hook: Hook = [
        'blocks.0.hook_attn_out',
        (x, { positions }) => {
          const here = tf.tensor(
            positions.map((p) => (p === at ? 0 : 1)),
            [1, positions.length, 1],
          );
          return tf.mul(x, here);
        },
      ];
      const steps = await collect(model, [PROMPTS[0]], { maxNewTokens: 5, hooks: [hook] });
      await expectAsOnePass(model, [PROMPTS[0]], steps, [hook]);
      model[Symbol.dispose]();
    });

    it('are refused when misspelt, and when they make one row many', async () => {
      const { model } = randomModel(CONFIGS['gpt2']);
      await expect(
        generate(model, [1], { hooks: [['blocks.0.hook_atn_out' as never, () => undefined]] }),
      ).rejects.toThrow(/did you mean blocks\.0\.hook_attn_out/);
      await expect(
        generate(model, [1], { maxNewTokens: 2, hooks: [['blocks.0.hook_attn_out', (x) => tf.tile(x, [3, 1, 1])]] }),
      ).rejects.toThrow(/a hook made 3 rows of 1; repeat the prompt 3 times/);
      model[Symbol.dispose]();
    });
  });

  describe('sampling', () => {
    it('is the same for the same seed, and another for another', async () => {
      const { model } = randomModel(CONFIGS['gpt2']);
      const draw = async (seed: number, temperature = 1.5): Promise<readonly (readonly number[])[]> =>
        (await generate(model, PROMPTS, { maxNewTokens: 6, temperature, seed })).tokens;
      const first = await draw(1);
      expect(await draw(1)).toEqual(first);
      expect(await draw(2)).not.toEqual(first);
      // a row's draws do not depend on the rows beside it
      expect((await generate(model, [PROMPTS[0]], { maxNewTokens: 6, temperature: 1.5, seed: 1 })).tokens[0]).toEqual(
        first[0],
      );
      model[Symbol.dispose]();
    });

    it('draws tokens as often as the softmax says, among the topK likeliest only', () => {
      const logits = Float32Array.of(1, -2, 3, 0, 3, 2);
      const random = createRandom(7);
      const counts = (temperature: number, topK: number | undefined): number[] => {
        const count = Array<number>(6).fill(0);
        for (let i = 0; i < 20_000; i++) count[chooseToken(logits, { temperature, topK }, random)]++;
        return count.map((n) => n / 20_000);
      };
      const softmax = (ids: readonly number[], temperature: number): number[] => {
        const weights = [...logits].map((x, id) => (ids.includes(id) ? Math.exp(x / temperature) : 0));
        return weights.map((w) => w / weights.reduce((a, b) => a + b, 0));
      };
      // 4 standard deviations of a share near 0.4 of 20,000 draws: 0.014
      for (const [ids, topK] of [
        [[0, 1, 2, 3, 4, 5], undefined],
        [[2, 4, 5], 3],
        [[2, 4], 2],
        [[0, 1, 2, 3, 4, 5], 60],
      ] as const) {
        const shares = counts(2, topK);
        softmax(ids, 2).forEach((p, id) => {
          if (p === 0) expect(shares[id]).toBe(0);
          else expect(Math.abs(shares[id] - p)).toBeLessThan(0.014);
        });
      }
      expect(chooseToken(logits, { temperature: 5, topK: 1 }, random)).toBe(2); // of equals the first
      expect(chooseToken(logits, { temperature: 0, topK: undefined }, random)).toBe(2);
      expect(() => chooseToken(Float32Array.of(0, NaN), { temperature: 0, topK: undefined }, random)).toThrow(
        /logit of token 1 is not a number/,
      );
    });
  });

  describe('text', () => {
    const PROMPT = 'When Mary and John went to the store, John gave a drink to';

    it('goes on from text to text, streamed in pieces that join to it', async () => {
      const pieces: string[] = [];
      const { texts, tokens, ended } = await generate(ioi, PROMPT, {
        maxNewTokens: 3,
        stopTokens: [],
        onStep: (step) => void pieces.push(step.texts[0]),
      });
      expect(texts?.[0]).toMatch(/^ Mary/);
      expect(pieces.join('')).toBe(texts?.[0]);
      expect(ioi.tokenizer?.toStrTokens(tokens[0])[0].trim()).toBe('Mary');
      expect(ended).toEqual(['length']);
    });

    it('of a row is the same beside other rows; a row ends at its stop token, the others go on', async () => {
      const [alone, both] = [
        await generate(ioi, PROMPT, { maxNewTokens: 3, stopTokens: [] }),
        await generate(ioi, [PROMPT, 'When Mary and John went to the store, Mary gave a drink to'], {
          maxNewTokens: 3,
          stopTokens: [' Mary'],
        }),
      ];
      expect(both.ended).toEqual(['stop', 'length']);
      expect(both.tokens[0]).toEqual(alone.tokens[0].slice(0, 1));
      expect(both.tokens[1]).toHaveLength(3);
      expect(both.texts?.[0]).toBe(' Mary');
      const without = await generate(ioi, 'When Mary and John went to the store, Mary gave a drink to', {
        maxNewTokens: 3,
        stopTokens: [],
      });
      expect(both.tokens[1]).toEqual(without.tokens[0]);
    });

    it('takes rows that are padded on either side', async () => {
      const { model } = randomModel(CONFIGS['gpt2']);
      const expected = (await generate(model, PROMPTS, { maxNewTokens: 4 })).tokens;
      for (const side of ['left', 'right'] as const) {
        const { tokens, attentionMask } = padRows(PROMPTS, side, 5);
        expect((await generate(model, tokens, { maxNewTokens: 4, attentionMask })).tokens).toEqual(expected);
      }
      await expect(generate(model, PROMPTS, { attentionMask: [[1], [1]] })).rejects.toThrow(
        /must be 2 rows as long as the tokens/,
      );
      model[Symbol.dispose]();
    });
  });

  describe('a generation', () => {
    it('stops on request, and leaves no tensors when it does, when the loop is left, and when a hook throws', async () => {
      const { model } = randomModel(CONFIGS['gpt2']);
      const controller = new AbortController();
      const stopped = generate(model, PROMPTS, {
        maxNewTokens: 5,
        signal: controller.signal,
        onStep: ({ step }) => step === 1 && controller.abort(),
      });
      await expect(stopped).rejects.toMatchObject({
        kind: 'aborted',
        message: 'generate: stopped on request after 2 new tokens.',
      });
      const timed = new AbortController();
      setTimeout(() => timed.abort(), 5);
      await expect(
        generate(model, [1], {
          maxNewTokens: 12,
          signal: timed.signal,
          onStep: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5),
        }),
      ).rejects.toMatchObject({ kind: 'aborted' });
      await expect(async () => {
        for await (const { step } of generateSteps(model, PROMPTS)) if (step === 2) break;
      }).toLeakNoTensors();
      await expect(() => generate(model, PROMPTS, { maxNewTokens: 4 })).toLeakNoTensors();
      await expect(() => generate(model, PROMPTS, { maxNewTokens: 4, cache: false })).toLeakNoTensors();
      let calls = 0;
      const throws: Hook = [
        'blocks.1.hook_mlp_out',
        () => {
          if (++calls % 3 === 0) throw new Error('mine');
        },
      ];
      await expect(generate(model, PROMPTS, { hooks: [throws], maxNewTokens: 5 })).rejects.toThrow('mine');
      await expect(() => generate(model, PROMPTS, { hooks: [throws], maxNewTokens: 5 })).toLeakNoTensors();
      model[Symbol.dispose]();
    });

    it.each([
      [{ maxNewTokens: 0 }, /maxNewTokens: 0; a whole number >= 1/],
      [{ maxNewTokens: 9 }, /maxNewTokens: 9 after a prompt of 7 tokens pass the context of 12; at most 6 have room/],
      [{ maxNewTokens: 2, temperature: -1 }, /temperature: -1; 0 \(greedy\) or a positive number/],
      [{ maxNewTokens: 2, topK: 0 }, /topK: 0; a whole number of tokens >= 1/],
      [{ maxNewTokens: 2, stopTokens: [17] }, /stopTokens: 17 is no token; ids are 0\.\.16/],
      [{ maxNewTokens: 2, stopTokens: ['a'] }, /has no tokenizer\.json/],
      [{ maxNewTokens: 2, seed: -1 }, /seed -1 is not an integer/],
    ] as [GenerateOptions, RegExp][])('with options %j is refused', async (options, message) => {
      const { model } = randomModel(CONFIGS['gpt2']);
      await expect(generate(model, PROMPTS, options)).rejects.toThrow(message);
      model[Symbol.dispose]();
    });

    it('fills the context to the last token when not told how many', async () => {
      const { model } = randomModel(CONFIGS['gpt2']);
      const steps = await collect(model, PROMPTS, {});
      expect(steps).toHaveLength(6);
      await expect(generate(model, Array(13).fill(1))).rejects.toThrow(
        /a prompt has 13 tokens and the context of random holds 12/,
      );
      await expectAsOnePass(
        model,
        [PROMPTS[0]],
        steps.map((step) => ({ ...step, tokens: [step.tokens[0]] })),
      );
      model[Symbol.dispose]();
    });
  });

  describe('the cache of keys and values', () => {
    it('holds what it says a token takes, and nothing once disposed', () => {
      for (const name of [
        'gpt2',
        'llama: rotary, gated, grouped heads',
        'ungrouped heads, all biases, llama3 and linear scaling',
      ]) {
        const { model } = randomModel(CONFIGS[name]);
        const cache = createKeyValueCache();
        const before = tf.memory().numTensors;
        tf.tidy(
          () => void forward(model.config, model.parameters, tf.tensor2d([[1, 2, 3]], undefined, 'int32'), { cache }),
        );
        cache.advance(3);
        expect([cache.length, cache.bytes]).toEqual([3, 3 * cacheBytesPerToken(model.config)]);
        cache[Symbol.dispose]();
        expect([cache.length, cache.bytes, tf.memory().numTensors]).toEqual([0, 0, before]);
        model[Symbol.dispose]();
      }
    });
  });
});
