/** AUROC against sklearn's roc_auc_score, ties included. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { auroc } from '../../src/evaluation/auroc.ts';

interface Case {
  readonly scores: readonly number[];
  readonly circuit: readonly number[];
  readonly auroc: number;
}
const golden = JSON.parse(readFileSync('test/golden/auroc.json', 'utf8')) as { readonly cases: readonly Case[] };

describe('AUROC', () => {
  it("is sklearn's on scores without and with ties", () => {
    expect(golden.cases.length).toBeGreaterThan(10);
    for (const { scores, circuit, auroc: expected } of golden.cases)
      expect(auroc(scores, circuit)).toBeCloseTo(expected, 12);
  });

  it('is 1 where every member is above the others, 0 below, and a half where all are equal', () => {
    expect(auroc([3, 1, 2], [0])).toBe(1);
    expect(auroc([3, 1, 2], [1])).toBe(0);
    expect(auroc([7, 7, 7, 7], [1, 2])).toBe(0.5);
  });

  it('refuses a circuit of nobody, everybody and players that are not there', () => {
    expect(() => auroc([1, 2], [])).toThrow(/0 of 2 players are in the circuit/);
    expect(() => auroc([1, 2], [0, 1])).toThrow(/2 of 2 players/);
    expect(() => auroc([1, 2], [2])).toThrow(/names player 2; players are 0..1/);
  });
});
