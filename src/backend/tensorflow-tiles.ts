/**
 * Products on the tile unit (AMX) that Intel's server processors have, by operations of ours in TensorFlow's addon (tiles.cc).
 *
 * A float32 number is taken as `parts` bfloat16 numbers: three keep all its bits, so that the product's error is that of float32
 * arithmetic. Bias, activation and residual are added while a tile is in the cache, and heads that a mask leaves out are
 * left out row by row. Products of few rows stay TensorFlow's, which reads W once where this reads it and cuts it.
 */
import * as tf from '@tensorflow/tfjs-core';
import { threadNumber } from '../platform/threads.ts';
import { activationOf, truth, whole, type Attribute, type Kernel, type NodeBackend } from './tensorflow-native.ts';

const LEAST_ROWS = 48;
const LEAST_COLUMNS = 32;
const LEAST_INNER = 32;

/**
 * Whether the addon has the operations and this processor the unit, and a product comes out right there: the self-check's forward
 * pass is too small for it.
 */
export function hasTiles({ binding }: NodeBackend): boolean {
  const [rows, inner, columns] = [33, 40, 50];
  const numbers = (size: number, step: number): Float32Array =>
    Float32Array.from({ length: size }, (_, i) => ((i * step) % 1) - 0.5);
  const [x, W] = [numbers(rows * inner, Math.SQRT2), numbers(inner * columns, Math.E)];
  const ids = [
    binding.createTensor([rows, inner], binding.TF_FLOAT, x),
    binding.createTensor([inner, columns], binding.TF_FLOAT, W),
  ];
  try {
    const [{ id }] = binding.executeOp('SpexlensMultiply', [], [...ids, ids[0], ids[0]], 1);
    ids.push(id);
    const out = binding.tensorDataSync(id);
    for (let r = 0; r < rows; r++)
      for (let c = 0; c < columns; c++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) sum += x[r * inner + k] * W[k * columns + c];
        if (!(Math.abs(out[r * columns + c] - sum) < 1e-5)) return false;
      }
    return true;
  } catch {
    return false; // an addon from before it, or a processor without
  } finally {
    for (const id of ids) binding.deleteTensor(id);
  }
}

const names = new WeakMap<object, number>();
/** Ahead of every name that this thread gave before, and apart from those of other threads, which share the addon. */
let lastName = threadNumber() * 2 ** 42 + Math.floor(1000 * performance.now());

/** Tensors never change, so what has one name has the same numbers: queries, keys and values read one x, cut into parts once. */
function nameOf({ dataId }: tf.Tensor): number {
  const name = names.get(dataId) ?? ++lastName;
  names.set(dataId, name);
  return name;
}

/** The kernels that take tiles; products that gain nothing from them go to `stock`. */
export function tileKernels(
  parts: number,
  stock: Readonly<Record<'SpexlensLinear' | 'SpexlensBackLinear', Kernel>>,
): Readonly<Record<string, Kernel>> {
  const multiply = (
    native: NodeBackend,
    x: tf.Tensor,
    W: tf.Tensor,
    {
      b,
      residual,
      live,
      attributes = [],
    }: {
      readonly b?: tf.Tensor | undefined;
      readonly residual?: tf.Tensor | undefined;
      readonly live?: tf.Tensor | undefined;
      readonly attributes?: readonly Attribute[];
    },
  ): tf.Tensor => {
    const { binding } = native;
    return native.executeSingleOutput(
      live === undefined ? 'SpexlensMultiply' : 'SpexlensMultiplyHeads',
      [
        whole(binding, 'parts', parts),
        whole(binding, 'name', nameOf(x)),
        truth(binding, 'has_b', b !== undefined),
        truth(binding, 'has_rest', residual !== undefined),
        ...attributes,
      ],
      [x, W, b ?? x, residual ?? x, ...(live === undefined ? [] : [live])],
    );
  };
  const pays = (x: tf.Tensor, inner: number, columns: number): boolean =>
    x.size >= LEAST_ROWS * inner && inner >= LEAST_INNER && columns >= LEAST_COLUMNS;
  return {
    SpexlensLinear(native, inputs, attrs) {
      const { x, W, b, residual } = inputs as Record<'x' | 'W', tf.Tensor> & typeof inputs;
      const [inner, columns] = W.shape as [number, number];
      if (!pays(x, inner, columns)) return stock.SpexlensLinear(native, inputs, attrs);
      return multiply(native, x, W, { b, residual, attributes: [activationOf(native.binding, attrs['activation'])] });
    },
    SpexlensBackLinear(native, inputs, attrs) {
      const { dy, W } = inputs as Record<'dy' | 'W', tf.Tensor>;
      const [columns, inner] = W.shape as [number, number];
      if (!pays(dy, inner, columns)) return stock.SpexlensBackLinear(native, inputs, attrs);
      return multiply(native, dy, W, { attributes: [truth(native.binding, 'turned', true)] });
    },
    SpexlensToHeads(native, inputs) {
      const { x, W, b, live } = inputs as Record<'x' | 'W', tf.Tensor> & typeof inputs;
      return multiply(native, x, W, { b, live, attributes: [truth(native.binding, 'into', true)] });
    },
    SpexlensFromHeads(native, inputs) {
      const { x, W, b, residual, live } = inputs as Record<'x' | 'W', tf.Tensor> & typeof inputs;
      return multiply(native, x, W, { b, residual, live });
    },
  };
}
