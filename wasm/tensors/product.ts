/**
 * act(A · B + bias) + residual, row-major float32 (AssemblyScript; called through src/backend/wasm-kernels.ts).
 *
 * B is copied, a block of BLOCK_K x BLOCK_N at a time, into panels of 8 columns in scratch that stays in the level 2 cache;
 * a tile's rows of A stay in level 1. With few rows the copying costs more than it saves, and B is read where it lies, once.
 */
import { loadPart, multiplyAdd, NONE, storePart } from './functions';
import { pointwise } from './pointwise';
import { tile1x32, tile1x8, tile2x8, tile3x8, tile4x8, tile5x8, tile6x8 } from './tiles';

const BLOCK_K: i32 = 256;
const BLOCK_N: i32 = 512;
/** Rows up to which B is not copied (measured: even at 8 rows of 64 x 256 and at 32 of 768 x 3072). */
const FEW_ROWS: i32 = 20;
/** Rows of a tile: sums in registers leave room for the product in front of an addition or they do not. */
export const TILE: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 5;

/** Bytes of scratch that `linear` needs: a block of B and an edge tile. */
export function linearScratch(): usize {
  return (<usize>BLOCK_K * BLOCK_N << 2) + 6 * 32;
}

/** How many of `rows` the next tile takes: what is left after full tiles is not left to a thin one. */
export function tileRows(rows: i32): i32 {
  if (rows <= TILE) return rows;
  return rows < 2 * TILE ? (rows + 1) >> 1 : TILE;
}

/** Some rows (1 to TILE) times `panels` panels of 8 columns, `panel` bytes apart. */
export function tiles(rows: i32, a: usize, lda: usize, b: usize, ldb: usize, panel: usize, panels: i32, c: usize, ldc: usize, k: i32, more: bool): void {
  if (rows == 1) {
    for (; panels > 3; panels -= 4, b += 4 * panel, c += 128) tile1x32(a, lda, b, ldb, panel, c, ldc, k, more);
  }
  for (; panels > 0; panels--, b += panel, c += 32) {
    if (rows == 6) tile6x8(a, lda, b, ldb, c, ldc, k, more);
    else if (rows == 5) tile5x8(a, lda, b, ldb, c, ldc, k, more);
    else if (rows == 4) tile4x8(a, lda, b, ldb, c, ldc, k, more);
    else if (rows == 3) tile3x8(a, lda, b, ldb, c, ldc, k, more);
    else if (rows == 2) tile2x8(a, lda, b, ldb, c, ldc, k, more);
    else tile1x8(a, lda, b, ldb, c, ldc, k, more);
  }
}

/** Some rows times a panel whose first `columns` (1 to 7) columns count; `edge` is a tile of scratch. */
export function edgeTile(rows: i32, a: usize, lda: usize, b: usize, ldb: usize, columns: i32, c: usize, ldc: usize, k: i32, more: bool, edge: usize): void {
  const bytes = <usize>columns << 2;
  if (more) for (let r = 0; r < rows; r++) memory.copy(edge + (<usize>r << 5), c + <usize>r * ldc, bytes);
  tiles(rows, a, lda, b, ldb, 0, 1, edge, 32, k, more);
  for (let r = 0; r < rows; r++) memory.copy(c + <usize>r * ldc, edge + (<usize>r << 5), bytes);
}

/** Copies k x columns numbers, rows `ldb` bytes apart, into panels of 8 columns; the last one is filled up with zeros. */
export function pack(b: usize, ldb: usize, k: i32, columns: i32, to: usize): void {
  const panel = <usize>k << 5;
  const full = columns >> 3;
  let i = 0;
  // Four rows at a time: 128 bytes to each panel.
  for (; i + 3 < k; i += 4) {
    let from = b + <usize>i * ldb;
    let at = to + (<usize>i << 5);
    const b1 = ldb;
    const b2 = ldb + b1;
    const b3 = ldb + b2;
    for (let p = 0; p < full; p++, from += 32, at += panel) {
      v128.store(at, v128.load(from));
      v128.store(at, v128.load(from, 16), 16);
      v128.store(at, v128.load(from + b1), 32);
      v128.store(at, v128.load(from + b1, 16), 48);
      v128.store(at, v128.load(from + b2), 64);
      v128.store(at, v128.load(from + b2, 16), 80);
      v128.store(at, v128.load(from + b3), 96);
      v128.store(at, v128.load(from + b3, 16), 112);
    }
  }
  for (; i < k; i++) {
    let from = b + <usize>i * ldb;
    let at = to + (<usize>i << 5);
    for (let p = 0; p < full; p++, from += 32, at += panel) {
      v128.store(at, v128.load(from));
      v128.store(at, v128.load(from, 16), 16);
    }
  }
  if ((columns & 7) != 0) packEdge(b + (<usize>full << 5), ldb, k, columns & 7, to + <usize>full * panel);
}

