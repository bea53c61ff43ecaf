/** A masked text is worth what the plain forward pass of that text, made by hand, says: every family, absence and value. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backend/backend.ts';
import { runWithHooks, type Hook } from '../../../src/hooks/run.ts';
import { METRICS } from '../../../src/lens/metrics.ts';
import type { StandIn } from '../../../src/lens/tokens/absences.ts';
import { createPromptGame, TEXT_SAVINGS, type PromptGameOptions } from '../../../src/lens/tokens/prompt-game.ts';
import { fromMetric, TEXT_VALUES, type TextValueName } from '../../../src/lens/tokens/text-values.ts';
import { allMasks, emptyMasks, isKept, selectRows, type Masks } from '../../../src/masks.ts';
import { embeddingHook } from '../../../src/model/hook-points.ts';
import { loadModel, type Model } from '../../../src/model/model.ts';
import { walshHadamard } from '../../../src/spectrum/walsh-hadamard.ts';
import { solve, SOLVERS } from '../../../src/solve/solve.ts';
import { gameContract } from '../../contracts/game.ts';
import { open } from '../../tensors.ts';

const FOLDER = 'test/golden/families';
const CASES = readdirSync(FOLDER);
const TOKENS = [3, 1, 4, 1, 5, 9, 2];
const OWNERS = [-1, -1, 0, 1, 1, 2, -1];
const ANSWER = [6, 5];
const AGAINST = [8];
const STAND_INS: Readonly<Record<string, StandIn>> = {
  remove: { kind: 'tokens', tokens: TOKENS.map(() => []) },
  mask: { kind: 'tokens', tokens: TOKENS.map(() => [7]) },
  replace: { kind: 'tokens', tokens: TOKENS.map((_, i) => (i === 4 ? [] : [8, 10])) },
  resample: { kind: 'tokens', tokens: [8, 2, 11, 7, 0, 3, 3].map((id) => [id]) },
  mean: { kind: 'embedding', data: [TOKENS, [8, 2, 11]] },
  attention: { kind: 'attention' },
};
const players = ['a', 'b', 'c'].map((name, k) => ({
  name,
  place: { kind: 'span' as const, pieces: [{ start: k, end: k + 1 }] },
}));

function optionsFor(standIn: StandIn, value: TextValueName, rest: Partial<PromptGameOptions> = {}): PromptGameOptions {
  const { needs } = TEXT_VALUES[value];
  const answer = needs.answer ? (value === 'logit' ? [5] : ANSWER) : [];
  const against = needs.against ? AGAINST : [];
  return { players, tokens: TOKENS, owners: OWNERS, standIn, value: TEXT_VALUES[value], answer, against, ...rest };
}

/** log p of every token after the prompt, [forced + 1][V], with the absence done by hand: no batch, no padding, no cache. */
async function byHand(
  model: Model,
  standIn: StandIn,
  kept: readonly boolean[],
  forced: readonly number[],
  position?: number,
  owners: readonly number[] = OWNERS,
): Promise<number[][]> {
  const gone = TOKENS.map((_, i) => owners[i] >= 0 && !kept[owners[i]]);
  const hooks: Hook[] = [];
  let row: number[] = [...TOKENS];
  let at = position;
  if (standIn.kind === 'tokens') {
    row = TOKENS.flatMap((id, i) => (gone[i] ? [...standIn.tokens[i]] : [id]));
    if (position !== undefined)
      at = TOKENS.slice(0, position).flatMap((id, i) => (gone[i] ? standIn.tokens[i] : [id])).length;
  } else if (standIn.kind === 'attention') {
    const length = row.length + forced.length;
    const mask = Float32Array.from({ length: length * length }, (_, k) =>
      gone[k % length] === true && k % length !== Math.floor(k / length) ? -1e30 : 0,
    );
    // The last layer may score fewer queries only inside the game: here all of them are there.
    for (let layer = 0; layer < model.config.nLayers; layer++)
      hooks.push([`blocks.${layer}.attn.hook_attn_scores`, (x) => tf.add(x, tf.tensor(mask, [1, 1, length, length]))]);
  } else {
    const site = embeddingHook(model.config, 'hook_embed');
    const rows: number[][] = [];
    for (const data of standIn.data)
      tf.dispose(
        runWithHooks(model, data, [
          [
            site,
            (x) => {
              const width = x.size / data.length;
              const values = x.dataSync();
              data.forEach((_, i) => rows.push(Array.from(values.slice(i * width, (i + 1) * width))));
              return x;
            },
          ],
        ]),
      );
    const mean = rows[0].map((_, d) => rows.reduce((sum, each) => sum + each[d] / rows.length, 0));
    hooks.push([
      site,
      (x) => {
        const values = Float32Array.from(x.dataSync());
        gone.forEach((is, i) => is && values.set(mean, i * mean.length));
        return tf.tensor(values, x.shape);
      },
    ]);
  }
  const logits = runWithHooks(model, [...row, ...forced], hooks);
  const values = Array.from(await logits.data());
  logits.dispose();
  const vocabulary = model.config.dVocabOut;
  const first = at ?? row.length - 1;
  return [0, ...forced].map((_, j) => {
    const here = values.slice((first + j) * vocabulary, (first + j + 1) * vocabulary);
    const top = Math.max(...here);
    const total = top + Math.log(here.reduce((sum, value) => sum + Math.exp(value - top), 0));
    return here.map((value) => value - total);
  });
}

