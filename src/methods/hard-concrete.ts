/**
 * The hard concrete distribution: a mask on [0, 1] that is 0 or 1 with some probability and can be differentiated in between.
 *
 * s = σ((log u - log(1 - u) + log α)/β), u uniform; z = min(1, max(0, s(ζ - γ) + γ)). Louizos, Welling, Kingma, Learning Sparse Neural
 * Networks through L0 Regularization, arXiv 1712.01312, section 2.2, with its β, γ and ζ.
 */
const [BETA, GAMMA, ZETA] = [2 / 3, -0.1, 1.1];
const SHIFT = BETA * Math.log(-GAMMA / ZETA);

export interface HardConcrete {
  readonly z: number;
  /** ∂z/∂log α at the same u. */
  readonly slope: number;
}

/** The mask that a uniform number `u` in (0, 1) gives. */
export function hardConcrete(logAlpha: number, u: number): HardConcrete {
  const s = sigmoid((Math.log(u) - Math.log(1 - u) + logAlpha) / BETA);
  const stretched = s * (ZETA - GAMMA) + GAMMA;
  if (stretched <= 0) return { z: 0, slope: 0 };
  if (stretched >= 1) return { z: 1, slope: 0 };
  return { z: stretched, slope: ((ZETA - GAMMA) * s * (1 - s)) / BETA };
}

/** P(z ≠ 0) = σ(log α - β log(-γ/ζ)), the expected L0 norm, and its derivative. */
export function openProbability(logAlpha: number): { readonly probability: number; readonly slope: number } {
  const probability = sigmoid(logAlpha - SHIFT);
  return { probability, slope: probability * (1 - probability) };
}

/** The mask that is used once learning is over: min(1, max(0, σ(log α)(ζ - γ) + γ)). */
export function settledMask(logAlpha: number): number {
  return Math.min(1, Math.max(0, sigmoid(logAlpha) * (ZETA - GAMMA) + GAMMA));
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
