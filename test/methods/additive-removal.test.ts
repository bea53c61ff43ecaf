/** Removal by effects that do not change, against the same rules one player at a time. */
import { describe, expect, it } from 'vitest';
import { inBalance, leastHelpful } from '../../src/methods/additive-removal.ts';
import { createRandom } from '../../src/random.ts';

const random = createRandom(5, 'additive removal');

/** The rule as it is written down: among the weakest, whose effect is nearest to what is short. */
function plainly(
  effects: Float64Array,
  players: readonly number[],
  count: number,
  short: number,
  share: number,
): number[] {
  const order: number[] = [];
  let [left, missing] = [[...players], short];
  while (order.length < count) {
    const weakest = [...left]
      .sort((a, b) => Math.abs(effects[a]) - Math.abs(effects[b]) || b - a)
      .slice(0, Math.max(1, Math.ceil(share * left.length)));
    const distance = (player: number): number => Math.abs(effects[player] - missing);
    const out = weakest.reduce((best, player) => (distance(player) < distance(best) ? player : best));
    missing -= effects[out];
    order.push(out);
    left = left.filter((player) => player !== out);
  }
  return order;
}

describe('removal by effects', () => {
  it.each([0, 1 / 3, 1])('in balance among the weakest %d leaves who does so one at a time', (share) => {
    for (let run = 0; run < 60; run++) {
      const n = 1 + random.integer(40);
      // Some alike, some opposite, some without any effect.
      const effects = Float64Array.from({ length: n }, () =>
        random.uniform() < 0.4 ? random.integer(5) - 2 : random.normal(),
      );
      const left = effects.reduce<number[]>((all, _, i) => (random.uniform() < 0.8 ? [...all, i] : all), []);
      const count = random.integer(left.length + 1);
      const short = 3 * random.normal();
      expect(inBalance(effects, left, { count, short, share })).toEqual(plainly(effects, left, count, short, share));
    }
  });

  it('by what their leaving adds is a sort', () => {
    expect(leastHelpful(Float64Array.of(1, -2, 3, 1), [0, 1, 3], 2)).toEqual([0, 3]);
  });

  it('takes a moment for tens of thousands', () => {
    const n = 50_000;
    const effects = Float64Array.from({ length: n }, () => random.normal());
    const everyone = Array.from({ length: n }, (_, i) => i);
    const order = inBalance(effects, everyone, { count: n - 1, short: 10, share: 1 / 3 });
    expect(new Set(order).size).toBe(n - 1);
  });
});
