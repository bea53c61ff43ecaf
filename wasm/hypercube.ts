/**
 * The covariance of a Gaussian process on masks and its gradient (AssemblyScript; called through
 * src/proxy/gaussian-process.ts). Pairs of masks matter through their xor alone: `table` holds, for every byte of eight
 * players, the product of their factors at each of 256 xors.
 */

/** P_jk = weight_j weight_k Π_b table[b][bytes_j ^ bytes_k] for k <= j; `matrix` is count x count, its upper triangle left alone. */
export function kernelTriangle(matrix: usize, bytes: usize, weight: usize, table: usize, count: i32, width: i32): void {
  for (let j = 0; j < count; j++) {
    const row = matrix + (<usize>j * <usize>count << 3);
    const mine = bytes + <usize>j * <usize>width;
    const scale = load<f64>(weight + (<usize>j << 3));
    if (width == 2) {
      const b0 = <usize>load<u8>(mine);
      const b1 = <usize>load<u8>(mine, 1);
      for (let k = 0; k <= j; k++) {
        const other = bytes + (<usize>k << 1);
        const value = load<f64>(table + ((b0 ^ <usize>load<u8>(other)) << 3)) * load<f64>(table + 2048 + ((b1 ^ <usize>load<u8>(other, 1)) << 3));
        store<f64>(row + (<usize>k << 3), scale * load<f64>(weight + (<usize>k << 3)) * value);
      }
      continue;
    }
    for (let k = 0; k <= j; k++) {
      const other = bytes + <usize>k * <usize>width;
      let value = scale * load<f64>(weight + (<usize>k << 3));
      for (let b = 0; b < width; b++) value *= load<f64>(table + (<usize>b << 11) + (<usize>(load<u8>(mine + b) ^ load<u8>(other + b)) << 3));
      store<f64>(row + (<usize>k << 3), value);
    }
  }
}

/**
 * W = ½(ααᵀ - K⁻¹) ∘ P over pairs, summed three ways: rowSums_j = Σ_k W_jk, bins[b][xor] = Σ_{j≠k} W_jk by the xor of
 * byte b, both from lower triangles. The bins and sums are added to.
 */
export function kernelSlopes(product: usize, inverse: usize, alpha: usize, bytes: usize, bins: usize, rowSums: usize, count: i32, width: i32): void {
  for (let j = 0; j < count; j++) {
    const at = <usize>j * <usize>count << 3;
    const mine = bytes + <usize>j * <usize>width;
    const weight = load<f64>(alpha + (<usize>j << 3));
    let sum: f64 = 0;
    for (let k = 0; k < j; k++) {
      const p = <usize>k << 3;
      const value = load<f64>(product + at + p) * (weight * load<f64>(alpha + p) - load<f64>(inverse + at + p)) * 0.5;
      sum += value;
      store<f64>(rowSums + p, load<f64>(rowSums + p) + value);
      const other = bytes + <usize>k * <usize>width;
      for (let b = 0; b < width; b++) {
        const bin = bins + (<usize>b << 11) + (<usize>(load<u8>(mine + b) ^ load<u8>(other + b)) << 3);
        store<f64>(bin, load<f64>(bin) + 2 * value);
      }
    }
    const p = <usize>j << 3;
    sum += load<f64>(product + at + p) * (weight * weight - load<f64>(inverse + at + p)) * 0.5;
    store<f64>(rowSums + p, load<f64>(rowSums + p) + sum);
  }
}
