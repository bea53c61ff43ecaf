/**
 * Products of which each row needs some heads only (AssemblyScript; called through src/backend/wasm-kernels.ts): a mask that
 * ablates a head needs neither its queries, keys and values nor what it would write.
 *
 * Rows come in `batch` runs of `span` (the positions under one mask); live [batch, heads] says, by run, which heads
 * count. Every element that is computed is the chain of multiply-adds that `linear` has, without the terms that are zero:
 * the same number to the last bit.
 */
import { NONE } from './functions';
import { pointwise } from './pointwise';
import { pack, tileRows, tiles } from './product';

const BLOCK_K: i32 = 256;
const BLOCK_N: i32 = 512;

/** Bytes of scratch that both products need, for heads of width e, a multiple of 8 up to 256. */
export function headsScratch(): usize {
  return <usize>BLOCK_K * BLOCK_N << 2;
}

// @ts-ignore: decorator
@inline
function alive(live: usize, heads: i32, run: i32, head: i32): bool {
  return load<i32>(live + (<usize>(run * heads + head) << 2)) != 0;
}

/** out [batch·span, heads·e] = a [batch·span, k] · b + bias (0 for none) in the columns of live heads, 0 in the others. */
export function toHeads(a: usize, b: usize, bias: usize, live: usize, out: usize, batch: i32, span: i32, k: i32, heads: i32, e: i32, scratch: usize): void {
  const columns = heads * e;
  const lda = <usize>k << 2;
  const ldb = <usize>columns << 2;
  const panels = e >> 3;
  const bytes = <usize>e << 2;
  const atOnce = BLOCK_N / e;
  for (let first = 0; first < heads; first += atOnce) {
    const some = min(atOnce, heads - first);
    for (let p = 0; p == 0 || p < k; p += BLOCK_K) {
      const depth = min(BLOCK_K, k - p);
      const ends = p + depth >= k;
      const headBytes = <usize>(depth * e) << 2;
      pack(b + <usize>p * ldb + <usize>first * bytes, ldb, depth, some * e, scratch);
      for (let run = 0; run < batch; run++) {
        for (let i = 0, count = 0; i < span; i += count) {
          count = tileRows(span - i);
          const row = <usize>(run * span + i);
          const x = a + row * lda + (<usize>p << 2);
          for (let h = 0; h < some; h++) {
            const y = out + row * ldb + <usize>(first + h) * bytes;
            if (alive(live, heads, run, first + h)) {
              tiles(count, x, lda, scratch + <usize>h * headBytes, 32, <usize>depth << 5, panels, y, ldb, depth, p > 0);
              if (ends && bias != 0) for (let r = 0; r < count; r++) pointwise(y + <usize>r * ldb, y + <usize>r * ldb, e, bias + <usize>(first + h) * bytes, 0, 0, NONE);
            } else if (p == 0) {
              for (let r = 0; r < count; r++) memory.fill(y + <usize>r * ldb, 0, bytes);
            }
          }
        }
      }
    }
  }
}

/**
 * out [batch·span, columns] = z [batch·span, heads·e] · b + bias (0 for none) + residual (0 for none; row r takes residual row
 * r % residualRows), where z is zero in the heads that are not live. columns is a multiple of 8.
 */
export function fromHeads(z: usize, b: usize, bias: usize, residual: usize, residualRows: i32, live: usize, out: usize, batch: i32, span: i32, heads: i32, e: i32, columns: i32, scratch: usize): void {
  const lda = <usize>(heads * e) << 2;
  const ldb = <usize>columns << 2;
  const bytes = <usize>e << 2;
  const atOnce = BLOCK_K / e;
  for (let j = 0; j < columns; j += BLOCK_N) {
    const width = min(BLOCK_N, columns - j);
    const right = <usize>j << 2;
    for (let first = 0; first < heads; first += atOnce) {
      const some = min(atOnce, heads - first);
      const depth = some * e;
      pack(b + <usize>first * <usize>e * ldb + right, ldb, depth, width, scratch);
      for (let run = 0; run < batch; run++) {
        let begun = false; // whether a head before these has been added
        for (let h = 0; h < first && !begun; h++) begun = alive(live, heads, run, h);
        for (let i = 0, count = 0; i < span; i += count) {
          count = tileRows(span - i);
          const row = run * span + i;
          const y = out + <usize>row * ldb + right;
          let more = begun;
          for (let h = 0; h < some; h++) {
            if (!alive(live, heads, run, first + h)) continue;
            tiles(count, z + <usize>row * lda + <usize>(first + h) * bytes, lda, scratch + (<usize>(h * e) << 5), 32, <usize>depth << 5, width >> 3, y, ldb, e, more);
            more = true;
          }
          if (first + some < heads) continue;
          for (let r = 0; r < count; r++) {
            const at = y + <usize>r * ldb;
            if (!more) memory.fill(at, 0, <usize>width << 2);
            const onto = residual == 0 ? <usize>0 : residual + <usize>((row + r) % residualRows) * ldb + right;
            if (bias != 0 || onto != 0) pointwise(at, at, width, bias == 0 ? 0 : bias + right, 0, onto, NONE);
          }
        }
      }
    }
  }
}
