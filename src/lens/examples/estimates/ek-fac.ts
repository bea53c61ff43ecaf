/**
 * Influence by EK-FAC: the curvature of each linear layer as a Kronecker product with its eigenvalues measured.
 *
 * Of a layer's inputs a (with a 1 for the bias) and output gradients g in the mean over the model's own labels, A = E[aaᵀ] = Q_A Λ_A Q_Aᵀ
 * and G = E[ggᵀ] = Q_G Λ_G Q_Gᵀ; in their eigenbasis the curvature is nearly diagonal, with Λ_ij = E[(Q_Aᵀ·∂ℓ/∂W·Q_G)²_ij] (George et al.,
 * NeurIPS 2018; Grosse et al., arXiv:2308.03296, §2.2). K-FAC takes Λ_A Λ_G instead. Parameters outside linear layers count nothing.
 */
import * as tf from '@tensorflow/tfjs-core';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { fail, throwIfAborted } from '../../../errors.ts';
import { createRandom } from '../../../random.ts';
import type { Batch, LinearLayer } from '../../../train/architecture.ts';
import { slopesAlong } from '../../../train/derivatives.ts';
import { unflatten } from '../../../train/parameters.ts';
import { dampingOf, type Trained } from './trained.ts';

export interface EkFacOptions {
  /** Of the eigenvalues: measured (default), or the products of K-FAC. */
  readonly eigenvalues?: 'measured' | 'product' | undefined;
  readonly damping?: number | undefined;
  /** Label draws of each example; default every label by its chance where classes are few, else 4. */
  readonly draws?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Classes up to which every label takes part. */
const FEW_CLASSES = 32;

/** Each example's per-layer gradients: inputs [N, T, in + 1] and output gradients [N, T, out], T positions each. */
interface LayerTrace {
  readonly inputs: Float32Array;
  readonly gradients: Float32Array;
  readonly positions: number;
  readonly from: number;
  readonly to: number;
}

/** τ_n, [N], averaged over seeds, in units of f. */
export async function ekFac(
  trained: Trained,
  options: EkFacOptions = {},
): Promise<{ readonly scores: Float64Array; readonly damping: number }> {
  const { asked, theta, all, gradient, decay } = trained;
  const { architecture, examples, seeds } = asked;
  const { eigenvalues = 'measured' } = options;
  const draws = options.draws ?? (architecture.classes <= FEW_CLASSES ? 'every label' : 4);
  if (architecture.linear.length === 0)
    throw fail(
      'input',
      'ek-fac',
      `${architecture.name} has no layer that is one matrix of its own; influence and tracin need none.`,
    );
  const scores = new Float64Array(examples.count);
  let damping = options.damping;
  for (let k = 0; k < seeds.length; k++) {
    throwIfAborted(options.signal, 'ek-fac');
    const own = tf.slice(theta, [k, 0], [1, architecture.size]);
    const mine = tf.slice(gradient, [k, 0], [1, architecture.size]);
    const g = await mine.data();
    mine.dispose();
    const offsets = offsetsOf(architecture.parameters.map(({ shape }) => tf.util.sizeFromShape([...shape])));
    const traces = await layerTraces(trained, own, draws, createRandom(seeds[k], 'ek-fac'));
    const bases = traces.map((trace) => basisOf(trace, eigenvalues));
    damping ??= dampingOf(asked, () => {
      const values = bases.flatMap(({ values }) => Array.from(values));
      return values.reduce((sum, x) => sum + x / values.length, 0);
    });
    const v = new Float32Array(architecture.size);
    architecture.linear.forEach(({ weight, bias }, l) => {
      const { from, to } = traces[l];
      const matrix = new Float64Array(from * to);
      for (let i = 0; i < from - 1; i++)
        for (let j = 0; j < to; j++) matrix[i * to + j] = g[offsets[weight] + i * to + j];
      if (bias !== undefined) for (let j = 0; j < to; j++) matrix[(from - 1) * to + j] = g[offsets[bias] + j];
      const solved = bases[l].divide(matrix, (damping as number) + decay);
      for (let i = 0; i < from - 1; i++)
        for (let j = 0; j < to; j++) v[offsets[weight] + i * to + j] = solved[i * to + j];
      if (bias !== undefined) for (let j = 0; j < to; j++) v[offsets[bias] + j] = solved[(from - 1) * to + j];
    });
    const along = tf.tidy(() =>
      slopesAlong(architecture, own, (p) => architecture.losses(p, all), tf.tensor2d(v, [1, architecture.size])),
    );
    (await along.data()).forEach((slope, n) => (scores[n] -= slope / (examples.count * seeds.length)));
    tf.dispose([along, own]);
  }
  return { scores, damping: damping as number };
}

function offsetsOf(sizes: readonly number[]): number[] {
  let at = 0;
  return sizes.map((size) => (at += size) - size);
}

/** Inputs and output gradients of every layer, under labels that the model itself draws: `draws` of them, or each with its chance. */
async function layerTraces(
  { asked: { architecture, examples }, all }: Trained,
  theta: tf.Tensor2D,
  draws: number | 'every label',
  random: { uniform(): number },
): Promise<LayerTrace[]> {
  const { classes } = architecture;
  const N = examples.count;
  const parameters = tf.tidy(() => unflatten(architecture, theta));
  const p = tf.tidy(() => tf.softmax(tf.squeeze(architecture.logits(parameters, all), [0])));
  const chances = await p.data();
  p.dispose();
  // Squares of gradients are averaged over examples and rounds, so a label's gradient counts the root of classes times its chance.
  const rounds = Array.from({ length: draws === 'every label' ? classes : draws }, (_, d) =>
    draws === 'every label'
      ? {
          labels: new Int32Array(N).fill(d),
          counts: Float32Array.from({ length: N }, (__, n) => Math.sqrt(classes * chances[n * classes + d])),
        }
      : {
          labels: Int32Array.from({ length: N }, (__, n) =>
            drawn(chances.subarray(n * classes, (n + 1) * classes), random),
          ),
          counts: new Float32Array(N).fill(1),
        },
  );
  const parts: LayerTrace[][] = [];
  for (const { labels, counts } of rounds) parts.push(await traceOf(architecture, parameters, all, labels, counts));
  tf.dispose(parameters);
  return parts[0].map((first, l) => ({
    ...first,
    inputs: joined(parts.map((part) => part[l].inputs)),
    gradients: joined(parts.map((part) => part[l].gradients)),
  }));
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function drawn(chances: ArrayLike<number>, random: { uniform(): number }): number {
  let left = random.uniform();
  for (let c = 0; c < chances.length; c++) if ((left -= chances[c]) < 0) return c;
  return chances.length - 1;
}

async function traceOf(
  architecture: Trained['asked']['architecture'],
  parameters: readonly tf.Tensor[],
  batch: Batch,
  labels: Int32Array,
  counts: Float32Array,
): Promise<LayerTrace[]> {
  const N = labels.length;
  const inputs = new Map<string, tf.Tensor3D>();
  const shapes = new Map<string, number[]>();
  // Once for the shapes of what each layer gives, once with zeros added to it that gradients are taken of.
  tf.tidy(() => {
    architecture.logits(parameters, batch, ({ name }: LinearLayer, x, out) => {
      shapes.set(name, out.shape);
      inputs.set(name, tf.keep(tf.clone(x)));
      return out;
    });
  });
  const names = architecture.linear.map(({ name }) => name);
  const gradients = tf.tidy(() => {
    const f = (...shifts: tf.Tensor[]): tf.Scalar => {
      const logits = architecture.logits(parameters, batch, ({ name }, _x, out) =>
        tf.add(out, shifts[names.indexOf(name)]),
      );
      const chosen = tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), architecture.classes), 'float32');
      const counted = tf.mul(chosen, tf.expandDims(tf.tensor1d(counts), 1));
      return tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), tf.expandDims(counted, 0))));
    };
    return tf.grads(f)(names.map((name) => tf.zeros(shapes.get(name) as number[])));
  });
  const traces: LayerTrace[] = [];
  for (const [l, name] of names.entries()) {
    const x = inputs.get(name) as tf.Tensor3D;
    const [, rows, from] = x.shape;
    const [given, g] = [await x.data(), (await gradients[l].data()) as Float32Array];
    const wide = new Float32Array(rows * (from + 1));
    for (let r = 0; r < rows; r++) {
      wide.set(given.subarray(r * from, (r + 1) * from), r * (from + 1));
      wide[r * (from + 1) + from] = architecture.linear[l].bias === undefined ? 0 : 1;
    }
    traces.push({
      inputs: wide,
      gradients: g.slice(),
      positions: rows / N,
      from: from + 1,
      to: gradients[l].shape[2] as number,
    });
  }
  tf.dispose([...inputs.values(), ...gradients]);
  return traces;
}

