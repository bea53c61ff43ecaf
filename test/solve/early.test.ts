/** Masks that an answer is scored on, measured while it is fitted by a game that measures elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { isKept } from '../../src/masks.ts';
import { solve, SOLVERS } from '../../src/solve/solve.ts';
import type { Solver } from '../../src/solver.ts';

const N = 12;
const plain = gameFromFunction('twelve', N, (row, masks) => {
  let sum = 0;
  for (let i = 0; i < N; i++) if (isKept(masks, row, i)) sum += i % 3 === 0 ? sum / 2 : 1;
  return sum;
});

/** `plain` on another thread, as it were: slow, and telling `events` when it is asked and when it has answered. */
function slowGame(events: string[], concurrent: boolean): Game {
  return {
    ...plain,
    concurrent,
    async value(masks, options) {
      events.push(`asked ${masks.count}`);
      await sleep(20);
      const values = await plain.value(masks, options);
      events.push(`answered ${masks.count}`);
      return values;
    },
  };
}

/** ProxySPEX that says when its fit is over. */
const told = (events: string[]): Solver => ({
  name: 'proxyspex',
  async solve(game, options) {
    const solution = await SOLVERS.proxyspex.solve(game, options);
    events.push('fitted');
    return solution;
  },
});

describe('held-out masks', () => {
  const options = { budget: 100, heldOut: 40, seed: 3 };

  it.each([
    [true, 'before'],
    [false, 'after'],
  ])('of a game whose concurrency is %s are asked for %s the fit, with the same score', async (concurrent, when) => {
    const events: string[] = [];
    const { heldOut } = await solve(openLedger(slowGame(events, concurrent)), { ...options, solver: told(events) });
    expect(events.indexOf('asked 40') < events.indexOf('fitted') ? 'before' : 'after').toBe(when);
    expect(heldOut).toEqual((await solve(openLedger(plain), { ...options, solver: SOLVERS.proxyspex })).heldOut);
  });

  it('are not measured any more when a solver that failed is heard of', async () => {
    const events: string[] = [];
    const failing: Solver = {
      name: 'failing',
      solve(_game, { onMeasured }) {
        onMeasured?.();
        return Promise.reject(new Error('no fit'));
      },
    };
    const asked = solve(openLedger(slowGame(events, true)), { ...options, solver: failing });
    await expect(asked).rejects.toThrow('no fit');
    expect(events).toEqual(['asked 40', 'answered 40']);
  });
});
