/**
 * Whether a stack is worth its time beside a contender that is there already: its members on one fold.
 *
 * A stack takes five folds of trees, of parities and of processes whose parameters are searched for; where gradients are at hand it
 * is seldom what wins. On one fold, with one depth of trees and no search, each member is told apart from the contender on the
 * fold's held rows. Where all of them leave several times as much there, a mixture of them does not close the gap.
 */
import { selectRows } from '../masks.ts';
import { createRandom } from '../random.ts';
import { shuffledFolds, squaredError } from '../spectrum/regression/folds.ts';
import type { Split } from './end-masks.ts';
import { treeOptions, type ProxySpexOptions } from './fit.ts';
import { MOST_MASKS, MOST_PLAYERS } from './process/gaussian-process.ts';
import { fitInfluenceProcess, MOST_INFLUENCE_MASKS, USUAL_SCALARS } from './process/influence-process.ts';
import { seedsOfTrees, tuneParities } from './parities/greedy-parities.ts';
import { treeFourier } from './trees/tree-fourier.ts';
import { DEFAULT_GRID, type Pace } from './trees/tune.ts';
import { pairSpace, runPair } from './trees/tune-pair.ts';

/** Times the contender's squared error that every member has to leave for the stack to be given up. */
const FAR = 2;
/** Depth of the trees; their number is the best of DEFAULT_GRID's on the held rows themselves, which flatters them. */
const DEPTH = 5;

/** What `best` predicted out of sample, and what it is called. */
export interface Beside {
  readonly name: string;
  readonly outOfSample: Float64Array;
}

/** Why the stack would be behind `best`; undefined where it may not be, or is quickly fitted. */
export async function stackTrial(
  { sample, values }: Split,
  best: Beside,
  options: ProxySpexOptions,
  pace: Pace,
): Promise<string | undefined> {
  if (sample.players <= MOST_PLAYERS && sample.count <= MOST_MASKS) return undefined;
  const folds = options.folds ?? 5;
  const [fold] = shuffledFolds(sample.count, folds, createRandom(options.seed ?? 0, 'proxyspex/folds'));
  const { train, held } = fold;
  const input = { masks: sample, values, folds: [fold], options: treeOptions(options) };
  const [learningRate] = DEFAULT_GRID.learningRate;
  const task = { maxDepth: DEPTH, learningRate, counts: DEFAULT_GRID.numIterations };
  const trees = await runPair(pairSpace(input), input, task, (share) => pace('trial fold', share, 1));
  const parities = await tuneParities(
    sample,
    values,
    [fold],
    () => seedsOfTrees(treeFourier(trees.models[0])),
    async (_stage, done, total) => pace('trial fold', done, total),
  );
  const truth = Float64Array.from(held, (row) => values[row]);
  const errorOf = (predicted: ArrayLike<number>): number => squaredError(truth, Float64Array.from(predicted));
  const atHeld = (all: Float64Array): Float64Array => Float64Array.from(held, (row) => all[row]);
  const errors = new Map([
    ['trees', errorOf(atHeld(trees.outOfFold))],
    ['parities', errorOf(atHeld(parities.outOfFold))],
  ]);
  if (sample.count <= MOST_INFLUENCE_MASKS) {
    const y = Float64Array.from(train, (row) => values[row]);
    const process = fitInfluenceProcess(selectRows(sample, train), y, parities.models[0], USUAL_SCALARS);
    errors.set('a process', errorOf(process.predict(selectRows(sample, held))));
  }
  const theirs = errorOf(atHeld(best.outOfSample));
  if (Math.min(...errors.values()) <= FAR * theirs) return undefined;
  const each = [...errors].map(([name, error]) => `${name} ${(error / theirs).toFixed(1)}`);
  return `on ${held.length} masks of one fold ${each.join(', ')} times the squared error of ${best.name}, so no stack was fitted`;
}
