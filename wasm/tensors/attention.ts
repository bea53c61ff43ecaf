/**
 * softmax(cap(scale · q·k) + mask) · v by head (AssemblyScript; called through src/backend/wasm-kernels.ts).
 *
 * q, k, v stay as the projections wrote them, [batch, position, head, e]. Each key/value head's keys are turned once, into
 * panels of 8 keys; then a tile of query rows at a time is scored, softened and mixed while its scores are in level 1.
 * Trailing hidden keys of a tile are not computed: half of all, when causal.
 */
import { exp, largest, loadPart, multiplyAdd, storePart, tanh, total } from './functions';
import { edgeTile, packEdge, packTurned, tileRows, tiles } from './product';

/** What is below this in a mask hides a key. */
const HIDDEN: f32 = -1e29;

// @ts-ignore: decorator
@inline
function upToEight(n: i32): i32 {
  return (n + 7) & ~7;
}

/** Bytes of scratch: turned keys, the last columns of v, scores of a tile, visible keys by query row, an edge tile. */
export function attentionScratch(queries: i32, keys: i32, e: i32): usize {
  const width = <usize>upToEight(keys);
  return ((width * <usize>e + width * 8 + width * 6 + <usize>queries + 48) << 2) + 64;
}

/** Keys up to the last that a row of the mask shows; all where it shows none. */
export function visible(mask: usize, keys: i32): i32 {
  for (let s = keys; s > 0; s--) if (load<f32>(mask + (<usize>(s - 1) << 2)) > HIDDEN) return s;
  return keys;
}

// @ts-ignore: decorator
@inline
export function cap(x: v128, softcap: f32): v128 {
  return softcap == 0 ? x : f32x4.mul(tanh(f32x4.div(x, f32x4.splat(softcap))), f32x4.splat(softcap));
}

/** One row of products becomes a row of the pattern, in place. */
export function soften(row: usize, count: i32, scale: f32, softcap: f32, mask: usize): void {
  const factor = f32x4.splat(scale);
  const none = f32x4.splat(-Infinity);
  const rest = count & 3;
  const tail = row + (<usize>(count - rest) << 2);
  let top = none;
  for (let at = row; at < tail; at += 16) {
    let x = cap(f32x4.mul(v128.load(at), factor), softcap);
    if (mask != 0) {
      x = f32x4.add(x, v128.load(mask));
      mask += 16;
    }
    v128.store(at, x);
    top = f32x4.pmax(top, x);
  }
  if (rest != 0) {
    let x = cap(f32x4.mul(loadPart(tail, rest, f32x4.splat(0)), factor), softcap);
    if (mask != 0) x = f32x4.add(x, loadPart(mask, rest, f32x4.splat(0)));
    storePart(tail, x, rest);
    top = f32x4.pmax(top, loadPart(tail, rest, none));
  }
  const most = f32x4.splat(largest(top));
  let sum = f32x4.splat(0);
  for (let at = row; at < tail; at += 16) {
    const x = exp(f32x4.sub(v128.load(at), most));
    v128.store(at, x);
    sum = f32x4.add(sum, x);
  }
  if (rest != 0) {
    const x = exp(f32x4.sub(loadPart(tail, rest, none), most));
    storePart(tail, x, rest);
    sum = f32x4.add(sum, x);
  }
  const share = f32x4.splat(1 / total(sum));
  for (let at = row; at < tail; at += 16) v128.store(at, f32x4.mul(v128.load(at), share));
  if (rest != 0) storePart(tail, f32x4.mul(loadPart(tail, rest, none), share), rest);
}

/**
 * out and q [batch, queries, heads, e], k and v [batch, keys, groups, e] (heads / groups consecutive heads share one), mask 0
 * or [maskBatch (1 or batch), queries, keys]; softcap 0 is none. live: 0, or [batch, heads], 0 where out is to be zero.
 */
