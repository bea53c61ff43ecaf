/**
 * What follows a product, number by number: activation(x + bias) · factor + onto (AssemblyScript; called by product.ts, and
 * for the gate of an MLP through src/backend/wasm-kernels.ts).
 *
 * Each activation has a loop in a function of its own, exported so that they are not inlined into one: V8 then moves
 * what they have in common to where all pay for it (4 times slower for relu, measured).
 */
import { activate, GELU, GELU_NEW, loadPart, NONE, RELU, SILU, storePart } from './functions';

// @ts-ignore: decorator
@inline
function run(x: usize, out: usize, n: i32, bias: usize, factor: usize, onto: usize, kind: i32): void {
  for (; n > 3; n -= 4, x += 16, out += 16) {
    let y = v128.load(x);
    if (bias != 0) {
      y = f32x4.add(y, v128.load(bias));
      bias += 16;
    }
    y = activate(y, kind);
    if (factor != 0) {
      y = f32x4.mul(y, v128.load(factor));
      factor += 16;
    }
    if (onto != 0) {
      y = f32x4.add(y, v128.load(onto));
      onto += 16;
    }
    v128.store(out, y);
  }
  if (n == 0) return;
  const zero = f32x4.splat(0);
  let y = loadPart(x, n, zero);
  if (bias != 0) y = f32x4.add(y, loadPart(bias, n, zero));
  y = activate(y, kind);
  if (factor != 0) y = f32x4.mul(y, loadPart(factor, n, zero));
  if (onto != 0) y = f32x4.add(y, loadPart(onto, n, zero));
  storePart(out, y, n);
}

export function pointwiseNone(x: usize, out: usize, n: i32, bias: usize, factor: usize, onto: usize): void {
  run(x, out, n, bias, factor, onto, NONE);
}

export function pointwiseRelu(x: usize, out: usize, n: i32, bias: usize, factor: usize, onto: usize): void {
  run(x, out, n, bias, factor, onto, RELU);
}

export function pointwiseSilu(x: usize, out: usize, n: i32, bias: usize, factor: usize, onto: usize): void {
  run(x, out, n, bias, factor, onto, SILU);
}

export function pointwiseGelu(x: usize, out: usize, n: i32, bias: usize, factor: usize, onto: usize): void {
  run(x, out, n, bias, factor, onto, GELU);
}

export function pointwiseGeluNew(x: usize, out: usize, n: i32, bias: usize, factor: usize, onto: usize): void {
  run(x, out, n, bias, factor, onto, GELU_NEW);
}

/** out = activation(x + bias) · factor + onto over n numbers; 0 stands for none of the three. out may be x. */
export function pointwise(x: usize, out: usize, n: i32, bias: usize, factor: usize, onto: usize, kind: i32): void {
  if (kind == NONE) pointwiseNone(x, out, n, bias, factor, onto);
  else if (kind == RELU) pointwiseRelu(x, out, n, bias, factor, onto);
  else if (kind == SILU) pointwiseSilu(x, out, n, bias, factor, onto);
  else if (kind == GELU) pointwiseGelu(x, out, n, bias, factor, onto);
  else pointwiseGeluNew(x, out, n, bias, factor, onto);
}
