import { describe, expect, it } from 'vitest';
import { allMasks, isKept } from '../../src/masks.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { createRandom } from '../../src/random.ts';
import { compareTerms, createSpectrum, evaluate, setKey } from '../../src/spectrum/spectrum.ts';
import { randomSparse } from './tables.ts';

describe('createSpectrum', () => {
  it('puts the largest magnitudes first, ties by size and then by players', () => {
    const { terms } = createSpectrum('fourier', 5, [
      { members: [2], value: 1 },
      { members: [0, 4], value: -2 },
      { members: [0, 3], value: 2 },
      { members: [1], value: -1 },
      { members: [], value: 1 },
    ]);
    expect(terms.map(({ members }) => setKey(members))).toEqual(['0,3', '0,4', '', '1', '2']);
    expect(compareTerms(terms[0], terms[0])).toBe(0);
  });

  it.each([
    ['a decreasing set', [{ members: [1, 0], value: 1 }], '{1,0} is not an increasing set of players 0..3'],
    ['a repeated player', [{ members: [1, 1], value: 1 }], '{1,1} is not an increasing set'],
    ['a player beyond the last', [{ members: [4], value: 1 }], '{4} is not'],
    ['half a player', [{ members: [0.5], value: 1 }], '{0.5} is not'],
    [
      'the same set twice',
      [
        { members: [1], value: 1 },
        { members: [1], value: 2 },
      ],
      '{1} occurs twice',
    ],
    ['NaN', [{ members: [1], value: Number.NaN }], 'the term of {1} is NaN'],
  ])('refuses %s', (_, terms, message) => {
    expect(() => createSpectrum('fourier', 4, terms)).toThrow(message);
  });
});

describe('evaluate', () => {
  it('of Fourier terms is Σ F(S) (-1)^{|S ∩ m|}, past one word of players and of masks', () => {
    const spectrum = randomSparse(75, 40, 5, 1);
    const masks = uniformMasks(75, 70, createRandom(1));
    const expected = Array.from({ length: 70 }, (_, row) =>
      spectrum.terms.reduce(
        (sum, { members, value }) =>
          sum + (members.filter((i) => isKept(masks, row, i)).length % 2 === 0 ? value : -value),
        0,
      ),
    );
    expect(evaluate(spectrum, masks)).toBeAllClose(expected, 1e-12);
  });

  it('gives a player that raises the game a negative Fourier term', () => {
    const raises = createSpectrum('fourier', 1, [
      { members: [], value: 0.5 },
      { members: [0], value: -0.5 },
    ]);
    expect([...evaluate(raises, allMasks(1))]).toEqual([0, 1]);
  });

  it('of Möbius terms sums those inside the mask, of OR terms those that meet it', () => {
    const terms = [
      { members: [], value: 1 },
      { members: [0], value: 10 },
      { members: [0, 1], value: 100 },
    ];
    expect([...evaluate(createSpectrum('moebius', 2, terms), allMasks(2))]).toEqual([1, 11, 1, 111]);
    expect([...evaluate(createSpectrum('or', 2, terms), allMasks(2))]).toEqual([1, 111, 101, 111]);
  });

  it('of no terms is zero, and masks over other players are refused', () => {
    expect([...evaluate(createSpectrum('fourier', 1, []), allMasks(1))]).toEqual([0, 0]);
    expect(() => evaluate(createSpectrum('fourier', 1, []), allMasks(2))).toThrow(
      'masks over 2 players, a spectrum over 1',
    );
  });
});
