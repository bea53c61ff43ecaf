/**
 * The way back through softmax(cap(scale · q·k) + mask) · v by head (AssemblyScript; called through src/backend/wasm-kernels.ts).
 *
 * The pattern P is made again. With dP = dz · vᵀ and dS = P · (dP - Σ P dP), through the cap and the scale, dq = dS · k,
 * dk = dSᵀ · q and dv = Pᵀ · dz, the last two summed over the heads that share k and v. P and dS of one head are in scratch, turned.
 */
import { cap, soften, visible } from './attention';
import { loadPart, multiplyAdd, storePart, total } from './functions';
import { edgeTile, packEdge, packTurned, tileRows, tiles } from './product';

// @ts-ignore: decorator
@inline
function upToEight(n: i32): i32 {
  return (n + 7) & ~7;
}

/** Bytes of scratch. */
export function backAttentionScratch(queries: i32, keys: i32, e: i32): usize {
  const width = <usize>upToEight(keys);
  const square = <usize>keys * <usize>queries * 2;
  const last = width * 8 + <usize>queries * 16;
  return ((2 * width * <usize>e + square + last + width * 18 + <usize>queries + 64) << 2) + 128;
}

/** Σ a_i b_i. */
function dot(a: usize, b: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  const zero = f32x4.splat(0);
  for (; n > 3; n -= 4, a += 16, b += 16) sum = multiplyAdd(v128.load(a), v128.load(b), sum);
  if (n > 0) sum = f32x4.add(sum, f32x4.mul(loadPart(a, n, zero), loadPart(b, n, zero)));
  return total(sum);
}

/** One row of dP becomes one of dS, in place: P (dP - Σ P dP) · scale · cap'. `scores` are those before mask and softmax, capped. */
function backSoften(row: usize, pattern: usize, scores: usize, n: i32, scale: f32, softcap: f32): void {
  const along = f32x4.splat(dot(row, pattern, n));
  const factor = f32x4.splat(scale);
  const one = f32x4.splat(1);
  const by = f32x4.splat(softcap == 0 ? 0 : 1 / softcap);
  const zero = f32x4.splat(0);
  for (; n > 0; n -= 4, row += 16, pattern += 16, scores += 16) {
    const whole = n > 3;
    const d = whole ? v128.load(row) : loadPart(row, n, zero);
    const p = whole ? v128.load(pattern) : loadPart(pattern, n, zero);
    let y = f32x4.mul(f32x4.mul(p, f32x4.sub(d, along)), factor);
    if (softcap != 0) {
      const t = f32x4.mul(whole ? v128.load(scores) : loadPart(scores, n, zero), by);
      y = f32x4.mul(y, f32x4.sub(one, f32x4.mul(t, t)));
    }
    if (whole) v128.store(row, y);
    else storePart(row, y, n);
  }
}

/** Rows of `from`, `count` of them `ld` bytes apart, n numbers each, become columns at `to`, [n, columns] with `at` the first column. */
function turnRows(from: usize, ld: usize, count: i32, n: i32, to: usize, columns: i32, at: i32): void {
  const line = <usize>columns << 2;
  for (let r = 0; r < count; r++) {
    let source = from + <usize>r * ld;
    let target = to + (<usize>(at + r) << 2);
    for (let i = 0; i < n; i++, source += 4, target += line) store<f32>(target, load<f32>(source));
  }
}

/** c [rows, e] (+)= a [rows, k] · b [k, e]; `last` are b's last e & 7 columns as a panel. */
function product(a: usize, lda: usize, b: usize, ldb: usize, last: usize, c: usize, ldc: usize, rows: i32, k: i32, e: i32, more: bool, edge: usize): void {
  const panels = e >> 3;
  const odd = e & 7;
  for (let i = 0; i < rows; ) {
    const count = tileRows(rows - i);
    const from = a + <usize>i * lda;
    const to = c + <usize>i * ldc;
    tiles(count, from, lda, b, ldb, 32, panels, to, ldc, k, more);
    if (odd != 0) edgeTile(count, from, lda, last, 32, odd, to + (<usize>panels << 5), ldc, k, more, edge);
    i += count;
  }
}

