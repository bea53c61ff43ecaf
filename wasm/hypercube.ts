/**
 * The covariance of a Gaussian process on masks and its gradient (AssemblyScript; called through
 * src/proxy/process/gaussian-process.ts). Pairs of masks matter through their xor alone: `table` holds, for every byte of eight
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

/** As kernelTriangle without weights, in f32, row after row without gaps: entry (j, k <= j) at j(j+1)/2 + k. */
export function packedTriangle(matrix: usize, bytes: usize, table: usize, scale: f64, count: i32, width: i32): void {
  let out = matrix;
  for (let j = 0; j < count; j++) {
    const mine = bytes + <usize>j * <usize>width;
    for (let k = 0; k <= j; k++, out += 4) {
      const other = bytes + <usize>k * <usize>width;
      let even = scale;
      let odd: f64 = 1;
      let b = 0;
      for (; b + 1 < width; b += 2) {
        even *= load<f64>(table + (<usize>b << 11) + (<usize>(load<u8>(mine + b) ^ load<u8>(other + b)) << 3));
        odd *= load<f64>(table + (<usize>(b + 1) << 11) + (<usize>(load<u8>(mine + b, 1) ^ load<u8>(other + b, 1)) << 3));
      }
      if (b < width) even *= load<f64>(table + (<usize>b << 11) + (<usize>(load<u8>(mine + b) ^ load<u8>(other + b)) << 3));
      store<f32>(out, <f32>(even * odd));
    }
  }
}

/** out = A x for the symmetric A of a packed f32 triangle; x and out are f64. */
export function packedTimes(matrix: usize, x: usize, out: usize, count: i32): void {
  memory.fill(out, 0, <usize>count << 3);
  let row = matrix;
  for (let j = 0; j < count; j++) {
    const own = load<f64>(x + (<usize>j << 3));
    const splat = f64x2.splat(own);
    let sum2 = f64x2.splat(0);
    let k = 0;
    for (; k + 1 < j; k += 2) {
      const a = f64x2.promote_low_f32x4(v128.load64_zero(row + (<usize>k << 2)));
      const p = <usize>k << 3;
      sum2 = f64x2.add(sum2, f64x2.mul(a, v128.load(x + p)));
      v128.store(out + p, f64x2.add(v128.load(out + p), f64x2.mul(a, splat)));
    }
    let sum = f64x2.extract_lane(sum2, 0) + f64x2.extract_lane(sum2, 1);
    for (; k < j; k++) {
      const a = <f64>load<f32>(row + (<usize>k << 2));
      const p = <usize>k << 3;
      sum += a * load<f64>(x + p);
      store<f64>(out + p, load<f64>(out + p) + a * own);
    }
    const p = <usize>j << 3;
    store<f64>(out + p, load<f64>(out + p) + sum + <f64>load<f32>(row + (<usize>j << 2)) * own);
    row += <usize>(j + 1) << 2;
  }
}

/** out_r = Σ_j weights_j scale Π_b table[b][others_r ^ bytes_j] for `rows` other masks. */
export function crossTimes(others: usize, rows: i32, bytes: usize, table: usize, scale: f64, weights: usize, out: usize, count: i32, width: i32): void {
  for (let r = 0; r < rows; r++) {
    const mine = others + <usize>r * <usize>width;
    let sum: f64 = 0;
    for (let j = 0; j < count; j++) {
      const other = bytes + <usize>j * <usize>width;
      let value = load<f64>(weights + (<usize>j << 3));
      for (let b = 0; b < width; b++) value *= load<f64>(table + (<usize>b << 11) + (<usize>(load<u8>(mine + b) ^ load<u8>(other + b)) << 3));
      sum += value;
    }
    store<f64>(out + (<usize>r << 3), scale * sum);
  }
}