/** The first 1 to 7 columns of a panel; zeros in the others. */
export function packEdge(from: usize, ldb: usize, k: i32, columns: i32, at: usize): void {
  const zero = f32x4.splat(0);
  const more = columns - 4;
  for (let i = 0; i < k; i++, from += ldb, at += 32) {
    v128.store(at, more < 0 ? loadPart(from, columns, zero) : v128.load(from));
    v128.store(at, more > 0 ? loadPart(from + 16, more, zero) : zero, 16);
  }
}

/** k [keys, e], rows ldk bytes apart, into panels of 8 keys: panel[i][lane] = k[key + lane][i]; keys past the end are zeros. */
export function packTurned(k: usize, ldk: usize, keys: i32, e: i32, to: usize): void {
  for (let key = 0; key < keys; key += 8, to += <usize>e << 5) {
    for (let half = 0; half < 8; half += 4) {
      const from = k + <usize>(key + half) * ldk;
      let at = to + (<usize>half << 2);
      const left = keys - key - half;
      let i = 0;
      if (left > 3) {
        const k1 = from + ldk;
        const k2 = k1 + ldk;
        const k3 = k2 + ldk;
        for (; i + 3 < e; i += 4, at += 128) {
          const p = <usize>i << 2;
          const r0 = v128.load(from + p);
          const r1 = v128.load(k1 + p);
          const r2 = v128.load(k2 + p);
          const r3 = v128.load(k3 + p);
          const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
          const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
          const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
          const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
          v128.store(at, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
          v128.store(at, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7), 32);
          v128.store(at, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5), 64);
          v128.store(at, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7), 96);
        }
      }
      for (; i < e; i++, at += 32) {
        const p = from + (<usize>i << 2);
        let x = f32x4.splat(0);
        if (left > 0) x = f32x4.replace_lane(x, 0, load<f32>(p));
        if (left > 1) x = f32x4.replace_lane(x, 1, load<f32>(p + ldk));
        if (left > 2) x = f32x4.replace_lane(x, 2, load<f32>(p + 2 * ldk));
        if (left > 3) x = f32x4.replace_lane(x, 3, load<f32>(p + 3 * ldk));
        v128.store(at, x);
      }
    }
  }
}

/** Rows 0.. of c become activation(c + bias) + residual; 0 stands for no bias and no residual. Row r takes residual row (first + r) % residualRows. */
function finish(c: usize, ldc: usize, rows: i32, columns: i32, bias: usize, activation: i32, residual: usize, first: i32, residualRows: i32): void {
  for (let r = 0; r < rows; r++) {
    const at = c + <usize>r * ldc;
    const onto = residual == 0 ? <usize>0 : residual + <usize>((first + r) % residualRows) * ldc;
    pointwise(at, at, columns, bias, 0, onto, activation);
  }
}

/**
 * c [rows, n] = a [rows, k] · b [k, n], reading b from its first number to its last: for products of few rows, which wait for
 * memory. Two rows share what they read. The order of additions is the tiles'.
 */
export function stream(a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, rows: i32, k: i32, n: i32): void {
  for (let r = 0; r < rows; r++) memory.fill(c + <usize>r * ldc, 0, <usize>n << 2);
  for (; k > 3; k -= 4, a += 16, b += ldb << 2) {
    let r = 0;
    for (; r + 1 < rows; r += 2) addFourTwice(a + <usize>r * lda, lda, b, ldb, c + <usize>r * ldc, ldc, n);
    if (r < rows) addFour(a + <usize>r * lda, b, ldb, c + <usize>r * ldc, n);
  }
  for (; k > 0; k--, a += 4, b += ldb) {
    for (let r = 0; r < rows; r++) addOne(load<f32>(a + <usize>r * lda), b, c + <usize>r * ldc, n);
  }
}

