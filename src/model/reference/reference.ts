/**
 * The same forward pass in plain Float64 JavaScript, with loops instead of tensors.
 *
 * It shares no operation with forward.ts and is written for clarity: the backend self-check and the tests
 * measure every backend against it. Cost O(S·params) scalar operations: for small models only.
 */
import { layoutOf, type BlockNorm } from '../layout.ts';
import type { ModelConfig, Norm } from '../config.ts';
import { activation, routed, slopeOf, softmax, turned } from './reference-functions.ts';

/** Row-major matrices by canonical parameter name. */
export type ReferenceParameters = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly values: ArrayLike<number> }>
>;

export interface ReferenceRun {
  /** [S, V] */
  readonly logits: Float64Array;
  /** resid_pre of every layer, then what the last block hands on: nLayers + 1 arrays of [S, d]. */
  readonly residuals: readonly Float64Array[];
  /** hook_z of every layer, [S, H, e]. */
  readonly z: readonly Float64Array[];
}

export interface ReferenceOptions {
  /** Replaces hook_z of a layer, [S, H, e]. */
  readonly editZ?: (layer: number, z: Float64Array) => Float64Array;
  /** Replaces hook_mlp_out of a layer, [S, d]. */
  readonly editMlpOut?: (layer: number, out: Float64Array) => Float64Array;
  /** The kind of each token; all 0 when absent. */
  readonly tokenTypes?: readonly number[];
}

