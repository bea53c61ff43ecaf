/** Models trained on threads are those trained on one: values, gradients, errors; and what a thread cannot know stays here. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attributeData } from '../../src/attribute-data.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { valuesOnly } from '../../src/game.ts';
import type { Example } from '../../src/lens/examples/data-set.ts';
import { groupsOf } from '../../src/lens/examples/example-players.ts';
import { openPlainQuestion, type PlainDataQuestion } from '../../src/lens/examples/plain-question.ts';
import { RECIPES } from '../../src/lens/examples/recipes.ts';
import { allMasks, masksFromMembers } from '../../src/masks.ts';
import { createPooledDataGame, type PooledDataGame } from '../../src/measure/pooled-game.ts';
import { createRandom } from '../../src/random.ts';
import { gameContract } from '../contracts/game.ts';
import { open } from '../tensors.ts';

const random = createRandom(6);
const POINTS: Example[] = Array.from({ length: 40 }, (_, n) => ({
  vector: [(n % 2) + 0.5 * random.normal(), 1 - (n % 2) + 0.5 * random.normal()],
  label: String(n % 2),
  fields: { group: 'abcdef'[n % 6] },
}));
const TRAIN = POINTS.slice(0, 36);
const { defaults } = RECIPES.mlp;
const QUESTION: PlainDataQuestion = {
  train: TRAIN,
  test: POINTS.slice(36),
  players: groupsOf(TRAIN, 'group'),
  recipe: 'mlp',
  settings: { ...defaults, hidden: [8], training: { ...defaults.training, epochs: 3, batchSize: 9 } },
  value: 'margin',
  seeds: [1, 2],
  modelsAtOnce: 4,
};

const timeout = 120_000;

describe('training data on threads', { timeout }, () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open('wasm');
  });
  afterAll(() => backend.close());

  it('has the values and the gradients of one thread', async () => {
    using alone = openPlainQuestion(QUESTION);
    using pooled = createPooledDataGame(QUESTION, { threads: 2 });
    const masks = allMasks(6);
    const told = new Map<number, number>();
    const values = await pooled.value(masks, {
      onValues: (rows, fresh) => fresh.forEach((value, k) => told.set(rows[k], value)),
    });
    expect(values).toBeAllClose(await alone.value(masks), 1e-5);
    expect(told.size).toBe(64);
    expect(pooled.threads).toBe(2);
    const some = masksFromMembers(6, [[0, 1, 2], [3], [0, 1, 2, 3, 4, 5], [1, 4], [2]]);
    const [here, there] = [await alone.gradients?.(some), await pooled.gradients?.(some)];
    expect(there?.values).toBeAllClose(here?.values as Float64Array, 1e-5);
    expect(there?.gradients).toBeAllClose(here?.gradients as Float32Array, 1e-4);
  });

  it('says of a thread’s training which subset diverges', async () => {
    const optimiser = { kind: 'sgd', learningRate: 1e38, weightDecay: 1 } as const;
    const settings = { ...QUESTION.settings, training: { ...QUESTION.settings.training, optimiser } };
    using pooled = createPooledDataGame({ ...QUESTION, settings }, { threads: 2 });
    await expect(pooled.value(masksFromMembers(6, [[0, 1]]))).rejects.toThrow('training on a, b diverges');
  });

  it('is refused for a function of somebody’s own, which auto calls here', async () => {
    const asked = {
      train: TRAIN,
      test: QUESTION.test,
      groups: { field: 'group' },
      recipe: (kept: readonly Example[]): number => kept.length,
    };
    await expect(attributeData(backend, { ...asked, threads: 2 })).rejects.toThrow(
      'threads: train recipes and values that are known by name (softmax, mlp, transformer), and',
    );
    expect((await attributeData(backend, { ...asked, heldOut: 8 })).masks.threads).toBeUndefined();
  });

  describe('whose threads are started once', () => {
    let pooled: PooledDataGame;
    beforeAll(() => {
      pooled = createPooledDataGame(QUESTION, { threads: 2 });
    });
    afterAll(() => pooled[Symbol.dispose]());
    gameContract('data game on threads', () => valuesOnly(pooled), { tolerance: 1e-5 });
  });
});
