/** Games of every kind keep the contract, and a bare object that only returns values is a whole game. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCircuit } from '../../src/circuit/find-circuit.ts';
import { removalCurve } from '../../src/circuit/removal.ts';
import { explain, type Explanation } from '../../src/explain.ts';
import { throwIfAborted } from '../../src/errors.ts';
import { checkPlayers, gameFromFunction, type Game } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import { createComponentGame, type ComponentGameOptions } from '../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { METRICS } from '../../src/lens/metrics.ts';
import type { Task } from '../../src/lens/prompts.ts';
import { allMasks, isKept, maskBytes, masksFromMembers, type Masks } from '../../src/masks.ts';
import { createPooledGame, type PooledGame } from '../../src/measure/pooled-game.ts';
import { openRunLog } from '../../src/measure/run-log.ts';
import type { Model } from '../../src/model/model.ts';
import { layerOf } from '../../src/place.ts';
import { recordOf } from '../../src/report/record.ts';
import { formatResult, parseResult } from '../../src/report/result.ts';
import { renderReport } from '../../src/report/html.ts';
import { terminalReport } from '../../src/report/terminal.ts';
import { solve, SOLVERS, type SolverName } from '../../src/solve/solve.ts';
import { energySplit } from '../../src/spectrum/energy.ts';
import { exactSolver } from '../../src/spectrum/exact.ts';
import { evaluate } from '../../src/spectrum/spectrum.ts';
import { CONFIGS, open, randomModel } from '../tensors.ts';
import { gameContract } from './game.ts';

const words = ['the', 'cat', 'sat', 'on', 'mat', 'and', 'purred', 'very', 'loudly', 'today'];
const on = (masks: Masks, row: number, player: number): number => Number(isKept(masks, row, player));
/** 3 for `cat` and `sat` together, 2 for `mat` or `loudly` (either will do), -1 for `very`, 1 always. */
const f = (row: number, masks: Masks): number =>
  1 +
  3 * on(masks, row, 1) * on(masks, row, 2) +
  2 * Math.max(on(masks, row, 4), on(masks, row, 8)) -
  on(masks, row, 7);

/** Three lines: it gives values, and knows of no signal, no listener, and no other players. */
const bare = (): Game => ({
  name: 'a sentence',
  players: words.map((name) => ({ name })),
  value: async (masks) => Float64Array.from({ length: masks.count }, (_, row) => f(row, masks)),
});

/** The same with the two checks that a game owes. */
const polite = (): Game => ({
  ...bare(),
  async value(masks, { signal } = {}) {
    checkPlayers('a sentence', words.length, masks);
    throwIfAborted(signal, 'a sentence');
    return Float64Array.from({ length: masks.count }, (_, row) => f(row, masks));
  },
});

/** Σ_i a_i m_i + m_0 m_1, told of one by one from the last, with its derivatives. */
const smooth = (): Game => {
  const value = (row: number, masks: Masks): number =>
    on(masks, row, 0) * on(masks, row, 1) + 2 * on(masks, row, 2) - 3 * on(masks, row, 3);
  return {
    ...gameFromFunction('smooth', 4, value),
    async value(masks, { signal, onValues } = {}) {
      checkPlayers('smooth', 4, masks);
      throwIfAborted(signal, 'smooth');
      const values = Float64Array.from({ length: masks.count }, (_, row) => value(row, masks));
      for (let row = masks.count - 1; row >= 0; row--) onValues?.([row], values.subarray(row, row + 1));
      return values;
    },
    async gradients(masks, { signal, onGradients } = {}) {
      checkPlayers('smooth', 4, masks);
      throwIfAborted(signal, 'smooth');
      const bits = maskBytes(masks);
      const values = Float64Array.from({ length: masks.count }, (_, row) => value(row, masks));
      const gradients = Float32Array.from(bits, (_, at) =>
        at % 4 === 0 ? bits[at + 1] : at % 4 === 1 ? bits[at - 1] : at % 4 === 2 ? 2 : -3,
      );
      for (let row = 0; row < masks.count; row++)
        onGradients?.([row], values.subarray(row, row + 1), gradients.subarray(4 * row, 4 * row + 4));
      return { values, gradients };
    },
  };
};

gameContract('a game from a function', () => gameFromFunction('index', 5, (row, masks) => masks.words[row]));
gameContract('a bare object', polite);
gameContract('a game with gradients', smooth);
gameContract('a ledger', () => openLedger(polite()));
gameContract('a ledger of a game that knows of no signal', () => openLedger(bare()));
gameContract('a ledger of a game with gradients', () => openLedger(smooth()));
gameContract('an account', () => openLedger(bare()).account(64));
gameContract('an account of a game with gradients', () => openLedger(smooth()).account(64));

