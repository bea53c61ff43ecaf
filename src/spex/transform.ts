/**
 * The aliasing transform: measured values become bins, a block at a time as they arrive.
 *
 * u_{c,i}[j] = 2^-b Σ_l (-1)^{<j,l>} f(M_c l + d_i) = Σ_{k : M_cᵀ k = j} F(k) (-1)^{<d_i,k>}.
 * A block (c, i) is transformed once its 2^b values are there; its entries are scattered so that the
 * column of a bin, R = p + 1 numbers, lies together. Nothing of size N x n exists.
 * Source: SPEX (arXiv 2502.13870), section 3.
 */
import { fail } from '../errors.ts';
import { walshHadamard } from '../spectrum/walsh-hadamard.ts';
import type { SpexDraw } from './sample.ts';

export interface Bins {
  readonly draw: SpexDraw;
  /** R = p + 1. */
  readonly delays: number;
  /** U of bin (c, j) at [(c·2^b + j)·R, + R). */
  readonly columns: Float64Array; // [groups, 2^b, delays]
}

export interface BinCollector {
  /** f of the draw's distinct masks, in order. */
  readonly values: Float64Array;
  /** Values received so far. */
  readonly received: number;
  /** Takes the next values; `start` must be where the last call ended. @throws on a gap. */
  accept(start: number, values: Float64Array): void;
  /** The bins, once every value is there. @throws before. */
  bins(): Bins;
}

/** Bins of a draw, built while its values arrive. */
export function collectBins(draw: SpexDraw): BinCollector {
  const { plan, rows, masks } = draw;
  const size = 2 ** plan.b;
  const delays = plan.parityBits + 1;
  const values = new Float64Array(masks.count);
  const columns = new Float64Array(plan.groups * size * delays);
  const block = new Float64Array(size);
  const blocks = plan.groups * delays;
  let received = 0;
  let done = 0;
  const complete = (index: number): boolean => {
    for (let l = 0; l < size; l++) if (rows[index * size + l] >= received) return false;
    return true;
  };
  return {
    values,
    get received() {
      return received;
    },
    accept(start, batch) {
      if (start !== received || received + batch.length > masks.count) {
        throw fail(
          'input',
          'collectBins',
          `values ${start}..${start + batch.length - 1} arrived after ${received} of ${masks.count}; they must come in order.`,
        );
      }
      values.set(batch, received);
      received += batch.length;
      for (; done < blocks && complete(done); done++) {
        for (let l = 0; l < size; l++) block[l] = values[rows[done * size + l]];
        walshHadamard(block);
        const c = Math.floor(done / delays);
        const i = done % delays;
        for (let j = 0; j < size; j++) columns[(c * size + j) * delays + i] = block[j] / size;
      }
    },
    bins() {
      if (done < blocks)
        throw fail('input', 'collectBins', `${received} of ${masks.count} values arrived; the bins need all of them.`);
      return { draw, delays, columns };
    },
  };
}
