/**
 * Who finds wrong labels: a tenth of 400 digits get the label of another class, and examples are ranked by what they are worth on 100 digits
 * that nobody trained on. AUROC of the wrong ones among the worst.
 */
import * as tf from '@tensorflow/tfjs-core';
import { auroc } from '../../src/evaluation/auroc.ts';
import { createDataGame } from '../../src/lens/examples/data-game.ts';
import type { Example } from '../../src/lens/examples/data-set.ts';
import { ESTIMATES } from '../../src/lens/examples/estimates/estimates.ts';
import { trainOnAll } from '../../src/lens/examples/estimates/trained.ts';
import { eachExample } from '../../src/lens/examples/example-players.ts';
import { RECIPES } from '../../src/lens/examples/recipes.ts';
import { TEST_VALUES } from '../../src/lens/examples/test-values.ts';
import { createRandom } from '../../src/random.ts';
import { fitBestAdditive } from '../../src/proxy/first-order.ts';
import { banzhaf } from '../../src/spectrum/indices.ts';
import { unflatten } from '../../src/train/parameters.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';

const [N, TESTS, SHARE, RETRAININGS] = [400, 100, 0.1, 800];

/** By method, [softmax, mlp]. */
export async function wrongLabels(digits: readonly Example[]): Promise<string[][]> {
  const random = createRandom(11, 'bench/wrong labels');
  const wrong = Array.from(random.shuffle(Int32Array.from({ length: N }, (_, n) => n)).slice(0, N * SHARE)).sort(
    (a, b) => a - b,
  );
  const all = digits.slice(0, N).map((digit, n) => {
    if (!wrong.includes(n)) return digit;
    const label = String((Number(digit.label) + 1 + random.integer(9)) % 10);
    return { ...digit, label };
  });
  const table = new Map<string, string[]>();
  const enter = (method: string, scores: ArrayLike<number>): void => {
    const bad = Array.from(scores, (score) => -score);
    table.set(method, [...(table.get(method) ?? []), auroc(bad, wrong).toFixed(3)]);
  };
  for (const recipe of [RECIPES.softmax, RECIPES.mlp]) {
    const settings = recipe.defaults;
    const opened = recipe.open(all, digits.slice(1000, 1000 + TESTS), settings);
    const seeds = Array.from({ length: settings.seeds }, (_, r) => r);
    const asked = { ...opened, training: settings.training, value: TEST_VALUES['log-odds'], seeds };
    using trained = await trainOnAll(asked);
    for (const [name, { scores }] of Object.entries(ESTIMATES)) enter(name, (await scores(trained, {})).scores);
    const losses = tf.tidy(() =>
      tf.mean(opened.architecture.losses(unflatten(opened.architecture, trained.theta), trained.all), 0).dataSync(),
    );
    enter(
      'loss of the trained model',
      Array.from(losses, (loss) => -loss),
    );
    const players = eachExample(all);
    using game = createDataGame({ ...asked, seeds: [0], players });
    const masks = uniformMasks(N, RETRAININGS, createRandom(5, 'bench/retrained'));
    const { spectrum } = fitBestAdditive(masks, await game.value(masks), 1);
    enter(`first order of ${RETRAININGS} retrainings`, banzhaf(spectrum));
  }
  return Array.from(table, ([method, cells]) => [method, ...cells]);
}
