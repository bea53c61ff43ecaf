/**
 * Rows laid out anew and masked in one pass (AssemblyScript; called through src/backend/wasm-kernels.ts): what happens where an
 * ablated activation goes from one row to the rows of several masks.
 */

/** out = x · factor + base · (1 - factor) over n numbers; base 0 is none. A factor of 1 is x and one of 0 the base to the last bit. */
function blend(x: usize, out: usize, n: i32, factor: f32, base: usize): void {
  const bytes = <usize>n << 2;
  if (factor == 1) {
    memory.copy(out, x, bytes);
    return;
  }
  if (factor == 0) {
    if (base == 0) memory.fill(out, 0, bytes);
    else memory.copy(out, base, bytes);
    return;
  }
  for (let i: usize = 0; i < bytes; i += 4) {
    const kept = load<f32>(x + i) * factor;
    store<f32>(out + i, base == 0 ? kept : kept + load<f32>(base + i) * (1 - factor));
  }
}

/** The same with a factor for each number. */
function blendEach(x: usize, out: usize, n: i32, factors: usize, base: usize): void {
  const one = f32x4.splat(1);
  let i: usize = 0;
  const whole = <usize>(n & ~3) << 2;
  for (; i < whole; i += 16) {
    const factor = v128.load(factors + i);
    let y = f32x4.mul(v128.load(x + i), factor);
    if (base != 0) y = f32x4.add(y, f32x4.mul(v128.load(base + i), f32x4.sub(one, factor)));
    v128.store(out + i, y);
  }
  for (; i < <usize>n << 2; i += 4) {
    const factor = load<f32>(factors + i);
    const kept = load<f32>(x + i) * factor;
    store<f32>(out + i, base == 0 ? kept : kept + load<f32>(base + i) * (1 - factor));
  }
}

/**
 * out [rows, positions, elements, width]: row r is row parents[r] of x (row 0 where parents is 0 and x has one, else row r), each
 * element by its factor. factors [rows, factorPositions, elements], or 0 for none; base [basePositions, elements, width], or 0.
 * factorPositions and basePositions are 1 or positions.
 */
export function maskRows(x: usize, single: bool, parents: usize, factors: usize, factorPositions: i32, base: usize, basePositions: i32, out: usize, rows: i32, positions: i32, elements: i32, width: i32): void {
  const line = <usize>(elements * width) << 2;
  const rowBytes = <usize>positions * line;
  for (let r = 0; r < rows; r++) {
    const from = parents != 0 ? load<i32>(parents + (<usize>r << 2)) : single ? 0 : r;
    let source = x + <usize>from * rowBytes;
    if (factors == 0) {
      memory.copy(out, source, rowBytes);
      out += rowBytes;
      continue;
    }
    for (let p = 0; p < positions; p++, source += line, out += line) {
      const factor = factors + (<usize>((r * factorPositions + (factorPositions == 1 ? 0 : p)) * elements) << 2);
      const here = base == 0 ? <usize>0 : base + <usize>(basePositions == 1 ? 0 : p) * line;
      if (width == 1) blendEach(source, out, elements, factor, here);
      else for (let e = 0; e < elements; e++) blend(source + (<usize>(e * width) << 2), out + (<usize>(e * width) << 2), width, load<f32>(factor + (<usize>e << 2)), here == 0 ? 0 : here + (<usize>(e * width) << 2));
    }
  }
}
