/** Gradients of masks of a text: of every absence that leaves its parts in place, in every family of layouts. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backend/backend.ts';
import type { StandIn } from '../../../src/lens/tokens/absences.ts';
import { createPromptGame, type PromptGame, type PromptGameOptions } from '../../../src/lens/tokens/prompt-game.ts';
import { TEXT_VALUES, type TextValueName } from '../../../src/lens/tokens/text-values.ts';
import { allMasks } from '../../../src/masks.ts';
import { loadModel, type Model } from '../../../src/model/model.ts';
import { createRandom } from '../../../src/random.ts';
import { gameContract } from '../../contracts/game.ts';
import { open } from '../../tensors.ts';

const TOKENS = [3, 1, 4, 1, 5, 9, 2];
const OWNERS = [-1, -1, 0, 1, 1, 2, -1];
const STAYING: Readonly<Record<string, StandIn>> = {
  mask: { kind: 'tokens', tokens: TOKENS.map(() => [7]) },
  resample: { kind: 'tokens', tokens: [8, 2, 11, 7, 0, 3, 3].map((id) => [id]) },
  mean: { kind: 'embedding', data: [TOKENS, [8, 2, 11]] },
  attention: { kind: 'attention' },
};
const players = ['a', 'b', 'c'].map((name, k) => ({
  name,
  place: { kind: 'span' as const, pieces: [{ start: k, end: k + 1 }] },
}));

const VALUES: readonly TextValueName[] = ['logprob', 'prob', 'log-odds', 'contrast', 'kl'];

function optionsFor(standIn: StandIn, name: TextValueName, position?: number): PromptGameOptions {
  const value = TEXT_VALUES[name];
  const several = position === undefined; // a masked-LM model answers with one token
  const answer = value.needs.answer ? (several ? [6, 5] : [6]) : [];
  return {
    players,
    tokens: TOKENS,
    owners: OWNERS,
    position,
    standIn,
    value,
    answer,
    against: value.needs.against ? [8] : [],
  };
}

const STEP = 0.005;
/** Of a difference of fourth order: Σ weight · f(x + steps · STEP) / STEP. */
const DIFFERENCE = [
  [-2, 1 / 12],
  [-1, -8 / 12],
  [1, 8 / 12],
  [2, -1 / 12],
] as const;

/** Slopes from differences of the values between masks, and how far the rounding of these takes them, of numbers of `least` at least. */
async function slopesByDifference(
  at: NonNullable<PromptGame['gradientsAt']>,
  m: Float32Array,
  least: number,
): Promise<{ readonly slopes: Float64Array; readonly rounding: number }> {
  const slopes = new Float64Array(m.length);
  let largest = least;
  for (let i = 0; i < players.length; i++)
    for (const [steps, weight] of DIFFERENCE) {
      const { values } = await at(m.map((x, k) => (k % players.length === i ? x + steps * STEP : x)));
      values.forEach((value, row) => (slopes[row * players.length + i] += (weight * value) / STEP));
      largest = Math.max(largest, ...values.map(Math.abs));
    }
  return { slopes, rounding: (1.5e-6 * largest) / STEP };
}

describe.each([
  ['gpt2', undefined],
  ['bloom', undefined],
  ['gemma2', undefined],
  ['llama', undefined],
  ['gptj', undefined],
  ['bert', 5],
])('%s', (family, position) => {
  let backend: Backend;
  let model: Model;
  beforeAll(async () => {
    backend = await open('wasm');
    model = await loadModel(join('test/golden/families', family));
  });
  afterAll(() => {
    model[Symbol.dispose]();
    backend.close();
  });

  it.each(Object.entries(STAYING))(
    '%s: the values of the masks, and slopes that are differences',
    async (_, standIn) => {
      const random = createRandom(3);
      const m = Float32Array.from({ length: 4 * players.length }, () => 0.25 + 0.5 * random.uniform());
      for (const name of VALUES.filter((each) => position === undefined || each !== 'kl')) {
        using game = createPromptGame(model, optionsFor(standIn, name, position));
        const { gradients, gradientsAt } = game;
        if (gradients === undefined || gradientsAt === undefined) throw new Error('no gradients');
        const masks = allMasks(3);
        const { values } = await gradients(masks);
        expect(values, name).toBeAllClose(await game.value(masks), 2e-5);
        const { gradients: slopes } = await gradientsAt(m);
        const { slopes: expected, rounding } = await slopesByDifference(gradientsAt, m, name === 'contrast' ? 2 : 0);
        const largest = Math.max(...expected.map(Math.abs));
        expect(largest, name).toBeGreaterThan(10 * rounding);
        const off = slopes.map((slope, k) => Math.abs(slope - expected[k]));
        expect(Math.max(...off), name).toBeLessThan(0.002 * largest + rounding);
      }
    },
  );

  gameContract(
    `${family}, attention`,
    () => createPromptGame(model, optionsFor(STAYING['attention'], 'contrast', position)),
    {
      tolerance: 1e-5,
    },
  );

  it('leaves no tensors behind', async () => {
    for (const standIn of Object.values(STAYING))
      await expect(async () => {
        using game = createPromptGame(model, optionsFor(standIn, 'logprob', position));
        await game.gradients?.(allMasks(3));
        await expect(game.gradients?.(allMasks(4))).rejects.toThrow('4 players');
      }).toLeakNoTensors();
  });

  it('a text that becomes shorter has none', () => {
    const removed: StandIn = { kind: 'tokens', tokens: TOKENS.map(() => []) };
    using game = createPromptGame(model, optionsFor(removed, 'logprob', position));
    expect(game.gradients).toBeUndefined();
    expect(game.gradientsAt).toBeUndefined();
  });
});
