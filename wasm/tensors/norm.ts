/** Norms over the last axis (AssemblyScript; called through src/backend/wasm-kernels.ts). */
import { loadPart, multiplyAdd, storePart, total } from './functions';

/** Σ (x_i - mean) or, where `square`, Σ (x_i - mean)². */
function sum(x: usize, width: i32, mean: f32, square: bool): f32 {
  const centre = f32x4.splat(mean);
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let i = 0;
  if (square) {
    for (; i + 7 < width; i += 8, x += 32) {
      const d0 = f32x4.sub(v128.load(x), centre);
      const d1 = f32x4.sub(v128.load(x, 16), centre);
      s0 = multiplyAdd(d0, d0, s0);
      s1 = multiplyAdd(d1, d1, s1);
    }
  } else {
    for (; i + 7 < width; i += 8, x += 32) {
      s0 = f32x4.add(s0, f32x4.sub(v128.load(x), centre));
      s1 = f32x4.add(s1, f32x4.sub(v128.load(x, 16), centre));
    }
  }
  for (; i < width; i += 4, x += 16) {
    const d = f32x4.sub(i + 3 < width ? v128.load(x) : loadPart(x, width - i, centre), centre);
    s0 = f32x4.add(s0, square ? f32x4.mul(d, d) : d);
  }
  return total(f32x4.add(s0, s1));
}

/**
 * out = (x - mean) / √(variance + eps) · (w + offset) + b by rows of `width`, or x / √(mean of squares + eps) · ... where
 * `centred` is false. w and b may be 0: none.
 */
export function norm(x: usize, w: usize, b: usize, out: usize, rows: i32, width: i32, eps: f32, offset: f32, centred: bool): void {
  const size = <f32>width;
  const shift = f32x4.splat(offset);
  const zero = f32x4.splat(0);
  const rest = width & 3;
  for (let r = 0; r < rows; r++) {
    const mean: f32 = centred ? sum(x, width, 0, false) / size : 0;
    const scale = f32x4.splat(1 / Mathf.sqrt(sum(x, width, mean, true) / size + eps));
    const centre = f32x4.splat(mean);
    let i = 0;
    for (; i + 3 < width; i += 4, x += 16, out += 16) {
      let y = f32x4.mul(f32x4.sub(v128.load(x), centre), scale);
      const p = <usize>i << 2;
      if (w != 0) y = f32x4.mul(y, f32x4.add(v128.load(w + p), shift));
      if (b != 0) y = f32x4.add(y, v128.load(b + p));
      v128.store(out, y);
    }
    if (rest == 0) continue;
    const p = <usize>i << 2;
    let y = f32x4.mul(f32x4.sub(loadPart(x, rest, zero), centre), scale);
    if (w != 0) y = f32x4.mul(y, f32x4.add(loadPart(w + p, rest, zero), shift));
    if (b != 0) y = f32x4.add(y, loadPart(b + p, rest, zero));
    storePart(out, y, rest);
    x += <usize>rest << 2;
    out += <usize>rest << 2;
  }
}
