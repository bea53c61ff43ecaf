/** What a question that its pilot calls broken is given: a quarter of the masks, and the rest where that shows an answer. */
import { describe, expect, it } from 'vitest';
import { explain, type ExplainOptions } from '../src/explain.ts';
import { explainOnThread } from '../src/explain-on-thread.ts';
import type { Doubt } from '../src/circuit/findings.ts';
import { gameFromFunction, type Game } from '../src/game.ts';
import { openLedger } from '../src/ledger.ts';
import { isKept } from '../src/masks.ts';
import { createRandom } from '../src/random.ts';
import { SOLVERS } from '../src/solve/solve.ts';

const N = 30;
const BUDGET = 400;
const HELD_OUT = 280;

/** Nothing that a mask could tell of. */
const noise = (): Game => {
  const random = createRandom(1, 'noise');
  return gameFromFunction('noise', N, () => random.normal());
};
/** The first three players, and what two of them are worth together. */
const plain: Game = gameFromFunction('plain', N, (row, masks) => {
  const on = (player: number): number => Number(isKept(masks, row, player));
  return on(0) + 2 * on(1) + on(2) + 3 * on(0) * on(2);
});
const maybe: Doubt = {
  kind: 'broken question',
  text: 'Little is left.',
  ifPredicted: 'Little is left, predicted with',
};
const surely: Doubt = { kind: 'broken question', text: 'The model does not do this.' };
const ask = (findings: readonly Doubt[], more: ExplainOptions = {}): ExplainOptions => ({
  budget: BUDGET,
  heldOut: HELD_OUT,
  findings,
  ...more,
});

describe('a question that is called broken', () => {
  it('is given a quarter of the masks where those predict nothing, and says so', async () => {
    const ledger = openLedger(noise());
    const { settings, findings, circuit, removal, heldOut } = await explain(ledger, ask([maybe]));
    expect([settings.budget, settings.heldOut, heldOut?.masks]).toEqual([100, 70, 70]);
    expect(ledger.measured).toBeLessThanOrEqual(172); // the two ends too
    expect([circuit, removal]).toEqual([undefined, undefined]);
    expect(findings[0].kind).toBe('broken question');
    expect(findings[0].text).toMatch(
      /^Little is left\. Of the masks 100 were fitted and 70 held out: R² -?\d\.\d{3}, at least -?\d\.\d{3}\. Insist has all\.$/,
    );
  });

  it('is given all of them where they predict, and is not called so any longer', async () => {
    const { settings, findings, circuit, heldOut } = await explain(openLedger(plain), ask([maybe]));
    expect([settings.budget, settings.heldOut, heldOut?.masks]).toEqual([BUDGET, HELD_OUT, HELD_OUT]);
    expect(findings[0].kind).toBe('little left');
    expect(circuit?.verdict.kind).toBe('found');
  });

  it('stays broken whatever the masks predict where no answer could show otherwise', async () => {
    const { settings, findings, circuit } = await explain(openLedger(plain), ask([surely]));
    expect(settings.budget).toBe(100);
    expect([findings[0].kind, circuit]).toEqual(['broken question', undefined]);
  });

  it.each<[string, ExplainOptions]>([
    ['who insists', { insist: true }],
    ['a solver that may need all', { solver: SOLVERS.spex, budget: 700 }],
    ['too few masks to divide', { budget: 120 }],
  ])('has all masks for %s', async (_, more) => {
    const { settings, findings } = await explain(openLedger(noise()), ask([surely], more));
    expect(settings.budget).toBe(more.budget ?? BUDGET);
    expect(findings[0].text).toBe(surely.text);
  });

  it('has no trial without doubts', async () => {
    const { settings } = await explain(openLedger(noise()), ask([]));
    expect(settings.budget).toBe(BUDGET);
  });

  it('says of a thread what was spent there', async () => {
    const ledger = openLedger(noise());
    const { settings } = await explainOnThread(ledger, ask([maybe]));
    expect([settings.budget, settings.heldOut]).toEqual([100, 70]);
    expect(ledger.measured).toBeLessThanOrEqual(172);
  });
});