const task = (tokens: number[]): Task => ({
  tokens,
  corrupted: undefined,
  correct: 5,
  incorrect: 2,
  label: tokens.join(' '),
  text: { prompt: tokens.join(' ') },
  strTokens: tokens.map(String),
});
const optionsOf = (model: Model): ComponentGameOptions => ({
  players: parsePlayers('heads', model.config),
  tasks: [task([3, 1, 4, 1, 5, 9, 2, 6]), task([7, 7, 1, 0, 2])],
  metric: METRICS['logit-diff'],
  ablation: ABLATIONS.zero,
  batchSize: 7,
});

describe.each(['cpu', 'wasm'])('on %s', (backend) => {
  let close: () => void;
  let model: Model;
  beforeAll(async () => {
    close = (await open(backend)).close;
    model = randomModel(CONFIGS['gpt2']).model;
  });
  afterAll(() => {
    model[Symbol.dispose]();
    close();
  });
  gameContract('a component game', () => createComponentGame(model, optionsOf(model)), { tolerance: 1e-5 });
  gameContract('a ledger of a component game', () => openLedger(createComponentGame(model, optionsOf(model))), {
    tolerance: 1e-5,
  });
});

describe('on two threads', { timeout: 120_000 }, () => {
  let close: () => void;
  let model: Model;
  let pooled: PooledGame;
  beforeAll(async () => {
    close = (await open('wasm')).close;
    model = randomModel(CONFIGS['gpt2']).model;
    pooled = createPooledGame(model, optionsOf(model), { threads: 2 });
  });
  afterAll(() => {
    pooled[Symbol.dispose]();
    model[Symbol.dispose]();
    close();
  });
  // Its threads are started once, so no law disposes it.
  const kept = (): Game => ({
    name: pooled.name,
    players: pooled.players,
    rowsPerMask: pooled.rowsPerMask,
    value: (masks, options) => pooled.value(masks, options),
  });
  gameContract('a pooled game', kept, { tolerance: 1e-5 });
});

