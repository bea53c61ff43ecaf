/**
 * The linear datamodeling score (Park et al., 2023, §2) of every estimate: Spearman between summed scores and retrained margins over random
 * halves, a mean over test digits, whose differences have a standard error.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Example } from '../../src/lens/examples/data-set.ts';
import { ekFac } from '../../src/lens/examples/estimates/ek-fac.ts';
import { ESTIMATES } from '../../src/lens/examples/estimates/estimates.ts';
import { trainOnAll, type Trained } from '../../src/lens/examples/estimates/trained.ts';
import { trak } from '../../src/lens/examples/estimates/trak.ts';
import { RECIPES } from '../../src/lens/examples/recipes.ts';
import { openValue } from '../../src/lens/examples/test-values.ts';
import { createRandom } from '../../src/random.ts';
import { spearman } from '../../src/spectrum/correlation.ts';
import { unflatten } from '../../src/train/parameters.ts';
import { train } from '../../src/train/train.ts';
import { trainUnrolled } from '../../src/train/unrolled.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';
import { settingOf, type Table } from './settings.ts';

const [N, SUBSETS] = [400, 48];
/** What dattri_reference.py asks of TRAK. */
const DATTRI = { dimension: 512, ridge: 1e-3 };

/** Of so many test digits, of estimates whose name `which` has (default all); `dattri`: an interpreter whose attributors score the same softmax regression, start and halves. */
export async function ldsTables(
  digits: readonly Example[],
  count: number,
  which?: readonly string[],
  dattri?: string,
): Promise<Table[]> {
  const tables: Table[] = [];
  const tests = digits.slice(1000, 1000 + count);
  for (const recipe of [RECIPES.softmax, RECIPES.mlp]) {
    const all = digits.slice(0, N);
    const { asked } = settingOf(recipe.name, recipe, all, tests, () => []);
    const halves = uniformMasks(N, SUBSETS, createRandom(7, 'bench/halves'));
    const weights = new Float32Array(SUBSETS * N);
    for (let k = 0; k < SUBSETS; k++)
      for (let i = 0; i < N; i++) weights[k * N + i] = (halves.words[k * halves.stride + (i >>> 5)] >>> (i & 31)) & 1;
    // Values of every half on every test digit, a mean over seeds.
    const truth = tests.map(() => new Float64Array(SUBSETS));
    const batch = asked.test.batch(tests.map((_, m) => m));
    using valued = openValue(asked.value, asked, tests.length, asked.architecture.classes);
    for (const seed of asked.seeds) {
      const theta = await train(asked.architecture, asked.examples, asked.training, weights, { seed });
      const values = tf.tidy(() =>
        valued.of(asked.architecture.logits(unflatten(asked.architecture, theta), batch)).arraySync(),
      );
      for (let k = 0; k < SUBSETS; k++) for (let m = 0; m < tests.length; m++) truth[m][k] += values[k][m];
      theta.dispose();
    }
    if (dattri !== undefined && recipe === RECIPES.softmax) {
      const file = join(mkdtempSync(join(tmpdir(), 'spexlens-bench-')), 'halves.json');
      const init = Array.from(asked.architecture.initialise(createRandom(asked.seeds[0], 'train/start')));
      writeFileSync(file, JSON.stringify({ init, tests: count, halves: Array.from(weights) }));
      console.log(
        execFileSync(dattri, ['bench/data/dattri_reference.py', file], {
          stdio: ['ignore', 'pipe', 'ignore'],
        }).toString(),
      );
    }
    const found = new Map<string, number[]>();
    for (const [m, test] of tests.entries()) {
      const one = settingOf(recipe.name, recipe, all, [test], () => []).asked;
      using trained = await trainOnAll(one);
      for (const [estimate, given] of Object.entries(await estimatesOf(trained, which))) {
        const sums = Array.from({ length: SUBSETS }, (_, k) =>
          given.reduce((sum, score, i) => sum + weights[k * N + i] * score, 0),
        );
        found.set(estimate, [...(found.get(estimate) ?? []), spearman(sums, truth[m])]);
      }
    }
    tables.push({
      title: `LDS, ${recipe.name}, ${N} digits, ${SUBSETS} halves, ${count} test digits, ${asked.seeds.length} seeds`,
      head: ['estimate', 'LDS', 'less that of K-FAC'],
      rows: Array.from(found, ([estimate, each]) => [
        estimate,
        meanOf(each).toFixed(3),
        difference(each, found.get('k-fac') ?? each),
      ]),
    });
  }
  return tables;
}

function meanOf(x: readonly number[]): number {
  return x.reduce((sum, value) => sum + value / x.length, 0);
}

/** The mean difference over test digits and its standard error. */
function difference(x: readonly number[], y: readonly number[]): string {
  const each = x.map((value, m) => value - y[m]);
  const mean = meanOf(each);
  const error = Math.sqrt(meanOf(each.map((value) => (value - mean) ** 2)) / (each.length - 1));
  return `${mean.toFixed(3)} ± ${error.toFixed(3)}`;
}

/** Scores of every estimate, K-FAC, TRAK as dattri is asked for it, and the unrolled gradient among them. */
async function estimatesOf(trained: Trained, which?: readonly string[]): Promise<Record<string, Float64Array>> {
  const { architecture, examples, training, seeds } = trained.asked;
  const unrolled = async (): Promise<Float64Array> => {
    const sum = new Float64Array(examples.count);
    for (const seed of seeds) {
      const weights = new Float32Array(examples.count).fill(1);
      const { slopes } = await trainUnrolled(architecture, examples, training, weights, trained.f, { seed });
      slopes.forEach((slope, i) => (sum[i] += slope / seeds.length));
    }
    return sum;
  };
  const ways: Record<string, () => Promise<Float64Array>> = {};
  for (const [name, { scores }] of Object.entries(ESTIMATES))
    ways[name] = async () => (await scores(trained, {})).scores;
  ways['k-fac'] = async () => (await ekFac(trained, { eigenvalues: 'product' })).scores;
  // dattri divides gradients by the root of their number.
  ways["trak, dattri's settings"] = async () =>
    (await trak(trained, { dimension: DATTRI.dimension, ridge: DATTRI.ridge * architecture.size })).scores;
  ways['unrolled, at everything'] = unrolled;
  const all: Record<string, Float64Array> = {};
  for (const [name, way] of Object.entries(ways)) if (which?.includes(name) ?? true) all[name] = await way();
  return all;
}
