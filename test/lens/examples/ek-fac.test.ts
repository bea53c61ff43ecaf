/** EK-FAC and K-FAC against the Fisher matrix written out, and against influence functions where a curvature is a Kronecker product. */
import * as tf from '@tensorflow/tfjs-core';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backend/backend.ts';
import type { Example } from '../../../src/lens/examples/data-set.ts';
import { ekFac } from '../../../src/lens/examples/estimates/ek-fac.ts';
import { influences } from '../../../src/lens/examples/estimates/influence.ts';
import { trainOnAll, type Trained } from '../../../src/lens/examples/estimates/trained.ts';
import { RECIPES } from '../../../src/lens/examples/recipes.ts';
import { TEST_VALUES } from '../../../src/lens/examples/test-values.ts';
import { createRandom } from '../../../src/random.ts';
import { weightedGradient } from '../../../src/train/derivatives.ts';
import { unflatten } from '../../../src/train/parameters.ts';
import { open } from '../../tensors.ts';

const [N, CLASSES, WIDTH, HIDDEN] = [12, 3, 4, 5];
const LAMBDA = 0.02;

async function trainedOn(train: readonly Example[], test: readonly Example[], hidden: number[]): Promise<Trained> {
  const settings = { ...RECIPES.mlp.defaults, hidden, scale: 'none' as const };
  const training = { ...settings.training, epochs: 5, batchSize: 4 };
  return trainOnAll({ ...RECIPES.mlp.open(train, test, settings), training, value: TEST_VALUES.margin, seeds: [0] });
}

function points(count: number): Example[] {
  const random = createRandom(9);
  return Array.from({ length: count }, (_, n) => ({
    vector: Array.from({ length: WIDTH }, (__, j) => random.normal() + (j === n % CLASSES ? 1 : 0)),
    label: String(n % CLASSES),
    fields: {},
  }));
}

/** Chances [N, C], the inputs of both layers, and each example's gradient under every label, [N][C][P], by autodiff. */
function writtenOut({ asked: { architecture, examples }, theta }: Trained): {
  chances: number[][];
  inputs: number[][][];
  gradients: Float32Array[][];
} {
  return tf.tidy(() => {
    const batch = examples.batch(Array.from({ length: examples.count }, (_, n) => n));
    const parameters = unflatten(architecture, theta);
    const chances = tf.softmax(tf.squeeze(architecture.logits(parameters, batch), [0])).arraySync() as number[][];
    const seen: number[][][] = [];
    architecture.logits(parameters, batch, (_layer, x, out) => {
      seen.push((x.arraySync() as number[][][])[0].map((row) => [...row, 1]));
      return out;
    });
    const gradients = Array.from({ length: examples.count }, (_, n) =>
      Array.from({ length: architecture.classes }, (__, c) => {
        const one = { ...examples.batch([n]), targets: tf.tensor1d([c], 'int32') };
        const plain = { ...architecture, kernels: undefined };
        return weightedGradient(plain, theta, one, tf.ones([1, 1])).dataSync() as Float32Array;
      }),
    );
    return { chances, inputs: seen, gradients };
  });
}

/** Scores by the definition: in the eigenbasis of each layer's two factors, by the Fisher block's diagonal there or by their eigenvalues. */
function reference(trained: Trained, eigenvalues: 'measured' | 'product'): Float64Array {
  const { asked, gradient, decay } = trained;
  const { chances, inputs, gradients } = writtenOut(trained);
  const g = gradient.dataSync();
  const own = gradients.map((each, n) => each[n % CLASSES]);
  const scores = new Float64Array(N);
  let offset = 0;
  inputs.forEach((rows, l) => {
    const [from, to] = [rows[0].length, l === inputs.length - 1 ? CLASSES : HIDDEN];
    const block = Float64Array.from({ length: from * to }, (_, i) => offset + i); // weight, then bias: as rows of one matrix
    const factor = (size: number, vectors: { x: ArrayLike<number>; weight: number }[]): Matrix => {
      const sum = Matrix.zeros(size, size);
      for (const { x, weight } of vectors)
        for (let i = 0; i < size; i++)
          for (let j = 0; j < size; j++) sum.set(i, j, sum.get(i, j) + (weight / N) * x[i] * x[j]);
      return sum;
    };
    const biasOf = (all: Float32Array): Float32Array => all.subarray(offset + (from - 1) * to, offset + from * to);
    const A = new EigenvalueDecomposition(
      factor(
        from,
        rows.map((x) => ({ x, weight: 1 })),
      ),
      { assumeSymmetric: true },
    );
    const G = new EigenvalueDecomposition(
      factor(
        to,
        gradients.flatMap((each, n) => each.map((all, c) => ({ x: biasOf(all), weight: chances[n][c] }))),
      ),
      { assumeSymmetric: true },
    );
    for (let i = 0; i < from; i++)
      for (let j = 0; j < to; j++) {
        const q = block.map(
          (_, at) => A.eigenvectorMatrix.get(Math.floor(at / to), i) * G.eigenvectorMatrix.get(at % to, j),
        );
        const along = (all: ArrayLike<number>): number => q.reduce((sum, x, at) => sum + x * all[block[at]], 0);
        const value =
          eigenvalues === 'product'
            ? A.realEigenvalues[i] * G.realEigenvalues[j]
            : gradients.reduce(
                (sum, each, n) => sum + each.reduce((s, all, c) => s + (chances[n][c] * along(all) ** 2) / N, 0),
                0,
              );
        const solved = along(g) / (Math.max(0, value) + LAMBDA + decay);
        own.forEach((all, n) => (scores[n] -= (solved * along(all)) / N));
      }
    offset += from * to;
  });
  expect(offset).toBe(asked.architecture.size);
  return scores;
}

describe('curvature in Kronecker factors', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open('wasm');
  });
  afterAll(() => backend.close());

  it.each(['measured', 'product'] as const)(
    'with %s eigenvalues is that of the Fisher matrix written out',
    async (eigenvalues) => {
      const all = points(N + 1);
      using trained = await trainedOn(all.slice(0, N), all.slice(N), [HIDDEN]);
      const { scores } = await ekFac(trained, { eigenvalues, damping: LAMBDA });
      const truth = reference(trained, eigenvalues);
      const largest = truth.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      expect(largest).toBeGreaterThan(0.01);
      expect(scores.map((x) => x / largest)).toBeAllClose(
        truth.map((x) => x / largest),
        1e-3,
      );
    },
  );

  it('is exact where inputs are one: both are influence functions there', async () => {
    const test = points(1);
    const vector = [0.5, -1, 2, 0.3];
    const train = ['0', '1', '2', '1'].map((label) => ({ vector, label, fields: {} }));
    using trained = await trainedOn(train, test, []);
    const { scores: truth } = await influences(trained, { damping: LAMBDA });
    for (const eigenvalues of ['measured', 'product'] as const) {
      const { scores } = await ekFac(trained, { eigenvalues, damping: LAMBDA });
      expect(scores).toBeAllClose(truth, 1e-3 * Math.max(...truth.map(Math.abs)));
    }
  });
});