export function attention(q: usize, k: usize, v: usize, mask: usize, maskBatch: i32, out: usize, batch: i32, queries: i32, keys: i32, heads: i32, groups: i32, e: i32, scale: f32, softcap: f32, live: usize, scratch: usize): void {
  const width = upToEight(keys);
  const turned = scratch;
  const lastOfV = turned + (<usize>width * <usize>e << 2);
  const scores = lastOfV + (<usize>width << 5);
  const seen = scores + (<usize>width * 24);
  const edge = (seen + (<usize>queries << 2) + 15) & ~15;
  const shared = heads / groups;
  const ldq = <usize>heads * <usize>e << 2;
  const ldk = <usize>groups * <usize>e << 2;
  const lds = <usize>width << 2;
  const panels = e >> 3;
  const odd = e & 7;
  const maskRow = <usize>keys << 2;
  for (let b = 0; b < batch; b++) {
    const masks = mask == 0 || maskBatch == 1 ? mask : mask + <usize>b * <usize>queries * maskRow;
    if (b == 0 || (mask != 0 && maskBatch > 1)) {
      for (let i = 0; i < queries; i++) store<i32>(seen + (<usize>i << 2), mask == 0 ? keys : visible(masks + <usize>i * maskRow, keys));
    }
    for (let g = 0; g < groups; g++) {
      let needed = live == 0;
      for (let h = g * shared; h < (g + 1) * shared && !needed; h++) needed = load<i32>(live + (<usize>(b * heads + h) << 2)) != 0;
      const column = <usize>g * <usize>e << 2;
      const keysHere = k + <usize>b * <usize>keys * ldk + column;
      const valuesHere = v + <usize>b * <usize>keys * ldk + column;
      if (needed) packTurned(keysHere, ldk, keys, e, turned);
      if (needed && odd != 0) packEdge(valuesHere + (<usize>panels << 5), ldk, keys, odd, lastOfV);
      for (let h = g * shared; h < (g + 1) * shared; h++) {
        if (live != 0 && load<i32>(live + (<usize>(b * heads + h) << 2)) == 0) {
          for (let i = 0; i < queries; i++) memory.fill(out + (<usize>b * <usize>queries + <usize>i) * ldq + (<usize>h * <usize>e << 2), 0, <usize>e << 2);
          continue;
        }
        for (let i = 0; i < queries; ) {
          const count = tileRows(queries - i);
          let reach = 0;
          for (let r = 0; r < count; r++) reach = max(reach, load<i32>(seen + (<usize>(i + r) << 2)));
          const at = (<usize>b * <usize>queries + <usize>i) * ldq + (<usize>h * <usize>e << 2);
          tiles(count, q + at, ldq, turned, 32, <usize>e << 5, (reach + 7) >> 3, scores, lds, e, false);
          for (let r = 0; r < count; r++) soften(scores + <usize>r * lds, reach, scale, softcap, mask == 0 ? 0 : masks + <usize>(i + r) * maskRow);
          tiles(count, scores, lds, valuesHere, ldk, 32, panels, out + at, ldq, reach, false);
          if (odd != 0) edgeTile(count, scores, lds, lastOfV, 32, odd, out + at + (<usize>panels << 5), ldq, reach, false, edge);
          i += count;
        }
      }
    }
  }
}

/** Bytes of scratch of `pathAttention`: a path's keys and values, the turned keys and the rest as above, its mask. */
export function pathAttentionScratch(keys: i32, e: i32): usize {
  return attentionScratch(0, keys, e) + ((2 * <usize>keys * <usize>e + <usize>upToEight(keys)) << 2);
}

/**
 * out and q [queries, heads, e], k and v [columns, groups, e]; paths [.., longest] of columns; by span of `spans` [count, 4] its path,
 * its first query, how many follow each other on the path, and the tokens before them there. A query sees its path up to itself, less
 * what is 0 in seen [columns] (0 for none) and is not itself.
 */
export function pathAttention(q: usize, k: usize, v: usize, paths: usize, longest: i32, spans: usize, count: i32, seen: usize, out: usize, heads: i32, groups: i32, e: i32, scale: f32, softcap: f32, scratch: usize): void {
  const width = upToEight(longest);
  const shared = heads / groups;
  const lde = <usize>e << 2;
  const lds = <usize>width << 2;
  const ldq = <usize>heads * lde;
  const panels = e >> 3;
  const odd = e & 7;
  const keysHere = scratch;
  const valuesHere = keysHere + <usize>longest * lde;
  const mask = valuesHere + <usize>longest * lde;
  const turned = (mask + lds + 15) & ~15;
  const lastOfV = turned + <usize>width * lde;
  const scores = lastOfV + (<usize>width << 5);
  const edge = (scores + <usize>width * 24 + 15) & ~15;
  for (; count > 0; count--, spans += 16) {
    const path = paths + (<usize>load<i32>(spans) * <usize>longest << 2);
    const first = <usize>load<i32>(spans, 4);
    const queries = load<i32>(spans, 8);
    const before = load<i32>(spans, 12);
    const keys = before + queries;
    for (let j = 0; j < keys && seen != 0; j++) {
      const hidden = load<i32>(seen + (<usize>load<i32>(path + (<usize>j << 2)) << 2)) == 0;
      store<f32>(mask + (<usize>j << 2), hidden ? -1e30 : 0);
    }
    for (let g = 0; g < groups; g++) {
      for (let j = 0; j < keys; j++) {
        const at = (<usize>load<i32>(path + (<usize>j << 2)) * <usize>groups + <usize>g) * lde;
        memory.copy(keysHere + <usize>j * lde, k + at, lde);
        memory.copy(valuesHere + <usize>j * lde, v + at, lde);
      }
      packTurned(keysHere, lde, keys, e, turned);
      if (odd != 0) packEdge(valuesHere + (<usize>panels << 5), lde, keys, odd, lastOfV);
      for (let h = g * shared; h < (g + 1) * shared; h++) {
        for (let i = 0; i < queries; ) {
          const rows = tileRows(queries - i);
          const reach = before + i + rows;
          const at = (first + <usize>i) * ldq + <usize>h * lde;
          tiles(rows, q + at, ldq, turned, 32, <usize>e << 5, (reach + 7) >> 3, scores, lds, e, false);
          for (let r = 0; r < rows; r++) {
            const row = scores + <usize>r * lds;
            const own = before + i + r;
            const itself = mask + (<usize>own << 2);
            const kept = load<f32>(itself);
            store<f32>(itself, 0);
            soften(row, own + 1, scale, softcap, seen == 0 ? 0 : mask);
            store<f32>(itself, kept);
            memory.fill(row + (<usize>(own + 1) << 2), 0, <usize>(reach - own - 1) << 2);
          }
          tiles(rows, scores, lds, valuesHere, lde, 32, panels, out + at, ldq, reach, false);
          if (odd != 0) edgeTile(rows, scores, lds, lastOfV, 32, odd, out + at + (<usize>panels << 5), ldq, reach, false, edge);
          i += rows;
        }
      }
    }
  }
}
