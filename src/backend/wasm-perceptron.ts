/**
 * Gradients of K perceptrons at once, and their curvature, on the wasm backend: a model at a time, all of it in the first cache.
 *
 * What src/train/derivatives.ts makes of operations on all K models, each of which goes through memory, is here a loop over models: the
 * products are the module's own, what stands between them is plain JavaScript over the backend's memory. Curvature is Pearlmutter's
 * R-operator (Neural Computation 1994): the same passes with a direction v carried along.
 */
import { fail } from '../errors.ts';
import type { Kernel, Tensors } from './wasm-tensors.ts';

interface Layer {
  readonly from: number;
  readonly to: number;
  /** Of its matrix and of its bias among a model's numbers. */
  readonly weight: number;
  readonly bias: number;
}

/** Where the numbers of a pass lie, in bytes. */
interface Pass {
  /** Of each layer: before and after the activation, [B, to], and the gradient of the first. */
  readonly z: readonly number[];
  readonly a: readonly number[];
  readonly d: readonly number[];
}

type Shape = readonly number[];

/** Softmax regression (no hidden layer), or silu between layers. */
export const PERCEPTRON_KERNELS: Readonly<Record<string, Kernel>> = {
  /** theta [K, P], x [B, in], right [B, C] with 1 at each class, coefficients [K, B] -> ∇Σ c ℓ [K, P]. */
  SpexlensPerceptronGradient: (tensors, inputs, attributes) => {
    const work = workOf(tensors, inputs, attributes, 1);
    const { layers, models, size } = work;
    const out = tensors.output([models, size]);
    const { x, theta, coefficients, right } = work.at;
    const to = tensors.at(out);
    work.run.transpose(x, work.turnedX, work.batch, layers[0].from);
    for (let k = 0; k < models; k++) {
      const own = theta + 4 * k * size;
      forward(work, own);
      errorOf(work, work.passes[0], right, coefficients + 4 * k * work.batch);
      backward(work, own, to + 4 * k * size);
    }
    return out;
  },
  /** The same with v [K, P] -> the Hessian's product with v [K, P], and v·∇ℓ of each example [K, B]. */
  SpexlensPerceptronCurvature: (tensors, inputs, attributes) => {
    const work = workOf(tensors, inputs, attributes, 2);
    const { layers, models, size, batch } = work;
    const outs = [tensors.output([models, size]), tensors.output([models, batch])];
    const v = tensors.at(tensors.expect('v', inputs['v'], models * size));
    const f = tensors.floats();
    const { x, theta, coefficients, right } = work.at;
    work.run.transpose(x, work.turnedX, batch, layers[0].from);
    for (let k = 0; k < models; k++) {
      const [own, along] = [theta + 4 * k * size, v + 4 * k * size];
      forward(work, own);
      forwardAlong(work, f, own, along);
      errorAlong(work, f, right, coefficients + 4 * k * batch, tensors.at(outs[1]) + 4 * k * batch);
      backwardAlong(work, f, own, along, tensors.at(outs[0]) + 4 * k * size);
    }
    return outs;
  },
};

interface Work {
  readonly run: Tensors['run'];
  readonly layers: readonly Layer[];
  readonly models: number;
  readonly size: number;
  readonly batch: number;
  readonly at: { readonly x: number; readonly theta: number; readonly coefficients: number; readonly right: number };
  /** The pass, and the one along v. */
  readonly passes: readonly Pass[];
  readonly turnedX: number;
  /** Room for what is turned, and for one layer's gradients. */
  readonly turned: number;
  readonly spare: number;
  readonly free: number;
}

