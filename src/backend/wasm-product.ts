/** What trains many models at once on the wasm backend: a batch of products, one matrix each, and parts of their parameters. */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import type { Kernel } from './wasm-tensors.ts';

export const PRODUCT_KERNELS: Readonly<Record<string, Kernel>> = {
  /** a [K or 1, m, n] times b [K or 1, n, p], or bᵀ of b [K or 1, p, n]; plus a bias [K, 1, p] to each row -> [K, m, p]. */
  SpexlensProducts: ({ run, scratch, output, at, expect }, inputs, { turnB }) => {
    const a = expect('a', inputs['a']);
    const b = expect('b', inputs['b']);
    const [ofA, m, n] = a.shape;
    const [ofB, inner, p] = turnB === true ? [b.shape[0], b.shape[2], b.shape[1]] : b.shape;
    const count = Math.max(ofA, ofB);
    if (
      a.shape.length !== 3 ||
      b.shape.length !== 3 ||
      inner !== n ||
      ![1, count].includes(ofA) ||
      ![1, count].includes(ofB)
    )
      throw fail(
        'input',
        'SpexlensProducts',
        `a [${a.shape.join(', ')}] and b [${b.shape.join(', ')}]${turnB === true ? ' turned' : ''} do not go together.`,
      );
    const bias = inputs['bias'] === undefined ? undefined : expect('bias', inputs['bias'], count * p);
    if (turnB === true && bias !== undefined)
      throw fail('input', 'SpexlensProducts', 'adds no bias to a turned product.');
    const free = scratch(turnB === true ? run.backLinearScratch() : run.linearScratch());
    const out = output([count, m, p]);
    if (tf.util.sizeFromShape(out.shape) === 0) return out;
    const [fromA, fromB, added, to] = [at(a), at(b), at(bias), at(out)];
    // One matrix b for all is one tall product.
    if (ofB === 1 && bias === undefined) {
      if (turnB === true) run.backLinear(fromA, fromB, to, count * m, p, n, free);
      else run.linear(fromA, fromB, 0, 0, count * m, to, count * m, n, p, 0, free);
      return out;
    }
    for (let k = 0; k < count; k++) {
      const [ak, bk, ok] = [
        fromA + (ofA === 1 ? 0 : 4 * k * m * n),
        fromB + (ofB === 1 ? 0 : 4 * k * n * p),
        to + 4 * k * m * p,
      ];
      if (turnB === true) run.backLinear(ak, bk, ok, m, p, n, free);
      else run.linear(ak, bk, bias === undefined ? 0 : added + 4 * k * p, 0, m, ok, m, n, p, 0, free);
    }
    return out;
  },
  /** A step of SGD with momentum: theta, velocity and gradient [K, P] -> theta and velocity after it. */
  SpexlensMomentumStep: ({ run, output, at, expect }, inputs, { momentum, decay, rate }) => {
    const theta = expect('theta', inputs['theta']);
    const size = tf.util.sizeFromShape(theta.shape);
    const [velocity, gradient] = ['velocity', 'gradient'].map((name) => expect(name, inputs[name], size));
    const outs = [output(theta.shape), output(theta.shape)];
    const [t, v, g, nextT, nextV] = [theta, velocity, gradient, ...outs].map(at);
    run.momentumStep(t, v, g, nextT, nextV, size, Number(momentum), Number(decay), Number(rate));
    return outs;
  },
  /** Columns [begin, begin + size) of x [K, P]. TensorFlow.js's own copies all of x first. */
  SpexlensColumns: ({ output, at, floats, expect }, inputs, attributes) => {
    const x = expect('x', inputs['x']);
    const [rows, columns] = x.shape;
    const [begin, size] = [Number(attributes['begin']), Number(attributes['size'])];
    if (x.shape.length !== 2 || !(begin >= 0 && size >= 0 && begin + size <= columns))
      throw fail('input', 'SpexlensColumns', `columns ${begin} to ${begin + size} of x [${x.shape.join(', ')}].`);
    const out = output([rows, size]);
    const all = floats();
    const [from, to] = [at(x) / 4 + begin, at(out) / 4];
    for (let k = 0; k < rows; k++) all.copyWithin(to + k * size, from + k * columns, from + k * columns + size);
    return out;
  },
};
