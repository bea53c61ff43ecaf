/** A function as a recipe: it sees what is kept, its values are the game's, and what it cannot be told is refused. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attributeData, type AttributeDataOptions } from '../../../src/attribute-data.ts';
import type { Backend } from '../../../src/backend/backend.ts';
import type { Example } from '../../../src/lens/examples/data-set.ts';
import { groupsOf } from '../../../src/lens/examples/example-players.ts';
import { createOwnDataGame, type TrainFunction } from '../../../src/lens/examples/own-recipe.ts';
import { TEST_VALUES } from '../../../src/lens/examples/test-values.ts';
import { gameContract } from '../../contracts/game.ts';
import { open } from '../../tensors.ts';

const TRAIN: readonly Example[] = ['a', 'b', 'c', 'a', 'd', 'b'].map((source, n) => ({
  vector: [n],
  label: String(n % 2),
  fields: { source },
}));
const TEST: readonly Example[] = [{ vector: [9], label: '0', fields: {} }];
/** A "model" that answers only where it has seen both a and b. */
const needsBoth: TrainFunction = (kept, _test, { seed }) => {
  const seen = new Set(kept.map(({ fields }) => fields['source']));
  return (seen.has('a') && seen.has('b') ? 4 : 0) + (seen.has('c') ? 1 : 0) + 0.01 * seed;
};

describe('a recipe of somebody’s own', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open('wasm');
  });
  afterAll(() => backend.close());

  gameContract('own data game', () =>
    createOwnDataGame({
      name: 'own',
      train: TRAIN,
      test: TEST,
      players: groupsOf(TRAIN, 'source'),
      recipe: needsBoth,
      seeds: [0, 2],
    }),
  );

  it('is a function of what is kept: its interaction is found, and the record names it', async () => {
    const result = await attributeData(backend, {
      train: TRAIN,
      test: TEST,
      recipe: needsBoth,
      settings: { seeds: 2 },
      groups: { field: 'source' },
    });
    expect(result.interactions[0]).toMatchObject({ names: ['a', 'b'], value: expect.closeTo(4, 5) as number });
    expect(result.study).toMatchObject({ recipe: 'needsBoth', seeds: [0, 1] });
    expect(result.clean).toBeCloseTo(5.005, 6);
    // Seeds 2 to 5 differ by .01 from one to the next.
    expect(result.seedNoise?.sd).toBeCloseTo(0.01 * Math.sqrt(5 / 3 / 2), 4);
  });

  it.each<[Partial<AttributeDataOptions>, string]>([
    [{ value: TEST_VALUES.loss }, 'value: is for recipes'],
    [{ estimates: ['influence'] }, 'estimates: is for recipes'],
    [{ settings: { hidden: [3] } }, 'settings: hidden is for recipes'],
    [{ groups: { clusters: 2 } }, 'groups: of like examples need a recipe'],
    [{ recipe: () => NaN }, 'recipe: gave NaN for'],
  ])('refuses %j', async (change, why) => {
    const asked = { train: TRAIN, test: TEST, recipe: needsBoth, groups: { field: 'source' }, ...change };
    await expect(attributeData(backend, asked)).rejects.toThrow(why);
  });
});
