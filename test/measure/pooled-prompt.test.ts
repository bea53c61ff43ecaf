/** A text on threads is worth what it is worth on one: values, gradients, and what each token of the answer has. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { valuesOnly } from '../../src/game.ts';
import { createPromptGame, type PromptGameOptions } from '../../src/lens/tokens/prompt-game.ts';
import { TEXT_VALUES } from '../../src/lens/tokens/text-values.ts';
import { allMasks, selectRows } from '../../src/masks.ts';
import { openPrompt } from '../../src/measure/open-game.ts';
import { createPooledPromptGame, type PooledPromptGame } from '../../src/measure/pooled-game.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { gameContract } from '../contracts/game.ts';
import { open } from '../tensors.ts';

const TOKENS = [3, 1, 4, 1, 5, 9, 2, 6];
const OWNERS = [-1, 0, 1, 2, 3, 4, 5, -1];
const players = ['a', 'b', 'c', 'd', 'e', 'f'].map((name, k) => ({
  name,
  place: { kind: 'span' as const, pieces: [{ start: k, end: k + 1 }] },
}));
const asked = (standIn: PromptGameOptions['standIn'], rest: Partial<PromptGameOptions> = {}): PromptGameOptions => ({
  players,
  tokens: TOKENS,
  owners: OWNERS,
  standIn,
  value: TEXT_VALUES.logprob,
  answer: [6, 5],
  against: [],
  ...rest,
});
const remove = { kind: 'tokens' as const, tokens: TOKENS.map(() => []) };
const attention = { kind: 'attention' as const };

let backend: Backend;
let model: Model;
beforeAll(async () => {
  backend = await open('wasm');
  model = await loadModel(join('test/golden/families', 'llama'));
});
afterAll(() => {
  model[Symbol.dispose]();
  backend.close();
});

const timeout = 120_000;

describe('a text on threads', { timeout }, () => {
  it('has the values, gradients and tokens of one thread, also of masks that make equal rows', async () => {
    const same = asked(remove, { tokens: [3, 1, 1, 1, 1, 9, 2, 6] });
    using alone = createPromptGame(model, same);
    using pooled = createPooledPromptGame(model, same, { threads: 2 });
    const masks = selectRows(allMasks(6), [...Array.from({ length: 64 }, (_, k) => 63 - k), 5, 5]);
    const told = new Map<number, number>();
    const values = await pooled.value(masks, {
      onValues: (rows, fresh) => fresh.forEach((value, k) => told.set(rows[k], value)),
    });
    expect(values).toBeAllClose(await alone.value(masks), 1e-5);
    expect(told.size).toBe(masks.count);
    expect(pooled.threads).toBe(2);
    const [here, there] = [await alone.byToken?.(masks), await pooled.byToken?.(masks)];
    expect(there?.values).toBeAllClose(here?.values as Float64Array, 1e-5);
    expect(there?.outputs).toBeAllClose(here?.outputs as Float32Array, 1e-5);

    using one = createPromptGame(model, asked(attention));
    using two = createPooledPromptGame(model, asked(attention), { threads: 2 });
    const [own, theirs] = [await one.gradients?.(masks), await two.gradients?.(masks)];
    expect(theirs?.gradients).toBeAllClose(own?.gradients as Float32Array, 1e-4);
  });

  it('is not for values that a thread cannot know, which auto keeps on this one', () => {
    const own = { ...TEXT_VALUES.logprob, about: 'of my own' };
    expect(() => createPooledPromptGame(model, asked(remove, { value: own }), { threads: 2 })).toThrow(
      /threads: take values that are known by name/,
    );
    using game = openPrompt(asked(remove, { value: own }), model, {});
    expect(game.threads).toBeUndefined();
  });

  describe('whose threads are started once', () => {
    let pooled: PooledPromptGame;
    beforeAll(() => {
      pooled = createPooledPromptGame(model, asked(remove), { threads: 2 });
    });
    afterAll(() => pooled[Symbol.dispose]());
    gameContract('a text on two threads', () => valuesOnly(pooled), { tolerance: 1e-5 });
  });
});
