/**
 * Kernels of our own that a backend may have beside TensorFlow.js's: one pass over memory where stock operations take
 * several. They are registered with TensorFlow.js under the names below, when the backend starts (backend/); the forward
 * pass asks for one by name and, where there is none, takes stock operations.
 *
 * A fused kernel hides what happens inside it, so the forward pass uses one only where nobody hooks that. Nor are they used
 * while gradients are taken: they have none.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from '../config.ts';

/** Activations that a fused kernel may have: pointwise ones. */
export type PointwiseActivation = Exclude<Activation, 'solu_ln'>;

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

/** Whether the kernels that leave heads out take heads of `width` in a model of `dModel`. */
export function headsFit(width: number, dModel: number): boolean {
  return width % 8 === 0 && width <= 256 && dModel % 8 === 0;
}

export type FusedName = keyof FusedKernels;

/** Whether the current backend has `name` and nobody takes gradients. */
export function hasFused(name: FusedName): boolean {
  return tf.getKernel(name, tf.getBackend()) != null && !(tf.engine() as unknown as Engine).isTapeOn();
}

/** Runs a fused kernel that hasFused said is there. The caller owns the result. */
export function fused<N extends FusedName>(
  name: N,
  inputs: FusedKernels[N]['inputs'],
  attrs: FusedKernels[N]['attrs'],
): tf.Tensor {
  const given = Object.fromEntries(
    Object.entries<tf.Tensor | undefined>(inputs).flatMap(([key, tensor]) =>
      tensor === undefined ? [] : [[key, tensor]],
    ),
  );
  return tf.engine().runKernel(name, given, { ...attrs });
}

/** The part of the tfjs-core 4.22 engine that says whether operations are being recorded for gradients. */
interface Engine {
  isTapeOn(): boolean;
}
