/**
 * A gradient process over the players that interact most; the others take part by their mean slope alone.
 *
 * Nothing here is n² in memory: of tens of thousands of neurons a thousand are asked for pairs.
 */
import { isKept, type Masks } from '../../masks.ts';
import { createSpectrum, type FourierSpectrum, type Term } from '../../spectrum/spectrum.ts';
import { fitGradientProcess } from './gradient-process.ts';
import { priorOf, slopesOf, type Setting, type Slopes } from './gradient-prior.ts';
import { termsOf } from './process-terms.ts';
import { countOfGradients, overPlayers, type Sample } from './sample.ts';

/** Players of the process at most. */
export const MOST_ACTIVE = 1024;

export interface ScreenedProcess {
  /** Players of the process, increasing. */
  readonly active: Int32Array;
  readonly steps: number;
  predict(masks: Masks): Float64Array;
  /** Values, and the slopes ∂f̂/∂x of all players, [count · n]. */
  predictSlopes(masks: Masks): { readonly values: Float64Array; readonly slopes: Float32Array };
  spectrum(maxTerms: number): FourierSpectrum;
}

export function fitScreenedProcess(sample: Sample, setting: Setting): ScreenedProcess {
  const { masks, values } = sample;
  const n = masks.players;
  const T = countOfGradients(sample);
  const all = slopesOf(masks, sample.gradients);
  const active = mostVariable(all.variances);
  const linear = shrunkMeans(all, active);
  const inner = active.length === n ? masks : overPlayers(masks, active);
  const slopes = active.length === n ? all : slopesOver(all, active, T, n);
  const rest = values.map((value, row) => value - linearAt(masks, row, linear));
  const process = fitGradientProcess(inner, rest, slopes, priorOf(slopes, varianceOf(rest), setting));
  const over = (others: Masks): Masks => (active.length === n ? others : overPlayers(others, active));
  return {
    active,
    steps: process.steps,
    predict: (others) => process.predict(over(others)).map((value, row) => value + linearAt(others, row, linear)),
    predictSlopes(others) {
      const some = process.predictSlopes(over(others));
      const wide = new Float32Array(others.count * n);
      for (let row = 0; row < others.count; row++) {
        wide.set(linear, row * n);
        active.forEach((player, k) => (wide[row * n + player] = some.slopes[row * active.length + k]));
      }
      return { values: some.values.map((value, row) => value + linearAt(others, row, linear)), slopes: wide };
    },
    spectrum(maxTerms) {
      const terms: Term[] = termsOf(process, maxTerms).map(({ members, value }) => ({
        members: members.map((k) => active[k]),
        value,
      }));
      linear.forEach((value, i) => {
        if (value !== 0) terms.push({ members: [i], value });
      });
      return createSpectrum('fourier', n, terms);
    },
  };
}

function varianceOf(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return variance > 0 ? variance : Number.MIN_VALUE ** 0.5;
}

/** The MOST_ACTIVE players whose slopes vary most, increasing. */
function mostVariable(variances: Float64Array): Int32Array {
  const order = Int32Array.from(variances.keys());
  if (order.length <= MOST_ACTIVE) return order;
  return order
    .sort((a, b) => variances[b] - variances[a])
    .slice(0, MOST_ACTIVE)
    .sort();
}

/** F({i}) of the players outside: their mean, shrunk by its own variance (James, Stein); 0 inside. */
function shrunkMeans({ means, variances, count }: Slopes, active: Int32Array): Float64Array {
  const linear = means.map((mean, i) => {
    const square = mean * mean;
    return square === 0 ? 0 : (mean * square) / (square + variances[i] / count);
  });
  for (const player of active) linear[player] = 0;
  return linear;
}

function slopesOver(
  { slopes, means, variances, count, largest }: Slopes,
  active: Int32Array,
  T: number,
  n: number,
): Slopes {
  const some = new Float32Array(T * active.length);
  for (let t = 0; t < T; t++) active.forEach((player, k) => (some[t * active.length + k] = slopes[t * n + player]));
  const pick = (all: Float64Array): Float64Array => Float64Array.from(active, (player) => all[player]);
  return { count, slopes: some, means: pick(means), variances: pick(variances), largest };
}

/** Σ_i linear_i x_i of a mask. */
function linearAt(masks: Masks, row: number, linear: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < linear.length; i++) if (linear[i] !== 0) sum += isKept(masks, row, i) ? -linear[i] : linear[i];
  return sum;
}