describe('a bare object is a whole game', () => {
  const BUDGETS: Readonly<Record<Exclude<SolverName, 'gradspex'>, number>> = {
    auto: 300,
    exact: 1024,
    proxyspex: 400,
    stack: 400,
    spex: 600,
  };

  it('but for gradspex, which says what it needs', async () => {
    await expect(SOLVERS.gradspex.solve(bare(), { budget: 300, seed: 1 })).rejects.toThrow(
      /needs gradients.*proxyspex/,
    );
  });

  it.each(Object.keys(BUDGETS) as (keyof typeof BUDGETS)[])(
    'for solver %s, behind a ledger and before one',
    { timeout: 60_000 },
    async (solver) => {
      const budget = BUDGETS[solver];
      const direct = await SOLVERS[solver].solve(bare(), { budget, seed: 1 });
      const progress: { stage: string; done: number; total: number }[] = [];
      const { solution, heldOut } = await solve(bare(), {
        solver: SOLVERS[solver],
        budget,
        seed: 1,
        heldOut: 100,
        onProgress: (step) => progress.push(step),
      });
      expect(solution.spectrum).toEqual(direct.spectrum);
      expect(solution.masks).toBeLessThanOrEqual(budget);
      const all = allMasks(10);
      expect(evaluate(solution.spectrum, all)).toBeAllClose(Array.from(await bare().value(all)), 0.3);
      if (solution.exact) expect(heldOut).toBeUndefined();
      else expect(heldOut?.low).toBeGreaterThan(0.97);
      expect(progress.length).toBeGreaterThan(0);
      for (const { done, total } of progress) expect(done).toBeLessThanOrEqual(total);
    },
  );

  it('for the circuit and the removal curve', async () => {
    const { spectrum } = await exactSolver.solve(bare(), { budget: 1024, seed: 0 });
    const seen: number[] = [];
    const circuit = await findCircuit(spectrum, bare(), {
      seed: 1,
      target: 0.9,
      onProgress: ({ done, total }) => seen.push(done / total),
    });
    expect(circuit.chosen.players.map((player) => words[player])).toEqual(['cat', 'sat', 'mat']);
    expect([circuit.full, circuit.empty]).toEqual([5, 1]);
    expect(Math.max(...seen)).toBe(1);
    const removal = await removalCurve(spectrum, bare(), { seed: 1, sizes: [1, 3, 10], randomSets: 5 });
    expect(removal.points.map(({ ours }) => ours.measured)).toEqual([3 / 5, 1, 4 / 5]);
  });

  it('for explain, the record, the page and the story', async () => {
    const explanation: Explanation = await explain(bare(), { budget: 600, heldOut: 100, seed: 3 });
    const record = recordOf(explanation);
    expect(record.name).toBe('a sentence');
    expect(record).not.toHaveProperty('model');
    expect(record).not.toHaveProperty('backend');
    expect(record).not.toHaveProperty('study');
    expect([record.clean, record.ablated]).toEqual([5, 1]);
    expect(record.players).toEqual(words.map((name) => ({ name })));
    expect(record.masks.measured).toBe(explanation.ledger.measured);
    expect(record.masks.forwardRows).toBe(record.masks.measured);
    expect(record.circuit?.chosen.players.map((player) => words[player])).toEqual(['cat', 'sat', 'mat']);
    expect(record.interactions.slice(0, 2).map(({ names, meaning }) => [names.join(' '), meaning])).toEqual([
      ['cat sat', 'synergy'],
      ['mat loudly', 'redundancy'],
    ]);
    expect(parseResult(formatResult(record))).toEqual(record);
    const [page, story] = [renderReport(record), terminalReport(record, { color: false })];
    for (const text of [page, story]) {
      expect(text).toContain('a sentence');
      expect(text).toContain('cat × sat');
      expect(text).not.toMatch(/NaN|Infinity|undefined|\[object/);
    }
  });

  it('for a record with places, whose energy is split by layer', async () => {
    const players = words.map((name, i) => ({ name, place: { kind: 'head', layer: i >> 1, head: i & 1 } as const }));
    const explanation = await explain({ ...bare(), players }, { budget: 1024, seed: 3 });
    const record = recordOf(explanation, { name: 'placed', task: { metric: 'score', units: 'points' } });
    const { byOrder, ...split } = record.energy;
    expect(split).toEqual(
      energySplit(
        explanation.solution.spectrum,
        players.map(({ place }) => layerOf(place)),
      ),
    );
    expect(byOrder.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
    expect(record.players[3]).toEqual({ name: 'on', layer: 1, place: { kind: 'head', layer: 1, head: 1 } });
    expect([record.name, record.task.metric, record.task.units]).toEqual(['placed', 'score', 'points']);
    expect(parseResult(formatResult(record))).toEqual(record);
    expect(renderReport(record)).toContain('spex-heatmap');
  });

  it('for explain on a game of which nothing can be kept or lost', async () => {
    const constant: Game = { ...bare(), value: async (masks) => new Float64Array(masks.count) };
    const explanation = await explain(constant, { budget: 1024 });
    expect([explanation.circuit, explanation.removal]).toEqual([undefined, undefined]);
    const record = recordOf(explanation);
    expect(record).not.toHaveProperty('circuit');
    expect(record).not.toHaveProperty('removal');
    expect(parseResult(formatResult(record))).toEqual(record);
    for (const text of [renderReport(record), terminalReport(record, { color: false })])
      expect(text).not.toMatch(/NaN|Infinity|undefined|\[object/);
  });

  it.each([1, 2, 3])('for explain at %i players', async (n) => {
    const small: Game = {
      name: 'small',
      players: words.slice(0, n).map((name) => ({ name })),
      value: async (masks) => Float64Array.from({ length: masks.count }, (_, row) => 1 + masks.words[row]),
    };
    const record = recordOf(await explain(small));
    expect(parseResult(formatResult(record))).toEqual(record);
    expect(renderReport(record)).toContain('small');
    expect(terminalReport(record, { color: false })).toContain('small');
  });

  it('for the run log: a second run measures nothing and has the same answer', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bare-game-'));
    try {
      let measured = 0;
      const counting: Game = { ...bare(), value: async (masks) => ((measured += masks.count), bare().value(masks)) };
      const run = async (): Promise<Explanation> => {
        const log = openRunLog(join(folder, 'log.jsonl'), { players: words, game: 'a sentence' });
        try {
          return await explain(openLedger(counting, log), { budget: 300, heldOut: 50, solver: SOLVERS.proxyspex });
        } finally {
          log.close();
        }
      };
      const first = await run();
      expect(measured).toBe(first.ledger.measured);
      const once = measured;
      const second = await run();
      expect(measured).toBe(once);
      expect([second.ledger.measured, second.ledger.resumed]).toEqual([0, once]);
      expect(second.solution.spectrum).toEqual(first.solution.spectrum);
      expect(second.circuit).toEqual(first.circuit);
      expect(second.removal).toEqual(first.removal);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('for an adaptive budget and a signal that stops it', async () => {
    const { solution, heldOut } = await solve(bare(), {
      solver: SOLVERS.auto,
      budget: 0,
      adaptive: { targetR2: 0.9, maxBudget: 500 },
      heldOut: 100,
      seed: 1,
    });
    expect(solution.evidence?.adaptive?.outcome).toBe('reached');
    expect(heldOut?.low).toBeGreaterThan(0.9);
    await expect(explain(bare(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' });
    expect((await bare().value(masksFromMembers(10, [[1, 2]])))[0]).toBe(4);
  });
});
