import { describe, expect, it } from 'vitest';
import { findCircuit, type Circuit } from '../../src/circuit/find-circuit.ts';
import { isPromising, judge, settleDoubts } from '../../src/circuit/findings.ts';
import { verdictOf, type Findings } from '../../src/circuit/verdict.ts';
import { gameFromFunction, type Game } from '../../src/game.ts';
import { isKept, type Masks } from '../../src/masks.ts';
import { createSpectrum, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';

const on = (masks: Masks, row: number, i: number): number => (isKept(masks, row, i) ? 1 : 0);
const additive = (n: number, weight: (i: number) => number): { game: Game; spectrum: FourierSpectrum } => ({
  game: gameFromFunction('additive', n, (row, masks) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += weight(i) * on(masks, row, i);
    return sum;
  }),
  spectrum: createSpectrum(
    'fourier',
    n,
    Array.from({ length: n }, (_, i) => ({ members: [i], value: -weight(i) / 2 })).filter(({ value }) => value !== 0),
  ),
});

const good: Findings = {
  players: 40,
  named: 12,
  target: 0.8,
  full: 6,
  empty: 0,
  moreIsBetter: true,
  size: 8,
  kept: 0.83,
  removed: 0.05,
  others: new Float64Array(50).fill(0.1),
  spread: 0.4,
};

describe('a verdict', () => {
  it.each<[string, Partial<Findings>, Circuit['verdict']['kind'], RegExp]>([
    ['calls a set that alone keeps the share a circuit', {}, 'found', /keeps 83 %.* of 50 other sets .* 0 keep 80 %/],
    [
      'does not where most random sets keep it too',
      { others: new Float64Array(50).fill(0.95), kept: 0.97 },
      'no better than random',
      /50 keep 80 %/,
    ],
    [
      'nor where some keep as much',
      { others: new Float64Array(50).fill(0.1).fill(0.9, 0, 5) },
      'no better than random',
      /5 as much/,
    ],
    ['calls far too much no success', { kept: 5.91 }, 'overshoot', /591 %/],
    ['nor far too little without it', { removed: -9.76 }, 'overshoot', /-976 %/],
    [
      'says when the unit is noise',
      { full: -8.19, empty: -8.36, spread: 14 },
      'no signal',
      /-8.19 with everything.* 14.0 times/,
    ],
    [
      'says when keeping everything is worse',
      { full: 18.6, empty: 4.9, moreIsBetter: false },
      'no signal',
      /less is better/,
    ],
    [
      'leaves the direction open where the game does not say it',
      { full: -6, moreIsBetter: undefined },
      'found',
      /keeps 83 %/,
    ],
    [
      'says when no named set reaches the target',
      { kept: 0.6 },
      'not reached',
      /12 of 40 players .* the best keeps 60 %/,
    ],
    ['says when only everybody does', { size: 40, kept: 1, others: new Float64Array(0) }, 'everything', /only all 40/],
  ])('%s', (_, change, kind, why) => {
    const verdict = verdictOf({ ...good, ...change });
    expect(verdict.kind).toBe(kind);
    expect(verdict.why).toMatch(why);
  });
});

describe('findCircuit', () => {
  it('names no player that no term names, and proposes no larger set', async () => {
    const { game } = additive(40, (i) => (i < 10 ? 1 : 0.5));
    const { spectrum } = additive(40, (i) => (i < 10 ? 1 : 0));
    const circuit = await findCircuit(spectrum, game, { target: 0.9, seed: 0 });
    expect(circuit.named).toBe(10);
    expect(circuit.verdict.kind).toBe('not reached');
    expect(circuit.chosen.players).toEqual(Array.from({ length: 10 }, (_, i) => i));
    for (const { size, players } of circuit.curve.filter((point) => point.size < 40)) {
      expect(size).toBeLessThanOrEqual(10);
      expect(players.every((player) => player < 10)).toBe(true);
    }
  });

  it('finds one that random sets do not match', async () => {
    const { game, spectrum } = additive(30, (i) => (i % 10 === 3 ? 5 : 0.01));
    const circuit = await findCircuit(spectrum, game, { target: 0.9, seed: 0 });
    expect(circuit.verdict.kind).toBe('found');
    expect(circuit.chosen.players).toEqual([3, 13, 23]);
  });

  it('calls nothing a circuit where every player does the same and most must stay', async () => {
    const { game, spectrum } = additive(30, () => 1);
    const { verdict } = await findCircuit(spectrum, game, { target: 0.9, seed: 0 });
    expect(verdict.kind).toBe('no better than random');
  });

  it('has no set, and says so, where the spectrum names nobody', async () => {
    const { game } = additive(30, () => 1);
    const circuit = await findCircuit(createSpectrum('fourier', 30, [{ members: [], value: 3 }]), game, { seed: 0 });
    expect(circuit).toMatchObject({ named: 0, verdict: { kind: 'not reached' }, members: [] });
  });

  it('does not mistake a broken question for one: all and nothing kept are alike beside what random sets do', async () => {
    const { game, spectrum } = additive(30, (i) => (i % 2 === 0 ? 1 : -1) * (1 + (i === 0 ? 0.05 : 0)));
    expect((await findCircuit(spectrum, game, { seed: 0 })).verdict.kind).toBe('no signal');
  });
});

