/**
 * Gradients of TensorFlow.js's own operations, those that a transformer, its hooks and its metrics take.
 *
 * One entry an operation: what it saves of its inputs and output, and the gradient of each input. An operation that is not here has none,
 * and a backward pass that meets it says so. The wasm backend multiplies a transposed operand in a naive loop, but for b with kernels
 * of our own, so transposes are materialised there; it has no scatter, so a gather's gradient is a product with ones and zeros.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';

/** What registerGradient takes, by kernel name. */
export type GradientTable = Readonly<Record<string, Omit<tf.GradConfig, 'kernelName'>>>;

type Tensors = readonly tf.Tensor[];
type Attributes = Readonly<Record<string, unknown>>;
type Closures = Record<string, () => tf.Tensor>;
type Gradient = (dy: tf.Tensor, saved: Tensors, attributes: Attributes) => Closures;
interface Entry {
  readonly inputsToSave?: string[];
  readonly outputsToSave?: boolean[];
  readonly saveAllInputs?: boolean;
  readonly gradFunc: tf.GradFunc;
}

/** An operation that saves `inputs`, and its output with `output`. */
function entry(inputs: readonly string[], gradient: Gradient, output = false): Entry {
  return {
    inputsToSave: [...inputs],
    outputsToSave: [output],
    gradFunc: (dy, saved, attributes) => gradient(dy as tf.Tensor, saved, attributes as Attributes),
  };
}

/** An operation over any number of inputs. */
function entryOfAll(gradient: Gradient): Entry {
  return { ...entry([], gradient), saveAllInputs: true };
}

/** y = f(x), where dx = dy · slope(x). */
const ofInput = (slope: (x: tf.Tensor) => tf.Tensor): Entry =>
  entry(['x'], (dy, [x]) => ({ x: () => tf.mul(dy, slope(x)) }));
/** y = f(x), where dx = dy · slope(y). */
const ofOutput = (slope: (y: tf.Tensor) => tf.Tensor): Entry =>
  entry([], (dy, [y]) => ({ x: () => tf.mul(dy, slope(y)) }), true);
/** Flat wherever it has a slope. */
const flat = (): Entry => entry([], (dy) => ({ x: () => tf.zerosLike(dy) }));