interface Basis {
  readonly values: Float64Array;
  /** (curvature + damping)⁻¹ of a matrix [from, to]. */
  divide(matrix: Float64Array, damping: number): Float64Array;
}

function basisOf({ inputs, gradients, positions, from, to }: LayerTrace, eigenvalues: 'measured' | 'product'): Basis {
  const rows = inputs.length / from;
  const examples = rows / positions;
  const A = eigen(second(inputs, rows, from, examples), from);
  const G = eigen(second(gradients, rows, to, examples), to);
  const values = new Float64Array(from * to);
  if (eigenvalues === 'product') {
    // Positions of an example taken as independent: E over examples of sums over positions, by their number.
    for (let i = 0; i < from; i++)
      for (let j = 0; j < to; j++) values[i * to + j] = (A.values[i] * G.values[j]) / positions;
  } else {
    const a = rotated(inputs, A.vectors, from);
    const g = rotated(gradients, G.vectors, to);
    const one = new Float64Array(from * to);
    for (let n = 0; n < examples; n++) {
      one.fill(0);
      for (let t = 0; t < positions; t++) {
        const r = n * positions + t;
        for (let i = 0; i < from; i++) {
          const x = a[r * from + i];
          if (x !== 0) for (let j = 0; j < to; j++) one[i * to + j] += x * g[r * to + j];
        }
      }
      for (let i = 0; i < one.length; i++) values[i] += one[i] ** 2 / examples;
    }
  }
  return {
    values,
    divide(matrix, damping) {
      const inside = turned(matrix, A.vectors, G.vectors, from, to, true);
      for (let i = 0; i < inside.length; i++) inside[i] /= Math.max(0, values[i]) + damping;
      return turned(inside, A.vectors, G.vectors, from, to, false);
    },
  };
}

