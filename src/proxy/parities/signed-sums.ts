/**
 * Correlations Σ_r χ_S(m_r) w_r of many sets with one vector: the signed sums of every 8 rows are tabulated once, and a
 * set, given as the xor of two bit columns, looks up N/8 of them.
 */

/** table[256·b + pattern] = Σ over rows 8b .. 8b + 7 of ±residual, minus where the pattern's bit is set. */
export function signedSums(residual: Float64Array, table: Float64Array): void {
  for (let start = 0; start < residual.length; start += 8) {
    const at = 32 * start;
    let sum = 0;
    for (let r = 0; r < 8; r++) sum += residual[start + r];
    table[at] = sum;
    for (let bit = 0; bit < 8; bit++) {
      const twice = 2 * residual[start + bit];
      for (let pattern = 0; pattern < 1 << bit; pattern++)
        table[at + (1 << bit) + pattern] = table[at + pattern] - twice;
    }
  }
}

/** Σ_r χ_r · residual_r for the column a xor b. */
export function correlation(a: Uint32Array, b: Uint32Array, table: Float64Array): number {
  let even = 0;
  let odd = 0;
  for (let w = 0, at = 0; w < a.length; w++, at += 1024) {
    const word = a[w] ^ b[w];
    even += table[at + (word & 255)] + table[at + 512 + ((word >>> 16) & 255)];
    odd += table[at + 256 + ((word >>> 8) & 255)] + table[at + 768 + (word >>> 24)];
  }
  return even + odd;
}