const keptBy = (masks: Masks, row: number): boolean[] => players.map((_, i) => isKept(masks, row, i));

async function logProbs(
  model: Model,
  standIn: StandIn,
  answer: readonly number[],
  position?: number,
): Promise<number[]> {
  const masks = allMasks(3);
  const values: number[] = [];
  for (let row = 0; row < masks.count; row++) {
    const all = await byHand(model, standIn, keptBy(masks, row), answer.slice(0, -1), position);
    values.push(answer.reduce((sum, id, j) => sum + all[j][id], 0));
  }
  return values;
}

const isCausal = (model: Model): boolean => model.config.attention.causal;

describe.each(['wasm', 'cpu'])('a masked text on %s', (name) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open(name);
  });
  afterAll(() => backend.close());
  const cases = name === 'wasm' ? CASES : ['gpt2', 'llama', 'gemma3', 'bert'];

  it.each(cases)('of %s is what the plain forward pass of that text is, for every absence', async (family) => {
    const model = await loadModel(join(FOLDER, family));
    const position = isCausal(model) ? undefined : 6;
    const answer = isCausal(model) ? ANSWER : [5];
    for (const [absence, standIn] of Object.entries(STAND_INS)) {
      const game = createPromptGame(model, optionsFor(standIn, 'logprob', { answer, position, batchSize: 5 }));
      const values = await game.value(allMasks(3));
      expect(new Set(values).size, absence).toBeGreaterThan(4);
      const truth = await logProbs(model, standIn, answer, position);
      expect(values, absence).toBeAllClose(truth, 1e-5);
      game[Symbol.dispose]();
      const plain = createPromptGame(model, optionsFor(standIn, 'logprob', { answer, position, without: ['tree'] }));
      expect(await plain.value(allMasks(3)), `${absence}, beginnings not shared`).toBeAllClose(truth, 1e-5);
      plain[Symbol.dispose]();
    }
    model[Symbol.dispose]();
  });
});