/** Shapes as in `attention`; dq as q, dk and dv as k. */
export function backAttention(q: usize, k: usize, v: usize, mask: usize, maskBatch: i32, dz: usize, dq: usize, dk: usize, dv: usize, batch: i32, queries: i32, keys: i32, heads: i32, groups: i32, e: i32, scale: f32, softcap: f32, scratch: usize): void {
  const width = upToEight(keys);
  const lds = <usize>width << 2;
  const turnedK = scratch;
  const turnedV = turnedK + <usize>width * (<usize>e << 2);
  const patterns = turnedV + <usize>width * (<usize>e << 2); // Pᵀ [keys, queries]
  const slopes = patterns + (<usize>keys * <usize>queries << 2); // dSᵀ
  const lastK = (slopes + (<usize>keys * <usize>queries << 2) + 15) & ~15;
  const lastQ = lastK + (<usize>width << 5);
  const lastZ = lastQ + (<usize>queries << 5);
  const scores = lastZ + (<usize>queries << 5); // a tile of P
  const raw = scores + <usize>6 * lds; // of capped scores
  const backs = raw + <usize>6 * lds; // of dS
  const edge = backs + <usize>6 * lds;
  const shared = heads / groups;
  const ldq = <usize>heads * (<usize>e << 2);
  const ldk = <usize>groups * (<usize>e << 2);
  const ldt = <usize>queries << 2;
  const odd = e & 7;
  const even = <usize>(e >> 3) << 5;
  const maskRow = <usize>keys << 2;
  for (let b = 0; b < batch; b++) {
    const masks = mask == 0 || maskBatch == 1 ? mask : mask + <usize>b * <usize>queries * maskRow;
    for (let g = 0; g < groups; g++) {
      const kv = <usize>b * <usize>keys * ldk + (<usize>(g * e) << 2);
      packTurned(k + kv, ldk, keys, e, turnedK);
      packTurned(v + kv, ldk, keys, e, turnedV);
      if (odd != 0) packEdge(k + kv + even, ldk, keys, odd, lastK);
      for (let h = g * shared; h < (g + 1) * shared; h++) {
        const at = <usize>b * <usize>queries * ldq + (<usize>(h * e) << 2);
        if (odd != 0) packEdge(q + at + even, ldq, queries, odd, lastQ);
        if (odd != 0) packEdge(dz + at + even, ldq, queries, odd, lastZ);
        for (let i = 0; i < queries; ) {
          const count = tileRows(queries - i);
          let reach = mask == 0 ? keys : 0;
          if (mask != 0) for (let r = 0; r < count; r++) reach = max(reach, visible(masks + <usize>(i + r) * maskRow, keys));
          const row = at + <usize>i * ldq;
          tiles(count, q + row, ldq, turnedK, 32, <usize>e << 5, (reach + 7) >> 3, scores, lds, e, false);
          tiles(count, dz + row, ldq, turnedV, 32, <usize>e << 5, (reach + 7) >> 3, backs, lds, e, false);
          for (let r = 0; r < count; r++) {
            const line = <usize>r * lds;
            if (softcap != 0) capRow(scores + line, raw + line, reach, scale, softcap);
            soften(scores + line, reach, scale, softcap, mask == 0 ? 0 : masks + <usize>(i + r) * maskRow);
            backSoften(backs + line, scores + line, raw + line, reach, scale, softcap);
            for (let s = reach; s < keys; s++) {
              store<f32>(scores + line + (<usize>s << 2), 0);
              store<f32>(backs + line + (<usize>s << 2), 0);
            }
          }
          product(backs, lds, k + kv, ldk, lastK, dq + row, ldq, count, reach, e, false, edge);
          turnRows(scores, lds, count, keys, patterns, queries, i);
          turnRows(backs, lds, count, keys, slopes, queries, i);
          i += count;
        }
        const more = h > g * shared;
        product(slopes, ldt, q + at, ldq, lastQ, dk + kv, ldk, keys, queries, e, more, edge);
        product(patterns, ldt, dz + at, ldq, lastZ, dv + kv, ldk, keys, queries, e, more, edge);
      }
    }
  }
}

/** What `soften` caps, without the rest. */
function capRow(row: usize, out: usize, n: i32, scale: f32, softcap: f32): void {
  const factor = f32x4.splat(scale);
  const zero = f32x4.splat(0);
  for (; n > 0; n -= 4, row += 16, out += 16) {
    const y = cap(f32x4.mul(n > 3 ? v128.load(row) : loadPart(row, n, zero), factor), softcap);
    if (n > 3) v128.store(out, y);
    else storePart(out, y, n);
  }
}
