/**
 * The same forward pass in plain Float64 JavaScript, with loops instead of tensors.
 *
 * It shares no operation with forward.ts and is written for clarity: the backend self-check and the tests
 * measure every backend against it. Cost O(S·params) scalar operations: for small models only.
 */
import type { ModelConfig } from './config.ts';

/** Row-major matrices by canonical parameter name. */
export type ReferenceParameters = Readonly<Record<string, { readonly shape: readonly number[]; readonly values: ArrayLike<number> }>>;

export interface ReferenceRun {
  /** [S, V] */
  readonly logits: Float64Array;
  /** resid_pre of every layer, then the last resid_post: nLayers + 1 arrays of [S, d]. */
  readonly residuals: readonly Float64Array[];
  /** hook_z of every layer, [S, H, e]. */
  readonly z: readonly Float64Array[];
}

export interface ReferenceOptions {
  /** Replaces hook_z of a layer, [S, H, e]. */
  readonly editZ?: (layer: number, z: Float64Array) => Float64Array;
  /** Replaces hook_mlp_out of a layer, [S, d]. */
  readonly editMlpOut?: (layer: number, out: Float64Array) => Float64Array;
}

/** One row of token ids through the model in Float64. */
export function referenceForward(config: ModelConfig, parameters: ReferenceParameters, tokens: readonly number[], options: ReferenceOptions = {}): ReferenceRun {
  const { dModel: d, nHeads, dHead, norm } = config;
  const S = tokens.length;
  const at = (name: string): ArrayLike<number> => parameters[name].values;
  const bias = (name: string): ArrayLike<number> | undefined => parameters[name]?.values;

  const product = (x: Float64Array, rows: number, inner: number, W: ArrayLike<number>, cols: number, b?: ArrayLike<number>): Float64Array => {
    const out = new Float64Array(rows * cols);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < cols; c++) out[r * cols + c] = b === undefined ? 0 : b[c];
      for (let i = 0; i < inner; i++) {
        const value = x[r * inner + i];
        for (let c = 0; c < cols; c++) out[r * cols + c] += value * W[i * cols + c];
      }
    }
    return out;
  };
  const normalise = (x: Float64Array, name: string, width: number): Float64Array => {
    if (norm.kind === 'none') return x;
    const out = new Float64Array(x.length);
    for (let r = 0; r < x.length; r += width) {
      const row = x.subarray(r, r + width);
      const mean = row.reduce((a, b) => a + b, 0) / width;
      const scale = Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / width + norm.eps);
      for (let i = 0; i < width; i++) {
        const value = (row[i] - mean) / scale;
        out[r + i] = norm.affine ? value * at(`${name}.w`)[i] + at(`${name}.b`)[i] : value;
      }
    }
    return out;
  };
  const sum = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value + b[i]);

  const positions = Float64Array.from({ length: S * d }, (_, i) => at('pos_embed.W_pos')[i]);
  let residual = new Float64Array(S * d);
  tokens.forEach((token, s) => {
    for (let i = 0; i < d; i++) residual[s * d + i] = at('embed.W_E')[token * d + i];
  });
  if (config.positions === 'learned') residual = sum(residual, positions) as Float64Array<ArrayBuffer>;

  const residuals: Float64Array[] = [];
  const zs: Float64Array[] = [];
  const he = nHeads * dHead;
  for (let l = 0; l < config.nLayers; l++) {
    residuals.push(residual);
    const b = `blocks.${l}`;
    const x = normalise(residual, `${b}.ln1`, d);
    const shifted = config.positions === 'shortformer' ? sum(x, positions) : x;
    const q = product(shifted, S, d, at(`${b}.attn.W_Q`), he, bias(`${b}.attn.b_Q`));
    const k = product(shifted, S, d, at(`${b}.attn.W_K`), he, bias(`${b}.attn.b_K`));
    const v = product(x, S, d, at(`${b}.attn.W_V`), he, bias(`${b}.attn.b_V`));
    let z: Float64Array = new Float64Array(S * he);
    for (let h = 0; h < nHeads; h++) {
      for (let i = 0; i < S; i++) {
        const limit = config.attention.causal ? i + 1 : S;
        const scores = Float64Array.from({ length: limit }, (_, j) => {
          let dot = 0;
          for (let e = 0; e < dHead; e++) dot += q[i * he + h * dHead + e] * k[j * he + h * dHead + e];
          return dot * config.attention.scales[l];
        });
        const weights = softmax(scores);
        for (let j = 0; j < limit; j++) for (let e = 0; e < dHead; e++) z[i * he + h * dHead + e] += weights[j] * v[j * he + h * dHead + e];
      }
    }
    z = options.editZ?.(l, z) ?? z;
    zs.push(z);
    residual = sum(residual, product(z, S, he, at(`${b}.attn.W_O`), d, bias(`${b}.attn.b_O`))) as Float64Array<ArrayBuffer>;
    if (config.dMlp === 0) continue;
    const m = config.dMlp;
    const pre = product(normalise(residual, `${b}.ln2`, d), S, d, at(`${b}.mlp.W_in`), m, bias(`${b}.mlp.b_in`));
    let post: Float64Array = new Float64Array(pre.length);
    for (let r = 0; r < S; r++) post.set(activation(pre.subarray(r * m, (r + 1) * m), config), r * m);
    if (config.activation === 'solu_ln') post = normalise(post, `${b}.mlp.ln`, m);
    const out = product(post, S, m, at(`${b}.mlp.W_out`), d, bias(`${b}.mlp.b_out`));
    residual = sum(residual, options.editMlpOut?.(l, out) ?? out) as Float64Array<ArrayBuffer>;
  }
  residuals.push(residual);
  const logits = product(normalise(residual, 'ln_final', d), S, d, at('unembed.W_U'), config.dVocabOut, bias('unembed.b_U'));
  return { logits, residuals, z: zs };
}

function softmax(x: Float64Array): Float64Array {
  const top = Math.max(...x);
  const exps = x.map((value) => Math.exp(value - top));
  const total = exps.reduce((a, b) => a + b, 0);
  return exps.map((value) => value / total);
}

function activation(x: Float64Array, config: ModelConfig): Float64Array {
  switch (config.activation) {
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
      return config.activation satisfies never;
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
