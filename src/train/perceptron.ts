/**
 * Softmax regression and multi-layer perceptrons on vectors.
 *
 * Without hidden layers it is the former. Weights and biases start uniform on ±1/√inputs, as PyTorch's nn.Linear does.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import {
  sizeOf,
  type Architecture,
  type ArchitectureKernels,
  type Batch,
  type Examples,
  type LinearTap,
} from './architecture.ts';
import { crossEntropy } from './losses.ts';
import { affine } from './products.ts';
import { silu, tanh } from './smooth.ts';

export interface PerceptronShape {
  readonly inputs: number;
  readonly classes: number;
  /** Widths of the hidden layers; none for softmax regression. */
  readonly hidden: readonly number[];
  /** Between layers; default silu, which is smooth: over the kinks of relu training is differentiated by pieces only. */
  readonly activation?: 'silu' | 'tanh' | 'relu' | undefined;
}

export function createPerceptron({ inputs, classes, hidden, activation = 'silu' }: PerceptronShape): Architecture {
  for (const width of [inputs, classes, ...hidden])
    if (!Number.isInteger(width) || width < 1)
      throw fail('input', 'perceptron', `a layer of ${width} numbers; a whole number >= 1 is needed.`);
  const widths = [inputs, ...hidden, classes];
  const layers = widths
    .slice(1)
    .map((width, l) => ({ name: `layers.${l}`, weight: 2 * l, bias: 2 * l + 1, from: widths[l], width }));
  const parameters = layers.flatMap(({ name, from, width }) => [
    { name: `${name}.weight`, shape: [from, width] },
    { name: `${name}.bias`, shape: [1, width] },
  ]);
  const size = sizeOf(parameters);
  const act: (x: tf.Tensor3D) => tf.Tensor3D = { silu, tanh, relu: tf.relu<tf.Tensor3D> }[activation];
  const logits = (theta: readonly tf.Tensor[], batch: Batch, tap?: LinearTap): tf.Tensor3D => {
    let x = tf.expandDims(batch.inputs, 0) as tf.Tensor3D;
    layers.forEach((layer, l) => {
      const out = affine(x, theta[layer.weight] as tf.Tensor3D, theta[layer.bias] as tf.Tensor3D);
      const seen = tap === undefined ? out : tap(layer, x, out);
      x = l === layers.length - 1 ? seen : act(seen);
    });
    return x;
  };
  return {
    name: hidden.length === 0 ? 'softmax' : 'mlp',
    parameters,
    size,
    classes,
    linear: layers.map(({ name, weight, bias }) => ({ name, weight, bias })),
    initialise(random) {
      const all = new Float32Array(size);
      let at = 0;
      for (const { from, width } of layers) {
        const bound = 1 / Math.sqrt(from);
        for (let i = 0; i < (from + 1) * width; i++) all[at++] = bound * (2 * random.uniform() - 1);
      }
      return all;
    },
    logits,
    losses: (theta, batch, tap) => crossEntropy(logits(theta, batch, tap), batch.targets) as tf.Tensor2D,
    kernels: () => (hidden.length === 0 || activation === 'silu' ? kernelsOf(widths) : undefined),
  };
}

const [GRADIENT, CURVATURE] = ['SpexlensPerceptronGradient', 'SpexlensPerceptronCurvature'];

function kernelsOf(widths: readonly number[]): ArchitectureKernels | undefined {
  if (tf.getKernel(GRADIENT, tf.getBackend()) == null) return undefined;
  const inputsOf = (theta: tf.Tensor2D, { inputs, targets }: Batch, coefficients: tf.Tensor2D): tf.NamedTensorMap => {
    const chosen = tf.oneHot(targets as tf.Tensor1D, widths[widths.length - 1]);
    return { theta, x: inputs, right: tf.cast(chosen, 'float32'), coefficients };
  };
  const attrs = { widths: [...widths] };
  return {
    gradient: (theta, batch, coefficients) =>
      tf.tidy(() => tf.engine().runKernel(GRADIENT, inputsOf(theta, batch, coefficients), attrs) as tf.Tensor2D),
    curvature: (theta, batch, coefficients, v) =>
      tf.tidy(() => {
        const inputs = { ...inputsOf(theta, batch, coefficients), v };
        return tf.engine().runKernel(CURVATURE, inputs, attrs) as unknown as [tf.Tensor2D, tf.Tensor2D];
      }),
  };
}

/** `labels.length` vectors of `width` numbers, one after the other, and the class of each. */
export function vectorExamples(vectors: Float32Array, labels: ArrayLike<number>, width: number): Examples {
  if (vectors.length !== labels.length * width)
    throw fail(
      'input',
      'examples',
      `${vectors.length} numbers for ${labels.length} labels; vectors of ${width} numbers each are needed.`,
    );
  return {
    count: labels.length,
    batch(rows) {
      const inputs = new Float32Array(rows.length * width);
      for (let b = 0; b < rows.length; b++)
        inputs.set(vectors.subarray(rows[b] * width, (rows[b] + 1) * width), b * width);
      return {
        inputs: tf.tensor2d(inputs, [rows.length, width]),
        targets: tf.tensor1d(
          Array.from(rows, (row) => labels[row]),
          'int32',
        ),
      };
    },
  };
}
