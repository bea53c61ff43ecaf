/** What is left without those that help most and without those that harm most, against every set of that size. */
import { describe, expect, it } from 'vitest';
import { directedRemoval } from '../../src/circuit/directed-removal.ts';
import { gameFromFunction } from '../../src/game.ts';
import { openLedger } from '../../src/ledger.ts';
import { allMasks, keptPlayers } from '../../src/masks.ts';
import { createRandom } from '../../src/random.ts';
import { fourierFromTable, spectrumOfDense } from '../../src/spectrum/walsh-hadamard.ts';

describe('removal both ways', () => {
  const n = 7;
  const random = createRandom(3);
  const table = Float64Array.from({ length: 2 ** n }, () => random.normal());
  const masks = allMasks(n);
  const game = gameFromFunction(
    'drawn',
    Array.from({ length: n }, (_, i) => ({ name: `p${i}` })),
    (row, given) => table[given.words[row * given.stride]],
  );
  const spectrum = spectrumOfDense('fourier', fourierFromTable(table), () => 0);

  it.each([true, false])(
    'finds the worst and the best set of every size where more is better: %s',
    async (moreIsBetter) => {
      const points = await directedRemoval(spectrum, openLedger(game), { moreIsBetter, sizes: [1, 2, 4, 7] });
      for (const { removed, helpful, harmful } of points) {
        const values = Array.from({ length: masks.count }, (_, row) => row)
          .filter((row) => keptPlayers(masks, row).length === n - removed)
          .map((row) => table[masks.words[row]]);
        const [lowest, highest] = [Math.min(...values), Math.max(...values)];
        expect(helpful.measured).toBeCloseTo(moreIsBetter ? lowest : highest, 9);
        expect(harmful.measured).toBeCloseTo(moreIsBetter ? highest : lowest, 9);
        for (const { players, predicted, measured } of [helpful, harmful]) {
          expect(players).toHaveLength(removed);
          expect(predicted).toBeCloseTo(measured, 9);
        }
      }
    },
  );
});
