/** The scalar functions of the Float64 twin: softmax, activations, rotary turns, ALiBi's slopes, erf to full precision. */
import type { Activation, Rotary } from '../config.ts';

/** x [S, heads, e] with pairs of dimensions turned by position · frequency_i and multiplied by the amplitude. */
export function turned(x: Float64Array, S: number, dHead: number, rotary: Rotary): Float64Array {
  const { dims, pairs = 'halves', amplitude = 1 } = rotary;
  const out = Float64Array.from(x);
  const stride = x.length / S;
  for (let i = 0; i < dims / 2; i++) {
    const frequency = frequencyOf(rotary, i, S);
    const [one, other] = pairs === 'halves' ? [i, i + dims / 2] : [2 * i, 2 * i + 1];
    for (let s = 0; s < S; s++) {
      const [cos, sin] = [amplitude * Math.cos(s * frequency), amplitude * Math.sin(s * frequency)];
      for (let h = s * stride; h < (s + 1) * stride; h += dHead) {
        const [a, b] = [x[h + one], x[h + other]];
        out[h + one] = a * cos - b * sin;
        out[h + other] = b * cos + a * sin;
      }
    }
  }
  return out;
}

/** In radians per position, in a row of S tokens. */
function frequencyOf({ dims, theta, scaling }: Rotary, i: number, S: number): number {
  const plain = theta ** ((-2 * i) / dims);
  switch (scaling?.kind) {
    case undefined:
      return plain;
    case 'linear':
      return plain / scaling.factor;
    case 'llama3': {
      const wavelength = (2 * Math.PI) / plain;
      const ramp =
        (scaling.originalContext / wavelength - scaling.lowFrequency) / (scaling.highFrequency - scaling.lowFrequency);
      const kept = Math.min(1, Math.max(0, ramp));
      return ((1 - kept) * plain) / scaling.factor + kept * plain;
    }
    case 'yarn': {
      const high = scaling.high === scaling.low ? scaling.low + 0.001 : scaling.high;
      const divided = Math.min(1, Math.max(0, (i - scaling.low) / (high - scaling.low)));
      return plain * (divided / scaling.factor + 1 - divided);
    }
    case 'dynamic': {
      const longer = Math.max(1, S / scaling.originalContext);
      return (theta * (scaling.factor * longer - scaling.factor + 1) ** (dims / (dims - 2))) ** ((-2 * i) / dims);
    }
    case 'longrope':
      return plain / (S > scaling.originalContext ? scaling.long : scaling.short)[i];
    default:
      return scaling satisfies never;
  }
}

/** ALiBi's slope of head h of n: the powers of 2^(-8/m) for the power of two m below n, then every second of 2m's. */
export function slopeOf(h: number, n: number): number {
  let m = 1;
  while (2 * m <= n) m *= 2;
  return h < m ? 2 ** ((-8 * (h + 1)) / m) : 2 ** ((-8 * (2 * (h - m) + 1)) / (2 * m));
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
    case 'relu2':
      return x.map((u) => Math.max(u, 0) ** 2);
    case 'silu':
      return x.map((u) => u / (1 + Math.exp(-u)));
    case 'quick_gelu':
      return x.map((u) => u / (1 + Math.exp(-1.702 * u)));
    case 'gelu':
      return x.map((u) => 0.5 * u * (1 + erf(u / Math.SQRT2)));
    case 'gelu_new':
      return x.map((u) => 0.5 * u * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (u + 0.044715 * u ** 3))));
    case 'solu':
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

/** Hidden units [S, m] times the weights of their experts, whose scores [S, count] are the router's (ModelConfig.experts). */
export function routed(
  units: Float64Array,
  scores: Float64Array,
  { count, active, normalised }: { readonly count: number; readonly active: number; readonly normalised: boolean },
): Float64Array {
  const rows = scores.length / count;
  const m = units.length / rows;
  const out = new Float64Array(units.length);
  for (let r = 0; r < rows; r++) {
    const shares = softmax(scores.subarray(r * count, (r + 1) * count));
    const least = shares.toSorted().at(-active) as number;
    const kept = Array.from(shares, (share) => (share >= least ? share : 0));
    const total = normalised ? kept.reduce((sum, share) => sum + share, 0) : 1;
    for (let i = 0; i < m; i++) out[r * m + i] = (units[r * m + i] * kept[Math.floor((i * count) / m)]) / total;
  }
  return out;
}
