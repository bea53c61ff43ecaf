import { describe, expect, it } from 'vitest';
import { isKept, type Masks } from '../../src/masks.ts';
import { findCircuit } from '../../src/circuit/find-circuit.ts';
import { gameFromFunction, type Game, type Player } from '../../src/game.ts';
import { exactSolver } from '../../src/spectrum/exact.ts';
import { createSpectrum, evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';

const heads: Player[] = Array.from({ length: 8 }, (_, i) => ({
  name: `L${i >> 2}H${i & 3}`,
  place: { kind: 'head', layer: i >> 2, head: i & 3 },
}));
const on = (masks: Masks, row: number, i: number): number => (isKept(masks, row, i) ? 1 : 0);
const exact = async (game: Game): Promise<FourierSpectrum> =>
  (await exactSolver.solve(game, { budget: 2 ** 16, seed: 0 })).spectrum;

/** 10 · (head 1 AND head 6), 1 for head 3, -2 for head 4; 5 when everything is ablated. */
const pair = gameFromFunction(
  'pair',
  heads,
  (row, masks) => 5 + 10 * on(masks, row, 1) * on(masks, row, 6) + on(masks, row, 3) - 2 * on(masks, row, 4),
);

/** Head 0 and head 5 do the same work: either suffices. */
const backup = gameFromFunction('backup', heads, (row, masks) => Math.max(on(masks, row, 0), on(masks, row, 5)));

/** A game whose values are a spectrum's. */
const gameOf = (spectrum: FourierSpectrum): Game =>
  gameFromFunction(
    'spectrum',
    spectrum.players,
    (row, masks) =>
      evaluate(spectrum, {
        ...masks,
        count: 1,
        words: masks.words.subarray(row * masks.stride, (row + 1) * masks.stride),
      })[0],
  );

describe('findCircuit on an exact spectrum', () => {
  it('finds the smallest set that keeps the share, with what it measured of it', async () => {
    const circuit = await findCircuit(await exact(pair), pair, { target: 0.9, seed: 1 });
    expect(circuit).toMatchObject({
      game: 'pair',
      playerCount: 8,
      full: 14,
      empty: 5,
      predictedSize: 2,
      smallestMeasuredSize: 2,
      selector: 'enumeration',
      optimal: true,
    });
    expect(circuit.chosen.players).toEqual([1, 6]);
    expect(circuit.chosen.kept).toEqual({ value: 15, faithfulness: 10 / 9 });
    expect(circuit.chosen.predicted).toBeCloseTo(10 / 9, 12);
    expect(circuit.chosen.removed).toEqual({ value: 4, faithfulness: -1 / 9 });
  });

  it('says how much each member is needed, by name and place', async () => {
    const { members } = await findCircuit(await exact(pair), pair, { target: 0.9, seed: 1 });
    expect(members).toEqual([
      { player: 1, name: 'L0H1', place: heads[1].place, necessity: 10 / 9 },
      { player: 6, name: 'L1H2', place: heads[6].place, necessity: 10 / 9 },
    ]);
  });

  it('shows a backup: one of two redundant heads is faithful, and removing it costs nothing', async () => {
    const { chosen, members } = await findCircuit(await exact(backup), backup, { seed: 1 });
    expect(chosen.players).toEqual([0]);
    expect(chosen.kept.faithfulness).toBe(1);
    expect(chosen.removed.faithfulness).toBe(1); // not complete: the other head is still there
    expect(members[0].necessity).toBe(1);
  });

  it('measures the best set of every size, with all sets of a size where there are few', async () => {
    const { curve } = await findCircuit(await exact(pair), pair, { seed: 1, randomSets: 30, randomOnCurve: 30 });
    expect(curve.map(({ size }) => size)).toEqual([0, 1, 2, 3, 4, 8]); // four heads are named
    expect(curve.map(({ kept }) => Math.round(9 * kept.faithfulness))).toEqual([0, 1, 10, 11, 9, 9]);
    expect(curve.map(({ random }) => random?.count ?? null)).toEqual([null, 8, 28, 30, 30, null]);
    // All 28 pairs: one has both heads (+10), seven have head 3, seven have head 4.
    expect(curve[2].random).toMatchObject({ count: 28, below: 27 / 28 });
    expect(curve[2].random?.mean).toBeCloseTo((10 + 7 * 1 - 7 * 2) / 28 / 9, 12);
    expect(curve[2].random?.low).toBeCloseTo(-2 / 9, 12);
  });

  it('measures many random sets of the chosen size, of which the few beside every other size are a part', async () => {
    const options = { seed: 1, randomSets: 25, randomOnCurve: 6 };
    const spectrum = await exact(pair);
    const { curve, chosen } = await findCircuit(spectrum, pair, options);
    expect(chosen.random?.count).toBe(25);
    expect(curve.map(({ random }) => random?.count ?? null)).toEqual([null, 6, 25, 6, 6, null]);
    const few = await findCircuit(spectrum, pair, { ...options, randomSets: 6 });
    expect(few.curve.filter(({ size }) => size !== 2)).toEqual(curve.filter(({ size }) => size !== 2));
    const [more, fewer] = [options, { ...options, randomSets: 6 }].map((each) => findCircuit(spectrum, pair, each));
    expect((await more).masks - (await fewer).masks).toBeLessThanOrEqual(19); // of one size, not of every size
  });

  it('reads a metric that falls when players are kept the same way', async () => {
    const loss = gameFromFunction(
      'loss',
      heads,
      (row, masks) => 7 - 10 * on(masks, row, 1) * on(masks, row, 6) - on(masks, row, 3) + 2 * on(masks, row, 4),
    );
    const circuit = await findCircuit(await exact(loss), loss, { seed: 1 });
    expect(circuit.chosen.players).toEqual([1, 6]);
    expect(circuit.chosen.kept.faithfulness).toBeCloseTo(10 / 9, 12);
    expect(JSON.parse(JSON.stringify(circuit))).toEqual(circuit);
  });

  it('reports the share of the energy that lies inside the circuit', async () => {
    const { energyInside } = await findCircuit(await exact(pair), pair, { seed: 1 });
    expect(energyInside).toBeCloseTo(18.75 / 20, 12); // 10·AND has 3 · 2.5²; heads 3 and 4 have 0.25 + 1
  });

  it('asks the game once per stage and each mask once', async () => {
    const asked: number[] = [];
    const seen = new Set<number>();
    const counted: Game = {
      ...pair,
      async value(masks, options) {
        asked.push(masks.count);
        masks.words.forEach((word) => seen.add(word));
        return pair.value(masks, options);
      },
    };
    const circuit = await findCircuit(await exact(pair), counted, { seed: 1 });
    expect(asked).toHaveLength(3); // the ends, the curve, more pairs; the members alone were among its sets of size 1
    expect(asked.reduce((a, b) => a + b)).toBe(seen.size);
    expect(circuit.masks).toBe(seen.size);
  });

  it('gives the same record for the same seed, other random sets for another, and is plain JSON', async () => {
    const spectrum = await exact(pair);
    const first = await findCircuit(spectrum, pair, { seed: 1, randomSets: 10 });
    expect(await findCircuit(spectrum, pair, { seed: 1, randomSets: 10 })).toEqual(first);
    expect(
      (await findCircuit(spectrum, pair, { seed: 2, randomSets: 10 })).curve.map(({ random }) => random),
    ).not.toEqual(first.curve.map(({ random }) => random));
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
  });

  it.each([1, 2])('finds the circuit of a game of %i players', async (n) => {
    const game = gameFromFunction('small', n, (row, masks) => on(masks, row, 0));
    expect((await findCircuit(await exact(game), game, { seed: 1 })).chosen.players).toEqual([0]);
  });
});

describe('findCircuit on a wrong spectrum', () => {
  it('grows the circuit until the measured share holds, and says both sizes', async () => {
    // f̂ believes in head 0 alone; really all of heads 0..3 are needed.
    const game = gameFromFunction(
      'four',
      heads,
      (row, masks) => on(masks, row, 0) * on(masks, row, 1) * on(masks, row, 2) * on(masks, row, 3),
    );
    const believed = createSpectrum('fourier', 8, [
      { members: [], value: 0.5 },
      { members: [0], value: -0.5 },
      ...[1, 2, 3].map((i) => ({ members: [i], value: -1e-3 * i })),
    ]);
    const circuit = await findCircuit(believed, game, { seed: 1 });
    expect(circuit.predictedSize).toBe(1);
    expect(circuit.chosen.players).toEqual([0, 1, 2, 3]);
    expect(circuit.smallestMeasuredSize).toBe(4);
    expect(circuit.curve[1]).toMatchObject({ players: [0], kept: { faithfulness: 0 } });
    expect(circuit.curve[1].predicted).toBeGreaterThan(0.9);
  });

  it('says when f̂ never reaches the target, and goes by the measurement', async () => {
    const timid = createSpectrum('fourier', 8, [
      { members: [], value: 5 },
      { members: [1], value: -0.2 },
      { members: [6], value: -0.1 },
    ]);
    const circuit = await findCircuit(timid, pair, { seed: 1 });
    expect(circuit.predictedSize).toBeNull();
    expect(circuit.chosen.players).toEqual([1, 6]);
  });

  it('keeps to the predicted size when a smaller set happens to do, and says that one would', async () => {
    const careful = createSpectrum('fourier', 8, [
      { members: [], value: 8.4 },
      ...[1, 6, 2, 3].map((i, k) => ({ members: [i], value: -1.7 + 0.1 * k })),
    ]);
    const circuit = await findCircuit(careful, pair, { seed: 1 });
    expect(circuit.predictedSize).toBeGreaterThan(2);
    expect(circuit.chosen.size).toBe(circuit.predictedSize);
    expect(circuit.smallestMeasuredSize).toBe(2);
  });
});

describe('findCircuit among 400 players', () => {
  const needed = Array.from({ length: 37 }, (_, k) => 10 * k + 3);
  const spectrum = createSpectrum('fourier', 400, [
    { members: [], value: 37 / 2 },
    ...needed.map((i) => ({ members: [i], value: -0.5 })),
  ]);

  it('finds the exact size between the points of a curve with gaps', async () => {
    const circuit = await findCircuit(spectrum, gameOf(spectrum), { target: 0.9, seed: 1, randomSets: 5 });
    expect(circuit).toMatchObject({ predictedSize: 34, selector: 'greedy', optimal: false });
    expect(circuit.chosen.players).toEqual(needed.slice(0, 34)); // ceil(0.9 · 37)
    expect(circuit.curve.length).toBeLessThanOrEqual(34);
    expect(circuit.curve.at(-1)?.size).toBe(400);
    expect(circuit.chosen.random?.mean).toBeLessThan(0.3);
    expect(circuit.masks).toBeLessThan(34 * 7 + 34 + 100);
  });

  it('finds it by measurement too when f̂ is useless as a scale', async () => {
    const scaled = {
      ...spectrum,
      terms: spectrum.terms
        .filter(({ members }) => members.length > 0)
        .map(({ members, value }) => ({ members, value: value / 100 })),
    };
    const circuit = await findCircuit(scaled, gameOf(spectrum), { target: 0.9, seed: 1, randomSets: 5 });
    expect(circuit.predictedSize).toBeNull();
    expect(circuit.chosen.size).toBe(34);
    expect(circuit.curve.map(({ size }) => size)).toContain(34);
  });

  it('leaves necessity out for circuits of more than 64', async () => {
    const { members } = await findCircuit(
      createSpectrum(
        'fourier',
        70,
        Array.from({ length: 70 }, (_, i) => ({ members: [i], value: -1 })),
      ),
      gameFromFunction('all', 70, (row, masks) =>
        masks.words[row * 3] === 0xffffffff &&
        masks.words[row * 3 + 1] === 0xffffffff &&
        masks.words[row * 3 + 2] === 63
          ? 1
          : 0,
      ),
      { seed: 1, randomSets: 2 },
    );
    expect(members).toHaveLength(70);
    expect(members.every(({ necessity }) => necessity === null)).toBe(true);
  });
});

describe('findCircuit refuses', () => {
  const constant = gameFromFunction('constant', 4, () => 2.5);
  const fourPlayers = createSpectrum('fourier', 4, [{ members: [], value: 1 }]);

  it('a metric that is the same with all players and with none, with the numbers', async () => {
    await expect(findCircuit(fourPlayers, constant, { seed: 1 })).rejects.toMatchObject({
      kind: 'input',
      message:
        'findCircuit: the metric is 2.5 with all 4 players kept and 2.5 with none, so there is nothing to keep a share of; choose another metric, ablation or prompt.',
    });
  });

  it('a game of no players, for the same reason', async () => {
    const nobody = gameFromFunction('nobody', 0, () => 1);
    await expect(findCircuit(createSpectrum('fourier', 0, []), nobody, { seed: 1 })).rejects.toMatchObject({
      kind: 'input',
    });
  });

  it('a spectrum of another game', async () => {
    await expect(findCircuit(fourPlayers, pair, { seed: 1 })).rejects.toThrow(
      'a spectrum over 4 players was given for a game of 8',
    );
  });

  it.each([0, -0.1, 1.01, Number.NaN])('a target of %d', async (target) => {
    await expect(findCircuit(await exact(pair), pair, { seed: 1, target })).rejects.toThrow(`target ${target}`);
  });

  it.each([{ randomSets: 0 }, { maxSizes: 1 }, { randomSets: 2.5 }])('%o', async (bad) => {
    await expect(findCircuit(await exact(pair), pair, { seed: 1, ...bad })).rejects.toMatchObject({ kind: 'input' });
  });

  it('a value that is NaN, naming the mask', async () => {
    const broken = gameFromFunction('broken', 8, (row, masks) =>
      masks.words[row] === 0b10 ? Number.NaN : masks.words[row],
    );
    const spectrum = createSpectrum('fourier', 8, [{ members: [1], value: -1 }]);
    await expect(findCircuit(spectrum, broken, { seed: 1 })).rejects.toThrow(/mask 02 .* is NaN/);
  });

  it('to go on when its signal has fired', async () => {
    await expect(findCircuit(await exact(pair), pair, { seed: 1, signal: AbortSignal.abort() })).rejects.toMatchObject({
      kind: 'aborted',
    });
  });
});
