/**
 * The design matrix of every sparse fit: ±1 parity columns χ_S(m_r), bit-packed over rows.
 *
 * X is N x k with X[r][c] = χ_{sets[c]}(m_r) = (-1)^{|S ∩ m_r|}; a set bit stands for -1. Products with
 * X are word operations: the Gram matrix is G = N - 2·popcount(a xor b), exact in integers.
 */
import { maskColumns, type Masks } from '../../masks.ts';
import { fail } from '../../errors.ts';

export interface ParityColumns {
  /** N, the number of masks. */
  readonly rows: number;
  /** The set of each column; ∅ is allowed (a column of +1). */
  readonly sets: readonly (readonly number[])[];
  /** Words per column, ceil(N / 32). */
  readonly stride: number;
  /** k x stride words; bits past the last row are 0. */
  readonly words: Uint32Array;
}

/** The columns χ_S of every mask, k·Σ|S|·N/32 word operations. @throws on a player that the masks lack. */
export function parityColumns(masks: Masks, sets: readonly (readonly number[])[]): ParityColumns {
  const players = maskColumns(masks);
  const stride = Math.ceil(masks.count / 32);
  const words = new Uint32Array(sets.length * stride);
  sets.forEach((set, c) => {
    for (const player of set) {
      const column = players[player];
      if (column === undefined)
        throw fail(
          'input',
          'parityColumns',
          `the set {${set.join(',')}} names player ${player}; players are 0..${masks.players - 1}.`,
        );
      for (let w = 0; w < stride; w++) words[c * stride + w] ^= column[w];
    }
  });
  return { rows: masks.count, sets, stride, words };
}

/** Σ of the set bits of 32 bits. */
export function popcount(v: number): number {
  v -= (v >>> 1) & 0x55555555;
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** χ_a · χ_b = N - 2·popcount(a xor b). */
function inner(words: Uint32Array, stride: number, rows: number, a: number, b: number): number {
  let differing = 0;
  const startA = a * stride;
  const startB = b * stride;
  for (let w = 0; w < stride; w++) differing += popcount(words[startA + w] ^ words[startB + w]);
  return rows - 2 * differing;
}

/** XᵀX, k x k row-major, exact integers. */
export function gram(columns: ParityColumns): Float64Array {
  const { rows, stride, words, sets } = columns;
  const k = sets.length;
  const product = new Float64Array(k * k);
  for (let a = 0; a < k; a++) {
    for (let b = 0; b <= a; b++) product[a * k + b] = product[b * k + a] = inner(words, stride, rows, a, b);
  }
  return product;
}

/** Column `c` of XᵀX, k integers: for solvers that need few of them. */
export function gramColumn(columns: ParityColumns, c: number): Float32Array {
  // Integers up to N < 2^24 are exact in 32 bits, at half the memory.
  return Float32Array.from(columns.sets, (_, b) => inner(columns.words, columns.stride, columns.rows, c, b));
}

/** XXᵀ, N x N row-major: the Gram matrix of the masks, for k > N. Exact integers. */
export function rowGram(columns: ParityColumns): Float64Array {
  const { rows, stride, words, sets } = columns;
  const width = Math.ceil(sets.length / 32);
  const turned = new Uint32Array(rows * width);
  for (let c = 0; c < sets.length; c++) {
    for (let r = 0; r < rows; r++)
      turned[r * width + (c >>> 5)] |= ((words[c * stride + (r >>> 5)] >>> (r & 31)) & 1) << (c & 31);
  }
  return gram({ rows: sets.length, sets: Array.from({ length: rows }, () => []), stride: width, words: turned });
}

/** Xᵀy, k sums. */
export function correlate(columns: ParityColumns, y: ArrayLike<number>): Float64Array {
  const { rows, stride, words } = columns;
  return Float64Array.from(columns.sets, (_, c) => {
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += (words[c * stride + (r >>> 5)] >>> (r & 31)) & 1 ? -y[r] : y[r];
    return sum;
  });
}

/** Xβ + intercept, N values. */
export function applyColumns(columns: ParityColumns, coefficients: ArrayLike<number>, intercept = 0): Float64Array {
  const { rows, stride, words, sets } = columns;
  const values = new Float64Array(rows).fill(intercept);
  for (let c = 0; c < sets.length; c++) {
    const value = coefficients[c];
    if (value === 0) continue;
    for (let r = 0; r < rows; r++) values[r] += (words[c * stride + (r >>> 5)] >>> (r & 31)) & 1 ? -value : value;
  }
  return values;
}
