/**
 * Dense products in 32 bits (AssemblyScript; called through src/proxy/gradients/matrix.ts).
 */

/**
 * out = A B for row-major A (m x k), B (k x n), out (m x n); m is a multiple of 4 and n of 8, as zeros at the edges make
 * them. Four rows by eight columns of out stay in registers while k runs.
 */
export function product(a: usize, b: usize, out: usize, m: i32, k: i32, n: i32): void {
  const rowA = <usize>k << 2;
  const rowB = <usize>n << 2;
  for (let j = 0; j < n; j += 8) {
    for (let i = 0; i < m; i += 4) {
      let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
      let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
      let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
      let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
      let at = a + <usize>i * rowA;
      let from = b + (<usize>j << 2);
      for (let p = 0; p < k; p++) {
        const b0 = v128.load(from);
        const b1 = v128.load(from, 16);
        const a0 = v128.load32_splat(at);
        c00 = f32x4.add(c00, f32x4.mul(a0, b0));
        c01 = f32x4.add(c01, f32x4.mul(a0, b1));
        const a1 = v128.load32_splat(at + rowA);
        c10 = f32x4.add(c10, f32x4.mul(a1, b0));
        c11 = f32x4.add(c11, f32x4.mul(a1, b1));
        const a2 = v128.load32_splat(at + 2 * rowA);
        c20 = f32x4.add(c20, f32x4.mul(a2, b0));
        c21 = f32x4.add(c21, f32x4.mul(a2, b1));
        const a3 = v128.load32_splat(at + 3 * rowA);
        c30 = f32x4.add(c30, f32x4.mul(a3, b0));
        c31 = f32x4.add(c31, f32x4.mul(a3, b1));
        at += 4;
        from += rowB;
      }
      let to = out + <usize>i * rowB + (<usize>j << 2);
      v128.store(to, c00);
      v128.store(to, c01, 16);
      to += rowB;
      v128.store(to, c10);
      v128.store(to, c11, 16);
      to += rowB;
      v128.store(to, c20);
      v128.store(to, c21, 16);
      to += rowB;
      v128.store(to, c30);
      v128.store(to, c31, 16);
    }
  }
}
