/**
 * What is trained: a function from parameters and examples to logits and losses, for K models at once.
 *
 * Every parameter has K along its first axis and every example is given to all K models; which of them learn from it is a matter
 * of weights (train.ts). Where both functions are made of operations that have gradients of any order, training itself can be
 * differentiated (unrolled.ts).
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { Random } from '../random.ts';

export interface ParameterShape {
  readonly name: string;
  /** Of one model. */
  readonly shape: readonly number[];
}

/** Some examples on the device. */
export interface Batch {
  /** [B, width] numbers, or int32 tokens [B, T]. */
  readonly inputs: tf.Tensor2D;
  /** int32 [B] classes, or int32 [B, T] the token that should follow each position. */
  readonly targets: tf.Tensor;
  /** [B, T]: what the loss at each position counts; absent where an example has one answer. */
  readonly counts?: tf.Tensor2D | undefined;
  /** int32 [B]: the position at which an example is answered; absent where it has none. */
  readonly positions?: tf.Tensor1D | undefined;
  /** Of a model of which a part is trained. */
  readonly tuned?: TunedBatch | undefined;
}

/** What a model of which only a part is trained reads beside its tokens. */
export interface TunedBatch {
  /** [B, T, d]: what the part before it makes of the tokens; absent where everything is trained. */
  readonly residual: tf.Tensor3D | undefined;
  /** 1 = token, 0 = padding, by row; absent where nothing is padded. */
  readonly padding: readonly (readonly number[])[] | undefined;
  /** So many positions at the end have a loss. */
  readonly counted: number;
}

/** Examples in memory, of which batches are made. */
export interface Examples {
  readonly count: number;
  /** The caller owns its tensors. */
  batch(rows: ArrayLike<number>): Batch;
}

/** Sees a linear layer's input [K or 1, rows, in] and output [K, rows, out], and gives the output on. */
export type LinearTap = (layer: LinearLayer, input: tf.Tensor3D, output: tf.Tensor3D) => tf.Tensor3D;

/** A matrix and its bias, where it has one, by their places among the parameters. */
export interface LinearLayer {
  readonly name: string;
  readonly weight: number;
  readonly bias: number | undefined;
}

export interface Architecture {
  readonly name: string;
  readonly parameters: readonly ParameterShape[];
  /** Numbers of one model. */
  readonly size: number;
  readonly classes: number;
  /** Its layers that are a matrix and a bias. */
  readonly linear: readonly LinearLayer[];
  /** The parameters of a fresh model, one after the other, [size]. */
  initialise(random: Random): Float32Array;
  /** Logits of each example's answer, [K, B, classes]. */
  logits(parameters: readonly tf.Tensor[], batch: Batch, tap?: LinearTap): tf.Tensor3D;
  /** Each example's loss, [K, B], in nats. */
  losses(parameters: readonly tf.Tensor[], batch: Batch, tap?: LinearTap): tf.Tensor2D;
  /** Whether its gradients have gradients; where not, derivatives.ts takes differences for second derivatives. Default true. */
  readonly twice?: boolean | undefined;
  /** Bytes that a step of training takes a model, where that is much beside its parameters. */
  readonly stepBytes?: number | undefined;
  /** The derivatives of derivatives.ts by a kernel of the current backend; absent, or undefined where it has none. */
  readonly kernels?: (() => ArchitectureKernels | undefined) | undefined;
}

/** What a backend may compute in one pass; the same numbers up to rounding. All borrow, and give the caller fresh tensors. */
export interface ArchitectureKernels {
  /** ∇Σ_b c_b ℓ_b, [K, P]. */
  gradient(theta: tf.Tensor2D, batch: Batch, coefficients: tf.Tensor2D): tf.Tensor2D;
  /** Its Hessian's product with v, [K, P], and v·∇ℓ_b, [K, B]. */
  curvature(theta: tf.Tensor2D, batch: Batch, coefficients: tf.Tensor2D, v: tf.Tensor2D): [tf.Tensor2D, tf.Tensor2D];
}

/** Numbers in all `parameters` of one model. */
export function sizeOf(parameters: readonly ParameterShape[]): number {
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

export function disposeBatch({ inputs, targets, counts, positions, tuned }: Batch): void {
  for (const tensor of [inputs, targets, counts, positions, tuned?.residual]) tensor?.dispose();
}
