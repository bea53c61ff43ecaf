/**
 * Sums over the rows that keep each player: the inner loop of split finding.
 *
 * Masks lie word-column by word-column, 32 players to a word. For each byte of a word the row's weight
 * goes into one of 256 pattern bins, and the bins are folded into 8 player sums: one addition serves
 * eight players. Nodes under WIDE_FROM rows use nibbles and 16 bins. Sums are exact when the weights
 * are integers whose partial sums stay below 2^53 (see grow.ts), so the order of rows never matters.
 */
import type { Coalitions } from '../coalitions.ts';

export interface WordColumns {
  readonly players: number;
  readonly rows: number;
  /** ceil(n/32) x rows: word w of row r is words[w * rows + r]. */
  readonly words: Int32Array;
}

/** The masks turned word-column by word-column. */
export function wordColumns(masks: Coalitions): WordColumns {
  const { players, count, stride } = masks;
  const words = new Int32Array(stride * count);
  for (let w = 0; w < stride; w++) for (let r = 0; r < count; r++) words[w * count + r] = masks.words[r * stride + w];
  return { players, rows: count, words };
}

/** Rows of a node from which 256 bins a byte beat 16 bins a nibble (measured). */
const WIDE_FROM = 400;

export interface Histogram {
  /** out[i] = Σ of weights[k] over k in [start, end) whose row rows[k] keeps player i. */
  fill(rows: Int32Array, start: number, end: number, weights: Float64Array, out: Float64Array): void;
}

/** A histogram over these masks, with its own bins. */
export function createHistogram(columns: WordColumns): Histogram {
  const { players, rows: count, words } = columns;
  const bins = new Float64Array(4 * 256);
  const sums = new Float64Array(32);
  const stride = Math.max(1, Math.ceil(players / 32));
  return {
    fill(rows, start, end, weights, out) {
      for (let w = 0; w < stride; w++) {
        const first = 32 * w;
        const bytes = Math.min(4, Math.ceil((players - first) / 8));
        const base = w * count;
        if (end - start >= WIDE_FROM) {
          bins.fill(0, 0, 256 * bytes);
          addBytes(words, base, bytes, rows, start, end, weights, bins);
          for (let b = 0; b < bytes; b++) foldByte(bins, 256 * b, sums, 8 * b);
        } else {
          bins.fill(0, 0, 32 * bytes);
          addNibbles(words, base, bytes, rows, start, end, weights, bins);
          for (let b = 0; b < 2 * bytes; b++) foldNibble(bins, 16 * b, sums, 4 * b);
        }
        const last = Math.min(32, players - first);
        for (let i = 0; i < last; i++) out[first + i] = sums[i];
      }
    },
  };
}

function addBytes(words: Int32Array, base: number, bytes: number, rows: Int32Array, start: number, end: number, weights: Float64Array, bins: Float64Array): void {
  if (bytes === 4) {
    for (let k = start; k < end; k++) {
      const v = words[base + rows[k]];
      const g = weights[k];
      bins[v & 255] += g;
      bins[256 + ((v >>> 8) & 255)] += g;
      bins[512 + ((v >>> 16) & 255)] += g;
      bins[768 + (v >>> 24)] += g;
    }
    return;
  }
  if (bytes >= 2) {
    for (let k = start; k < end; k++) {
      const v = words[base + rows[k]];
      const g = weights[k];
      bins[v & 255] += g;
      bins[256 + ((v >>> 8) & 255)] += g;
    }
  }
  if (bytes !== 2) {
    const shift = 8 * (bytes - 1);
    const offset = 256 * (bytes - 1);
    for (let k = start; k < end; k++) bins[offset + ((words[base + rows[k]] >>> shift) & 255)] += weights[k];
  }
}

function addNibbles(words: Int32Array, base: number, bytes: number, rows: Int32Array, start: number, end: number, weights: Float64Array, bins: Float64Array): void {
  if (bytes === 4) {
    for (let k = start; k < end; k++) {
      const v = words[base + rows[k]];
      const g = weights[k];
      bins[v & 15] += g;
      bins[16 + ((v >>> 4) & 15)] += g;
      bins[32 + ((v >>> 8) & 15)] += g;
      bins[48 + ((v >>> 12) & 15)] += g;
      bins[64 + ((v >>> 16) & 15)] += g;
      bins[80 + ((v >>> 20) & 15)] += g;
      bins[96 + ((v >>> 24) & 15)] += g;
      bins[112 + (v >>> 28)] += g;
    }
    return;
  }
  for (let b = 0; b < bytes; b++) {
    const shift = 8 * b;
    const low = 32 * b;
    const high = low + 16;
    for (let k = start; k < end; k++) {
      const v = words[base + rows[k]] >>> shift;
      const g = weights[k];
      bins[low + (v & 15)] += g;
      bins[high + ((v >>> 4) & 15)] += g;
    }
  }
}

/** 256 bins at `from` -> 8 player sums at `to`: halve the table bit by bit; the upper half is that bit's sum. */
function foldByte(bins: Float64Array, from: number, sums: Float64Array, to: number): void {
  for (let bit = 7; bit >= 0; bit--) {
    const half = 1 << bit;
    const middle = from + half;
    let sum = 0;
    for (let j = 0; j < half; j++) {
      const upper = bins[middle + j];
      sum += upper;
      bins[from + j] += upper;
    }
    sums[to + bit] = sum;
  }
}

/** 16 bins at `f` -> 4 player sums at `to`. */
function foldNibble(bins: Float64Array, f: number, sums: Float64Array, to: number): void {
  const b8 = bins[f + 8];
  const b9 = bins[f + 9];
  const b10 = bins[f + 10];
  const b11 = bins[f + 11];
  const b12 = bins[f + 12];
  const b13 = bins[f + 13];
  const b14 = bins[f + 14];
  const b15 = bins[f + 15];
  const c4 = bins[f + 4] + b12;
  const c5 = bins[f + 5] + b13;
  const c6 = bins[f + 6] + b14;
  const c7 = bins[f + 7] + b15;
  const d1 = bins[f + 1] + b9 + c5;
  const d2 = bins[f + 2] + b10 + c6;
  const d3 = bins[f + 3] + b11 + c7;
  sums[to + 3] = b8 + b9 + b10 + b11 + b12 + b13 + b14 + b15;
  sums[to + 2] = c4 + c5 + c6 + c7;
  sums[to + 1] = d2 + d3;
  sums[to] = d1 + d3;
}
