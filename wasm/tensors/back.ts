/**
 * The way back: gradients of activations through products, norms, activations, masks and turns (AssemblyScript; called through
 * src/backend/wasm-kernels.ts). Attention's is in back-attention.ts.
 */
import { activate, GELU, GELU_NEW, loadPart, multiplyAdd, RELU, SILU, slope, storePart, total } from './functions';
import { edgeTile, packTurned, tileRows, tiles } from './product';

const BLOCK_K: i32 = 256;
const BLOCK_N: i32 = 512;

/** Bytes of scratch that `backLinear` needs: a block of Wᵀ and an edge tile. */
export function backLinearScratch(): usize {
  return (<usize>BLOCK_K * BLOCK_N << 2) + 6 * 32;
}

/** dx [rows, k] = dy [rows, columns] · Wᵀ, W [k, columns]: as `linear`, with W turned as it is copied into panels. */
export function backLinear(dy: usize, w: usize, dx: usize, rows: i32, k: i32, columns: i32, scratch: usize): void {
  const lda = <usize>columns << 2;
  const ldc = <usize>k << 2;
  const edge = scratch + (<usize>BLOCK_K * BLOCK_N << 2);
  for (let j = 0; j < k; j += BLOCK_N) {
    const width = min(BLOCK_N, k - j);
    const panels = width >> 3;
    const odd = width & 7;
    for (let p = 0; p == 0 || p < columns; p += BLOCK_K) {
      const depth = min(BLOCK_K, columns - p);
      packTurned(w + <usize>j * lda + (<usize>p << 2), lda, width, depth, scratch);
      const panel = <usize>depth << 5;
      for (let i = 0, count = 0; i < rows; i += count) {
        count = tileRows(rows - i);
        const a = dy + <usize>i * lda + (<usize>p << 2);
        const c = dx + <usize>i * ldc + (<usize>j << 2);
        tiles(count, a, lda, scratch, 32, panel, panels, c, ldc, depth, p > 0);
        if (odd != 0) edgeTile(count, a, lda, scratch + <usize>panels * panel, 32, odd, c + (<usize>panels << 5), ldc, depth, p > 0, edge);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function part(at: usize, left: i32): v128 {
  return left > 3 ? v128.load(at) : loadPart(at, left, f32x4.splat(0));
}

/**
 * dx of `norm`, by rows: with g = dy · (w + offset) and x̂ the normed x, (g - mean g - x̂ · mean(g x̂)) · scale, where the first mean
 * counts only where x was centred. w may be 0.
 */
export function backNorm(x: usize, w: usize, dy: usize, dx: usize, rows: i32, width: i32, eps: f32, offset: f32, centred: bool): void {
  const size = <f32>width;
  const shift = f32x4.splat(offset);
  for (let r = 0; r < rows; r++, x += <usize>width << 2, dy += <usize>width << 2, dx += <usize>width << 2) {
    let sum = f32x4.splat(0);
    if (centred) for (let i = 0; i < width; i += 4) sum = f32x4.add(sum, part(x + (<usize>i << 2), width - i));
    const mean: f32 = centred ? total(sum) / size : 0;
    const centre = f32x4.splat(mean);
    let squares = f32x4.splat(0);
    let sumG = f32x4.splat(0);
    let sumGX = f32x4.splat(0);
    for (let i = 0; i < width; i += 4) {
      const p = <usize>i << 2;
      const left = width - i;
      const d = f32x4.sub(left > 3 ? v128.load(x + p) : loadPart(x + p, left, centre), centre);
      let g = part(dy + p, left);
      if (w != 0) g = f32x4.mul(g, f32x4.add(part(w + p, left), shift));
      squares = multiplyAdd(d, d, squares);
      sumG = f32x4.add(sumG, g);
      sumGX = multiplyAdd(g, d, sumGX);
    }
    const scale: f32 = 1 / Mathf.sqrt(total(squares) / size + eps);
    const less = f32x4.splat(centred ? total(sumG) / size : 0);
    const along = f32x4.splat((total(sumGX) / size) * scale * scale); // x̂ · mean(g x̂) = d · scale² · mean(g d)
    const by = f32x4.splat(scale);
    for (let i = 0; i < width; i += 4) {
      const p = <usize>i << 2;
      const left = width - i;
      const d = f32x4.sub(part(x + p, left), centre);
      let g = part(dy + p, left);
      if (w != 0) g = f32x4.mul(g, f32x4.add(part(w + p, left), shift));
      const y = f32x4.mul(f32x4.sub(f32x4.sub(g, less), f32x4.mul(d, along)), by);
      if (left > 3) v128.store(dx + p, y);
      else storePart(dx + p, y, left);
    }
  }
}

// @ts-ignore: decorator
@inline
function backRun(x: usize, up: usize, dy: usize, dx: usize, dup: usize, n: i32, kind: i32): void {
  for (; n > 0; n -= 4, x += 16, dy += 16, dx += 16) {
    const y = part(x, n);
    const g = part(dy, n);
    let gate = g;
    if (up != 0) {
      gate = f32x4.mul(g, part(up, n));
      const through = f32x4.mul(g, activate(y, kind));
      if (n > 3) v128.store(dup, through);
      else storePart(dup, through, n);
      up += 16;
      dup += 16;
    }
    const out = f32x4.mul(gate, slope(y, kind));
    if (n > 3) v128.store(dx, out);
    else storePart(dx, out, n);
  }
}

export function backRelu(x: usize, up: usize, dy: usize, dx: usize, dup: usize, n: i32): void {
  backRun(x, up, dy, dx, dup, n, RELU);
}
export function backSilu(x: usize, up: usize, dy: usize, dx: usize, dup: usize, n: i32): void {
  backRun(x, up, dy, dx, dup, n, SILU);
}
export function backGelu(x: usize, up: usize, dy: usize, dx: usize, dup: usize, n: i32): void {
  backRun(x, up, dy, dx, dup, n, GELU);
}
export function backGeluNew(x: usize, up: usize, dy: usize, dx: usize, dup: usize, n: i32): void {
  backRun(x, up, dy, dx, dup, n, GELU_NEW);
}

/** dx = dy · up · act'(x) and dup = dy · act(x) over n numbers; up and dup 0: dx = dy · act'(x). A loop each, as in pointwise.ts. */
export function backPointwise(x: usize, up: usize, dy: usize, dx: usize, dup: usize, n: i32, kind: i32): void {
  if (kind == RELU) backRelu(x, up, dy, dx, dup, n);
  else if (kind == SILU) backSilu(x, up, dy, dx, dup, n);
  else if (kind == GELU) backGelu(x, up, dy, dx, dup, n);
  else backGeluNew(x, up, dy, dx, dup, n);
}

/** Σ dy · (x - base) over n numbers. */
function moved(x: usize, base: usize, dy: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  for (let i = 0; i < n; i += 4) {
    const p = <usize>i << 2;
    const left = n - i;
    let d = part(x + p, left);
    if (base != 0) d = f32x4.sub(d, part(base + p, left));
    sum = multiplyAdd(part(dy + p, left), d, sum);
  }
  return total(sum);
}

/**
 * out [rows, factorPositions, elements]: the slopes of the factors of maskRows, sums of dy · (x - base) over each element's width
 * numbers and, where factorPositions is 1, over positions. x [1 or rows, positions, elements, width], base [basePositions, ...] or 0.
 */
export function maskSlopes(x: usize, single: bool, base: usize, basePositions: i32, dy: usize, out: usize, rows: i32, positions: i32, factorPositions: i32, elements: i32, width: i32): void {
  const line = <usize>(elements * width) << 2;
  memory.fill(out, 0, <usize>(rows * factorPositions * elements) << 2);
  for (let r = 0; r < rows; r++) {
    let source = single ? x : x + <usize>r * <usize>positions * line;
    for (let p = 0; p < positions; p++, source += line, dy += line) {
      const to = out + (<usize>((r * factorPositions + (factorPositions == 1 ? 0 : p)) * elements) << 2);
      const here = base == 0 ? <usize>0 : base + <usize>(basePositions == 1 ? 0 : p) * line;
      if (width == 1) {
        for (let e = 0; e < elements; e += 4) {
          const q = <usize>e << 2;
          const left = elements - e;
          let d = part(source + q, left);
          if (here != 0) d = f32x4.sub(d, part(here + q, left));
          const sum = multiplyAdd(part(dy + q, left), d, part(to + q, left));
          if (left > 3) v128.store(to + q, sum);
          else storePart(to + q, sum, left);
        }
        continue;
      }
      for (let e = 0; e < elements; e++) {
        const q = <usize>(e * width) << 2;
        const at = to + (<usize>e << 2);
        store<f32>(at, load<f32>(at) + moved(source + q, here == 0 ? 0 : here + q, dy + q, width));
      }
    }
  }
}

/**
 * out = x · cos + swapped · sin, where swapped is x [batch, positions, heads, e] with the halves of its first `dims` columns exchanged;
 * cos and sin [tableBatch (1 or batch), positions, e].
 */
export function turn(x: usize, cos: usize, sin: usize, out: usize, batch: i32, positions: i32, heads: i32, e: i32, dims: i32, tableBatch: i32): void {
  const half = dims >> 1;
  const bytes = <usize>e << 2;
  const across = <usize>half << 2;
  for (let b = 0; b < batch; b++) {
    for (let p = 0; p < positions; p++) {
      const table = <usize>((tableBatch == 1 ? 0 : b) * positions + p) * bytes;
      for (let h = 0; h < heads; h++, x += bytes, out += bytes) {
        let i = 0;
        for (; i + 3 < half; i += 4) {
          const q = <usize>i << 2;
          const low = v128.load(x + q);
          const high = v128.load(x + q + across);
          v128.store(out + q, f32x4.add(f32x4.mul(low, v128.load(cos + table + q)), f32x4.mul(high, v128.load(sin + table + q))));
          v128.store(out + q + across, f32x4.add(f32x4.mul(high, v128.load(cos + table + q + across)), f32x4.mul(low, v128.load(sin + table + q + across))));
        }
        for (; i < half; i++) {
          const q = <usize>i << 2;
          const low = load<f32>(x + q);
          const high = load<f32>(x + q + across);
          store<f32>(out + q, low * load<f32>(cos + table + q) + high * load<f32>(sin + table + q));
          store<f32>(out + q + across, high * load<f32>(cos + table + q + across) + low * load<f32>(sin + table + q + across));
        }
        for (i = dims; i < e; i++) {
          const q = <usize>i << 2;
          store<f32>(out + q, load<f32>(x + q) * (load<f32>(cos + table + q) + load<f32>(sin + table + q)));
        }
      }
    }
  }
}
