/**
 * Products of K matrices at once, and their gradients of any order.
 *
 * The wasm backend multiplies a batch in a plain loop; there a kernel of ours does each as one fast product, and transposes
 * are materialised. The gradient is made of the same operations, so that it has one too.
 */
import * as tf from '@tensorflow/tfjs-core';

const KERNEL = 'SpexlensProducts';

/**
 * a·b of a [K or 1, m, n] and b [K or 1, n, p] -> [K, m, p]; with `turnA` aᵀ·b of a [.., n, m], with `turnB` a·bᵀ of b [.., p, n].
 * The caller owns the result.
 */
export function products(
  a: tf.Tensor3D,
  b: tf.Tensor3D,
  { turnA = false, turnB = false }: { readonly turnA?: boolean; readonly turnB?: boolean } = {},
): tf.Tensor3D {
  if (!hasKernel()) return tf.matMul(a, b, turnA, turnB);
  const left = turnA ? tf.transpose(a, [0, 2, 1]) : a;
  const run = tf.customGrad((x, y, save) => {
    const [p, q] = [x, y] as tf.Tensor3D[];
    (save as tf.GradSaveFunc)([p, q]);
    return {
      value: tf.engine().runKernel(KERNEL, { a: p, b: q }, { turnB }) as tf.Tensor3D,
      gradFunc: (dy: tf.Tensor3D, saved: tf.Tensor[]) => backOf(dy, saved as tf.Tensor3D[], turnB),
    };
  });
  return run(left, b);
}

/** x·W + bias of x [K or 1, rows, n], W [K, n, p] and bias [K, 1, p] -> [K, rows, p]. The caller owns the result. */
export function affine(x: tf.Tensor3D, W: tf.Tensor3D, bias: tf.Tensor3D): tf.Tensor3D {
  if (!hasKernel()) return tf.add(tf.matMul(x, W), bias);
  const run = tf.customGrad((a, b, c, save) => {
    const [p, q, r] = [a, b, c] as tf.Tensor3D[];
    (save as tf.GradSaveFunc)([p, q]);
    return {
      value: tf.engine().runKernel(KERNEL, { a: p, b: q, bias: r }, { turnB: false }) as tf.Tensor3D,
      gradFunc: (dy: tf.Tensor3D, saved: tf.Tensor[]) => [
        ...backOf(dy, saved as tf.Tensor3D[], false),
        tf.sum(dy, 1, true),
      ],
    };
  });
  return run(x, W, bias);
}

function hasKernel(): boolean {
  return tf.getKernel(KERNEL, tf.getBackend()) != null;
}

/** Gradients of a·b, or of a·bᵀ; one matrix for all has the sum of K. */
function backOf(dy: tf.Tensor3D, [a, b]: readonly tf.Tensor3D[], turned: boolean): [tf.Tensor3D, tf.Tensor3D] {
  const summed = (x: tf.Tensor3D, count: number): tf.Tensor3D =>
    x.shape[0] === count ? x : (tf.sum(x, 0, true) as tf.Tensor3D);
  // One b for all K: a sum over K and rows is one product.
  const [p, q] = b.shape[0] === 1 && a.shape[0] > 1 ? [tall(a), tall(dy)] : [a, dy];
  return [
    summed(products(dy, b, { turnB: !turned }), a.shape[0]),
    summed(turned ? products(q, p, { turnA: true }) : products(p, q, { turnA: true }), b.shape[0]),
  ];
}

function tall(x: tf.Tensor3D): tf.Tensor3D {
  return tf.reshape(x, [1, x.shape[0] * x.shape[1], x.shape[2]]);
}
