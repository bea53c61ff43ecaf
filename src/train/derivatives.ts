/**
 * Derivatives of K models' losses: what a step of training needs, and what differentiating it needs.
 *
 * With L = Σ_b c_b ℓ_b and any v, the number v·∇L has the derivatives H·v with respect to the parameters and v·∇ℓ_b with respect to
 * c_b: one backward pass through a backward pass gives the product with the Hessian and every example's slope along v. Of a model whose
 * gradients have none (Architecture.twice) both are differences.
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
  const kernels = model.kernels?.();
  if (kernels !== undefined) return kernels.gradient(theta, batch, coefficients);
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
  const kernels = model.kernels?.();
  if (kernels !== undefined) {
    const [product, slopes] = kernels.curvature(theta, batch, coefficients, v);
    return { product, slopes };
  }
  if (model.twice === false)
    return {
      product: difference(theta, v, (at) => weightedGradient(model, at, batch, coefficients)) as tf.Tensor2D,
      slopes: slopesAlong(model, theta, (parameters) => model.losses(parameters, batch), v) as tf.Tensor2D,
    };
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

/** v·∇out_b of each model for outputs [K, B, ...] of its parameters, [K, B, ...]. The caller owns it. */
export function slopesAlong(
  model: Architecture,
  theta: tf.Tensor2D,
  outputs: (parameters: readonly tf.Tensor[]) => tf.Tensor,
  v: tf.Tensor2D,
): tf.Tensor {
  if (model.twice === false) return difference(theta, v, (at) => outputs(unflatten(model, at)));
  return tf.tidy(() => {
    const along = unflatten(model, v);
    const parameters = unflatten(model, theta);
    const shape = tf.tidy(() => outputs(parameters).shape);
    // Linear in c, so that any c will do.
    const slope = (c: tf.Tensor): tf.Scalar => {
      const sum = (...given: tf.Tensor[]): tf.Scalar => tf.sum(tf.mul(outputs(given), c));
      const gradients = tf.grads(sum)(parameters);
      return tf.addN(gradients.map((gradient, i) => tf.sum(tf.mul(gradient, along[i])))) as tf.Scalar;
    };
    return tf.grads(slope)([tf.zeros(shape)])[0];
  });
}

/** The Hessian of f, a number a model [K] of its parameters, times v, [K, P]. The caller owns it. */
export function hessianTimes(
  model: Architecture,
  theta: tf.Tensor2D,
  f: (parameters: readonly tf.Tensor[]) => tf.Tensor1D,
  v: tf.Tensor2D,
): tf.Tensor2D {
  if (model.twice === false) return difference(theta, v, (at) => gradientOf(model, at, f).gradient) as tf.Tensor2D;
  return tf.tidy(() => {
    const along = unflatten(model, v);
    const slope = (...parameters: tf.Tensor[]): tf.Scalar => {
      const gradients = tf.grads((...given: tf.Tensor[]) => tf.sum(f(given)))(parameters);
      return tf.addN(gradients.map((gradient, i) => tf.sum(tf.mul(gradient, along[i])))) as tf.Scalar;
    };
    return flatten(tf.grads(slope)(unflatten(model, theta)));
  });
}

/** Step of a difference in shares of ‖θ‖: its own error is the square of it, that of rounding some 1e-6 by it. */
const STEP = 5e-3;

/** (f(θ + hv) - f(θ - hv)) / 2h of each model, h so large that hv is a small share of θ. */
function difference(theta: tf.Tensor2D, v: tf.Tensor2D, f: (theta: tf.Tensor2D) => tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const length = (x: tf.Tensor2D): tf.Tensor => tf.sqrt(tf.sum(tf.square(x), 1, true));
    const h = tf.div(tf.mul(length(theta), STEP), tf.maximum(length(v), 1e-30)); // [K, 1]
    const move = tf.mul(v, h) as tf.Tensor2D;
    const [up, down] = [f(tf.add(theta, move)), f(tf.sub(theta, move))];
    const [models] = theta.shape;
    return tf.div(tf.sub(up, down), tf.reshape(tf.mul(h, 2), [models, ...Array<number>(up.rank - 1).fill(1)]));
  });
}

/**
 * The generalised Gauss-Newton matrix of Σ_b c_b ℓ_b times `v`, [K, P]: Jᵀ·(c ∘ (diag p - p pᵀ))·J·v over the logits that answer, never
 * negative (Schraudolph, Neural Computation 2002). Softmax regression's Hessian is this one. The caller owns it.
 */
export function gaussNewton(
  model: Architecture,
  theta: tf.Tensor2D,
  batch: Batch,
  coefficients: tf.Tensor2D,
  v: tf.Tensor2D,
): tf.Tensor2D {
  return tf.tidy(() => {
    const logits = (parameters: readonly tf.Tensor[]): tf.Tensor3D => model.logits(parameters, batch);
    const along = slopesAlong(model, theta, logits, v);
    const p = tf.softmax(logits(unflatten(model, theta)));
    const weighted = tf.mul(p, along);
    const bent = tf.mul(tf.sub(weighted, tf.mul(tf.sum(weighted, 2, true), p)), tf.expandDims(coefficients, 2));
    const back = (...parameters: tf.Tensor[]): tf.Scalar => tf.sum(tf.mul(logits(parameters), bent));
    return flatten(tf.grads(back)(unflatten(model, theta)));
  });
}
