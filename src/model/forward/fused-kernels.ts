/**
 * What the kernels of our own take and give, forwards and backwards, and how one is run by its name.
 *
 * Backends register them (backend/); fused.ts says when the forward pass takes one, fused-gradients.ts what its gradient is.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from '../config.ts';

/** Activations that the kernels have. */
const POINTWISE = ['relu', 'gelu', 'gelu_new', 'silu'] as const satisfies readonly Activation[];
export type PointwiseActivation = (typeof POINTWISE)[number];

/** The activation, where the kernels have it. */
export function pointwise(activation: Activation): PointwiseActivation | undefined {
  return POINTWISE.find((name) => name === activation);
}

/** What each kernel takes and gives. Tensors are float32; `?` may be left out. */
export interface FusedKernels {
  /**
   * act(x · W + b) + residual: x [..., a], W [a, c], b? [c], residual? [..., c] of as many rows as x, or of fewer that
   * divide them: then row r takes residual row r mod (its rows). -> [..., c]. The residual is added to the finished sum.
   */
  readonly SpexlensLinear: {
    readonly inputs: {
      readonly x: tf.Tensor;
      readonly W: tf.Tensor;
      readonly b?: tf.Tensor | undefined;
      readonly residual?: tf.Tensor | undefined;
    };
    readonly attrs: { readonly activation: PointwiseActivation | 'none' };
  };
  /** 'layer': (x - mean) / sqrt(var + eps), ·w + b where given; 'rms': x / sqrt(mean(x²) + eps) · (w + offset). Over the last axis; w, b [width]. */
  readonly SpexlensNorm: {
    readonly inputs: { readonly x: tf.Tensor; readonly w?: tf.Tensor | undefined; readonly b?: tf.Tensor | undefined };
    readonly attrs: { readonly kind: 'layer' | 'rms'; readonly eps: number; readonly offset: number };
  };
  /**
   * softmax(cap(scale · q·k) + mask) · v: q [B, Sq, H, e], k and v [B, S, K, e] (H / K consecutive heads share one), mask?
   * [1 or B, 1, Sq, S] of 0 and -1e30 -> z [B, Sq, H, e]. softcap 0 = none, else cap(s) = softcap·tanh(s / softcap).
   * Where live? int32 [B, H] is 0, z may be zero instead (only backends with SpexlensToHeads look at it).
   */
  readonly SpexlensAttention: {
    readonly inputs: {
      readonly q: tf.Tensor;
      readonly k: tf.Tensor;
      readonly v: tf.Tensor;
      readonly mask?: tf.Tensor | undefined;
      readonly live?: tf.Tensor | undefined;
    };
    readonly attrs: { readonly scale: number; readonly softcap: number };
  };
  /**
   * Attention along paths: q [1, n, H, e], k and v [1, N, K, e], paths int32 [P, S] of columns of k and v. Queries first .. first +
   * count - 1 of a span of spans int32 [m, 4], (path, first, count, before), stand at tokens before .. of that path, and see its tokens
   * up to their own; those that are 0 in seen? int32 [N] only where they are their own. Every query is of one span. softcap as above.
   * -> as q
   */
  readonly SpexlensAttentionPaths: {
    readonly inputs: {
      readonly q: tf.Tensor;
      readonly k: tf.Tensor;
      readonly v: tf.Tensor;
      readonly paths: tf.Tensor;
      readonly spans: tf.Tensor;
      readonly seen?: tf.Tensor | undefined;
    };
    readonly attrs: { readonly scale: number; readonly softcap: number };
  };
  /** x · W + b, x [B, S, a], W [a, H·e], b? [H·e] -> [B, S, H·e], zero for the heads of a row that are 0 in live int32 [B, H]. e as headsFit says. */
  readonly SpexlensToHeads: {
    readonly inputs: {
      readonly x: tf.Tensor;
      readonly W: tf.Tensor;
      readonly b?: tf.Tensor | undefined;
      readonly live: tf.Tensor;
    };
    readonly attrs: Readonly<Record<string, never>>;
  };
  /** As SpexlensLinear of x [B, S, H·e], which is zero for the heads of a row that are 0 in live int32 [B, H]; c is a multiple of 8. */
  readonly SpexlensFromHeads: {
    readonly inputs: {
      readonly x: tf.Tensor;
      readonly W: tf.Tensor;
      readonly b?: tf.Tensor | undefined;
      readonly residual?: tf.Tensor | undefined;
      readonly live: tf.Tensor;
    };
    readonly attrs: Readonly<Record<string, never>>;
  };
  /**
   * Row r of the result is row parents[r] of x [n, S, ...] (of its only row, or row r, without parents int32 [rows]), times
   * factors? [rows, 1 or S, E] (E equal parts of what x has at a position), plus base? [1, 1 or S, ...] times (1 - factors):
   * exactly x where the factor is 1, the base (or 0) where it is 0. -> [rows, S, ...]
   */
  readonly SpexlensMaskRows: {
    readonly inputs: {
      readonly x: tf.Tensor;
      readonly parents?: tf.Tensor | undefined;
      readonly factors?: tf.Tensor | undefined;
      readonly base?: tf.Tensor | undefined;
    };
    readonly attrs: Readonly<Record<string, never>>;
  };
  /** act(x). */
  readonly SpexlensActivation: {
    readonly inputs: { readonly x: tf.Tensor };
    readonly attrs: { readonly activation: PointwiseActivation };
  };
  /**
   * As SpexlensMaskRows with factors of 0 and 1 in packed masks: element e at position p of row r is on where bit c mod 32 of
   * words[r, c / 32] is 1, c = cells[p, e], and where c is -1. words int32 [rows, w], cells int32 [1 or S, E].
   */
  readonly SpexlensMaskBits: {
    readonly inputs: {
      readonly x: tf.Tensor;
      readonly words: tf.Tensor;
      readonly cells: tf.Tensor;
      readonly parents?: tf.Tensor | undefined;
      readonly base?: tf.Tensor | undefined;
    };
    readonly attrs: Readonly<Record<string, never>>;
  };
  /** act(gate) · up, of one shape. */
  readonly SpexlensGate: {
    readonly inputs: { readonly gate: tf.Tensor; readonly up: tf.Tensor };
    readonly attrs: { readonly activation: PointwiseActivation };
  };
  /**
   * x·cos + swapped·sin, where swapped is x [B, S, H, e] with the halves of its first `dims` columns exchanged; cos and sin
   * [B, S, 1, e]. Any of batch 1 where others have B.
   */
  readonly SpexlensTurn: {
    readonly inputs: { readonly x: tf.Tensor; readonly cos: tf.Tensor; readonly sin: tf.Tensor };
    readonly attrs: { readonly dims: number };
  };
}

