/** The scalar functions of the Float64 twin: softmax, activations, rotary turns, erf to full precision. */
import type { Activation, Rotary } from '../config.ts';

/** x [S, heads, e] with pairs (i, i + dims/2) turned by position · frequency_i. */
export function turned(x: Float64Array, S: number, dHead: number, { dims, theta, scaling }: Rotary): Float64Array {
  const out = Float64Array.from(x);
  const stride = x.length / S;
  for (let i = 0; i < dims / 2; i++) {
    let frequency = theta ** ((-2 * i) / dims);
    if (scaling?.kind === 'linear') frequency /= scaling.factor;
    if (scaling?.kind === 'llama3') {
      const wavelength = (2 * Math.PI) / frequency;
      const ramp =
        (scaling.originalContext / wavelength - scaling.lowFrequency) / (scaling.highFrequency - scaling.lowFrequency);
      const kept = Math.min(1, Math.max(0, ramp));
      frequency = ((1 - kept) * frequency) / scaling.factor + kept * frequency;
    }
    for (let s = 0; s < S; s++) {
      const [cos, sin] = [Math.cos(s * frequency), Math.sin(s * frequency)];
      for (let h = s * stride; h < (s + 1) * stride; h += dHead) {
        const [a, b] = [x[h + i], x[h + i + dims / 2]];
        out[h + i] = a * cos - b * sin;
        out[h + i + dims / 2] = b * cos + a * sin;
      }
    }
  }
  return out;
}

/** Over the whole of x. */
export function softmax(x: Float64Array): Float64Array {
  const top = Math.max(...x);
  const exps = x.map((value) => Math.exp(value - top));
  const total = exps.reduce((a, b) => a + b, 0);
  return exps.map((value) => value / total);
}

/** Of one row (solu_ln: without its norm). */
export function activation(x: Float64Array, kind: Activation): Float64Array {
  switch (kind) {
    case 'relu':
      return x.map((u) => Math.max(u, 0));
    case 'silu':
      return x.map((u) => u / (1 + Math.exp(-u)));
    case 'gelu':
      return x.map((u) => 0.5 * u * (1 + erf(u / Math.SQRT2)));
    case 'gelu_new':
      return x.map((u) => 0.5 * u * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (u + 0.044715 * u ** 3))));
    case 'solu_ln': {
      const weights = softmax(x);
      return x.map((u, i) => u * weights[i]);
    }
    default:
      return kind satisfies never;
  }
}

/** erf to full double precision: Taylor series near 0, continued fraction of erfc (Lentz) beyond 2.5. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = a;
    let total = a;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
      term *= (-a * a) / n;
      total += term / (2 * n + 1);
      if (n > 200) break;
    }
    return (Math.sign(x) * 2 * total) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + fraction) * Math.sqrt(Math.PI)));
}