/** One row of token ids through the model in Float64. There is no padding here: it must not change a row. */
export function referenceForward(
  config: ModelConfig,
  parameters: ReferenceParameters,
  tokens: readonly number[],
  options: ReferenceOptions = {},
): ReferenceRun {
  const { dModel: d, nHeads, dHead, dMlp: m, embedding = {} } = config;
  const layout = layoutOf(config);
  const S = tokens.length;
  const at = (name: string): ArrayLike<number> => parameters[name].values;
  const bias = (name: string): ArrayLike<number> | undefined => parameters[name]?.values;

  const product = (
    x: Float64Array,
    inner: number,
    W: ArrayLike<number>,
    cols: number,
    b?: ArrayLike<number>,
  ): Float64Array => {
    const rows = x.length / inner;
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
  const normalise = (x: Float64Array, name: string, width = d, kind: Norm = config.norm): Float64Array => {
    if (kind.kind === 'none') return x;
    const out = new Float64Array(x.length);
    for (let r = 0; r < x.length; r += width) {
      const row = x.subarray(r, r + width);
      const mean = kind.kind === 'rms' ? 0 : row.reduce((a, b) => a + b, 0) / width;
      const scale = Math.sqrt(row.reduce((a, b) => a + (b - mean) ** 2, 0) / width + kind.eps);
      for (let i = 0; i < width; i++) {
        const value = (row[i] - mean) / scale;
        if (kind.affine === false) out[r + i] = value;
        else if (kind.kind === 'rms') out[r + i] = value * (at(`${name}.w`)[i] + kind.offset);
        else out[r + i] = value * at(`${name}.w`)[i] + at(`${name}.b`)[i];
      }
    }
    return out;
  };
  const sum = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value + b[i]);
  const rowsOf = (table: ArrayLike<number>, rows: readonly number[], width: number): Float64Array =>
    Float64Array.from(
      { length: rows.length * width },
      (_, i) => table[rows[Math.floor(i / width)] * width + (i % width)],
    );

  const width = embedding.width ?? d;
  let residual = rowsOf(at('embed.W_E'), tokens, width);
  if (width !== d) residual = product(residual, width, at('embed.W_in'), d);
  residual = residual.map((x) => x * (embedding.scale ?? 1));
  if (embedding.norm === 'token') residual = normalise(residual, 'embed.ln');
  const table = bias('pos_embed.W_pos');
  const positions =
    table === undefined
      ? undefined
      : rowsOf(
          table,
          tokens.map((_, s) => s),
          d,
        );
  if (config.positions === 'learned' && positions !== undefined) residual = sum(residual, positions);
  if (embedding.tokenTypes !== undefined)
    residual = sum(residual, rowsOf(at('token_type_embed.W_token_type'), options.tokenTypes ?? tokens.map(() => 0), d));
  if (embedding.norm === 'sum') residual = normalise(residual, 'embed.ln');

  const attend = (l: number, input: Float64Array): Float64Array => {
    const attn = `blocks.${l}.attn`;
    const groups = config.nKvHeads ?? nHeads;
    const shifted = config.positions === 'shortformer' && positions !== undefined ? sum(input, positions) : input;
    let q = product(shifted, d, at(`${attn}.W_Q`), nHeads * dHead, bias(`${attn}.b_Q`));
    let k = product(shifted, d, at(`${attn}.W_K`), groups * dHead, bias(`${attn}.b_K`));
    let v = product(input, d, at(`${attn}.W_V`), groups * dHead, bias(`${attn}.b_V`));
    const { qkNorm, softcap, windows, causal, clip = Infinity } = config.attention;
    if (qkNorm !== undefined) {
      const [wide, narrow] =
        config.attention.qkNormAcrossHeads === true ? [nHeads * dHead, groups * dHead] : [dHead, dHead];
      q = normalise(q, `${attn}.q_norm`, wide, qkNorm);
      k = normalise(k, `${attn}.k_norm`, narrow, qkNorm);
    }
    [q, k, v] = [q, k, v].map((x) => x.map((value) => Math.min(clip, Math.max(-clip, value))));
    const rotary = config.rotary?.[l];
    if (rotary !== undefined) [q, k] = [turned(q, S, dHead, rotary), turned(k, S, dHead, rotary)];
    const z = new Float64Array(S * nHeads * dHead);
    for (let h = 0; h < nHeads; h++) {
      const g = Math.floor(h / (nHeads / groups));
      for (let i = 0; i < S; i++) {
        const seen = tokens.map((_, j) => j).filter((j) => (!causal || j <= i) && j > i - (windows?.[l] ?? Infinity));
        const scores = Float64Array.from(seen, (j) => {
          let dot = 0;
          for (let e = 0; e < dHead; e++) dot += q[(i * nHeads + h) * dHead + e] * k[(j * groups + g) * dHead + e];
          const score = dot * config.attention.scales[l];
          const capped = softcap === undefined ? score : softcap * Math.tanh(score / softcap);
          return config.positions === 'alibi' ? capped - slopeOf(h, nHeads) * (i - j) : capped;
        });
        const weights = softmax(scores);
        seen.forEach((j, n) => {
          for (let e = 0; e < dHead; e++)
            z[(i * nHeads + h) * dHead + e] += weights[n] * v[(j * groups + g) * dHead + e];
        });
      }
    }
    const edited = options.editZ?.(l, z) ?? z;
    zs.push(edited);
    return product(edited, nHeads * dHead, at(`${attn}.W_O`), d, bias(`${attn}.b_O`));
  };
  const mlp = (l: number, input: Float64Array): Float64Array => {
    const name = `blocks.${l}.mlp`;
    const first = config.gated === true ? 'gate' : 'in';
    const pre = product(input, d, at(`${name}.W_${first}`), m, bias(`${name}.b_${first}`));
    let post: Float64Array = new Float64Array(pre.length);
    for (let r = 0; r < S; r++) post.set(activation(pre.subarray(r * m, (r + 1) * m), config.activation), r * m);
    if (config.gated === true) {
      const up = product(input, d, at(`${name}.W_in`), m, bias(`${name}.b_in`));
      post = post.map((x, i) => x * up[i]);
    }
    if (config.experts !== undefined)
      post = routed(post, product(input, d, at(`${name}.W_router`), config.experts.count), config.experts);
    if (config.activation === 'solu_ln') post = normalise(post, `${name}.ln`, m);
    return product(post, m, at(`${name}.W_out`), d, bias(`${name}.b_out`));
  };

  const residuals: Float64Array[] = [];
  const zs: Float64Array[] = [];
  for (let l = 0; l < config.nLayers; l++) {
    residuals.push(residual);
    const normed = (name: BlockNorm | undefined, x: Float64Array, weights = name): Float64Array =>
      name === undefined ? x : normalise(x, `blocks.${l}.${weights}`);
    const before = residual;
    residual = sum(residual, normed(layout.attn.output, attend(l, normed(layout.attn.input, residual))));
    if (m === 0) continue;
    residual = normed(layout.attn.stream, residual);
    const read = layout.parallel ? before : residual;
    const out = normed(layout.mlp.output, mlp(l, normed(layout.mlp.input, read, layout.mlp.inputWeights)));
    residual = normed(layout.mlp.stream, sum(residual, options.editMlpOut?.(l, out) ?? out));
  }
  residuals.push(residual);
  const bare = layout.mlp.stream !== undefined || config.finalNorm === false;
  let last = bare ? residual : normalise(residual, 'ln_final');
  if (config.mlmHead === true)
    last = normalise(
      activation(product(last, d, at('mlm_head.W'), d, bias('mlm_head.b')), config.mlmActivation ?? config.activation),
      'mlm_head.ln',
    );
  if (width !== d) last = product(last, d, at('unembed.W_in'), width);
  const raw = product(last, width, at('unembed.W_U'), config.dVocabOut, bias('unembed.b_U'));
  const cap = config.logitSoftcap;
  return { logits: cap === undefined ? raw : raw.map((x) => cap * Math.tanh(x / cap)), residuals, z: zs };
}