describe('what a reader has to know before the answer', () => {
  const interval = (r2: number, half: number) => ({ r2, low: r2 - half, high: r2 + half, level: 0.95, masks: 500 });
  const pair = createSpectrum('fourier', 3, [{ members: [0, 1], value: 1 }]);
  const solution = { solver: 'stack', exact: false, spectrum: pair };
  it.each([
    ['nothing where the evidence carries it', { ...interval(0.95, 0.01), firstOrder: interval(0.8, 0.02) }, []],
    ['that it predicts nothing', { ...interval(-0.003, 0.01), firstOrder: interval(0.1, 0.02) }, ['predicts nothing']],
    [
      'that the interactions add nothing',
      { ...interval(0.8, 0.01), firstOrder: interval(0.8, 0.01), gain: { low: -0.001, high: 0.001 } },
      ['no better than first order'],
    ],
    [
      'nothing where they do, compared mask by mask',
      { ...interval(0.81, 0.02), firstOrder: interval(0.8, 0.02), gain: { low: 0.004, high: 0.016 } },
      [],
    ],
  ])('is %s', (_, heldOut, kinds) => {
    expect(judge({ solution, heldOut }).map(({ kind }) => kind)).toEqual(kinds);
  });

  it('is a circuit that is none, in the words of its verdict', async () => {
    const { game, spectrum } = additive(30, () => 1);
    const circuit = await findCircuit(spectrum, game, { target: 0.9, seed: 0 });
    const [finding] = judge({ solution: { ...solution, spectrum }, heldOut: undefined }, circuit);
    expect(finding.text).toMatch(/^No circuit \(no better than random\): of \d+ other sets of 27 players/);
  });
});

describe('a doubt that a pilot has', () => {
  const doubts = [
    {
      kind: 'broken question',
      text: 'Half of the parts gone is a broken model.',
      ifPredicted: 'Little is left, predicted with',
    },
    { kind: 'one prompt', text: 'One prompt.' },
  ] as const;

  it('gives way to an answer that predicts the values', () => {
    expect(settleDoubts(doubts, { r2: 0.948, low: 0.93 })).toEqual([
      { kind: 'little left', text: 'Little is left, predicted with R² 0.948 on masks that were not fitted.' },
      { kind: 'one prompt', text: 'One prompt.' },
    ]);
  });

  it('gives way to an exact answer', () => {
    expect(settleDoubts(doubts, 'exact')[0]).toEqual({
      kind: 'little left',
      text: 'Little is left, predicted with R² 1: every mask was measured.',
    });
  });

  it.each([[{ r2: 0.057, low: -0.06 }], [{ r2: 0.55, low: 0.48 }], [undefined]])(
    'stands where none does: %o',
    (heldOut) => {
      expect(settleDoubts(doubts, heldOut)).toEqual(doubts.map(({ kind, text }) => ({ kind, text })));
    },
  );

  it('is worth the rest of the masks from half of that bound on', () => {
    expect(isPromising(doubts, { low: 0.43 })).toBe(true);
    expect(isPromising(doubts, { low: 0.2 })).toBe(false);
    expect(isPromising([{ kind: 'broken question', text: 'No better.' }], { low: 0.9 })).toBe(false);
  });

  it('stands whatever the answer where there is nothing to take apart', () => {
    const [nothing] = settleDoubts([{ kind: 'broken question', text: 'No better.' }], { r2: 1, low: 0.99 });
    expect(nothing.kind).toBe('broken question');
  });
});