/**
 * Kernels that a backend may have for the way back. `dy` is the gradient of the result of a kernel above; what it makes is the gradient
 * of inputs.
 */
export interface BackwardKernels {
  /** dy [..., c] · Wᵀ, W [a, c] -> [..., a]. */
  readonly SpexlensBackLinear: {
    readonly inputs: { readonly dy: tf.Tensor; readonly W: tf.Tensor };
    readonly attrs: Readonly<Record<string, never>>;
  };
  /** Of SpexlensNorm with respect to x. */
  readonly SpexlensBackNorm: {
    readonly inputs: { readonly x: tf.Tensor; readonly w?: tf.Tensor | undefined; readonly dy: tf.Tensor };
    readonly attrs: FusedKernels['SpexlensNorm']['attrs'];
  };
  /** Of SpexlensAttention with respect to q, k and v, all of one batch: three results. */
  readonly SpexlensBackAttention: {
    readonly inputs: Omit<FusedKernels['SpexlensAttention']['inputs'], 'live'> & { readonly dy: tf.Tensor };
    readonly attrs: FusedKernels['SpexlensAttention']['attrs'];
  };
  /** Of SpexlensActivation with respect to x. */
  readonly SpexlensBackActivation: {
    readonly inputs: { readonly x: tf.Tensor; readonly dy: tf.Tensor };
    readonly attrs: FusedKernels['SpexlensActivation']['attrs'];
  };
  /** Of SpexlensGate with respect to gate and up: two results. */
  readonly SpexlensBackGate: {
    readonly inputs: { readonly gate: tf.Tensor; readonly up: tf.Tensor; readonly dy: tf.Tensor };
    readonly attrs: FusedKernels['SpexlensGate']['attrs'];
  };
  /**
   * Of SpexlensMaskRows with respect to factors [rows, positions, elements]: the sums of dy · (x - base) over each element's
   * numbers, and over positions where `positions` is 1. x may have one row.
   */
  readonly SpexlensMaskSlopes: {
    readonly inputs: { readonly x: tf.Tensor; readonly base?: tf.Tensor | undefined; readonly dy: tf.Tensor };
    readonly attrs: { readonly positions: number; readonly elements: number };
  };
}

export type FusedName = keyof FusedKernels;
export type BackwardName = keyof BackwardKernels;
type Kernels = FusedKernels & BackwardKernels;

/** Whether the current backend has a kernel of ours. */
export function hasKernel(name: FusedName | BackwardName): boolean {
  return tf.getKernel(name, tf.getBackend()) != null;
}

/** Runs a kernel that the current backend has; inputs that are undefined are left out. The caller owns the result. */
export function runKernel<N extends FusedName>(
  name: N,
  inputs: Kernels[N]['inputs'],
  attrs: Kernels[N]['attrs'],
): tf.Tensor;
export function runKernel<N extends BackwardName>(
  name: N,
  inputs: Kernels[N]['inputs'],
  attrs: Kernels[N]['attrs'],
): tf.Tensor | tf.Tensor[];
export function runKernel<N extends FusedName | BackwardName>(
  name: N,
  inputs: Kernels[N]['inputs'],
  attrs: Kernels[N]['attrs'],
): tf.Tensor | tf.Tensor[] {
  return tf.engine().runKernel(name, present(inputs), { ...attrs });
}

/** The inputs that are there. */
export function present(inputs: Readonly<Record<string, tf.Tensor | undefined>>): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(inputs).flatMap(([key, tensor]) => (tensor === undefined ? [] : [[key, tensor]])),
  );
}