describe('values of a text', () => {
  let model: Model;
  let backend: Backend;
  beforeAll(async () => {
    backend = await open('wasm');
    model = await loadModel(join(FOLDER, 'llama'));
  });
  afterAll(() => {
    model[Symbol.dispose]();
    backend.close();
  });
  const { remove } = STAND_INS;
  const valueOf = async (options: PromptGameOptions): Promise<Float64Array> => {
    const game = createPromptGame(model, options);
    try {
      return await game.value(allMasks(3));
    } finally {
      game[Symbol.dispose]();
    }
  };

  it('are p, log-odds, contrasts and KL of the distributions made by hand', async () => {
    const two = await logProbs(model, remove, ANSWER);
    const one = await logProbs(model, remove, [5]);
    const other = await logProbs(model, remove, AGAINST);
    const odds = (value: number): number => value - Math.log1p(-Math.exp(value));
    const single = { answer: [5] };
    expect(await valueOf(optionsFor(remove, 'prob'))).toBeAllClose(two.map(Math.exp), 1e-5);
    expect(await valueOf(optionsFor(remove, 'log-odds'))).toBeAllClose(two.map(odds), 1e-5);
    expect(await valueOf(optionsFor(remove, 'log-odds', single))).toBeAllClose(one.map(odds), 1e-5);
    expect(await valueOf(optionsFor(remove, 'contrast', single))).toBeAllClose(
      one.map((value, k) => value - other[k]),
      1e-5,
    );
    expect(await valueOf(optionsFor(remove, 'contrast'))).toBeAllClose(
      two.map((value, k) => value - other[k]),
      1e-5,
    );
    const [clean] = await byHand(model, remove, [true, true, true], []);
    const masks = allMasks(3);
    for (const [row, value] of (await valueOf(optionsFor(remove, 'kl'))).entries()) {
      const [here] = await byHand(model, remove, keptBy(masks, row), []);
      expect([value]).toBeAllClose([clean.reduce((sum, p, id) => sum + Math.exp(p) * (p - here[id]), 0)], 1e-5);
    }
  });

  it('may be metrics of the other lens, or functions of a program', async () => {
    const accuracy = await valueOf(optionsFor(remove, 'logit', { value: fromMetric(METRICS.accuracy) }));
    expect([...accuracy].every((value) => value === 0 || value === 1)).toBe(true);
    const logits = await valueOf(optionsFor(remove, 'logit'));
    const double = fromMetric({ ...METRICS.logit, name: 'double', value: (x) => tf.reshape(tf.mul(x, 2), [-1]) });
    expect(await valueOf(optionsFor(remove, 'logit', { value: double }))).toBeAllClose(
      logits.map((value) => 2 * value),
      1e-6,
    );
  });

  it('refuse several tokens where they are of one, a row without tokens, and one longer than the context', () => {
    expect(() => createPromptGame(model, optionsFor(remove, 'logit', { answer: ANSWER }))).toThrow(
      /logit: answer is 2 tokens/,
    );
    const all = OWNERS.map((_, i) => i % 3);
    expect(() => createPromptGame(model, optionsFor(remove, 'logprob', { owners: all }))).toThrow(
      /leaves no token at all/,
    );
    const long = Array<number>(model.config.nCtx).fill(5);
    expect(() => createPromptGame(model, optionsFor(remove, 'logprob', { answer: long }))).toThrow(
      /the context of llama holds/,
    );
  });

  it('change by rounding alone when a saving is switched off, in one batch or row by row', async () => {
    for (const standIn of Object.values(STAND_INS)) {
      const full = await valueOf(optionsFor(standIn, 'contrast', { answer: [5] }));
      for (const saving of TEXT_SAVINGS)
        expect(await valueOf(optionsFor(standIn, 'contrast', { answer: [5], without: [saving] }))).toBeAllClose(
          full,
          1e-5,
        );
      expect(await valueOf(optionsFor(standIn, 'contrast', { answer: [5], batchSize: 1 }))).toBeAllClose(full, 1e-5);
      expect(await valueOf(optionsFor(standIn, 'contrast', { answer: [5], byteLimit: 1 }))).toBeAllClose(full, 1e-5);
    }
  });

  it('change by rounding alone when every shared beginning is run once, whatever the rows of a pass', async () => {
    for (const [absence, standIn] of Object.entries(STAND_INS))
      for (const rest of [{}, { batchSize: 1 }, { batchSize: 3 }, { without: ['prefix'] as const }]) {
        const asked = optionsFor(standIn, 'contrast', rest); // two readings of every row
        const plain = await valueOf({ ...asked, without: ['tree'] });
        expect(await valueOf(asked), absence).toBeAllClose(plain, 1e-5);
        const clean = optionsFor(standIn, 'kl', rest);
        expect(await valueOf(clean), absence).toBeAllClose(await valueOf({ ...clean, without: ['tree'] }), 1e-5);
      }
  });

  it('have a part for every token of the answer, which add up', async () => {
    const game = createPromptGame(model, optionsFor(remove, 'logprob', { batchSize: 3 }));
    const told: number[] = [];
    const onOutputs = (rows: ArrayLike<number>): void => void told.push(...Array.from(rows));
    const found = await game.byToken?.(allMasks(3), { onOutputs });
    game[Symbol.dispose]();
    expect(game.outputs).toBe(2);
    expect(told.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(found?.values).toBeAllClose(await valueOf(optionsFor(remove, 'logprob')), 1e-6);
    const masks = allMasks(3);
    for (let row = 0; row < masks.count; row++) {
      const [first, second] = await byHand(model, remove, keptBy(masks, row), [6]);
      expect(found?.outputs.subarray(2 * row, 2 * row + 2)).toBeAllClose([first[6], second[5]], 1e-5);
    }
    for (const options of [
      optionsFor(remove, 'logprob', { answer: [5] }),
      optionsFor(remove, 'contrast'),
      optionsFor(remove, 'prob'),
    ]) {
      const other = createPromptGame(model, options);
      expect(other.byToken).toBeUndefined();
      other[Symbol.dispose]();
    }
  });

  it('read an unseen last token by itself: it still sees the others and itself', async () => {
    const owners = [-1, -1, 0, 1, 1, 1, 2];
    const standIn = STAND_INS['attention'];
    const values = await valueOf(optionsFor(standIn, 'logprob', { owners }));
    const masks = allMasks(3);
    for (let row = 0; row < masks.count; row++) {
      const [first, second] = await byHand(model, standIn, keptBy(masks, row), [6], undefined, owners);
      expect([values[row]]).toBeAllClose([first[6] + second[5]], 1e-5);
    }
  });

  it('share beginnings too of which nothing is seen', async () => {
    const owners = [0, 0, 0, 1, 2, 2, -1];
    const standIn = STAND_INS['attention'];
    const values = await valueOf(optionsFor(standIn, 'logprob', { owners }));
    const masks = allMasks(3);
    for (let row = 0; row < masks.count; row++) {
      const [first, second] = await byHand(model, standIn, keptBy(masks, row), [6], undefined, owners);
      expect([values[row]]).toBeAllClose([first[6] + second[5]], 1e-5);
    }
  });

  it('keep the prefix before the first player, less one where everything after it may go', () => {
    const ends = optionsFor(remove, 'logprob', { tokens: TOKENS.slice(0, 6), owners: OWNERS.slice(0, 6) });
    for (const [options, length] of [
      [optionsFor(remove, 'logprob'), 2],
      [ends, 1],
    ] as const) {
      const game = createPromptGame(model, options);
      expect(game.prefixLength).toBe(length);
      game[Symbol.dispose]();
    }
  });

  it('halve a block that does not fit into memory, and let other errors through', async () => {
    let limit = 3;
    const tight = fromMetric({
      ...METRICS.logit,
      name: 'tight',
      value(logits, target, clean) {
        if (logits.shape[0] > limit) throw new Error('out of memory');
        return METRICS.logit.value(logits, target, clean);
      },
    });
    const game = createPromptGame(model, optionsFor(remove, 'logit', { value: tight }));
    const values = await game.value(allMasks(3));
    expect(game.batchSize).toBeLessThanOrEqual(3);
    expect(values).toBeAllClose(await valueOf(optionsFor(remove, 'logit')), 1e-5);
    limit = 0;
    await expect(game.value(selectRows(allMasks(3), [1]))).rejects.toThrow('out of memory');
    game[Symbol.dispose]();
  });

  it('leave no tensors behind, also where opening fails', async () => {
    for (const standIn of Object.values(STAND_INS)) {
      await expect(() => valueOf(optionsFor(standIn, 'kl'))).toLeakNoTensors();
      await expect(() => valueOf(optionsFor(standIn, 'contrast'))).toLeakNoTensors();
      await expect(() => valueOf(optionsFor(standIn, 'contrast', { batchSize: 2 }))).toLeakNoTensors();
    }
    await expect(() => valueOf(optionsFor(remove, 'logprob', { answer: [1e6] }))).toLeakNoTensors();
  });

  it('have the spectrum that the transform of all masks has', async () => {
    const options = optionsFor(remove, 'contrast');
    const game = createPromptGame(model, options);
    const { solution } = await solve(game, { solver: SOLVERS.exact, budget: 8, heldOut: 0, seed: 0 });
    const values = await valueOf(options);
    const transformed = walshHadamard(Float64Array.from(values));
    for (const { members, value } of solution.spectrum.terms)
      expect(value).toBeCloseTo(transformed[members.reduce((sum, i) => sum + 2 ** i, 0)] / 8, 5);
    expect(solution.spectrum.terms.length).toBeGreaterThan(4);
    game[Symbol.dispose]();
  });

  it('of no masks are none', async () => {
    const game = createPromptGame(model, optionsFor(remove, 'logprob'));
    expect(await game.value(emptyMasks(3, 0))).toHaveLength(0);
    game[Symbol.dispose]();
  });
});

describe('the contract', () => {
  let backend: Backend;
  let model: Model;
  beforeAll(async () => {
    backend = await open('wasm');
    model = await loadModel(join(FOLDER, 'gpt2'));
  });
  afterAll(() => {
    model[Symbol.dispose]();
    backend.close();
  });
  for (const absence of ['remove', 'attention'])
    gameContract(
      `a text under ${absence}`,
      () => createPromptGame(model, optionsFor(STAND_INS[absence], 'contrast', { batchSize: 3 })),
      {
        tolerance: 1e-5,
      },
    );
});
