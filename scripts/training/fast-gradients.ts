/**
 * matMul's gradient with the transposes materialised.
 *
 * The stock gradient calls matMul with transposeA/transposeB, which the wasm backend computes in a naive loop;
 * transposing first and multiplying plainly is the same number by its fast kernel.
 */
import tf from '@tensorflow/tfjs';

export function useFastMatMulGradient(): void {
  tf.unregisterGradient('BatchMatMul');
  tf.registerGradient({
    kernelName: 'BatchMatMul',
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, saved, attributes) => {
      const { transposeA, transposeB } = attributes as unknown as { transposeA: boolean; transposeB: boolean };
      if (transposeA || transposeB)
        throw new Error('useFastMatMulGradient: the forward pass transposes inside matMul; transpose before it.');
      const [a, b] = saved;
      const grad = dy as tf.Tensor;
      const flip = (x: tf.Tensor): tf.Tensor =>
        tf.transpose(x, [...x.shape.keys()].slice(0, -2).concat(x.rank - 1, x.rank - 2));
      return { a: () => tf.matMul(grad, flip(b)), b: () => tf.matMul(flip(a), grad) };
    },
  });
}
