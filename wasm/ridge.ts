/**
 * The two products of ridge regression on ±1 columns that cost most (AssemblyScript; called through
 * src/spectrum/regression/ridge.ts).
 */

/**
 * out = X B: the ±1 columns of X are bits (set = -1) in `words`, column c at c·stride; B is k x width, out rows x width.
 * `group` (4 or 8) columns at a time: the 2^group signed sums of their rows of B are tabulated, and each row of out adds
 * one of them. `table` is 2^group x width.
 */
export function signedProduct(words: usize, stride: i32, rows: i32, k: i32, b: usize, width: i32, group: i32, table: usize, out: usize): void {
  const bytes = <usize>width << 3;
  memory.fill(out, 0, <usize>rows * bytes);
  for (let first = 0; first < k; first += group) {
    const count = min(group, k - first);
    memory.fill(table, 0, bytes);
    for (let c = 0; c < count; c++) addRow(table, table, b + <usize>(first + c) * bytes, 1, width);
    for (let pattern = 1; pattern < 1 << count; pattern++) {
      const lowest = ctz(pattern);
      addRow(table + <usize>pattern * bytes, table + <usize>(pattern & (pattern - 1)) * bytes, b + <usize>(first + lowest) * bytes, -2, width);
    }
    for (let r = 0; r < rows; r++) {
      let pattern = 0;
      for (let c = 0; c < count; c++) pattern |= ((load<i32>(words + (<usize>((first + c) * stride + (r >>> 5)) << 2)) >>> (r & 31)) & 1) << c;
      const to = out + <usize>r * bytes;
      addRow(to, to, table + <usize>pattern * bytes, 1, width);
    }
  }
}

/** to = a + factor · b. */
function addRow(to: usize, a: usize, b: usize, factor: f64, n: i32): void {
  const f = f64x2.splat(factor);
  let k = 0;
  for (; k + 1 < n; k += 2) {
    const p = <usize>k << 3;
    v128.store(to + p, f64x2.add(v128.load(a + p), f64x2.mul(f, v128.load(b + p))));
  }
  if (k < n) {
    const p = <usize>k << 3;
    store<f64>(to + p, load<f64>(a + p) + factor * load<f64>(b + p));
  }
}

/** out_i = (outside_i + Σ_j U_ij shrunk_j) / (slack_i + Σ_j U_ij² shrink_j), U rows x rank; returns Σ out². */
export function leaveOneOut(left: usize, rows: i32, rank: i32, shrink: usize, shrunk: usize, outside: usize, slack: usize, out: usize): f64 {
  let total: f64 = 0;
  for (let i = 0; i < rows; i++) {
    const row = left + ((<usize>i * <usize>rank) << 3);
    let residual = f64x2.splat(0);
    let complement = f64x2.splat(0);
    let j = 0;
    for (; j + 1 < rank; j += 2) {
      const p = <usize>j << 3;
      const u = v128.load(row + p);
      residual = f64x2.add(residual, f64x2.mul(u, v128.load(shrunk + p)));
      complement = f64x2.add(complement, f64x2.mul(f64x2.mul(u, u), v128.load(shrink + p)));
    }
    let above = load<f64>(outside + (<usize>i << 3)) + f64x2.extract_lane(residual, 0) + f64x2.extract_lane(residual, 1);
    let below = load<f64>(slack + (<usize>i << 3)) + f64x2.extract_lane(complement, 0) + f64x2.extract_lane(complement, 1);
    if (j < rank) {
      const p = <usize>j << 3;
      const u = load<f64>(row + p);
      above += u * load<f64>(shrunk + p);
      below += u * u * load<f64>(shrink + p);
    }
    const e = above / below;
    store<f64>(out + (<usize>i << 3), e);
    total += e * e;
  }
  return total;
}