/** a ∘ b with broadcasting: the gradients of both before they are summed to the operands' shapes. */
function binary(
  gradient: (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => readonly [() => tf.Tensor, () => tf.Tensor],
): Entry {
  return entry(['a', 'b'], (dy, [a, b]) => {
    const [da, db] = gradient(dy, a, b);
    return { a: () => summedTo(da(), a.shape), b: () => summedTo(db(), b.shape) };
  });
}

/** x, a result of broadcasting `shape`, summed back to it. */
function summedTo(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const axes = tf.broadcast_util.getReductionAxes([...shape], x.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(x, axes) : x, [...shape]);
}

/** y, reduced over `axes`, with those as axes of size 1. */
function widened(y: tf.Tensor, x: tf.Tensor, axes: unknown): { readonly y: tf.Tensor; readonly count: number } {
  const all = tf.util.parseAxisParam((axes ?? x.shape.map((_, axis) => axis)) as number[], x.shape);
  const shape = x.shape.map((size, axis) => (all.includes(axis) ? 1 : size));
  return { y: tf.reshape(y, shape), count: x.size / tf.util.sizeFromShape(shape) };
}

/** dy to every entry that is as large as the result, shared out where several are. */
const extreme = entry(
  ['x'],
  (dy, [x, y], { reductionIndices }) => ({
    x() {
      const axes = reductionIndices as number[];
      const hit = tf.cast(tf.equal(x, widened(y, x, axes).y), 'float32');
      return tf.mul(tf.div(hit, tf.sum(hit, axes, true)), widened(dy, x, axes).y);
    },
  }),
  true,
);

const half = (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor, wins: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): tf.Tensor =>
  tf.mul(dy, tf.add(tf.mul(tf.cast(wins(a, b), 'float32'), 1), tf.mul(tf.cast(tf.equal(a, b), 'float32'), 0.5)));

/** op(a) · op(b), op transposing the last two axes or not. */
const product = entry(['a', 'b'], (dy, [a, b], attributes) => {
  const [turnA, turnB] = [attributes['transposeA'] === true, attributes['transposeB'] === true];
  return {
    a: () => summedTo(turnA ? times(b, dy, turnB, true) : times(dy, b, false, !turnB), a.shape),
    b: () => summedTo(turnB ? times(dy, a, true, turnA) : times(a, dy, !turnA, false), b.shape),
  };
});

function times(a: tf.Tensor, b: tf.Tensor, turnA: boolean, turnB: boolean): tf.Tensor {
  if (tf.getBackend() !== 'wasm') return tf.matMul(a, b, turnA, turnB);
  const turns = tf.getKernel('SpexlensProducts', 'wasm') != null;
  const turned = (x: tf.Tensor, turn: boolean): tf.Tensor =>
    turn ? tf.transpose(x, [...x.shape.keys()].slice(0, -2).concat(x.rank - 1, x.rank - 2)) : x;
  return tf.matMul(turned(a, turnA), turned(b, turnB && !turns), false, turnB && turns);
}

/** dy [..., picked, ...] of a gather along `axis`, added up where it was taken from. */
function scattered(dy: tf.Tensor, x: tf.Tensor, indices: tf.Tensor, axis: number): tf.Tensor {
  const picked = tf.reshape(indices, [-1]) as tf.Tensor1D;
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const [lead, size, tail] = [tf.util.sizeFromShape(before), x.shape[axis], tf.util.sizeFromShape(after)];
  const rows = tf.reshape(tf.transpose(tf.reshape(dy, [lead, picked.size, tail]), [1, 0, 2]), [
    picked.size,
    lead * tail,
  ]);
  const summed =
    tf.getKernel('UnsortedSegmentSum', tf.getBackend()) != null
      ? tf.unsortedSegmentSum(rows, picked, size)
      : tf.matMul(tf.transpose(tf.cast(tf.oneHot(picked, size), 'float32')), rows);
  return tf.reshape(tf.transpose(tf.reshape(summed, [size, lead, tail]), [1, 0, 2]), x.shape);
}

/** dy of a tile, summed over the copies of each axis. */
function untiled(dy: tf.Tensor, x: tf.Tensor, repeats: readonly number[]): tf.Tensor {
  let sum = dy;
  const shape = dy.shape.slice();
  repeats.forEach((count, axis) => {
    if (count === 1) return;
    const before = tf.util.sizeFromShape(shape.slice(0, axis));
    shape[axis] = x.shape[axis];
    sum = tf.sum(tf.reshape(sum, [before, count, tf.util.sizeFromShape(shape.slice(axis))]), 1);
  });
  return tf.reshape(sum, x.shape);
}

export const STOCK_GRADIENTS: GradientTable = {
  Identity: entry([], (dy) => ({ x: () => tf.clone(dy) })),
  Cast: entry([], (dy) => ({ x: () => tf.cast(dy, 'float32') })),

  Add: binary((dy) => [() => dy, () => dy]),
  Sub: binary((dy) => [() => dy, () => tf.neg(dy)]),
  Multiply: binary((dy, a, b) => [() => tf.mul(dy, b), () => tf.mul(dy, a)]),
  RealDiv: binary((dy, a, b) => [() => tf.div(dy, b), () => tf.neg(tf.mul(dy, tf.div(a, tf.square(b))))]),
  SquaredDifference: binary((dy, a, b) => {
    const slope = (): tf.Tensor => tf.mul(dy, tf.mul(tf.sub(a, b), 2));
    return [slope, () => tf.neg(slope())];
  }),
  Maximum: binary((dy, a, b) => [() => half(dy, a, b, tf.greater), () => half(dy, a, b, tf.less)]),
  Minimum: binary((dy, a, b) => [() => half(dy, a, b, tf.less), () => half(dy, a, b, tf.greater)]),
  Pow: binary((dy, a, b) => [
    () => tf.mul(dy, tf.mul(b, tf.pow(a, tf.sub(b, 1)))),
    () => tf.mul(dy, tf.mul(tf.pow(a, b), tf.where(tf.greater(a, 0), tf.log(a), tf.zerosLike(a)))),
  ]),
  AddN: entryOfAll((dy, saved) => Object.fromEntries(saved.map((_, i) => [i, () => tf.clone(dy)]))),
  BatchMatMul: product,

  Neg: entry([], (dy) => ({ x: () => tf.neg(dy) })),
  Square: ofInput((x) => tf.mul(x, 2)),
  Sqrt: ofOutput((y) => tf.div(0.5, y)),
  Rsqrt: ofOutput((y) => tf.mul(tf.pow(y, 3), -0.5)),
  Reciprocal: ofOutput((y) => tf.neg(tf.square(y))),
  Exp: ofOutput((y) => y),
  Log: ofInput((x) => tf.reciprocal(x)),
  Log1p: ofInput((x) => tf.reciprocal(tf.add(x, 1))),
  Abs: ofInput((x) => tf.sign(x)),
  Sin: ofInput((x) => tf.cos(x)),
  Cos: ofInput((x) => tf.neg(tf.sin(x))),
  Relu: ofOutput((y) => tf.step(y)),
  Sigmoid: ofOutput((y) => tf.mul(y, tf.sub(1, y))),
  Tanh: ofOutput((y) => tf.sub(1, tf.square(y))),
  Softplus: ofInput((x) => tf.sigmoid(x)),
  Erf: ofInput((x) => tf.mul(tf.exp(tf.neg(tf.square(x))), 2 / Math.sqrt(Math.PI))),
  ClipByValue: entry(['x'], (dy, [x], { clipValueMin, clipValueMax }) => ({
    x: () =>
      tf.mul(
        dy,
        tf.cast(
          tf.logicalAnd(tf.greaterEqual(x, clipValueMin as number), tf.lessEqual(x, clipValueMax as number)),
          'float32',
        ),
      ),
  })),
  Floor: flat(),
  Ceil: flat(),
  Round: flat(),
  Sign: flat(),
  Step: flat(),
  OnesLike: flat(),
  ZerosLike: flat(),

  Softmax: entry(
    [],
    (dy, [y], { dim }) => ({
      logits() {
        const weighted = tf.mul(dy, y);
        return tf.sub(weighted, tf.mul(tf.sum(weighted, dim as number, true), y));
      },
    }),
    true,
  ),
  LogSoftmax: entry(
    [],
    (dy, [y], { axis }) => ({ logits: () => tf.sub(dy, tf.mul(tf.sum(dy, axis as number, true), tf.exp(y))) }),
    true,
  ),
  Sum: entry(['x'], (dy, [x], { axis }) => ({ x: () => tf.mul(widened(dy, x, axis).y, tf.onesLike(x)) })),
  Mean: entry(['x'], (dy, [x], { axis }) => ({
    x() {
      const { y, count } = widened(dy, x, axis);
      return tf.mul(tf.div(y, count), tf.onesLike(x));
    },
  })),
  Max: extreme,
  Min: extreme,
  Cumsum: entry([], (dy, _, { axis, exclusive, reverse }) => ({
    x: () => tf.cumsum(dy, axis as number, exclusive as boolean, reverse !== true),
  })),

  Reshape: entry(['x'], (dy, [x]) => ({ x: () => tf.reshape(dy, x.shape) })),
  ExpandDims: entry(['input'], (dy, [x]) => ({ input: () => tf.reshape(dy, x.shape) })),
  Transpose: entry([], (dy, _, { perm }) => {
    const order = (perm as number[] | undefined) ?? [...dy.shape.keys()].reverse();
    return {
      x: () =>
        tf.transpose(
          dy,
          order.map((_axis, to) => order.indexOf(to)),
        ),
    };
  }),
  Slice: entry(['x'], (dy, [x], { begin, size }) => ({
    x() {
      const [from, sizes] = tf.slice_util.parseSliceParams(x, begin as number[], size as number[]);
      return tf.pad(
        dy,
        from.map((start, axis): [number, number] => [start, x.shape[axis] - start - sizes[axis]]),
      );
    },
  })),
  PadV2: entry(['x'], (dy, [x], { paddings }) => ({
    x: () =>
      tf.slice(
        dy,
        (paddings as [number, number][]).map(([before]) => before),
        x.shape,
      ),
  })),
  Concat: entryOfAll((dy, saved, { axis }) => {
    const at = tf.util.parseAxisParam(axis as number, saved[0].shape)[0];
    const parts = tf.split(
      dy,
      saved.map((part) => part.shape[at]),
      at,
    );
    return Object.fromEntries(parts.map((part, i) => [i, () => part]));
  }),
  SplitV: {
    gradFunc: (dys, _, attributes) => ({
      x: () => tf.concat(dys as tf.Tensor[], (attributes as Attributes)['axis'] as number),
    }),
  },
  Pack: entryOfAll((dy, _, { axis }) => {
    const parts = tf.unstack(dy, axis as number);
    return Object.fromEntries(parts.map((part, i) => [i, () => part]));
  }),
  Unpack: {
    gradFunc: (dys, _, attributes) => ({
      value: () => tf.stack(dys as tf.Tensor[], (attributes as Attributes)['axis'] as number),
    }),
  },
  Tile: entry(['x'], (dy, [x], { reps }) => ({ x: () => untiled(dy, x, reps as number[]) })),
  GatherV2: entry(['x', 'indices'], (dy, [x, indices], { axis, batchDims }) => ({
    x() {
      if (((batchDims as number | undefined) ?? 0) !== 0)
        throw fail('input', 'gradients', 'a gather with batch dimensions has no gradient here; gather along one axis.');
      return scattered(dy, x, indices, tf.util.parseAxisParam(axis as number, x.shape)[0]);
    },
  })),
  Select: entry(['condition'], (dy, [condition]) => ({
    t: () => tf.mul(dy, tf.cast(condition, 'float32')),
    e: () => tf.mul(dy, tf.cast(tf.logicalNot(condition), 'float32')),
  })),
};
