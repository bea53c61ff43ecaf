/**
 * What gradients at random masks say about a game before anything is fitted: how much each player matters alone, and how
 * much it takes part in interactions.
 *
 * x_i = 1 - 2 m_i in {+1,-1}, absent +1, and h_i = ∂f/∂x_i = -½ ∂f/∂m_i. Were f linear along each m_i, h_i(x) would be
 * D_i f(x) = Σ_{S∋i} F(S) χ_{S\i}(x), the discrete derivative (O'Donnell, Analysis of Boolean Functions, 2014, section 2.2):
 * its mean is F({i}), its variance what i has in larger sets. A network is not linear along m_i. What bends like a
 * parabola shows as a slope of h_i on x_i itself, for h_i is then D_i f plus a multiple of x_i; that slope is taken out.
 */
import { isKept, type Masks } from '../../masks.ts';

/** Masks with their values and gradients; the first `count` masks of a set have both. */
export interface Slopes {
  /** T. */
  readonly count: number;
  /** h less its slope on x_i, T x n. */
  readonly slopes: Float32Array;
  /** Mean of every player's over the T masks. */
  readonly means: Float64Array;
  /** Its variance. */
  readonly variances: Float64Array;
  /** The largest of them, never 0. */
  readonly largest: number;
}

/** Variances below this share of the mean square slope count as that much: gradients are 32-bit numbers. */
const ROUNDING = 1e-8;

/** `gradients` [T · n] are ∂f/∂m at the first T masks. */
export function slopesOf(masks: Masks, gradients: Float32Array): Slopes {
  const n = masks.players;
  const count = gradients.length / n;
  const slopes = new Float32Array(gradients.length);
  const means = new Float64Array(n);
  const variances = new Float64Array(n);
  const x = new Float64Array(count);
  for (let i = 0; i < n; i++) {
    let [sum, sumX, sumXX, sumXH, sumHH] = [0, 0, 0, 0, 0];
    for (let t = 0; t < count; t++) {
      x[t] = isKept(masks, t, i) ? -1 : 1;
      const h = -gradients[t * n + i] / 2;
      sum += h;
      sumX += x[t];
      sumXX += x[t] * x[t];
      sumXH += x[t] * h;
      sumHH += h * h;
    }
    const spread = sumXX - (sumX * sumX) / count;
    const across = sumXH - (sumX * sum) / count;
    // As far as it stands out: where a player is nearly always there or gone, its slope is hardly known (James, Stein).
    const raw = spread > 0 ? across / spread : 0;
    const rest = Math.max(0, sumHH - (sum * sum) / count - raw * across) / Math.max(1, count - 2);
    const bend = raw === 0 ? 0 : (raw * raw * raw) / (raw * raw + rest / spread);
    const mean = (sum - bend * sumX) / count;
    let squares = 0;
    for (let t = 0; t < count; t++) {
      const h = -gradients[t * n + i] / 2 - bend * x[t];
      slopes[t * n + i] = h;
      squares += (h - mean) ** 2;
    }
    means[i] = mean;
    variances[i] = squares / Math.max(1, count - 2);
  }
  const square = means.reduce((total, mean) => total + mean * mean, 0) / n;
  const least = ROUNDING * square + Number.MIN_VALUE ** 0.5;
  for (let i = 0; i < n; i++) variances[i] += least;
  return { count, slopes, means, variances, largest: variances.reduce((most, v) => Math.max(most, v), 0) };
}

/** What cross-validation chooses. */
export interface Setting {
  /** What in a slope is not of the game, in units of its variance. */
  readonly slopeNoise: number;
  /** The same of a value, in units of theirs. */
  readonly valueNoise: number;
  /** ρ_i = REACH · (variance_i / the largest)^exponent. */
  readonly exponent: number;
}

/** Prior of a Gaussian process: variances of F(∅), of single players beside those of the product, and of all sets. */
export interface Prior {
  /** Of the constant. */
  readonly constant: number;
  /** v_i of every F({i}), on top of the product's. */
  readonly singles: Float64Array;
  /** F(S) has variance amplitude · Π_{i∈S} ρ_i. */
  readonly amplitude: number;
  readonly rho: Float64Array;
  /** Variance of what is not explained: of every player's slopes, of a value. */
  readonly slopeNoise: Float64Array;
  readonly valueNoise: number;
}

/** ρ of the player with the most interactions: how fast variances fall from order to order. */
const REACH = 0.2;
/** Noise of slopes that hardly vary, as a share of the largest variance. */
const LEAST_NOISE = 1e-3;

/**
 * A prior whose expected variance of all slopes is what was seen: amplitude Σ_i ρ_i (Π_{j≠i}(1 + ρ_j) - 1) = Σ_i variance_i.
 * `variance` is that of the values.
 */
export function priorOf({ means, variances, largest }: Slopes, variance: number, setting: Setting): Prior {
  const rho = variances.map((v) => REACH * (v / largest) ** setting.exponent);
  const log = rho.reduce((sum, r) => sum + Math.log1p(r), 0);
  let expected = 0;
  let seen = 0;
  rho.forEach((r, i) => {
    expected += r * Math.expm1(log - Math.log1p(r));
    seen += variances[i];
  });
  return {
    constant: 4 * variance,
    singles: means.map((mean) => mean * mean + 1e-9 * largest),
    amplitude: expected > 0 ? seen / expected : 0,
    rho,
    slopeNoise: variances.map((v) => setting.slopeNoise * (v + LEAST_NOISE * largest)),
    valueNoise: setting.valueNoise * variance,
  };
}
