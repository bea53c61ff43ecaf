import { beforeAll, describe, expect, it } from 'vitest';
import { formatResult, parseResult, RESULT_SCHEMA, type Result } from '../../src/report/result.ts';
import { capSpectrum, listInteractions, meaningOf } from '../../src/report/interactions.ts';
import { createSpectrum } from '../../src/spectrum/spectrum.ts';
import { heads, madeUpResult, neurons } from './made-up-result.ts';

let result: Result;
beforeAll(async () => {
  result = await madeUpResult({ players: heads(4, 4, true), layers: 4, heads: 4 });
});

/** A deep copy that may be spoiled. */
function spoiled(change: (copy: Record<string, never>) => void): unknown {
  const copy: Record<string, never> = JSON.parse(JSON.stringify(result));
  change(copy);
  return copy;
}

describe('result.json', () => {
  it('comes back as it was written', async () => {
    expect(parseResult(formatResult(result))).toEqual(result);
    const large = await madeUpResult({ players: neurons(500), layers: 2 });
    expect(parseResult(formatResult(large))).toEqual(large);
  });

  it.each([
    ['not JSON at all', () => '{"schema": ', /result\.json: 11 characters are not JSON/],
    ['no schema', () => ({}), /no schema field was found; this version reads "spexlens\.result\/3"/],
    [
      'another version',
      () => spoiled((copy) => Object.assign(copy, { schema: 'spexlens.result/4' })),
      /schema "spexlens\.result\/4" was found; this version reads/,
    ],
    ['a missing field', () => spoiled((copy) => Reflect.deleteProperty(copy, 'clean')), /clean: .*expected number/],
    ['an unknown field', () => spoiled((copy) => Object.assign(copy, { extra: 1 })), /extra/],
    [
      'a wrong type deep down',
      () => spoiled((copy) => Object.assign(copy['masks'], { budget: 'many' })),
      /masks\.budget: .*expected number/,
    ],
    [
      'a member beyond the last player',
      () => spoiled((copy) => Object.assign(copy['interactions'][0], { members: [3, 99] })),
      /interactions\.0: \{3,99\} is not an increasing set of players 0\.\.19/,
    ],
    [
      'members out of order',
      () => spoiled((copy) => Object.assign(copy['circuit']['chosen'], { players: [2, 1] })),
      /circuit\.chosen\.players: \{2,1\} is not an increasing set/,
    ],
    [
      'values of another number of players',
      () => spoiled((copy) => Object.assign(copy, { values: [] })),
      /values: 0 entries for 20 players/,
    ],
    [
      'two players of one name',
      () => spoiled((copy) => Object.assign(copy['players'][1], { name: 'L0H0' })),
      /players: two players have the same name/,
    ],
  ])('names what is wrong with %s, on one line', (_, make, message) => {
    const read = (): Result => parseResult(make());
    expect(read).toThrow(message);
    expect(read).toThrow(/^[^\n]+$/);
  });

  it('refuses to write NaN, which JSON would turn into null', () => {
    expect(() => formatResult({ ...result, clean: Number.NaN })).toThrow(/clean: .*number/);
    expect(RESULT_SCHEMA).toBe('spexlens.result/3');
  });
});

describe('the spectrum in the record', () => {
  const spectrum = createSpectrum('fourier', 3, [
    { members: [], value: 0.1 },
    { members: [0], value: -3 },
    { members: [1], value: -2 },
    { members: [0, 1], value: 1 },
    { members: [2], value: 0.5 },
  ]);

  it('keeps the largest terms and the mean, and says what it left out', () => {
    const capped = capSpectrum(spectrum, 3);
    expect(capped.terms.map(({ members }) => members)).toEqual([[0], [1], []]);
    expect(capped.omitted).toBe(2);
    expect(capped.energyKept).toBeCloseTo(13 / 14.25, 12);
    expect(capSpectrum(spectrum).omitted).toBe(0);
  });

  it('reads OR as redundancy and AND as synergy', () => {
    const values = [1, 1, 1].map((banzhaf) => ({ banzhaf, shapley: 0 }));
    const players = heads(1, 3);
    // AND of two: F = (-1)^|S| / 4; OR: F(S) = -1/4 for S != ∅.
    const and = createSpectrum('fourier', 3, [{ members: [0, 1], value: 1 / 4 }]);
    const or = createSpectrum('fourier', 3, [{ members: [0, 1], value: -1 / 4 }]);
    expect(listInteractions(and, players, values)).toEqual([
      { members: [0, 1], names: ['L0H0', 'L0H1'], fourier: 1 / 4, value: 1, meaning: 'synergy' },
    ]);
    expect(listInteractions(or, players, values)[0]).toMatchObject({ value: -1, meaning: 'redundancy' });
  });

  it('says synergy and redundancy only of two players that both help', () => {
    expect(meaningOf(1, [true, false])).toBe('above');
    expect(meaningOf(-1, [false, false])).toBe('below');
    expect(meaningOf(-1, [true, true, true])).toBe('below');
  });
});