/** c [n] += a [4] · b [4, n]. */
function addFour(a: usize, b: usize, ldb: usize, c: usize, n: i32): void {
  const a0 = v128.load_splat<f32>(a);
  const a1 = v128.load_splat<f32>(a, 4);
  const a2 = v128.load_splat<f32>(a, 8);
  const a3 = v128.load_splat<f32>(a, 12);
  const b2 = ldb + ldb;
  const b3 = b2 + ldb;
  for (; n > 3; n -= 4, b += 16, c += 16) {
    let s = multiplyAdd(a0, v128.load(b), v128.load(c));
    s = multiplyAdd(a1, v128.load(b + ldb), s);
    s = multiplyAdd(a2, v128.load(b + b2), s);
    v128.store(c, multiplyAdd(a3, v128.load(b + b3), s));
  }
  for (let r: usize = 0; n > 0 && r < 4; r++) addOne(load<f32>(a + (r << 2)), b + r * ldb, c, n);
}

/** The same for two rows. */
function addFourTwice(a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, n: i32): void {
  const other = a + lda;
  const a0 = v128.load_splat<f32>(a);
  const a1 = v128.load_splat<f32>(a, 4);
  const a2 = v128.load_splat<f32>(a, 8);
  const a3 = v128.load_splat<f32>(a, 12);
  const x0 = v128.load_splat<f32>(other);
  const x1 = v128.load_splat<f32>(other, 4);
  const x2 = v128.load_splat<f32>(other, 8);
  const x3 = v128.load_splat<f32>(other, 12);
  const b2 = ldb + ldb;
  const b3 = b2 + ldb;
  for (; n > 3; n -= 4, b += 16, c += 16) {
    let v = v128.load(b);
    let s = multiplyAdd(a0, v, v128.load(c));
    let t = multiplyAdd(x0, v, v128.load(c + ldc));
    v = v128.load(b + ldb);
    s = multiplyAdd(a1, v, s);
    t = multiplyAdd(x1, v, t);
    v = v128.load(b + b2);
    s = multiplyAdd(a2, v, s);
    t = multiplyAdd(x2, v, t);
    v = v128.load(b + b3);
    v128.store(c, multiplyAdd(a3, v, s));
    v128.store(c + ldc, multiplyAdd(x3, v, t));
  }
  for (let r: usize = 0; n > 0 && r < 4; r++) {
    addOne(load<f32>(a + (r << 2)), b + r * ldb, c, n);
    addOne(load<f32>(other + (r << 2)), b + r * ldb, c + ldc, n);
  }
}

/** c [n] += a · b [n]. */
function addOne(a: f32, b: usize, c: usize, n: i32): void {
  const x = f32x4.splat(a);
  const zero = f32x4.splat(0);
  for (; n > 3; n -= 4, b += 16, c += 16) v128.store(c, multiplyAdd(x, v128.load(b), v128.load(c)));
  if (n > 0) storePart(c, multiplyAdd(x, loadPart(b, n, zero), loadPart(c, n, zero)), n);
}

/**
 * out [rows, columns] = activation(a [rows, k] · b [k, columns] + bias [columns]) + residual [residualRows, columns]; bias and
 * residual may be 0. Nothing overlaps out.
 */
export function linear(a: usize, b: usize, bias: usize, residual: usize, residualRows: i32, out: usize, rows: i32, k: i32, columns: i32, activation: i32, scratch: usize): void {
  const lda = <usize>k << 2;
  const ldb = <usize>columns << 2;
  const plain = bias == 0 && residual == 0 && activation == NONE;
  if (rows <= FEW_ROWS) {
    stream(a, lda, b, ldb, out, ldb, rows, k, columns);
    if (!plain) finish(out, ldb, rows, columns, bias, activation, residual, 0, residualRows);
    return;
  }
  const edge = scratch + (<usize>BLOCK_K * BLOCK_N << 2);
  for (let j = 0; j < columns; j += BLOCK_N) {
    const width = min(BLOCK_N, columns - j);
    const panels = width >> 3;
    const odd = width & 7;
    const right = <usize>j << 2;
    for (let p = 0; p == 0 || p < k; p += BLOCK_K) {
      const depth = min(BLOCK_K, k - p);
      const panel = <usize>depth << 5;
      pack(b + <usize>p * ldb + right, ldb, depth, width, scratch);
      for (let i = 0, count = 0; i < rows; i += count) {
        count = tileRows(rows - i);
        const x = a + <usize>i * lda + (<usize>p << 2);
        const y = out + <usize>i * ldb + right;
        tiles(count, x, lda, scratch, 32, panel, panels, y, ldb, depth, p > 0);
        if (odd != 0) edgeTile(count, x, lda, scratch + <usize>panels * panel, 32, odd, y + (<usize>panels << 5), ldb, depth, p > 0, edge);
        if (!plain && p + depth >= k) finish(y, ldb, count, width, bias == 0 ? <usize>0 : bias + right, activation, residual == 0 ? <usize>0 : residual + right, i, residualRows);
      }
    }
  }
}
