/**
 * The exact solver: measure all 2^n masks, one fast Walsh-Hadamard transform.
 *
 * What every other solver is checked against, and the right choice whenever the budget covers 2^n masks.
 * Coefficients at rounding level (below 1e-12 of the largest |value|) are left out; ∅ stays, so a constant
 * game is {∅: c}. A very dense spectrum keeps its largest MAX_TERMS terms, and then says it is not exact.
 */
import { allMasks, maskHex } from '../masks.ts';
import { fail, throwIfAborted } from '../errors.ts';
import { measureStage } from '../game.ts';
import type { Solver } from '../solver.ts';
import { exactEvidence, floatFloor } from './noise.ts';
import { fourierFromTable, spectrumOfDense } from './walsh-hadamard.ts';

/** Terms held as objects; 2^20 = every term of 20 players. */
const MAX_TERMS = 2 ** 20;
/** Coefficients below this share of max |f| are rounding. */
const ROUNDING = 1e-12;

/**
 * All 2^n masks and their Fourier transform: 2^n rows, n·2^n additions, 16·2^n bytes. The seed is not used.
 * @throws 'budget' when 2^n exceeds the budget, 'input' beyond 24 players or when a value is not finite.
 */
export const exactSolver: Solver = {
  name: 'exact',
  async solve(game, { budget, signal, onProgress, floor, keep }) {
    const n = game.players.length;
    const count = 2 ** n;
    if (!(count <= budget)) {
      throw fail(
        'budget',
        'exact',
        `2^${n} = ${count} masks are needed and the budget is ${budget}; raise it to ${count}, or use proxyspex or spex.`,
      );
    }
    throwIfAborted(signal, 'exact');
    const masks = allMasks(n);
    const table = await measureStage(game, masks, 'measure', { signal, onProgress });
    let scale = 0;
    for (let row = 0; row < count; row++) {
      if (!Number.isFinite(table[row])) {
        throw fail(
          'input',
          'exact',
          `the value of mask ${maskHex(masks, row)} (hex, player 0 = lowest bit of the first byte) is ${table[row]}; values must be finite numbers.`,
        );
      }
      scale = Math.max(scale, Math.abs(table[row]));
    }
    const dense = fourierFromTable(table, keep);
    const dropped = keepLargest(dense.subarray(1), ROUNDING * scale, MAX_TERMS - 1);
    const spectrum = spectrumOfDense('fourier', dense, () => ROUNDING * scale, keep);
    return {
      solver: 'exact',
      spectrum,
      masks: count,
      exact: dropped.terms === 0,
      evidence: exactEvidence(spectrum, floor ?? floatFloor(table)),
      details: { terms: spectrum.terms.length, droppedTerms: dropped.terms, droppedEnergy: dropped.energy },
    };
  },
};

/**
 * Zeroes all but the `most` largest of the coefficients above `floor`, in place; equal ones go by index.
 * @returns how many went, and their energy Σ F².
 */
function keepLargest(dense: Float64Array, floor: number, most: number): { terms: number; energy: number } {
  const sizes = dense.map(Math.abs).filter((size) => size > floor);
  if (sizes.length <= most) return { terms: 0, energy: 0 };
  const smallest = sizes.sort()[sizes.length - most]; // typed arrays sort by number
  let ties = most - sizes.reduce((above, size) => above + (size > smallest ? 1 : 0), 0);
  let energy = 0;
  dense.forEach((value, j) => {
    const size = Math.abs(value);
    if (size <= floor || size > smallest || (size === smallest && ties-- > 0)) return;
    energy += value ** 2;
    dense[j] = 0;
  });
  return { terms: sizes.length - most, energy };
}