function workOf(
  { run, scratch, at, expect }: Tensors,
  inputs: Parameters<Kernel>[1],
  { widths }: Parameters<Kernel>[2],
  passes: 1 | 2,
): Work {
  const shape = widths as Shape;
  const theta = expect('theta', inputs['theta']);
  const [models, size] = theta.shape;
  const layers: Layer[] = [];
  let offset = 0;
  for (let l = 1; l < shape.length; l++) {
    const [from, to] = [shape[l - 1], shape[l]];
    layers.push({ from, to, weight: offset, bias: offset + from * to });
    offset += (from + 1) * to;
  }
  const x = expect('x', inputs['x']);
  const batch = x.shape[0];
  if (offset !== size || x.shape[1] !== shape[0])
    throw fail(
      'input',
      'perceptron',
      `layers of ${shape.join(', ')} have ${offset} numbers a model and read ${shape[0]}; theta has ${size}, x ${x.shape[1]}.`,
    );
  const right = expect('right', inputs['right'], batch * shape[shape.length - 1]);
  const coefficients = expect('coefficients', inputs['coefficients'], models * batch);
  const scratchBytes = 64 * Math.ceil(Math.max(run.linearScratch(), run.backLinearScratch()) / 64);
  const widest = Math.max(...shape);
  const perPass = layers.reduce((sum, { to }) => sum + 3 * batch * to, 0);
  const matrix = Math.max(...layers.map(({ from, to }) => from * to), batch * widest);
  const floats = passes * perPass + batch * shape[0] + 2 * batch * widest + 2 * matrix;
  let next = scratch(scratchBytes + 4 * floats);
  const free = next;
  next += scratchBytes;
  const room = (count: number): number => (next += 4 * count) - 4 * count;
  const passAt = (): Pass => {
    const rooms = layers.map(({ to }) => [room(batch * to), room(batch * to), room(batch * to)]);
    return { z: rooms.map(([z]) => z), a: rooms.map(([, a]) => a), d: rooms.map(([, , d]) => d) };
  };
  return {
    run,
    layers,
    models,
    size,
    batch,
    at: { x: at(x), theta: at(theta), coefficients: at(coefficients), right: at(right) },
    passes: Array.from({ length: passes }, passAt),
    turnedX: room(batch * shape[0]),
    turned: room(2 * batch * widest),
    spare: room(2 * matrix),
    free,
  };
}

/** SILU by the module's numbering (wasm-tensors.ts). */
const SILU = 2;

function forward({ run, layers, batch, at, passes: [{ z, a }], free }: Work, own: number): void {
  layers.forEach(({ from, to, weight, bias }, l) => {
    const input = l === 0 ? at.x : a[l - 1];
    run.linear(input, own + 4 * weight, own + 4 * bias, 0, batch, z[l], batch, from, to, 0, free);
    if (l < layers.length - 1) run.pointwise(z[l], a[l], batch * to, 0, 0, 0, SILU);
  });
}

/** Softmax of the logits, in the place of their activations, and c (p - y), the loss's gradient of them. */
function errorOf({ run, layers, batch }: Work, { z, a, d }: Pass, right: number, coefficients: number): void {
  const last = layers.length - 1;
  run.softmaxErrors(z[last], right, coefficients, a[last], d[last], batch, layers[last].to);
}

/** Gradients of every matrix and bias into `out`, from the last layer's error. */
function backward(work: Work, own: number, out: number): void {
  const { run, layers, batch, passes, turnedX, turned, free } = work;
  const [{ z, a, d }] = passes;
  for (let l = layers.length - 1; l >= 0; l--) {
    const { from, to, weight, bias } = layers[l];
    if (l > 0) run.transpose(a[l - 1], turned, batch, from);
    run.linear(l > 0 ? turned : turnedX, d[l], 0, 0, from, out + 4 * weight, from, batch, to, 0, free);
    run.sumRows(d[l], out + 4 * bias, batch, to);
    if (l === 0) break;
    run.backLinear(d[l], own + 4 * weight, a[l - 1], batch, from, to, free);
    run.backPointwise(z[l - 1], 0, a[l - 1], d[l - 1], 0, batch * from, SILU);
  }
}

