/**
 * The tensor operations of a transformer, each a pure op: borrows its inputs, returns a fresh result.
 *
 * Choices that keep one code right and fast on every backend (tfjs 4.22):
 *  - products over the model dimension are rank-2, batch-1 matMuls without transposes and with a separate
 *    bias add (on wasm, batched and transposed matMul take a naive loop, and fused bias is wrong above 48);
 *  - tanh-gelu is x·sigmoid(2u), which equals 0.5x(1+tanh u) and uses the fast kernel.
 * Where the backend has a kernel of ours for a product with what follows it (fused.ts), that is used.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Activation } from '../config.ts';
import { fused, hasFused, isRecording, pointwise, type PointwiseActivation } from './fused.ts';
import { isAdapted, productWith, tensorOf, type AdaptedMatrix, type Weight } from '../weights/parameters.ts';

export interface LinearOptions {
  /** Applied to the result. */
  readonly activation?: PointwiseActivation | undefined;
  /** Added to the result, of its shape or of batch 1. */
  readonly residual?: tf.Tensor | undefined;
}

/** act(x [..., a] · W [a, c] + b [c]) + residual -> [..., c]. */
export function linear(
  x: tf.Tensor,
  W: Weight,
  b: Weight | undefined,
  { activation, residual }: LinearOptions = {},
): tf.Tensor {
  if (isAdapted(W)) return tf.tidy(() => adapted(x, W, b, { activation, residual }));
  if (hasFused('SpexlensLinear')) {
    // The way back wants what an activation is given, so it is taken apart from the product then.
    const apart = activation !== undefined && isRecording();
    const out = tf.tidy(() =>
      fused(
        'SpexlensLinear',
        { x, W: tensorOf(W), b: b === undefined ? undefined : tensorOf(b), residual },
        { activation: apart ? 'none' : (activation ?? 'none') },
        W instanceof tf.Tensor ? {} : { W: () => tensorOf(W) },
      ),
    );
    return apart ? activate(out, activation) : out;
  }
  const width = x.shape[x.rank - 1];
  const flat = tf.reshape(x, [-1, width]) as tf.Tensor2D;
  const product = productWith(flat, W);
  const biased = b === undefined ? product : tf.add(product, tensorOf(b));
  const out = tf.reshape(activation === undefined ? biased : tf.tidy(() => activate(biased, activation)), [
    ...x.shape.slice(0, -1),
    W.shape[1] as number,
  ]);
  return residual === undefined ? out : tf.add(residual, out);
}

/** The same with what an adapted matrix adds before the activation. */
function adapted(
  x: tf.Tensor,
  { base, added }: AdaptedMatrix,
  b: Weight | undefined,
  { activation, residual }: LinearOptions,
): tf.Tensor {
  const product = tf.add(linear(x, base, b), added(x));
  const active = activation === undefined ? product : activate(product, activation);
  return residual === undefined ? active : tf.add(residual, active);
}

/** cap·tanh(x / cap). */
export function softcap(x: tf.Tensor, cap: number): tf.Tensor {
  return tf.mul(tf.tanh(tf.div(x, cap)), cap);
}

const SQRT_8_OVER_PI = 2 * Math.sqrt(2 / Math.PI);

/** The nonlinearity (solu_ln: x·softmax(x); its layer norm is applied by the caller). */
export function activate(x: tf.Tensor, kind: Activation): tf.Tensor {
  const inKernel = pointwise(kind);
  if (inKernel !== undefined && hasFused('SpexlensActivation'))
    return fused('SpexlensActivation', { x }, { activation: inKernel });
  switch (kind) {
    case 'relu':
      return tf.relu(x);
    case 'relu2':
      return tf.square(tf.relu(x));
    case 'silu':
      return tf.mul(x, tf.sigmoid(x));
    case 'quick_gelu':
      return tf.mul(x, tf.sigmoid(tf.mul(x, 1.702)));
    case 'gelu':
      return tf.mul(x, tf.add(tf.mul(tf.erf(tf.mul(x, Math.SQRT1_2)), 0.5), 0.5));
    case 'gelu_new':
      // 2u = sqrt(8/pi) · x · (1 + 0.044715 x²)
      return tf.mul(x, tf.sigmoid(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715 * SQRT_8_OVER_PI), SQRT_8_OVER_PI))));
    case 'solu':
    case 'solu_ln':
      return tf.mul(x, tf.softmax(x));
    default:
      return kind satisfies never;
  }
}

/** z [B, S, H, e] through W_O [H·e, d] head by head -> [B, S, H, d]. */
export function perHeadOutput(z: tf.Tensor, W_O: tf.Tensor): tf.Tensor {
  const [batch, positions, heads, dHead] = z.shape as [number, number, number, number];
  const dModel = W_O.shape[1] as number;
  const byHead = tf.reshape(tf.transpose(z, [2, 0, 1, 3]), [heads, batch * positions, dHead]);
  const result = tf.matMul(byHead, tf.reshape(W_O, [heads, dHead, dModel])); // [H, B·S, d]
  return tf.transpose(tf.reshape(result, [heads, batch, positions, dModel]), [1, 2, 0, 3]);
}

/** Per-head inputs x [B, S, H, d] through W [d, H·e] + b -> [B, S, H, e]: each head reads its own copy of the residual. */
export function perHeadProjection(x: tf.Tensor, W: tf.Tensor, b: tf.Tensor | undefined): tf.Tensor {
  const [batch, positions, heads, dModel] = x.shape as [number, number, number, number];
  const dHead = (W.shape[1] as number) / heads;
  const byHead = tf.reshape(tf.transpose(x, [2, 0, 1, 3]), [heads, batch * positions, dModel]);
  const weights = tf.transpose(tf.reshape(W, [dModel, heads, dHead]), [1, 0, 2]); // [H, d, e]
  const out = tf.transpose(tf.reshape(tf.matMul(byHead, weights), [heads, batch, positions, dHead]), [1, 2, 0, 3]);
  return b === undefined ? out : tf.add(out, tf.reshape(b, [1, 1, heads, dHead]));
}
