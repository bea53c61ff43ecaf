/**
 * Training again, of tangents in place of the model: what gradient descent on the kept examples would answer if logits moved along
 * the gradients that they have on the way when everything is trained on.
 *
 * A step of descent on Σ w ℓ along Jᵀr moves logits by J·Jᵀ times r, J their gradients and r the weighted errors p - y (Lee et al.,
 * NeurIPS 2019, "Wide neural networks of any depth evolve as linear models under gradient descent"). With J·Jᵀ taken at a few
 * checkpoints of the training on everything, the recipe's own descent (start, order of examples, rates, momentum, decay) needs logits
 * alone: a mask costs products with matrices over examples, however large the model. Of softmax regression, whose logits are linear, it is
 * the training itself.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../../errors.ts';
import { isKept, selectRows, type Masks } from '../../../masks.ts';
import { breathe } from '../../../platform/breathe.ts';
import { createRandom } from '../../../random.ts';
import { slopesAlong } from '../../../train/derivatives.ts';
import type { Batch } from '../../../train/architecture.ts';
import { stepsOf, type Step } from '../../../train/schedule.ts';
import { unflatten } from '../../../train/parameters.ts';
import { ownersOf, type ExamplePlayer } from '../example-players.ts';
import { openValue } from '../test-values.ts';
import { tangentKernel, type KernelOptions } from './tangent-kernel.ts';
import { trainClasses, trainOnAll, type Trained } from './trained.ts';

export const TANGENT_TRAINING = 'tangent training';

/** What training the tangents would answer; costs no training of the model. */
export interface TangentTraining {
  readonly name: string;
  /** In one column, the value of each mask. */
  columns(masks: Masks): Promise<Float64Array[]>;
}

/** Examples at most: a step costs a product with a matrix over them. */
const MOST_EXAMPLES = 1024;
/** Logits of all examples up to which each has rows of its own; beyond, those of an example share the mean of theirs, and other logits' are 0. */
const MOST_LOGITS = 1536;
/** A kernel's numbers that differ by this share of the largest are one. */
const SAME = 1e-5;
/** Logits of examples by masks at a time, and in all. */
const NUMBERS = 2 ** 22;
/** Kernels of a training, each in the middle of so large a share of its steps. */
const CHECKPOINTS = 6;
/** Steps after which others have their turn. */
const BREATHE = 16;

/** How logits move along gradients, from some step on. */
interface Kernel {
  /** Of logits [(N + M)·C, (N + M)·C]; of examples, where logits of one class move those of no other and all alike, [N + M, N + M]. */
  readonly numbers: Float32Array;
  readonly of: 'examples' | 'logits';
  /** Up to this step of training. */
  readonly until: number;
}

/** One seed's training, by its tangents. */
interface Tangent {
  readonly kernels: readonly Kernel[];
  /** Of logits [N + M, C]: those at θ = 0, and what the start adds to them. */
  readonly base: Float32Array;
  readonly start: Float32Array;
  readonly steps: readonly Step[];
}

