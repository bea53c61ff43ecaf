/** explain() on a thread of its own gives explain()'s answers, and lets go when it is told to. */
import { describe, expect, it } from 'vitest';
import { explain, type ExplainOptions, type Explanation } from '../src/explain.ts';
import { explainOnThread } from '../src/explain-on-thread.ts';
import { SpexlensError } from '../src/errors.ts';
import { gameFromFunction, type Game } from '../src/game.ts';
import { openLedger } from '../src/ledger.ts';
import { isKept } from '../src/masks.ts';
import { SOLVERS } from '../src/solve/solve.ts';

const N = 14;
const OPTIONS: ExplainOptions = { budget: 600, heldOut: 64, seed: 3, solver: SOLVERS.proxyspex };

/** Sums and products of players, bent: nothing that a sparse fit gets at once. */
const bent: Game = gameFromFunction('bent', N, (row, masks) => {
  const on = (player: number): number => Number(isKept(masks, row, player));
  let sum = 0.5;
  for (let i = 0; i < N; i++) sum += on(i) * (0.2 + 0.5 * on((i + 3) % N) - 0.3 * on((i + 5) % N) * on((i + 1) % N));
  return 4 * Math.tanh(sum / 4);
});

/** With its own gradient, ∂f/∂m by differences of a function that is linear in each player. */
const smooth: Game = {
  ...bent,
  async gradients(masks, { onGradients } = {}) {
    const gradients = new Float32Array(masks.count * N);
    for (let row = 0; row < masks.count; row++)
      for (let i = 0; i < N; i++) gradients[row * N + i] = Number(isKept(masks, row, (i + 1) % N)) + 0.1 * i;
    const values = Float64Array.from({ length: masks.count }, (_, row) => {
      let sum = 0;
      for (let i = 0; i < N; i++)
        sum += Number(isKept(masks, row, i)) * (Number(isKept(masks, row, (i + 1) % N)) + 0.1 * i);
      return sum;
    });
    onGradients?.(Array.from(values.keys()), values, gradients);
    return { values, gradients };
  },
};

const answerOf = ({ ledger: _ledger, settings: _settings, ...answer }: Explanation): unknown => answer;

describe('explain on a thread', () => {
  it.each([
    ['values', bent, SOLVERS.proxyspex],
    ['values and gradients', smooth, SOLVERS.auto],
  ])('answers from %s what explain() does, to the last bit', async (_what, game, solver) => {
    const ledger = openLedger(game);
    const stages = new Set<string>();
    const options = { ...OPTIONS, solver };
    const there = await explainOnThread(ledger, { ...options, onProgress: ({ stage }) => stages.add(stage) });
    const here = openLedger(game);
    expect(answerOf(there)).toEqual(answerOf(await explain(here, options)));
    expect(there.fittedHere).toBeUndefined();
    expect(there.settings.solver).toBe(solver);
    expect([ledger.measured, ledger.differentiated]).toEqual([here.measured, here.differentiated]);
    expect([...stages]).toEqual(expect.arrayContaining(['measure', 'tune', 'circuit: curve', 'removal']));
    expect([...stages].indexOf('held out')).toBeLessThan([...stages].indexOf('tune')); // measured while the fit begins
  });

  it('stops in the middle of a fit, with everything measured kept', async () => {
    const ledger = openLedger(bent);
    const controller = new AbortController();
    const after: string[] = [];
    const stopped = explainOnThread(ledger, {
      ...OPTIONS,
      signal: controller.signal,
      onProgress({ stage }) {
        if (controller.signal.aborted) after.push(stage);
        if (stage === 'tune') controller.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ kind: 'aborted', message: expect.stringMatching(/^bent: stopped/) });
    expect(ledger.measured).toBe(600 + 64); // what it fits, and what it is to be scored on
    expect(after).not.toContain('circuit: clean and ablated'); // which comes after the fit
  });

  it('does not leave before the game has answered: its owner disposes it next', async () => {
    const controller = new AbortController();
    let [asked, answered] = [0, 0];
    const slow: Game = {
      ...bent,
      async value(masks) {
        asked++;
        controller.abort();
        for (let k = 0; k < 20; k++) await new Promise((resolve) => setImmediate(resolve));
        answered++;
        return bent.value(masks);
      },
    };
    const ran = explainOnThread(openLedger(slow), { ...OPTIONS, signal: controller.signal });
    await expect(ran).rejects.toMatchObject({ kind: 'aborted' });
    expect([asked, answered]).toEqual([1, 1]);
  });

  it("passes on what the game throws, as it is, and the solvers' errors with their kind", async () => {
    const own = new RangeError('out of luck');
    const broken: Game = { ...bent, value: async () => Promise.reject(own) };
    await expect(explainOnThread(openLedger(broken), OPTIONS)).rejects.toBe(own);
    const few = explainOnThread(openLedger(bent), { budget: 1000, solver: SOLVERS.exact });
    await expect(few).rejects.toBeInstanceOf(SpexlensError);
    await expect(few).rejects.toMatchObject({ kind: 'budget', message: expect.stringContaining('16384') });
  });

  it("runs a caller's own solver here, where it can be reached", async () => {
    let calls = 0;
    const solver = {
      name: 'own',
      solve: async (...args: Parameters<(typeof SOLVERS)['proxyspex']['solve']>) => {
        calls++;
        return SOLVERS.proxyspex.solve(...args);
      },
    };
    const explanation = await explainOnThread(openLedger(bent), { ...OPTIONS, solver });
    expect(calls).toBe(1);
    expect(explanation.solution.solver).toBe('proxyspex');
  });
});
