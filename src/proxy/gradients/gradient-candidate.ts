/**
 * GradSPEX among the candidates: the gradient process, judged on masks whose values and gradients it did not see.
 */
import { tableOf } from '../../mask-table.ts';
import { isKept, selectRows, type Masks } from '../../masks.ts';
import { createRandom } from '../../random.ts';
import { isFair } from '../../keep.ts';
import { toMeasure } from '../../spectrum/measure.ts';
import { scoreR2, shuffledFolds, squaredError } from '../../spectrum/regression/folds.ts';
import type { Candidate, Contender } from '../best.ts';
import { evidenceOf, type Witness } from '../evidence.ts';
import { slopesOf } from './gradient-prior.ts';
import { countOfGradients, rowsOf, type Sample } from './sample.ts';
import { fitScreenedProcess } from './screened-process.ts';
import { tuneProcess } from './tune-process.ts';
import type { Split } from '../end-masks.ts';

/** Gradients that were measured: values and ∂f/∂m, [count · n]. */
export interface MeasuredGradients {
  readonly masks: Masks;
  readonly gradients: Float32Array;
}

/** Values that the process is fitted on at most, those with gradients among them: it keeps their covariances. */
const MOST_VALUES = 1500;
const FOLDS = 5;
/** Gradients without which there is nothing to learn from them. */
export const LEAST_GRADIENTS = 4;

/** A candidate for masks some of which have these gradients. */
export function createGradientCandidate(measured: MeasuredGradients): Candidate {
  return {
    names: ['gradspex'],
    passes: () =>
      measured.masks.count < LEAST_GRADIENTS
        ? `${measured.masks.count} gradients, fewer than ${LEAST_GRADIENTS}`
        : undefined,
    async contend(split, options, pace) {
      const { order, sample } = sampleOf(split, measured);
      const { seed = 0, keep } = options;
      const { setting, trials } = await tuneProcess(sample, seed, pace);
      const unseen = await predictUnseen(sample, setting, seed, pace);
      const outOfSample = new Float64Array(split.sample.count);
      const N = sample.masks.count;
      order.slice(0, N).forEach((row, k) => (outOfSample[row] = unseen.values[k]));
      const process = fitScreenedProcess(sample, setting);
      if (N < order.length) {
        const beyond = order.slice(N);
        const values = process.predict(selectRows(split.sample, beyond));
        beyond.forEach((row, k) => (outOfSample[row] = values[k]));
      }
      const contender: Contender = {
        name: 'gradspex',
        complexity: 1,
        outOfSample,
        async answer(judges) {
          await pace('fit', 0, 1);
          const fair = process.spectrum(options.maxTerms ?? 20_000);
          const spectrum = toMeasure(fair, keep);
          const own = { spectrum, outOfSample };
          const witness = isFair(keep) ? witnessOf(sample, unseen.slopes) : undefined;
          const evidence = evidenceOf(spectrum, split.sample, split.values, [own, ...judges], options.floor, witness);
          await pace('fit', 1, 1);
          return {
            spectrum,
            evidence,
            kind: 'gradient process',
            details: {
              gradients: countOfGradients(sample),
              values: N,
              setting,
              trials,
              r2: scoreR2(split.values, squaredError(split.values, outOfSample)),
              activePlayers: process.active.length,
              steps: process.steps,
            },
          };
        },
      };
      return [contender];
    },
  };
}

/** The rows of the split with gradients, then the others, as many as the process takes. */
function sampleOf(split: Split, measured: MeasuredGradients): { order: number[]; sample: Sample } {
  const n = split.sample.players;
  const table = tableOf(split.sample);
  const sloped: number[] = [];
  const taken: number[] = [];
  for (let row = 0; row < measured.masks.count; row++) {
    const at = table.find(measured.masks, row);
    if (at === -1) continue; // an end mask
    sloped.push(at);
    taken.push(row);
  }
  const known = new Set(sloped);
  const order = [
    ...sloped,
    ...Array.from({ length: split.sample.count }, (_, row) => row).filter((r) => !known.has(r)),
  ];
  const rows = order.slice(0, Math.max(sloped.length, MOST_VALUES));
  const gradients = new Float32Array(sloped.length * n);
  taken.forEach((row, k) => gradients.set(measured.gradients.subarray(row * n, (row + 1) * n), k * n));
  return {
    order,
    sample: {
      masks: selectRows(split.sample, rows),
      values: Float64Array.from(rows, (row) => split.values[row]),
      gradients,
    },
  };
}

/** Values of every mask and slopes of those with gradients, each by a fit without it. */
async function predictUnseen(
  sample: Sample,
  setting: Parameters<typeof fitScreenedProcess>[1],
  seed: number,
  pace: Parameters<Candidate['contend']>[2],
): Promise<{ values: Float64Array; slopes: Float32Array }> {
  const n = sample.masks.players;
  const T = countOfGradients(sample);
  const values = new Float64Array(sample.masks.count);
  const slopes = new Float32Array(T * n);
  const folds = shuffledFolds(sample.masks.count, FOLDS, createRandom(seed, 'gradspex/folds'));
  for (const [f, { train, held }] of folds.entries()) {
    await pace('gradspex: unseen masks', f, folds.length);
    const process = fitScreenedProcess(rowsOf(sample, train), setting);
    const sloped = Array.from(held).filter((row) => row < T);
    const others = Array.from(held).filter((row) => row >= T);
    const predicted = process.predictSlopes(selectRows(sample.masks, sloped));
    sloped.forEach((row, k) => {
      values[row] = predicted.values[k];
      slopes.set(predicted.slopes.subarray(k * n, (k + 1) * n), row * n);
    });
    const plain = process.predict(selectRows(sample.masks, others));
    others.forEach((row, k) => (values[row] = plain[k]));
  }
  await pace('gradspex: unseen masks', folds.length, folds.length);
  return { values, slopes };
}

/**
 * What slopes say of F(S) beyond a fit that did not see them: every member i of S has F(S) as the mean of h_i χ_{S\i}, so the
 * mean over members and masks of what is left of them corrects the fit's.
 */
function witnessOf(sample: Sample, unseen: Float32Array): Witness {
  const { masks } = sample;
  const n = masks.players;
  const T = countOfGradients(sample);
  const { slopes } = slopesOf(masks, sample.gradients);
  const left = slopes.map((slope, e) => slope - unseen[e]);
  const signs = new Int8Array(T * n);
  for (let t = 0; t < T; t++) for (let i = 0; i < n; i++) signs[t * n + i] = isKept(masks, t, i) ? -1 : 1;
  return (members) => {
    let sum = 0;
    let squares = 0;
    for (let t = 0; t < T; t++) {
      let chi = 1;
      for (const i of members) chi *= signs[t * n + i];
      let q = 0;
      for (const i of members) q += chi * signs[t * n + i] * left[t * n + i];
      q /= members.length;
      sum += q;
      squares += q * q;
    }
    const correction = sum / T;
    const variance = Math.max(0, squares / T - correction ** 2) / Math.max(1, T - 1);
    return { correction, error: Math.sqrt(variance), freedom: T - 1 };
  };
}
