/**
 * Functions of four float32 at a time (AssemblyScript). No tables: the module shares its memory and owns none of it.
 *
 * The polynomials are Chebyshev fits made for this file; each comment gives its largest error in exact arithmetic.
 */

/** Activations by number, as src/backend/wasm-kernels.ts passes them. */
export const NONE: i32 = 0;
export const RELU: i32 = 1;
export const SILU: i32 = 2;
export const GELU: i32 = 3;
export const GELU_NEW: i32 = 4;

/** a · b + c, rounded once where the module is built with relaxed SIMD and the processor has fused multiply-add. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.relaxed_madd<f32>(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

// @ts-ignore: decorator
@inline
function times(x: v128, factor: f32): v128 {
  return f32x4.mul(x, f32x4.splat(factor));
}

// @ts-ignore: decorator
@inline
function horner(sum: v128, x: v128, next: f32): v128 {
  return multiplyAdd(sum, x, f32x4.splat(next));
}

/** Where e to the power stays a normal number. */
const LOWEST: f32 = -87.3;
const HIGHEST: f32 = 88.3;

/**
 * eˣ within 2e-7 relative, for LOWEST <= x <= HIGHEST. x = n·ln 2 + r, |r| <= ln 2 / 2; eʳ by degree 6 (8e-9). Adding 1.5 · 2²³
 * rounds to a whole number, which then is in the low bits.
 */
// @ts-ignore: decorator
@inline
function expInside(x: v128): v128 {
  const whole = f32x4.splat(12582912);
  const shifted = multiplyAdd(x, f32x4.splat(1.44269504), whole);
  const n = f32x4.sub(shifted, whole);
  let r = multiplyAdd(n, f32x4.splat(-0.693359375), x);
  r = multiplyAdd(n, f32x4.splat(2.12194440e-4), r);
  let p = horner(f32x4.splat(0.00139262508), r, 0.00836323288);
  p = horner(p, r, 0.0416665542);
  p = horner(p, r, 0.166665767);
  p = horner(p, r, 0.5);
  const y = f32x4.add(multiplyAdd(p, f32x4.mul(r, r), r), f32x4.splat(1));
  return f32x4.mul(y, i32x4.add(i32x4.shl(shifted, 23), i32x4.splat(127 << 23)));
}

/** eˣ for x <= HIGHEST, and 0 below LOWEST; NaN stays NaN, here and below. */
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  const low = f32x4.splat(LOWEST);
  return v128.andnot(expInside(f32x4.pmax(x, low)), f32x4.lt(x, low));
}

/** x / (1 + e⁻ʸ). */
// @ts-ignore: decorator
@inline
function gated(x: v128, y: v128): v128 {
  const high = f32x4.splat(HIGHEST);
  const z = f32x4.neg(y);
  const e = expInside(f32x4.pmax(f32x4.pmin(z, high), f32x4.splat(LOWEST)));
  return f32x4.div(x, f32x4.add(f32x4.splat(1), v128.bitselect(f32x4.splat(Infinity), e, f32x4.gt(z, high))));
}

/** x·Φ(x): Φ(-|x|) = t·e^(-x²/2)·polynomial(t), t = 1 / (1 + 0.3|x|), by degree 8 (1.4e-7). */
// @ts-ignore: decorator
@inline
function gelu(x: v128): v128 {
  const size = f32x4.abs(x);
  const t = f32x4.div(f32x4.splat(1), multiplyAdd(size, f32x4.splat(0.3), f32x4.splat(1)));
  let p = horner(f32x4.splat(0.0172237514), t, -0.0433007745);
  p = horner(p, t, -0.00479694361);
  p = horner(p, t, 0.0454089625);
  p = horner(p, t, 0.0475550866);
  p = horner(p, t, 0.0899004589);
  p = horner(p, t, 0.10863325);
  p = horner(p, t, 0.11969373);
  p = horner(p, t, 0.119682615);
  const e = expInside(f32x4.pmax(f32x4.mul(times(x, -0.5), x), f32x4.splat(-60))); // no denormal numbers, which are slow
  const below = f32x4.mul(x, f32x4.mul(f32x4.mul(p, t), e));
  return v128.bitselect(below, f32x4.sub(x, below), f32x4.lt(x, f32x4.splat(0)));
}

