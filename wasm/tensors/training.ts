/** What a step of training needs beside products (AssemblyScript; called through src/backend/wasm-perceptron.ts and wasm-product.ts). */
import { soften } from './attention';
import { loadPart, multiplyAdd, storePart } from './functions';

/** By row, p = softmax(logits) and errors = c (p - right), with c [rows] and the others [rows, classes]. */
export function softmaxErrors(logits: usize, right: usize, c: usize, p: usize, errors: usize, rows: i32, classes: i32): void {
  const bytes = <usize>classes << 2;
  const zero = f32x4.splat(0);
  for (let r = 0; r < rows; r++, logits += bytes, right += bytes, p += bytes, errors += bytes, c += 4) {
    memory.copy(p, logits, bytes);
    soften(p, classes, 1, 0, 0);
    const weight = v128.load_splat<f32>(c);
    let at: usize = 0;
    let n = classes;
    for (; n > 3; n -= 4, at += 16) v128.store(errors + at, f32x4.mul(f32x4.sub(v128.load(p + at), v128.load(right + at)), weight));
    if (n > 0) storePart(errors + at, f32x4.mul(f32x4.sub(loadPart(p + at, n, zero), loadPart(right + at, n, zero)), weight), n);
  }
}

/** out [columns] = the sum of x [rows, columns] over its rows. */
export function sumRows(x: usize, out: usize, rows: i32, columns: i32): void {
  const bytes = <usize>columns << 2;
  const zero = f32x4.splat(0);
  let n = columns;
  for (; n > 3; n -= 4, x += 16, out += 16) {
    let sum = zero;
    for (let r: usize = 0; r < <usize>rows; r++) sum = f32x4.add(sum, v128.load(x + r * bytes));
    v128.store(out, sum);
  }
  if (n == 0) return;
  let sum = zero;
  for (let r: usize = 0; r < <usize>rows; r++) sum = f32x4.add(sum, loadPart(x + r * bytes, n, zero));
  storePart(out, sum, n);
}

/** out [columns, rows] = x [rows, columns] turned. */
export function transpose(x: usize, out: usize, rows: i32, columns: i32): void {
  const down = <usize>rows << 2;
  for (let r = 0; r < rows; r++, out += 4) {
    let to = out;
    for (let c = 0; c < columns; c++, x += 4, to += down) store<f32>(to, load<f32>(x));
  }
}

/** v' = momentum·v + (gradient + decay·θ), θ' = θ - rate·v', over n numbers. */
export function momentumStep(theta: usize, velocity: usize, gradient: usize, nextTheta: usize, nextVelocity: usize, n: i32, momentum: f32, decay: f32, rate: f32): void {
  const m = f32x4.splat(momentum);
  const d = f32x4.splat(decay);
  const less = f32x4.splat(-rate);
  for (; n > 3; n -= 4, theta += 16, velocity += 16, gradient += 16, nextTheta += 16, nextVelocity += 16) {
    const t = v128.load(theta);
    const v = multiplyAdd(v128.load(velocity), m, multiplyAdd(t, d, v128.load(gradient)));
    v128.store(nextVelocity, v);
    v128.store(nextTheta, multiplyAdd(v, less, t));
  }
  if (n == 0) return;
  const zero = f32x4.splat(0);
  const t = loadPart(theta, n, zero);
  const v = multiplyAdd(loadPart(velocity, n, zero), m, multiplyAdd(t, d, loadPart(gradient, n, zero)));
  storePart(nextVelocity, v, n);
  storePart(nextTheta, multiplyAdd(v, less, t), n);
}