/** @throws 'input' on more examples than it takes, or an optimiser that is not SGD. */
export async function tangentTraining(
  trained: Trained,
  players: readonly ExamplePlayer[],
  options: KernelOptions = {},
): Promise<TangentTraining> {
  const { asked } = trained;
  const { architecture, examples, test, training, seeds } = asked;
  const { optimiser } = training;
  const [N, M, C] = [examples.count, test.count, architecture.classes];
  const rows = N + M;
  if (optimiser.kind !== 'sgd')
    throw fail(
      'input',
      TANGENT_TRAINING,
      `follows sgd, whose steps are along gradients, and not ${optimiser.kind}; kernel regression goes with any.`,
    );
  if (N > MOST_EXAMPLES || rows * C > NUMBERS)
    throw fail(
      'input',
      TANGENT_TRAINING,
      `${N} examples and ${rows * C} logits; at most ${MOST_EXAMPLES} and ${NUMBERS} are taken, for every step is a product with a matrix over them.`,
    );
  const owners = ownersOf(players, N);
  const tangents: Tangent[] = [];
  const checkpoints: Trained[] = [];
  try {
    // In the middle of each segment.
    const total = stepsOf(training, N, seeds[0]).length;
    for (let c = 0; c < CHECKPOINTS; c++)
      checkpoints.push(await trainOnAll(asked, Math.round((segment(total, c) + segment(total, c + 1)) / 2)));
    for (let k = 0; k < seeds.length; k++) tangents.push(await tangentOf(trained, k, checkpoints, options));
  } finally {
    for (const checkpoint of checkpoints) checkpoint[Symbol.dispose]();
  }
  const classes = await trainClasses(trained);
  const right = new Float32Array(N * C);
  classes.forEach((c, n) => (right[n * C + c] = 1));

  /** The mean over seeds of the values of some masks. */
  const valuesOf = async (masks: Masks): Promise<Float64Array> => {
    const K = masks.count;
    const weights = new Float32Array(N * K);
    const totals = new Float64Array(K);
    for (let n = 0; n < N; n++)
      for (let k = 0; k < K; k++)
        if (owners[n] < 0 || isKept(masks, k, owners[n])) {
          weights[n * K + k] = 1;
          totals[k]++;
        }
    const means = new Float64Array(K);
    for (const tangent of tangents) {
      const logits = await descend(tangent, { weights, totals, right, N, M, C, optimiser });
      using valued = openValue(asked.value, asked, M, C);
      const values = tf.tidy(() => tf.mean(valued.of(tf.transpose(logits, [2, 0, 1])), 1));
      (await values.data()).forEach((x, k) => (means[k] += x / tangents.length));
      tf.dispose([logits, values]);
    }
    return means;
  };
  return {
    name: TANGENT_TRAINING,
    async columns(masks) {
      const all = new Float64Array(masks.count);
      const size = Math.max(1, Math.min(256, Math.floor(NUMBERS / (rows * C))));
      for (let from = 0; from < masks.count; from += size) {
        const some = Array.from({ length: Math.min(size, masks.count - from) }, (_, k) => from + k);
        all.set(await valuesOf(selectRows(masks, some)), from);
      }
      return [all];
    },
  };
}

async function tangentOf(
  { asked, all, testBatch }: Trained,
  k: number,
  checkpoints: readonly Trained[],
  options: KernelOptions,
): Promise<Tangent> {
  const { architecture, examples, training, seeds } = asked;
  const steps = stepsOf(training, examples.count, seeds[k]);
  const kernels: Kernel[] = [];
  for (const [c, checkpoint] of checkpoints.entries())
    kernels.push({ ...(await kernelAt(checkpoint, k, options)), until: segment(steps.length, c + 1) });
  const first = architecture.initialise(createRandom(seeds[k], 'train/start'));
  const [base, start] = tf.tidy(() => {
    const fresh = tf.tensor2d(first, [1, architecture.size]);
    const last = tf.slice(checkpoints[checkpoints.length - 1].theta, [k, 0], [1, architecture.size]);
    const both = (of: (batch: Batch) => tf.Tensor): tf.Tensor => tf.concat([all, testBatch].map(of), 1);
    const logits = both((batch) => architecture.logits(unflatten(architecture, fresh), batch));
    const along = both((batch) =>
      slopesAlong(architecture, last, (parameters) => architecture.logits(parameters, batch), fresh),
    );
    return [tf.sub(logits, along), along];
  });
  const tangent: Tangent = {
    kernels,
    base: (await base.data()) as Float32Array,
    start: (await start.data()) as Float32Array,
    steps,
  };
  tf.dispose([base, start]);
  return tangent;
}

/** The step with which the first `c` of all segments of training end. */
function segment(steps: number, c: number): number {
  return Math.round((steps * c) / CHECKPOINTS);
}

async function kernelAt(trained: Trained, k: number, options: KernelOptions): Promise<Omit<Kernel, 'until'>> {
  const { architecture, examples, test } = trained.asked;
  const C = architecture.classes;
  const rows = examples.count + test.count;
  if (rows * C > MOST_LOGITS) {
    const summed = await tangentKernel(trained, k, 'examples', options);
    return { numbers: summed.map((x) => x / C), of: 'examples' };
  }
  const numbers = await tangentKernel(trained, k, 'logits', options);
  const shared = sharedOf(numbers, rows, C);
  return shared === undefined ? { numbers, of: 'logits' } : { numbers: shared, of: 'examples' };
}

