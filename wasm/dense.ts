/**
 * Dense Float64 linear algebra, row-major (AssemblyScript; called through src/kernels/dense.ts).
 *
 * Inner loops run along rows, two numbers to a register, and four rows share what they read.
 */

// @ts-ignore: decorator
@inline
function lanes(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** Σ_{k<n} a_k b_k. */
function dot(a: usize, b: usize, n: i32): f64 {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let k = 0;
  for (; k + 3 < n; k += 4) {
    const p = <usize>k << 3;
    s0 = f64x2.add(s0, f64x2.mul(v128.load(a + p), v128.load(b + p)));
    s1 = f64x2.add(s1, f64x2.mul(v128.load(a + p, 16), v128.load(b + p, 16)));
  }
  let sum = lanes(f64x2.add(s0, s1));
  for (; k < n; k++) {
    const p = <usize>k << 3;
    sum += load<f64>(a + p) * load<f64>(b + p);
  }
  return sum;
}

/** to += factor · from over n numbers. */
function addScaled(to: usize, from: usize, factor: f64, n: i32): void {
  const f = f64x2.splat(factor);
  let k = 0;
  for (; k + 1 < n; k += 2) {
    const p = <usize>k << 3;
    v128.store(to + p, f64x2.add(v128.load(to + p), f64x2.mul(f, v128.load(from + p))));
  }
  if (k < n) {
    const p = <usize>k << 3;
    store<f64>(to + p, load<f64>(to + p) + factor * load<f64>(from + p));
  }
}

/** to += Σ_q f_q · (from + q·stride) over n numbers, q = 0..3. */
function addFour(to: usize, from: usize, stride: usize, f0: f64, f1: f64, f2: f64, f3: f64, n: i32): void {
  const r1 = from + stride;
  const r2 = r1 + stride;
  const r3 = r2 + stride;
  const v0 = f64x2.splat(f0);
  const v1 = f64x2.splat(f1);
  const v2 = f64x2.splat(f2);
  const v3 = f64x2.splat(f3);
  let k = 0;
  for (; k + 1 < n; k += 2) {
    const p = <usize>k << 3;
    const low = f64x2.add(f64x2.mul(v0, v128.load(from + p)), f64x2.mul(v1, v128.load(r1 + p)));
    const high = f64x2.add(f64x2.mul(v2, v128.load(r2 + p)), f64x2.mul(v3, v128.load(r3 + p)));
    v128.store(to + p, f64x2.add(v128.load(to + p), f64x2.add(low, high)));
  }
  if (k < n) {
    const p = <usize>k << 3;
    store<f64>(to + p, load<f64>(to + p) + f0 * load<f64>(from + p) + f1 * load<f64>(r1 + p) + f2 * load<f64>(r2 + p) + f3 * load<f64>(r3 + p));
  }
}

/** Sums of the products of a with four rows stride apart, over n numbers, into out[0..3]. */
function dotFour(a: usize, b: usize, stride: usize, n: i32, out: usize): void {
  const b1 = b + stride;
  const b2 = b1 + stride;
  const b3 = b2 + stride;
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let s2 = f64x2.splat(0);
  let s3 = f64x2.splat(0);
  let k = 0;
  for (; k + 1 < n; k += 2) {
    const p = <usize>k << 3;
    const v = v128.load(a + p);
    s0 = f64x2.add(s0, f64x2.mul(v, v128.load(b + p)));
    s1 = f64x2.add(s1, f64x2.mul(v, v128.load(b1 + p)));
    s2 = f64x2.add(s2, f64x2.mul(v, v128.load(b2 + p)));
    s3 = f64x2.add(s3, f64x2.mul(v, v128.load(b3 + p)));
  }
  let t0 = lanes(s0);
  let t1 = lanes(s1);
  let t2 = lanes(s2);
  let t3 = lanes(s3);
  if (k < n) {
    const p = <usize>k << 3;
    const v = load<f64>(a + p);
    t0 += v * load<f64>(b + p);
    t1 += v * load<f64>(b1 + p);
    t2 += v * load<f64>(b2 + p);
    t3 += v * load<f64>(b3 + p);
  }
  store<f64>(out, t0);
  store<f64>(out + 8, t1);
  store<f64>(out + 16, t2);
  store<f64>(out + 24, t3);
}

/**
 * The lower triangle of a symmetric n x n matrix becomes its Cholesky factor L, in place; returns log |A| or NaN where
 * it is not positive definite. What lies above the diagonal is not touched. `scratch` is four numbers.
 */
export function factorise(matrix: usize, n: i32, scratch: usize): f64 {
  const stride = <usize>n << 3;
  let logDeterminant: f64 = 0;
  for (let i = 0; i < n; i++) {
    const row = matrix + <usize>i * stride;
    let j = 0;
    for (; j + 3 < i; j += 4) {
      const others = matrix + <usize>j * stride;
      dotFour(row, others, stride, j, scratch);
      for (let q = 0; q < 4; q++) {
        const other = others + <usize>q * stride;
        let sum = load<f64>(scratch + (<usize>q << 3));
        for (let l = j; l < j + q; l++) sum += load<f64>(row + (<usize>l << 3)) * load<f64>(other + (<usize>l << 3));
        const at = row + (<usize>(j + q) << 3);
        store<f64>(at, (load<f64>(at) - sum) / load<f64>(other + (<usize>(j + q) << 3)));
      }
    }
    for (; j < i; j++) {
      const other = matrix + <usize>j * stride;
      const at = row + (<usize>j << 3);
      store<f64>(at, (load<f64>(at) - dot(row, other, j)) / load<f64>(other + (<usize>j << 3)));
    }
    const at = row + (<usize>i << 3);
    const square = load<f64>(at) - dot(row, row, i);
    if (!(square > 0)) return NaN;
    store<f64>(at, Math.sqrt(square));
    logDeterminant += Math.log(square);
  }
  return logDeterminant;
}

/**
 * A⁻¹ from the factor L (n x n, lower triangle), into its own place, lower triangle only; `lower` is n x n scratch.
 */
export function invertFactor(factor: usize, lower: usize, n: i32): void {
  const stride = <usize>n << 3;
  memory.fill(lower, 0, <usize>n * stride);
  // L⁻¹ row by row: row i = (e_i - Σ_{k<i} L_ik · row k) / L_ii.
  for (let i = 0; i < n; i++) {
    const row = lower + <usize>i * stride;
    const l = factor + <usize>i * stride;
    let k = 0;
    for (; k + 3 < i; k += 4) {
      const p = l + (<usize>k << 3);
      addFour(row, lower + <usize>k * stride, stride, -load<f64>(p), -load<f64>(p, 8), -load<f64>(p, 16), -load<f64>(p, 24), k + 4);
    }
    for (; k < i; k++) addScaled(row, lower + <usize>k * stride, -load<f64>(l + (<usize>k << 3)), k + 1);
    store<f64>(row + (<usize>i << 3), 1);
    const scale = 1 / load<f64>(l + (<usize>i << 3));
    for (let j = 0; j <= i; j++) {
      const p = row + (<usize>j << 3);
      store<f64>(p, load<f64>(p) * scale);
    }
  }
  // A⁻¹ = Σ_i (row i of L⁻¹)ᵀ(row i of L⁻¹).
  for (let j = 0; j < n; j++) memory.fill(factor + <usize>j * stride, 0, <usize>(j + 1) << 3);
  let i = 0;
  for (; i + 3 < n; i += 4) {
    const rows = lower + <usize>i * stride;
    for (let j = 0; j < i + 4; j++) {
      const p = rows + (<usize>j << 3);
      addFour(factor + <usize>j * stride, rows, stride, load<f64>(p), load<f64>(p + stride), load<f64>(p + 2 * stride), load<f64>(p + 3 * stride), j + 1);
    }
  }
  for (; i < n; i++) {
    const row = lower + <usize>i * stride;
    for (let j = 0; j <= i; j++) addScaled(factor + <usize>j * stride, row, load<f64>(row + (<usize>j << 3)), j + 1);
  }
}

/**
 * Householder to tridiagonal, implicit QL with shifts (Wilkinson, Reinsch, Handbook for Automatic Computation II, 1971:
 * tred2, tql2). The symmetric n x n `a` is destroyed; row j of `vectors` becomes the unit eigenvector of diagonal[j].
 * `off`, `betas`, `p` are n numbers of scratch. Returns the index of an eigenvalue that does not converge, -1 when all do.
 */
export function symmetricEigen(a: usize, vectors: usize, diagonal: usize, off: usize, betas: usize, p: usize, n: i32): i32 {
  const stride = <usize>n << 3;
  memory.fill(off, 0, stride);
  memory.fill(betas, 0, stride);
  for (let k = 0; k + 2 < n; k++) store<f64>(betas + (<usize>k << 3), reflect(a, n, k, off, p));
  if (n > 1) store<f64>(off + (<usize>(n - 2) << 3), load<f64>(a + <usize>(n - 1) * stride + (<usize>(n - 2) << 3)));
  for (let i = 0; i < n; i++) store<f64>(diagonal + (<usize>i << 3), load<f64>(a + <usize>i * (stride + 8)));

  memory.fill(vectors, 0, <usize>n * stride);
  for (let i = 0; i < n; i++) store<f64>(vectors + <usize>i * (stride + 8), 1);
  for (let k = n - 3; k >= 0; k--) {
    const beta = load<f64>(betas + (<usize>k << 3));
    if (beta == 0) continue;
    const first = <usize>(k + 1) << 3;
    const v = a + <usize>k * stride + first;
    for (let row = k + 1; row < n; row++) {
      const x = vectors + <usize>row * stride + first;
      addScaled(x, v, -beta * dot(x, v, n - k - 1), n - k - 1);
    }
  }

  let scale: f64 = 0;
  for (let i = 0; i < n; i++) scale = max(scale, Math.abs(load<f64>(diagonal + (<usize>i << 3))) + Math.abs(load<f64>(off + (<usize>i << 3))));
  const tiny = f64.EPSILON * scale;
  for (let l = 0; l < n; l++) {
    for (let steps = 0; ; steps++) {
      let m = l;
      while (m < n - 1 && Math.abs(load<f64>(off + (<usize>m << 3))) > tiny) m++;
      if (m == l) break;
      if (steps == 60) return l;
      qlStep(diagonal, off, vectors, stride, n, l, m);
    }
  }
  return -1;
}

/**
 * Zeroes column k below the subdiagonal by A <- HAH, H = 1 - β vvᵀ; leaves v in row k (from k + 1 on) and
 * the new subdiagonal entry in off[k]. Returns β.
 */
function reflect(a: usize, n: i32, k: i32, off: usize, p: usize): f64 {
  const stride = <usize>n << 3;
  const size = n - k - 1;
  const first = <usize>(k + 1) << 3;
  const v = a + <usize>k * stride + first; // row k, by symmetry column k
  const norm = Math.sqrt(dot(v, v, size));
  const head = load<f64>(v);
  const alpha = head > 0 ? -norm : norm;
  const length = norm * norm - alpha * head; // vᵀv / 2
  if (!(length > 0)) {
    store<f64>(off + (<usize>k << 3), head);
    return 0;
  }
  store<f64>(off + (<usize>k << 3), alpha);
  store<f64>(v, head - alpha);
  const beta = 1 / length;
  for (let i = 0; i < size; i++) store<f64>(p + (<usize>i << 3), beta * dot(a + <usize>(k + 1 + i) * stride + first, v, size));
  const shift = (beta / 2) * dot(p, v, size);
  addScaled(p, v, -shift, size);
  for (let i = 0; i < size; i++) {
    const row = a + <usize>(k + 1 + i) * stride + first;
    addTwo(row, p, -load<f64>(v + (<usize>i << 3)), v, -load<f64>(p + (<usize>i << 3)), size);
  }
  return beta;
}

/** to += f·a + g·b over n numbers. */
function addTwo(to: usize, a: usize, f: f64, b: usize, g: f64, n: i32): void {
  const vf = f64x2.splat(f);
  const vg = f64x2.splat(g);
  let k = 0;
  for (; k + 1 < n; k += 2) {
    const p = <usize>k << 3;
    v128.store(to + p, f64x2.add(v128.load(to + p), f64x2.add(f64x2.mul(vf, v128.load(a + p)), f64x2.mul(vg, v128.load(b + p)))));
  }
  if (k < n) {
    const p = <usize>k << 3;
    store<f64>(to + p, load<f64>(to + p) + f * load<f64>(a + p) + g * load<f64>(b + p));
  }
}

// @ts-ignore: decorator
@inline
function get(array: usize, i: i32): f64 {
  return load<f64>(array + (<usize>i << 3));
}

// @ts-ignore: decorator
@inline
function set(array: usize, i: i32, value: f64): void {
  store<f64>(array + (<usize>i << 3), value);
}

/** One implicit QL step on the unreduced block l..m, rotations carried into the rows of `vectors`. */
function qlStep(d: usize, e: usize, vectors: usize, stride: usize, n: i32, l: i32, m: i32): void {
  const ratio = (get(d, l + 1) - get(d, l)) / (2 * get(e, l));
  const root = Math.sqrt(ratio * ratio + 1);
  let g = get(d, m) - get(d, l) + get(e, l) / (ratio + (ratio < 0 ? -root : root));
  let s: f64 = 1;
  let c: f64 = 1;
  let p: f64 = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = s * get(e, i);
    const b = c * get(e, i);
    const r = Math.sqrt(f * f + g * g);
    set(e, i + 1, r);
    if (r == 0) {
      set(d, i + 1, get(d, i + 1) - p);
      set(e, m, 0);
      return;
    }
    s = f / r;
    c = g / r;
    g = get(d, i + 1) - p;
    const t = (get(d, i) - g) * s + 2 * c * b;
    p = s * t;
    set(d, i + 1, g + p);
    g = c * t - b;
    rotate(vectors + <usize>i * stride, vectors + <usize>(i + 1) * stride, n, c, s);
  }
  set(d, l, get(d, l) - p);
  set(e, l, g);
  set(e, m, 0);
}

function rotate(x: usize, y: usize, n: i32, c: f64, s: f64): void {
  const vc = f64x2.splat(c);
  const vs = f64x2.splat(s);
  let k = 0;
  for (; k + 1 < n; k += 2) {
    const p = <usize>k << 3;
    const upper = v128.load(x + p);
    const lower = v128.load(y + p);
    v128.store(y + p, f64x2.add(f64x2.mul(vs, upper), f64x2.mul(vc, lower)));
    v128.store(x + p, f64x2.sub(f64x2.mul(vc, upper), f64x2.mul(vs, lower)));
  }
  if (k < n) {
    const upper = get(x, k);
    const lower = get(y, k);
    set(y, k, s * upper + c * lower);
    set(x, k, c * upper - s * lower);
  }
}
