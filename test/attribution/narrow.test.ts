import { describe, expect, it } from 'vitest';
import { narrow } from '../../src/attribution/narrow.ts';
import { explain } from '../../src/explain.ts';
import { gameFromFunction } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { misled, planted, smoothGame } from '../proxy/gradients/smooth-games.ts';

/**
 * Forty players of whom four make the value together (an AND of two pairs), while the others, halves of them gone, break it: what
 * matters among those that stay shows only around them.
 */
const hidden = () =>
  smoothGame('hidden', 40, (m) => {
    const pairs = 4 * (m[3] * m[17] + m[22] * m[31]);
    const rest = m.reduce((sum, x, i) => (i % 2 === 0 && ![22].includes(i) ? sum + x / 20 : sum), 0);
    const gradient = new Float64Array(40);
    for (const [a, b] of [
      [3, 17],
      [22, 31],
    ]) {
      gradient[a] += 4 * m[b];
      gradient[b] += 4 * m[a];
    }
    for (let i = 0; i < 40; i++) if (i % 2 === 0 && i !== 22) gradient[i] += 1 / 20;
    return { value: pairs + rest, gradient };
  });

describe('narrowing', () => {
  it('leaves nested sets, down to those that make the value', async () => {
    const game = hidden();
    const { sets, ranking } = await narrow(game, { seed: 1, smallest: 4 });
    expect(sets[0].players).toHaveLength(40);
    for (let k = 1; k < sets.length; k++)
      expect(sets[k].players.every((player) => sets[k - 1].players.includes(player))).toBe(true);
    expect(sets.at(-1)).toEqual({ players: [3, 17, 22, 31], value: 8 });
    const rounds = sets.length - 1;
    expect(game.asked).toEqual({ values: rounds + 2, gradients: 8 * rounds });
    expect(ranking.cost).toBe(2 + rounds * 25);
  });

  it('ranks players by when they leave, with what their sets kept', async () => {
    const { sets, ranking } = await narrow(hidden(), { seed: 2, smallest: 4 });
    const order = Array.from(ranking.scores.keys()).sort((a, b) => ranking.scores[b] - ranking.scores[a]);
    for (const { players } of sets) expect(order.slice(0, players.length).sort((a, b) => a - b)).toEqual([...players]);
    const kept = sets[sets.length - 1].players.reduce((sum, player) => sum + ranking.scores[player], 0);
    expect(kept).toBeCloseTo(8, 5);
  });

  it('keeps what lowers the value where all kept is less than none', async () => {
    const game = planted(10, [
      { members: [2], weight: -3 },
      { members: [5], weight: -2 },
      { members: [7], weight: 1 },
    ]);
    const { sets } = await narrow(game, { seed: 0, smallest: 2 });
    expect(sets.at(-1)?.players).toEqual([2, 5]);
  });

  it('proposes the circuit, with the spectrum beside it', async () => {
    const { circuit } = await explain(openLedger(hidden()), { budget: 300, heldOut: 50, target: 0.85, narrow: true });
    expect(circuit?.selector).toBe('narrowing');
    expect(circuit?.chosen.players).toEqual(expect.arrayContaining([3, 17, 22, 31]));
    expect(Object.keys(circuit?.chosen.rivals ?? {})).toEqual(['gradspex', 'first order']);
    expect(circuit?.chosen.kept.faithfulness).toBeGreaterThanOrEqual(0.85);
  });

  it('gives way to the spectrum where that needs fewer players, and stands beside it', async () => {
    const { circuit, findings } = await explain(openLedger(misled(hidden(), (gradient) => -gradient)), {
      budget: 600,
      heldOut: 50,
      target: 0.85,
      narrow: true,
    });
    expect(circuit?.selector).not.toBe('narrowing');
    expect(circuit?.chosen.kept.faithfulness).toBeGreaterThanOrEqual(0.85);
    expect(circuit?.chosen.size).toBeLessThan(10);
    expect(circuit?.chosen.rivals['narrowing'].kept.faithfulness).toBeLessThan(0.2);
    expect(findings.map(({ kind }) => kind)).not.toContain('narrowed');
  });

  it(
    'has fewer rounds, and circuits without a search by swaps, of thousands of players',
    { timeout: 60_000 },
    async () => {
      const n = 4200;
      const game = planted(n, [
        { members: [5, 4000], weight: 6 },
        { members: [77], weight: 3 },
        ...Array.from({ length: n }, (_, i) => ({ members: [i], weight: 1e-4 })),
      ]);
      const { circuit } = await explain(openLedger(game), { budget: 60, heldOut: 20, target: 0.9, narrow: true });
      expect(circuit?.chosen.players).toEqual(expect.arrayContaining([5, 77, 4000]));
      expect(circuit?.chosen.size).toBeLessThan(20);
      expect(circuit?.chosen.random?.count).toBe(10);
      expect(circuit?.curve.length).toBeLessThan(40);
    },
  );

  it('says what it needs', async () => {
    const table = gameFromFunction('table', 4, () => 1);
    await expect(narrow(table, { seed: 0 })).rejects.toThrow(/narrow: needs gradients/);
    for (const [options, what] of [
      [{ gradients: 0 }, /0 gradients a round/],
      [{ leave: 1 }, /leave 1/],
      [{ keep: 0 }, /keep 0/],
      [{ smallest: 41 }, /down to 41 of 40/],
    ] as const)
      await expect(narrow(hidden(), { seed: 0, ...options })).rejects.toThrow(what);
    await expect(narrow(hidden(), { seed: 0, signal: AbortSignal.abort() })).rejects.toThrow(/stopped on request/);
  });
});