/** The kernel of examples that one of logits is, a class at a time; undefined where it is none. */
function sharedOf(kernel: Float32Array, rows: number, C: number): Float32Array | undefined {
  const width = rows * C;
  const shared = new Float32Array(rows * rows);
  let [largest, off] = [0, 0];
  for (let a = 0; a < rows; a++)
    for (let b = 0; b < rows; b++) {
      const first = kernel[a * C * width + b * C];
      shared[a * rows + b] = first;
      largest = Math.max(largest, Math.abs(first));
      for (let c = 0; c < C; c++)
        for (let d = 0; d < C; d++)
          off = Math.max(off, Math.abs(kernel[(a * C + c) * width + b * C + d] - (c === d ? first : 0)));
    }
  return off <= SAME * largest ? shared : undefined;
}

interface Descent {
  /** [N, K], and their sums by mask. */
  readonly weights: Float32Array;
  readonly totals: Float64Array;
  /** [N, C], 1 at each class. */
  readonly right: Float32Array;
  readonly N: number;
  readonly M: number;
  readonly C: number;
  readonly optimiser: Extract<Trained['asked']['training']['optimiser'], { kind: 'sgd' }>;
}

/** Logits of the test examples [M, C, K] where the descent ends. The caller owns them. */
async function descend(
  { kernels, base, start, steps }: Tangent,
  { weights, totals, right, N, M, C, optimiser }: Descent,
): Promise<tf.Tensor3D> {
  const K = totals.length;
  const rows = N + M;
  const { learningRate, momentum = 0, weightDecay = 0 } = optimiser;
  const matrices = kernels.map(({ numbers }) => {
    const width = Math.sqrt(numbers.length);
    return tf.tensor2d(numbers, [width, width]);
  });
  const constant = tf.tensor3d(base, [rows, C, 1]);
  const targets = tf.tensor3d(right, [N, C, 1]);
  const held: tf.Tensor[] = [...matrices, constant, targets];
  // J·θ and J·(what momentum remembers), [N + M, C, K].
  let moved: tf.Tensor3D = tf.tidy(() => tf.tile(tf.tensor3d(start, [rows, C, 1]), [1, 1, K]));
  let velocity: tf.Tensor3D = tf.zerosLike(moved);
  try {
    for (const [t, { rows: picked, rate }] of steps.entries()) {
      const now = kernels.findIndex(({ until }) => t < until);
      const [nextMoved, nextVelocity] = tf.tidy(() => {
        const B = picked.length;
        const coefficients = new Float32Array(B * K);
        for (let b = 0; b < B; b++)
          for (let k = 0; k < K; k++)
            if (totals[k] > 0) coefficients[b * K + k] = (weights[picked[b] * K + k] * N) / (B * totals[k]);
        const at = tf.tensor1d(picked, 'int32');
        const logits = tf.add(tf.gather(moved, at), tf.gather(constant, at));
        const powers = tf.exp(tf.sub(logits, tf.max(logits, 1, true)));
        const chances = tf.div(powers, tf.sum(powers, 1, true));
        const errors = tf.mul(tf.sub(chances, tf.gather(targets, at)), tf.tensor3d(coefficients, [B, 1, K]));
        const columns =
          kernels[now].of === 'logits'
            ? tf.tensor1d(
                Int32Array.from({ length: B * C }, (_, i) => picked[Math.floor(i / C)] * C + (i % C)),
                'int32',
              )
            : at;
        // Symmetric: its columns are its rows. [N + M, B], or of logits [(N + M)·C, B·C].
        const seen = tf.transpose(tf.gather(matrices[now], columns));
        const gradient = tf.reshape(tf.matMul(seen, tf.reshape(errors, [columns.size, -1])), [rows, C, K]);
        const decayed = weightDecay === 0 ? gradient : tf.add(gradient, tf.mul(moved, weightDecay));
        const next = tf.add(tf.mul(velocity, momentum), decayed) as tf.Tensor3D;
        return [tf.sub(moved, tf.mul(next, learningRate * rate)) as tf.Tensor3D, next];
      });
      tf.dispose([moved, velocity]);
      [moved, velocity] = [nextMoved, nextVelocity];
      if (t % BREATHE === BREATHE - 1) await breathe();
    }
    return tf.tidy(() => tf.slice(tf.add(moved, constant) as tf.Tensor3D, [N, 0, 0], [M, C, K]));
  } finally {
    tf.dispose([...held, moved, velocity]);
  }
}
