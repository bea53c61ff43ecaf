import { describe, expect, it } from 'vitest';
import { signedScale } from '../../src/report/signed-scale.ts';

describe('a scale of signed values', () => {
  it('is linear where no value outshines the others', () => {
    const scale = signedScale([0.5, -1, 0.75, 0.25]);
    expect(scale.bend).toBeUndefined();
    expect([-1, 0, 0.5, 2].map(scale.at)).toEqual([-1, 0, 0.5, 1]);
  });

  it('is symlog where one does: small values stay apart, order and sign are kept, and it can be inverted', () => {
    const small = Array.from({ length: 99 }, (_, k) => (k % 2 === 0 ? 1 : -1) * 0.001 * (k + 1));
    const scale = signedScale([...small, 50]);
    expect(scale.bend).toBeCloseTo(0.09, 12);
    expect(scale.at(50)).toBe(1);
    expect(scale.at(0)).toBe(0);
    expect(scale.at(-0.09)).toBe(-scale.at(0.09));
    expect(scale.at(0.09)).toBeGreaterThan(20 * (0.09 / 50));
    const places = [...small, 50].sort((a, b) => a - b).map(scale.at);
    expect(places.every((place, k) => k === 0 || place > places[k - 1])).toBe(true);
    for (const place of [-1, -0.5, 0, 0.25, 1]) expect(scale.at(scale.inverse(place))).toBeCloseTo(place, 12);
  });

  it('puts everything at 0 where all values are', () => {
    expect(signedScale([0, 0]).at(0)).toBe(0);
    expect(signedScale([]).most).toBe(0);
  });
});