/** tanh within 3e-7 relative: below 0.6 y·polynomial(y²) of degree 5 (3e-9), above by e^(-2|y|). */
export function tanh(y: v128): v128 {
  const size = f32x4.abs(y);
  const square = f32x4.mul(y, y);
  let p = horner(f32x4.splat(-0.00584964391), square, 0.0207513491);
  p = horner(p, square, -0.0537679835);
  p = horner(p, square, 0.133316796);
  p = horner(p, square, -0.333332828);
  p = horner(p, square, 1);
  const e = exp(times(size, -2));
  const large = f32x4.div(f32x4.sub(f32x4.splat(1), e), f32x4.add(f32x4.splat(1), e));
  const signed = v128.or(large, v128.and(y, f32x4.splat(-0)));
  return v128.bitselect(f32x4.mul(y, p), signed, f32x4.lt(size, f32x4.splat(0.6)));
}

/** √(8/π) and 0.044715·√(8/π): tanh-gelu is x·sigmoid(2u). */
const TWICE_U1: f32 = 1.59576912;
const TWICE_U3: f32 = 0.0713548163;

/** An activation of four numbers. */
// @ts-ignore: decorator
@inline
export function activate(x: v128, kind: i32): v128 {
  if (kind == GELU_NEW) return gated(x, f32x4.mul(x, horner(f32x4.mul(x, x), f32x4.splat(TWICE_U3), TWICE_U1)));
  if (kind == GELU) return gelu(x);
  if (kind == SILU) return gated(x, x);
  if (kind == RELU) return f32x4.pmax(x, f32x4.splat(0));
  return x;
}

/** 1 / (1 + e⁻ʸ). */
// @ts-ignore: decorator
@inline
function sigmoid(y: v128): v128 {
  return gated(f32x4.splat(1), y);
}

/** φ(x) = e^(-x²/2) / √(2π), where x·φ(x) is not 0 in float32. */
// @ts-ignore: decorator
@inline
function density(x: v128): v128 {
  return times(expInside(f32x4.pmax(f32x4.mul(times(x, -0.5), x), f32x4.splat(-60))), 0.39894228);
}

/** The slope of an activation at four numbers. */
// @ts-ignore: decorator
@inline
export function slope(x: v128, kind: i32): v128 {
  const one = f32x4.splat(1);
  if (kind == GELU_NEW) {
    const square = f32x4.mul(x, x);
    const s = sigmoid(f32x4.mul(x, horner(square, f32x4.splat(TWICE_U3), TWICE_U1)));
    const inner = horner(square, f32x4.splat(3 * TWICE_U3), TWICE_U1);
    return multiplyAdd(f32x4.mul(f32x4.mul(x, s), f32x4.sub(one, s)), inner, s);
  }
  if (kind == GELU) {
    const size = f32x4.abs(x);
    // Φ(x) = gelu(x) / x; next to 0, where that is nothing over nothing, 1/2 + x φ(0).
    const near = multiplyAdd(x, f32x4.splat(0.39894228), f32x4.splat(0.5));
    const share = v128.bitselect(near, f32x4.div(gelu(x), x), f32x4.lt(size, f32x4.splat(1e-3)));
    return multiplyAdd(x, density(x), share);
  }
  if (kind == SILU) {
    const s = sigmoid(x);
    return multiplyAdd(f32x4.mul(x, s), f32x4.sub(one, s), s);
  }
  if (kind == RELU) return v128.and(one, f32x4.gt(x, f32x4.splat(0)));
  return one;
}

/** The first 1 to 3 numbers at `at`, in the low lanes of `rest`. */
export function loadPart(at: usize, count: i32, rest: v128): v128 {
  let x = v128.load_lane<f32>(at, rest, 0);
  if (count > 1) x = v128.load_lane<f32>(at + 4, x, 1);
  if (count > 2) x = v128.load_lane<f32>(at + 8, x, 2);
  return x;
}

/** Writes the 1 to 3 low lanes. */
export function storePart(at: usize, x: v128, count: i32): void {
  v128.store_lane<f32>(at, x, 0);
  if (count > 1) v128.store_lane<f32>(at + 4, x, 1);
  if (count > 2) v128.store_lane<f32>(at + 8, x, 2);
}

/** The sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function total(x: v128): f32 {
  return f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

/** The largest of the four lanes. */
// @ts-ignore: decorator
@inline
export function largest(x: v128): f32 {
  return max(max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)), max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)));
}

/** multiplyAdd of single numbers, to see what it does here: an early draft of relaxed SIMD had the operands otherwise. */
export function multiplyAddOne(a: f32, b: f32, c: f32): f32 {
  return f32x4.extract_lane(multiplyAdd(f32x4.splat(a), f32x4.splat(b), f32x4.splat(c)), 0);
}