/** What each layer's numbers do along v. */
function forwardAlong(work: Work, f: Float32Array, own: number, along: number): void {
  const { run, layers, batch, at, passes, spare, free } = work;
  const [{ z, a }, { z: rz, a: ra }] = passes;
  layers.forEach(({ from, to, weight, bias }, l) => {
    const input = l === 0 ? at.x : a[l - 1];
    run.linear(input, along + 4 * weight, along + 4 * bias, 0, batch, rz[l], batch, from, to, 0, free);
    if (l > 0) {
      run.linear(ra[l - 1], own + 4 * weight, 0, 0, batch, spare, batch, from, to, 0, free);
      addTo(f, rz[l], spare, batch * to);
    }
    if (l < layers.length - 1) run.backPointwise(z[l], 0, rz[l], ra[l], 0, batch * to, SILU);
  });
}

/** The error, what it does along v, and each example's slope. */
function errorAlong(work: Work, f: Float32Array, right: number, coefficients: number, slopes: number): void {
  const { layers, batch, passes } = work;
  const [pass, { z: rz, d: rd }] = passes;
  errorOf(work, pass, right, coefficients);
  const last = layers.length - 1;
  const classes = layers[last].to;
  const [p, along, error, y, c] = [pass.a[last] / 4, rz[last] / 4, rd[last] / 4, right / 4, coefficients / 4];
  for (let b = 0; b < batch; b++) {
    const row = b * classes;
    let [mean, slope] = [0, 0];
    for (let j = 0; j < classes; j++) {
      const moved = f[along + row + j];
      mean += f[p + row + j] * moved;
      slope += (f[p + row + j] - f[y + row + j]) * moved;
    }
    f[slopes / 4 + b] = slope;
    for (let j = 0; j < classes; j++) f[error + row + j] = f[c + b] * f[p + row + j] * (f[along + row + j] - mean);
  }
}

/** The derivative along v of what `backward` gives. */
function backwardAlong(work: Work, f: Float32Array, own: number, along: number, out: number): void {
  const { run, layers, batch, passes, turnedX, turned, spare, free } = work;
  const [{ z, a, d }, { z: rz, a: ra, d: rd }] = passes;
  for (let l = layers.length - 1; l >= 0; l--) {
    const { from, to, weight, bias } = layers[l];
    if (l > 0) run.transpose(a[l - 1], turned, batch, from);
    run.linear(l > 0 ? turned : turnedX, rd[l], 0, 0, from, out + 4 * weight, from, batch, to, 0, free);
    run.sumRows(rd[l], out + 4 * bias, batch, to);
    if (l === 0) break;
    run.transpose(ra[l - 1], turned, batch, from);
    run.linear(turned, d[l], 0, 0, from, spare, from, batch, to, 0, free);
    addTo(f, out + 4 * weight, spare, from * to);
    // The activations' gradients and what they do along v, in the activations' places.
    run.backLinear(d[l], own + 4 * weight, a[l - 1], batch, from, to, free);
    run.backLinear(rd[l], own + 4 * weight, ra[l - 1], batch, from, to, free);
    run.backLinear(d[l], along + 4 * weight, spare, batch, from, to, free);
    addTo(f, ra[l - 1], spare, batch * from);
    run.backPointwise(z[l - 1], 0, a[l - 1], d[l - 1], 0, batch * from, SILU);
    bend(f, z[l - 1], rz[l - 1], a[l - 1], ra[l - 1], rd[l - 1], batch * from);
  }
}

/** rd = σ'(z)·ra + σ''(z)·rz·a of silu, with s = 1 / (1 + e⁻ᶻ): σ' = s(1 + z(1 - s)), σ'' = s(1 - s)(2 + z(1 - 2s)). */
function bend(f: Float32Array, z: number, rz: number, a: number, ra: number, rd: number, size: number): void {
  [z, rz, a, ra, rd] = [z / 4, rz / 4, a / 4, ra / 4, rd / 4];
  for (let i = 0; i < size; i++) {
    const x = f[z + i];
    const s = 1 / (1 + Math.exp(-x));
    f[rd + i] = s * (1 + x * (1 - s)) * f[ra + i] + s * (1 - s) * (2 + x * (1 - 2 * s)) * f[rz + i] * f[a + i];
  }
}

function addTo(f: Float32Array, to: number, from: number, size: number): void {
  [from, to] = [from / 4, to / 4];
  for (let i = 0; i < size; i++) f[to + i] += f[from + i];
}
