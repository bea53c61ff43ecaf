/**
 * The wasm backend's products by a native library, in the backend's own memory: what is left to do in wasm is bias, activation and
 * residual, and everything else. The library has the cores to itself; small products stay where they are.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import type { Matrix, NativeProducts } from './native-products.ts';
import { activationOf, type Kernel, type Tensors } from './wasm-tensors.ts';

/** Multiply-adds of a product below which handing it to the library's threads costs what it saves (bench/native-products.ts). */
const LEAST_WORK = 1e8;

const ALL_CORES = 'SPEXLENS_WASM_ALL_CORES';
tf.env().registerFlag(ALL_CORES, () => false);

/** Says whether products of the wasm backend have all cores, in a flag as TensorFlow.js's own are: threads beside are of no use then. */
export function takeAllCores(all: boolean): void {
  tf.env().set(ALL_CORES, all);
}

/** What leaves heads out row by row: whole products are faster there. */
const LEFT_OUT = ['SpexlensToHeads', 'SpexlensFromHeads'];

/** `own` with products by the library; what is too small for it goes to `own`. */
export function nativeKernels(
  { multiply }: NativeProducts,
  own: Readonly<Record<string, Kernel>>,
): Readonly<Record<string, Kernel>> {
  const rowsOf = (shape: readonly number[]): number => tf.util.sizeFromShape(shape.slice(0, -1));
  const matrix = ({ at, floats }: Tensors, tensor: tf.TensorInfo, shape: Matrix['shape']): Matrix => ({
    values: floats().subarray(at(tensor) / 4, at(tensor) / 4 + shape[0] * shape[1]),
    shape,
  });
  return {
    ...Object.fromEntries(Object.entries(own).filter(([name]) => !LEFT_OUT.includes(name))),
    SpexlensLinear(tensors, inputs, attributes) {
      const { run, output, at, expect } = tensors;
      const x = expect('x', inputs['x']);
      const [rows, inner] = [rowsOf(x.shape), x.shape[x.shape.length - 1]];
      const columns = inputs['W']?.shape[1] ?? 0;
      if (rows * inner * columns < LEAST_WORK) return own['SpexlensLinear'](tensors, inputs, attributes);
      const W = expect('W', inputs['W'], inner * columns);
      const bias = inputs['b'] === undefined ? undefined : expect('b', inputs['b'], columns);
      const residual = inputs['residual'] === undefined ? undefined : expect('residual', inputs['residual']);
      const residualRows = residual === undefined ? rows : tf.util.sizeFromShape(residual.shape) / columns;
      if (rows % residualRows !== 0)
        throw fail(
          'input',
          'SpexlensLinear',
          `a residual of ${residualRows} rows goes onto ${rows}; its rows have to divide them.`,
        );
      const activation = activationOf(attributes, 'SpexlensLinear');
      const out = output([...x.shape.slice(0, -1), columns]);
      multiply(
        matrix(tensors, x, [rows, inner]),
        matrix(tensors, W, [inner, columns]),
        matrix(tensors, out, [rows, columns]),
      );
      if (bias === undefined && residual === undefined && activation === 0) return out;
      const line = 4 * columns;
      for (let r = 0; r < rows; r++) {
        const onto = residual === undefined ? 0 : at(residual) + (r % residualRows) * line;
        run.pointwise(at(out) + r * line, at(out) + r * line, columns, at(bias), 0, onto, activation);
      }
      return out;
    },
    SpexlensBackLinear(tensors, inputs, attributes) {
      const { output, expect } = tensors;
      const dy = expect('dy', inputs['dy']);
      const [rows, columns] = [rowsOf(dy.shape), dy.shape[dy.shape.length - 1]];
      const inner = inputs['W']?.shape[0] ?? 0;
      if (rows * inner * columns < LEAST_WORK) return own['SpexlensBackLinear'](tensors, inputs, attributes);
      const W = expect('W', inputs['W'], inner * columns);
      const out = output([...dy.shape.slice(0, -1), inner]);
      multiply(
        matrix(tensors, dy, [rows, columns]),
        matrix(tensors, W, [inner, columns]),
        matrix(tensors, out, [rows, inner]),
        'turned',
      );
      return out;
    },
  };
}