/** Σ x xᵀ over rows, by the number of examples. */
function second(x: Float32Array, rows: number, width: number, examples: number): Matrix {
  const sum = Matrix.zeros(width, width);
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < width; i++) {
      const xi = x[r * width + i] / examples;
      if (xi !== 0) for (let j = 0; j <= i; j++) sum.set(i, j, sum.get(i, j) + xi * x[r * width + j]);
    }
  for (let i = 0; i < width; i++) for (let j = 0; j < i; j++) sum.set(j, i, sum.get(i, j));
  return sum;
}

function eigen(matrix: Matrix, width: number): { readonly values: number[]; readonly vectors: Float64Array } {
  const found = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const vectors = new Float64Array(width * width);
  for (let i = 0; i < width; i++)
    for (let j = 0; j < width; j++) vectors[i * width + j] = found.eigenvectorMatrix.get(i, j);
  return { values: found.realEigenvalues, vectors };
}

/** Rows times Q. */
function rotated(x: Float32Array, Q: Float64Array, width: number): Float64Array {
  const rows = x.length / width;
  const out = new Float64Array(x.length);
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < width; i++) {
      const xi = x[r * width + i];
      if (xi !== 0) for (let j = 0; j < width; j++) out[r * width + j] += xi * Q[i * width + j];
    }
  return out;
}

/** Q_Aᵀ·M·Q_G, or back Q_A·M·Q_Gᵀ. */
function turned(
  M: Float64Array,
  QA: Float64Array,
  QG: Float64Array,
  from: number,
  to: number,
  into: boolean,
): Float64Array {
  const half = new Float64Array(from * to);
  for (let i = 0; i < from; i++)
    for (let k = 0; k < from; k++) {
      const q = into ? QA[k * from + i] : QA[i * from + k];
      for (let j = 0; j < to; j++) half[i * to + j] += q * M[k * to + j];
    }
  const out = new Float64Array(from * to);
  for (let i = 0; i < from; i++)
    for (let k = 0; k < to; k++) {
      const x = half[i * to + k];
      for (let j = 0; j < to; j++) out[i * to + j] += x * (into ? QG[k * to + j] : QG[j * to + k]);
    }
  return out;
}
