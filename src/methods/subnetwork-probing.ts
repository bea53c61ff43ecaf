/**
 * Subnetwork probing: a mask between 0 and 1 for every player, learned to do as the model does with few of them open.
 *
 * Masks are hard concrete, and Adam minimises E|f(all) - f(z)| / |f(all) - f(none)| + λ/n Σ P(z_i ≠ 0) by gradients at sampled masks; λ
 * grows from 0 through the run, so that players leave in the order of what they are worth. Cao, Sanh, Rush, Low-Complexity Probing via
 * Finding Subnetworks, arXiv 2104.03514, who mask weights; over heads and edges as in Conmy et al., arXiv 2304.14997, appendix.
 */
import type { Interpolated } from '../attribution/rankings.ts';
import { fail, throwIfAborted } from '../errors.ts';
import { faithfulnessOf, type Ends, type MeasureOptions } from '../evaluation/faithfulness.ts';
import { createRandom } from '../random.ts';
import { createAdam } from './adam.ts';
import { hardConcrete, openProbability, settledMask } from './hard-concrete.ts';

/** How masks are learned: steps, their masks, and the price of a player. */
export interface ProbingOptions extends MeasureOptions {
  readonly ends: Ends;
  readonly seed: number;
  readonly steps: number;
  /** Masks of a step; default 4. */
  readonly batch?: number | undefined;
  /** λ at the end: a player is worth keeping where it alone carries λ/n of the metric. Default 1. */
  readonly lambda?: number | undefined;
  /** Default 10/steps, 0.05 at least: what takes an open mask to a closed one in half of the run. */
  readonly rate?: number | undefined;
}

export interface Probe {
  /** By player: log α at the end; larger = open for longer. */
  readonly logAlpha: Float64Array;
  /** By player: the mask once learning is over. */
  readonly mask: Float64Array;
  /** |f(all) - f(z)| as a share, the mean of every step. */
  readonly losses: readonly number[];
}

/** log α of the beginning: P(z ≠ 0) is .97. */
const OPEN = 2;

/** Learns the masks; `steps` · `batch` rows with gradients between masks. */
export async function subnetworkProbing(game: Interpolated, options: ProbingOptions): Promise<Probe> {
  const { ends, seed, steps, batch = 4, lambda = 1, signal, onProgress } = options;
  for (const [name, value] of Object.entries({ steps, batch }))
    if (!Number.isInteger(value) || value < 1)
      throw fail('input', 'subnetwork probing', `${name} ${value}; a whole number >= 1 is needed.`);
  const { rate = Math.max(0.05, 10 / steps) } = options;
  if (!(lambda >= 0)) throw fail('input', 'subnetwork probing', `lambda ${lambda}; a number >= 0 is needed.`);
  const n = game.players.length;
  const random = createRandom(seed, 'subnetwork probing');
  const logAlpha = new Float64Array(n).fill(OPEN);
  const move = createAdam(n, { rate });
  const unit = ends.full - ends.empty;
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    throwIfAborted(signal, 'subnetwork probing');
    onProgress?.({ stage: 'subnetwork probing', done: step, total: steps });
    const m = new Float32Array(batch * n);
    const slopes = new Float64Array(batch * n);
    for (let at = 0; at < m.length; at++) {
      const { z, slope } = hardConcrete(logAlpha[at % n], inside(random.uniform()));
      m[at] = z;
      slopes[at] = slope;
    }
    const { values, gradients } = await game.gradientsAt(m, { signal });
    const price = (lambda * step) / steps / n;
    const gradient = Float64Array.from(logAlpha, (each) => price * openProbability(each).slope);
    for (let row = 0; row < batch; row++) {
      const towards = Math.sign(faithfulnessOf(values[row], ends) - 1) / unit / batch;
      for (let i = 0; i < n; i++) gradient[i] += towards * gradients[row * n + i] * slopes[row * n + i];
    }
    losses.push(values.reduce((sum, value) => sum + Math.abs(1 - faithfulnessOf(value, ends)) / batch, 0));
    move(logAlpha, gradient);
  }
  onProgress?.({ stage: 'subnetwork probing', done: steps, total: steps });
  return { logAlpha, mask: logAlpha.map(settledMask), losses };
}

/** Never 0 or 1, whose logarithms are infinite. */
function inside(uniform: number): number {
  return Math.min(1 - 1e-12, Math.max(1e-12, uniform));
}
