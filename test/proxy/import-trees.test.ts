import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { allMasks } from '../../src/masks.ts';
import { importLightGbm } from '../../src/proxy/trees/import-lightgbm.ts';
import { importXgboost, importXgboostDump } from '../../src/proxy/trees/import-xgboost.ts';
import { ensembleSpectrum } from '../../src/proxy/trees/tree-fourier.ts';
import { predict, type Ensemble, type Tree } from '../../src/proxy/trees/tree.ts';
import { evaluate } from '../../src/spectrum/spectrum.ts';

const FOLDER = new URL('../golden/trees/', import.meta.url);
const Golden = z.object({
  library: z.string(),
  players: z.number(),
  model: z.union([z.string(), z.array(z.string())]),
  values: z.array(z.number()),
});

/** Written by test/golden/trees/generate.py. */
function golden(name: string): z.infer<typeof Golden> {
  return Golden.parse(JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')));
}

function text(name: string): string {
  const { model } = golden(name);
  if (typeof model !== 'string') throw new Error(`${name} is a dump`);
  return model;
}

function imported({ library, players, model }: z.infer<typeof Golden>, zero?: 'number' | 'missing'): Ensemble {
  if (typeof model !== 'string') return importXgboostDump(model, { players, base: 0.25 });
  if (library === 'lightgbm') return importLightGbm(model, { players, output: 'raw' });
  return importXgboost(model, { players, output: 'raw', zero });
}

/** What a zero was to a model whose file allows both. */
const ZERO: Readonly<Record<string, 'number' | 'missing'>> = {
  'xgboost-wide': 'number',
  'xgboost-missing': 'number',
  'xgboost-missing-zero': 'missing',
  'xgboost-sparse': 'missing',
};

/** Whether a path of the tree asks a player twice. */
function repeats({ player, absent, present }: Tree, node = 0, asked: readonly number[] = []): boolean {
  if (player[node] < 0) return false;
  if (asked.includes(player[node])) return true;
  return [absent[node], present[node]].some((child) =>
    repeats({ player, absent, present, value: new Float64Array() }, child, [...asked, player[node]]),
  );
}

const NAMES = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.replace('.json', ''));

describe('models trained elsewhere', () => {
  test('there are 17 of them', () => expect(NAMES).toHaveLength(17));

  test.each(NAMES)(
    "%s: tree by tree and as a spectrum, our values of all 64 masks are the library's to 1e-6",
    (name) => {
      const model = golden(name);
      const ensemble = imported(model, ZERO[name]);
      const masks = allMasks(model.players);
      expect(predict(ensemble, masks)).toBeAllClose(model.values, 1e-6);
      expect(evaluate(ensembleSpectrum(ensemble), masks)).toBeAllClose(model.values, 1e-6);
    },
  );

  test.each(['lightgbm-wide', 'xgboost-wide'])(
    '%s asks players again on a path, so the test above holds that case',
    (name) => {
      expect(imported(golden(name), ZERO[name]).trees.some((tree) => repeats(tree))).toBe(true);
    },
  );
});

describe('importXgboost', () => {
  test.each(['xgboost-missing-zero', 'xgboost-sparse', 'xgboost-wide'])(
    'refuses %s until it is told what a zero is: the file allows both',
    (name) => {
      expect(() => imported(golden(name))).toThrow("say zero: 'missing' for those, zero: 'number' for others.");
    },
  );

  test('takes the trees up to the best iteration of early stopping, or all when asked', () => {
    const { players, model, values } = golden('xgboost-stopped');
    const read = (iterations: 'best' | 'all'): Ensemble => importXgboost(model as string, { players, iterations });
    expect([read('best').trees.length, read('all').trees.length]).toEqual([4, 7]);
    expect(predict(read('all'), allMasks(players))).not.toBeAllClose(values, 0.01);
  });
});

