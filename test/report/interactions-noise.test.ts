import { describe, expect, it } from 'vitest';
import { knownTerms, listInteractions } from '../../src/report/interactions.ts';
import { readsAs } from '../../src/report/wording.ts';
import { createSpectrum } from '../../src/spectrum/spectrum.ts';

describe('interactions that a solver could not tell from noise', () => {
  it('are not listed; the others carry their standard error', () => {
    const spectrum = createSpectrum('fourier', 3, [
      { members: [0, 1], value: 1 },
      { members: [1, 2], value: 0.01 },
    ]);
    const values = [1, 1, 1].map((banzhaf) => ({ banzhaf, shapley: banzhaf }));
    const players = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
    const evidence = { standardErrors: [0.1, 0.02], belowNoise: [[1, 2]] };
    const listed = listInteractions(spectrum, players, values, knownTerms(spectrum, evidence));
    expect(listed.map(({ members }) => members)).toEqual([[0, 1]]);
    expect(listed[0].standardError).toBeCloseTo(0.4, 12); // of the Banzhaf interaction, 4 F(S)
    expect(readsAs(listed[0])).toBe('synergy');
  });
});
