/**
 * Sums over the rows that keep each player: the inner loop of split finding (AssemblyScript; called by trees.ts).
 *
 * Each byte of a row's word adds the row's weight to one of 256 pattern bins (each nibble to one of 16 in small nodes),
 * and the bins are folded into player sums: one addition serves eight players. Weights are integers, so sums are exact.
 */

/** Rows of a node from which 256 bins a byte beat 16 bins a nibble (measured). */
const WIDE_FROM: i32 = 320;

/**
 * out[i] = Σ of weights[k] over the `count` rows that keep player i. `words` are word columns, i32[ceil(players / 32)][rowsAll];
 * weights are i64 in the order of `rows`; bins is i64[1024] of scratch.
 */
export function fillSums(words: usize, rowsAll: i32, players: i32, rows: usize, count: i32, weights: usize, bins: usize, out: usize): void {
  const stop = rows + (<usize>count << 2);
  const wide = count >= WIDE_FROM;
  for (let w = 0, stride = (players + 31) >>> 5; w < stride; w++) {
    const here = min(32, players - 32 * w);
    const bytes = (here + 7) >>> 3;
    const column = words + (<usize>w * <usize>rowsAll << 2);
    const target = out + (<usize>w << 8);
    if (wide) {
      memory.fill(bins, 0, <usize>bytes << 11);
      if (bytes == 4) addFourBytes(column, rows, stop, weights, bins);
      else if (bytes == 3) {
        addTwoBytes(column, 0, rows, stop, weights, bins);
        addByte(column, 16, rows, stop, weights, bins + 4096);
      } else if (bytes == 2) addTwoBytes(column, 0, rows, stop, weights, bins);
      else addByte(column, 0, rows, stop, weights, bins);
      for (let b = 0; b < bytes; b++) fold(bins + (<usize>b << 11), min(8, here - 8 * b), 7, target + (<usize>b << 6));
    } else {
      memory.fill(bins, 0, <usize>bytes << 8);
      if (bytes == 4) addEightNibbles(column, rows, stop, weights, bins);
      else if (bytes == 3) {
        addFourNibbles(column, rows, stop, weights, bins);
        addTwoNibbles(column, 16, rows, stop, weights, bins + 512);
      } else if (bytes == 2) addFourNibbles(column, rows, stop, weights, bins);
      else addTwoNibbles(column, 0, rows, stop, weights, bins);
      for (let b = 0, left = here; left > 0; b++, left -= 4) fold(bins + (<usize>b << 7), min(4, left), 3, target + (<usize>b << 5));
    }
  }
}

// @ts-ignore: decorator
@inline
function bump(bin: usize, weight: i64): void {
  store<i64>(bin, load<i64>(bin) + weight);
}

function addFourBytes(column: usize, rows: usize, stop: usize, weights: usize, bins: usize): void {
  for (; rows < stop; rows += 4, weights += 8) {
    const v = load<u32>(column + (<usize>load<i32>(rows) << 2));
    const g = load<i64>(weights);
    bump(bins + (<usize>(v & 255) << 3), g);
    bump(bins + 2048 + (<usize>((v >>> 8) & 255) << 3), g);
    bump(bins + 4096 + (<usize>((v >>> 16) & 255) << 3), g);
    bump(bins + 6144 + (<usize>(v >>> 24) << 3), g);
  }
}

function addTwoBytes(column: usize, shift: i32, rows: usize, stop: usize, weights: usize, bins: usize): void {
  for (; rows < stop; rows += 4, weights += 8) {
    const v = load<u32>(column + (<usize>load<i32>(rows) << 2)) >>> shift;
    const g = load<i64>(weights);
    bump(bins + (<usize>(v & 255) << 3), g);
    bump(bins + 2048 + (<usize>((v >>> 8) & 255) << 3), g);
  }
}

function addByte(column: usize, shift: i32, rows: usize, stop: usize, weights: usize, bins: usize): void {
  for (; rows < stop; rows += 4, weights += 8) {
    const v = load<u32>(column + (<usize>load<i32>(rows) << 2)) >>> shift;
    bump(bins + (<usize>(v & 255) << 3), load<i64>(weights));
  }
}

function addEightNibbles(column: usize, rows: usize, stop: usize, weights: usize, bins: usize): void {
  for (; rows < stop; rows += 4, weights += 8) {
    const v = load<u32>(column + (<usize>load<i32>(rows) << 2));
    const g = load<i64>(weights);
    bump(bins + (<usize>(v & 15) << 3), g);
    bump(bins + 128 + (<usize>((v >>> 4) & 15) << 3), g);
    bump(bins + 256 + (<usize>((v >>> 8) & 15) << 3), g);
    bump(bins + 384 + (<usize>((v >>> 12) & 15) << 3), g);
    bump(bins + 512 + (<usize>((v >>> 16) & 15) << 3), g);
    bump(bins + 640 + (<usize>((v >>> 20) & 15) << 3), g);
    bump(bins + 768 + (<usize>((v >>> 24) & 15) << 3), g);
    bump(bins + 896 + (<usize>(v >>> 28) << 3), g);
  }
}

function addFourNibbles(column: usize, rows: usize, stop: usize, weights: usize, bins: usize): void {
  for (; rows < stop; rows += 4, weights += 8) {
    const v = load<u32>(column + (<usize>load<i32>(rows) << 2));
    const g = load<i64>(weights);
    bump(bins + (<usize>(v & 15) << 3), g);
    bump(bins + 128 + (<usize>((v >>> 4) & 15) << 3), g);
    bump(bins + 256 + (<usize>((v >>> 8) & 15) << 3), g);
    bump(bins + 384 + (<usize>((v >>> 12) & 15) << 3), g);
  }
}

function addTwoNibbles(column: usize, shift: i32, rows: usize, stop: usize, weights: usize, bins: usize): void {
  for (; rows < stop; rows += 4, weights += 8) {
    const v = load<u32>(column + (<usize>load<i32>(rows) << 2)) >>> shift;
    const g = load<i64>(weights);
    bump(bins + (<usize>(v & 15) << 3), g);
    bump(bins + 128 + (<usize>((v >>> 4) & 15) << 3), g);
  }
}

/** 2^(top + 1) bins -> the sums of the first `wanted` of its bits: halve the table bit by bit; the upper half is that bit's sum. */
function fold(bins: usize, wanted: i32, top: i32, out: usize): void {
  for (let bit = top; bit >= 1; bit--) {
    const half = <usize>8 << bit;
    let sum = i64x2.splat(0);
    for (let p = bins, stop = bins + half; p < stop; p += 16) {
      const upper = v128.load(p + half);
      sum = i64x2.add(sum, upper);
      v128.store(p, i64x2.add(v128.load(p), upper));
    }
    if (bit < wanted) store<i64>(out + (<usize>bit << 3), i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1));
  }
  store<i64>(out, load<i64>(bins + 8));
}