describe('importLightGbm refuses', () => {
  const good = text('lightgbm');
  const refused: readonly (readonly [string, string, string])[] = [
    ['another format', '{"learner": 1}', 'starts with "{"learner": 1}"; a LightGBM model file starts with "tree"'],
    [
      'several outputs',
      good.replace('num_tree_per_iteration=1', 'num_tree_per_iteration=3'),
      'a model of 3 outputs; one is needed',
    ],
    ['a link function', text('lightgbm-binary'), 'objective "binary sigmoid:1" predicts a function of the trees\' sum'],
    [
      'a square root of the target',
      good.replace('objective=regression', 'objective=regression sqrt'),
      'objective "regression sqrt" predicts a function',
    ],
    ['categorical splits', good.replace('num_cat=0', 'num_cat=2'), 'tree 0 has 2 categorical splits'],
    ['linear leaves', good.replace('is_linear=0', 'is_linear=1'), 'tree 0 has linear leaves'],
    ['a file that was cut', good.slice(0, good.indexOf('Tree=2')), '2 trees of the 4 that tree_sizes lists'],
    [
      'a tree that was cut',
      good.replace(/left_child=\S+ /, 'left_child='),
      'tree 0 lists 4 of left_child; 5 are needed',
    ],
    ['a loop', good.replace(/left_child=\S+ /, 'left_child=0 '), 'node 0 is reached twice'],
  ];
  test.each(refused)('%s', (_, model, message) => expect(() => importLightGbm(model)).toThrow(message));

  test('a model of another number of features', () => {
    expect(() => importLightGbm(good, { players: 9 })).toThrow('a model of 6 features for 9 players');
  });
});

describe('importXgboost refuses', () => {
  const good = text('xgboost');
  const refused: readonly (readonly [string, string, string])[] = [
    ['what is not JSON', '\u0000binf', '5 characters that are not JSON'],
    ['other JSON', '{"version": [3, 2, 0]}', 'learner: '],
    ['several outputs', good.replace('"num_class":"0"', '"num_class":"3"'), 'a model of 3 outputs'],
    ['a link function', text('xgboost-binary'), 'objective "binary:logistic" predicts a function of the trees\' sum'],
    [
      'a linear booster',
      good.replace('"name":"gbtree"', '"name":"gblinear"'),
      'a booster "gblinear"; gbtree or dart is needed',
    ],
    ['categorical splits', good.replace('"split_type":[0', '"split_type":[1'), 'tree 0 has 1 categorical splits'],
    ['a loop', good.replace('"left_children":[1', '"left_children":[0'), 'node 0 is reached twice'],
  ];
  test.each(refused)('%s', (_, model, message) => expect(() => importXgboost(model)).toThrow(message));

  test('a raw score whose base is on an unknown scale', () => {
    expect(() => importXgboost(good.replaceAll('reg:squarederror', 'count:poisson'), { output: 'raw' })).toThrow(
      '"count:poisson": its base_score is on a scale that is not known',
    );
  });

  test('a dump with unknown features, or splits that are not numbers', () => {
    const tree =
      '{"nodeid":0,"split":"head","split_condition":0.5,"yes":1,"no":2,"missing":2,"children":[{"nodeid":1,"leaf":1},{"nodeid":2,"leaf":3}]}';
    expect(() => importXgboostDump([tree], { players: 2, base: 0 })).toThrow('feature "head" is none of f0..f1');
    const named = importXgboostDump([tree], { players: 2, base: 0, features: ['mlp', 'head'] });
    expect([...predict(named, allMasks(2))]).toEqual([1, 1, 3, 3]);
    expect(() => importXgboostDump([tree.replace('0.5', '[1,2]')], { players: 2, base: 0 })).toThrow(
      'node 0 of tree 0 splits on [1,2]',
    );
    expect(() => importXgboostDump([tree], { players: 2, base: Number.NaN })).toThrow('a base of NaN');
  });
});
