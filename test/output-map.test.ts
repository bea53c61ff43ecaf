/** What tokens of an answer owe to players: of made-up games whose parts are known. */
import { describe, expect, it } from 'vitest';
import { allMasks, isKept, masksFromMembers, type Masks } from '../src/masks.ts';
import { rememberOutputs, type SummedGame } from '../src/output-map.ts';
import { createRandom } from '../src/random.ts';
import { uniformMasks } from '../src/uniform-masks.ts';

/** Two parts: 1 + 2·m_0 - m_1, and 3·m_2 with, where `paired`, m_0·m_1 more. */
function game(n: number, paired = false): SummedGame & { asked: number } {
  const at = (masks: Masks, row: number, player: number): number => Number(isKept(masks, row, player));
  const self: SummedGame & { asked: number } = {
    name: 'made up',
    players: Array.from({ length: n }, (_, k) => ({ name: `p${k}` })),
    outputs: 2,
    asked: 0,
    value: () => Promise.reject(new Error('its parts are asked for')),
    async byToken(masks, { onOutputs } = {}) {
      self.asked += masks.count;
      const outputs = new Float32Array(2 * masks.count);
      const values = new Float64Array(masks.count);
      for (let row = 0; row < masks.count; row++) {
        outputs[2 * row] = 1 + 2 * at(masks, row, 0) - at(masks, row, 1);
        outputs[2 * row + 1] = 3 * at(masks, row, 2) + (paired ? at(masks, row, 0) * at(masks, row, 1) : 0);
        values[row] = outputs[2 * row] + outputs[2 * row + 1];
      }
      onOutputs?.(
        Array.from({ length: masks.count }, (_, row) => row),
        values,
        outputs,
      );
      return { values, outputs };
    },
  };
  return self;
}

describe('the map of outputs', () => {
  it('is the exact Banzhaf values of every part where all masks were seen', async () => {
    const summed = game(4, true);
    const remembered = rememberOutputs(summed);
    const whole = remembered.game;
    expect([...(await whole.value(allMasks(4)))].slice(0, 4)).toEqual([1, 3, 0, 3]);
    const { masks, outputs } = await remembered.map(allMasks(4), { seed: 0 });
    expect([masks, summed.asked]).toEqual([16, 16]);
    expect(outputs[0]).toMatchObject({ clean: 2, r2: 1 });
    expect(outputs[0].values).toBeAllClose([2, -1, 0, 0], 1e-9);
    expect(outputs[1].clean).toBe(4);
    expect(outputs[1].values).toBeAllClose([0.5, 0.5, 3, 0], 1e-9);
    expect(outputs[1].r2).toBeCloseTo(1 - 1 / 16 / (9 / 4 + 2 / 16 + 1 / 16), 9); // F² of the pair is 1/16, of singles 1/4 of squares
  });

  it('is fitted to what was seen beside, without measuring it again, and leaves sets of other sizes out', async () => {
    const summed = game(20);
    const remembered = rememberOutputs(summed);
    const whole = remembered.game;
    const uniform = uniformMasks(20, 200, createRandom(0));
    await whole.value(uniform);
    await whole.value(masksFromMembers(20, [Array.from({ length: 20 }, (_, i) => i), [0]]));
    const before = summed.asked;
    const { masks, outputs } = await remembered.map(uniform, { seed: 0 });
    expect(summed.asked).toBe(before);
    expect(masks).toBeLessThanOrEqual(200);
    expect(outputs[0].values.slice(0, 3)).toBeAllClose([2, -1, 0], 1e-3);
    expect(outputs[1].values.slice(0, 3)).toBeAllClose([0, 0, 3], 1e-3);
    expect(outputs[0].r2).toBeGreaterThan(0.999);
  });

  it('measures what a log knew as far as fits need it, and says that a part which never changes owes nothing', async () => {
    const summed = game(3);
    const { outputs } = await rememberOutputs(summed).map(allMasks(3), { seed: 0 });
    expect(outputs[1].values).toBeAllClose([0, 0, 3], 1e-9);
    expect(summed.asked).toBe(8);
    const silent = await rememberOutputs(game(2)).map(allMasks(2), { seed: 0 });
    expect(silent.outputs).toMatchObject([{ r2: 1 }, { r2: null, values: [0, 0] }]);
    const many = game(20);
    await rememberOutputs(many).map(uniformMasks(20, 400, createRandom(0)), { seed: 0 });
    expect(many.asked).toBe(129); // 128 that are like uniform ones, and everything kept
  });
});
