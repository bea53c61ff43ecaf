/**
 * Derivatives of K models' losses: what a step of training needs, and what differentiating it needs.
 *
 * With L = Σ_b c_b ℓ_b and any v, the number v·∇L has the derivatives H·v with respect to the parameters and v·∇ℓ_b with respect to
 * c_b: one backward pass through a backward pass gives the product with the Hessian and every example's slope along v.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Architecture, Batch } from './architecture.ts';
import { flatten, unflatten } from './parameters.ts';

/** ∇Σ_b c_b ℓ_b of each model, [K, P], of coefficients [K, B]. The caller owns it. */
export function weightedGradient(
  model: Architecture,
  theta: tf.Tensor2D,
  batch: Batch,
  coefficients: tf.Tensor2D,
): tf.Tensor2D {
  return tf.tidy(() => {
    const loss = (...parameters: tf.Tensor[]): tf.Scalar =>
      tf.sum(tf.mul(model.losses(parameters, batch), coefficients));
    return flatten(tf.grads(loss)(unflatten(model, theta)));
  });
}

/** A number a model, [K] of parameters, and its gradient [K, P]. The caller owns both. */
export function gradientOf(
  model: Architecture,
  theta: tf.Tensor2D,
  f: (parameters: readonly tf.Tensor[]) => tf.Tensor1D,
): { readonly values: tf.Tensor1D; readonly gradient: tf.Tensor2D } {
  return tf.tidy(() => {
    let values: tf.Tensor1D | undefined;
    const total = (...parameters: tf.Tensor[]): tf.Scalar => {
      values = tf.keep(f(parameters));
      return tf.sum(values);
    };
    const gradient = flatten(tf.grads(total)(unflatten(model, theta)));
    const found = tf.clone(values as unknown as tf.Tensor1D);
    (values as unknown as tf.Tensor1D).dispose();
    return { values: found, gradient };
  });
}

export interface Curvature {
  /** ∇²L·v of each model, [K, P]. */
  readonly product: tf.Tensor2D;
  /** v·∇ℓ_b, [K, B]. */
  readonly slopes: tf.Tensor2D;
}

/** The Hessian of Σ_b c_b ℓ_b times `v` [K, P], and each example's slope along v. The caller owns both. */
export function curvature(
  model: Architecture,
  theta: tf.Tensor2D,
  batch: Batch,
  coefficients: tf.Tensor2D,
  v: tf.Tensor2D,
): Curvature {
  return tf.tidy(() => {
    const along = unflatten(model, v);
    const slope = (...all: tf.Tensor[]): tf.Scalar => {
      const c = all[all.length - 1];
      const loss = (...parameters: tf.Tensor[]): tf.Scalar => tf.sum(tf.mul(model.losses(parameters, batch), c));
      const gradients = tf.grads(loss)(all.slice(0, -1));
      return tf.addN(gradients.map((gradient, i) => tf.sum(tf.mul(gradient, along[i])))) as tf.Scalar;
    };
    const found = tf.grads(slope)([...unflatten(model, theta), coefficients]);
    return { product: flatten(found.slice(0, -1)), slopes: found[found.length - 1] as tf.Tensor2D };
  });
}
