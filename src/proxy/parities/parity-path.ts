/**
 * Orthogonal matching pursuit over parities, with weak heredity: sets enter one batch after another, the most
 * correlated with what is left first, and all coefficients are solved anew.
 *
 * A set is a candidate once one of its subsets of one player less is in (∅ is in from the start), or when it is
 * among the seeds. Correlations: the signed sums of the residual over every 8 rows are tabulated, and a candidate,
 * the xor of a column in the fit and a player's, looks up N/8 of them. Gram entries by popcount, a growing Cholesky
 * factor. Deviation: a batch holds all candidates within BATCH_SHARE of the best, as columns of uniform masks are
 * nearly orthogonal; sweeps fall from one a set to some ten per doubling.
 */
import { maskColumns, type Masks } from '../../masks.ts';
import { popcount } from '../../spectrum/regression/parity-columns.ts';
import { setKey } from '../../spectrum/spectrum.ts';
import { correlation, signedSums } from './signed-sums.ts';

export interface ParityPath {
  /** The sets in the fit, ∅ first, in order of entry. */
  readonly sets: readonly (readonly number[])[];
  /** Adds sets until there are `count` besides ∅, or no candidate is left that could explain anything. */
  advance(count: number): void;
  /** The coefficient of each set. */
  coefficients(): Float64Array;
}

/** A candidate joins a batch when its correlation is at least this share of the best. */
const BATCH_SHARE = 0.8;
/** Share of a column's length that must lie outside the sets already in. */
const INDEPENDENT = 1e-6;
/** Candidates held at most, so that 1,000 players stay within some 100 MB a path; the last terms' supersets go without. */
const MOST_CANDIDATES = 200_000;
/** Correlations below this share of the values' deviation are rounding. */
const ROUNDING = 1e-10;

/** A path over (masks, y), nothing but ∅ in it. */
export function parityPath(masks: Masks, y: Float64Array, seeds: readonly (readonly number[])[]): ParityPath {
  const rows = masks.count;
  const players = maskColumns(masks);
  const stride = Math.ceil(rows / 32);
  const none = new Uint32Array(stride);
  const sets: (readonly number[])[] = [];
  const columns: Uint32Array[] = [];
  // XᵀX = L·Lᵀ, row by row; z = L⁻¹Xᵀy.
  const factor: Float64Array[] = [];
  const z: number[] = [];
  let beta = new Float64Array(0);
  const residual = new Float64Array(32 * stride);
  const table = new Float64Array(4 * stride * 256);

  // Candidate c is the column first[c] xor second[c].
  const known = new Set<string>(['']);
  const members: (readonly number[])[] = [];
  const first: Uint32Array[] = [];
  const second: Uint32Array[] = [];
  const offer = (set: readonly number[], a: Uint32Array, b: Uint32Array): void => {
    if (members.length >= MOST_CANDIDATES) return;
    const key = setKey(set);
    if (known.has(key)) return;
    known.add(key);
    members.push(set);
    first.push(a);
    second.push(b);
  };
  const offerAbove = (set: readonly number[], column: Uint32Array): void => {
    for (let i = 0; i < players.length; i++) {
      if (set.includes(i)) continue;
      const at = set.findIndex((player) => player > i);
      offer(at < 0 ? [...set, i] : set.toSpliced(at, 0, i), column, players[i]);
    }
  };
  const withdraw = (c: number): void => {
    const last = members.length - 1;
    [members[c], first[c], second[c]] = [members[last], first[last], second[last]];
    members.length = first.length = second.length = last;
  };

  const enter = (set: readonly number[], column: Uint32Array): void => {
    const k = columns.length;
    const row = new Float64Array(k + 1);
    let square = rows;
    let right = 0;
    for (let r = 0; r < rows; r++) right += (column[r >>> 5] >>> (r & 31)) & 1 ? -y[r] : y[r];
    for (let j = 0; j < k; j++) {
      let entry = rows - 2 * differing(column, columns[j]);
      const other = factor[j];
      for (let l = 0; l < j; l++) entry -= row[l] * other[l];
      row[j] = entry / other[j];
      square -= row[j] * row[j];
      right -= row[j] * z[j];
    }
    if (square < INDEPENDENT * rows) return;
    row[k] = Math.sqrt(square);
    factor.push(row);
    z.push(right / row[k]);
    sets.push(set);
    columns.push(column);
    offerAbove(set, column);
  };
  const solve = (): void => {
    beta = Float64Array.from(z);
    for (let i = beta.length - 1; i >= 0; i--) {
      beta[i] /= factor[i][i];
      for (let j = 0; j < i; j++) beta[j] -= factor[i][j] * beta[i];
    }
    residual.set(y);
    columns.forEach((column, k) => {
      const value = beta[k];
      for (let r = 0; r < rows; r++) residual[r] += (column[r >>> 5] >>> (r & 31)) & 1 ? value : -value;
    });
  };

  enter([], none);
  for (const set of seeds)
    offer(
      set,
      set.reduce((column, player) => column.map((word, w) => word ^ players[player][w]), none),
      none,
    );
  solve();
  const floor = ROUNDING * Math.sqrt(residual.reduce((sum, value) => sum + value * value, 0) * rows);

  return {
    sets,
    advance(count) {
      while (sets.length <= count && members.length > 0) {
        signedSums(residual, table);
        const sizes = Float64Array.from(members, (_, c) => Math.abs(correlation(first[c], second[c], table)));
        const best = sizes.reduce((most, size) => Math.max(most, size), 0);
        if (!(best > floor)) return;
        const batch = [...sizes.keys()]
          .filter((c) => sizes[c] >= BATCH_SHARE * best)
          .sort((a, b) => sizes[b] - sizes[a] || a - b)
          .slice(0, count + 1 - sets.length);
        const entering = batch.map((c) => ({
          set: members[c],
          column: first[c].map((word, w) => word ^ second[c][w]),
        }));
        // From the back, so that the numbers of those still to go stay valid.
        for (const c of batch.sort((a, b) => b - a)) withdraw(c);
        for (const { set, column } of entering) enter(set, column);
        solve();
      }
    },
    coefficients: () => beta.slice(),
  };
}

function differing(a: Uint32Array, b: Uint32Array): number {
  let count = 0;
  for (let w = 0; w < a.length; w++) count += popcount(a[w] ^ b[w]);
  return count;
}
