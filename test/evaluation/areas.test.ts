/** CPR and CMD against areas worked out by hand. */
import { describe, expect, it } from 'vitest';
import { cmd, cpr, MIB_SHARES, mibSizes } from '../../src/evaluation/areas.ts';

describe('CPR and CMD', () => {
  it('of a set that is always as good as the model are the whole width and nothing', () => {
    const ones = MIB_SHARES.map(() => 1);
    expect(cpr(ones)).toBeCloseTo(0.999, 12);
    expect(cmd(ones)).toBe(0);
  });

  it('of faithfulness that grows with the share are those of a triangle', () => {
    expect(cpr(MIB_SHARES)).toBeCloseTo((1 - 1e-6) / 2, 12);
    expect(cmd(MIB_SHARES)).toBeCloseTo(0.999 - (1 - 1e-6) / 2, 12);
  });

  it('weigh a point by the widths beside it: a half by .15 + .25, a fifth by .05 + .15', () => {
    const only = (share: number): number[] => MIB_SHARES.map((each) => (each === share ? 1 : 0));
    expect(cpr(only(0.5))).toBeCloseTo(0.4, 12);
    expect(cpr(only(0.2))).toBeCloseTo(0.2, 12);
    expect(cpr(only(0.001))).toBeCloseTo(0.0005, 12);
    expect(cmd(only(0.5))).toBeCloseTo(0.999 - 0.4, 12);
  });

  it('count what is above 1 for CPR and against CMD', () => {
    const double = MIB_SHARES.map(() => 2);
    expect(cpr(double)).toBeCloseTo(1.998, 12);
    expect(cmd(double)).toBeCloseTo(0.999, 12);
  });

  it('take sizes rounded down', () => {
    expect(mibSizes(479)).toEqual([0, 0, 2, 4, 9, 23, 47, 95, 239, 479]);
    expect(mibSizes(20)).toEqual([0, 0, 0, 0, 0, 1, 2, 4, 10, 20]);
  });

  it('refuse another number of sizes', () => {
    expect(() => cpr([1, 1])).toThrow(/2 numbers were given; 10, one a size, are needed/);
  });
});
