import { describe, expect, it } from 'vitest';
import { listInteractions } from '../../src/report/interactions.ts';
import { readsAs } from '../../src/report/wording.ts';
import { createSpectrum, setKey } from '../../src/spectrum/spectrum.ts';

describe('interactions that a solver could not tell from noise', () => {
  it('stay in the list, marked, and read so', () => {
    const spectrum = createSpectrum('fourier', 3, [
      { members: [0, 1], value: 1 },
      { members: [1, 2], value: 0.01 },
    ]);
    const values = [1, 1, 1].map((banzhaf) => ({ banzhaf, shapley: banzhaf }));
    const players = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
    const [first, second] = listInteractions(spectrum, players, values, new Set([setKey([1, 2])]));
    expect(first).not.toHaveProperty('belowNoise');
    expect(readsAs(first)).toBe('synergy');
    expect(second).toMatchObject({ members: [1, 2], belowNoise: true });
    expect(readsAs(second)).toBe('below noise');
  });
});
