/**
 * LightGBM's text format (Booster.save_model, model_to_string; versions v3 and v4) as an ensemble.
 *
 * Inner nodes are 0.. and leaves ~0..; x goes left iff x <= threshold. decision_type: bit 0 categorical, bit 1
 * missing goes left, bits 2-3 what is missing (0 nothing, 1 zeros, 2 NaN). Under zero_as_missing an ablated player
 * IS missing and takes the default side. Leaves of dart are already scaled; a forest (average_output) is divided
 * by its trees. Source: LightGBM's include/LightGBM/tree.h and src/io/tree.cpp, for the meaning of the fields.
 */
import { fail } from '../../errors.ts';
import { importedPlayers, importedTree, scaledTree, type ImportedNode, type ImportOptions } from './import-trees.ts';
import type { Ensemble, Tree } from './tree.ts';

const WHO = 'importLightGbm';

/** Objectives whose prediction is the sum of the trees. */
const IDENTITY = ['regression', 'regression_l1', 'huber', 'fair', 'quantile', 'mape', 'custom', 'none'];

type Fields = ReadonlyMap<string, string>;

/**
 * The ensemble of a model.txt: players are features by column, f̂(m) the (raw) prediction on the 0/1 row m.
 * @throws 'input' on another format, several outputs, a link function (see `output`), linear leaves, categorical
 * splits, or another number of features than `players`.
 */
export function importLightGbm(text: string, { players: wanted, output }: ImportOptions = {}): Ensemble {
  const [head, ...blocks] = text.replaceAll('\r\n', '\n').split(/\nTree=\d+\n/);
  if (!/^\s*tree\s*\n/.test(head))
    throw fail(
      'input',
      WHO,
      `the text starts with "${text.slice(0, 20).trim()}"; a LightGBM model file starts with "tree".`,
    );
  const fields = fieldsOf(head);
  const outputs = Number(fields.get('num_tree_per_iteration') ?? 1);
  if (outputs !== 1)
    throw fail('input', WHO, `a model of ${outputs} outputs; one is needed: train one model an output.`);
  const objective = fields.get('objective') ?? 'none';
  const [name, ...details] = objective.split(' ');
  if (output !== 'raw' && (!IDENTITY.includes(name) || details.includes('sqrt'))) {
    throw fail(
      'input',
      WHO,
      `objective "${objective}" predicts a function of the trees' sum; train one of ${IDENTITY.slice(0, 6).join(', ')}, or ask for output: 'raw'.`,
    );
  }
  const players = importedPlayers(WHO, Number(fields.get('max_feature_idx')) + 1, wanted);
  const announced = fields.get('tree_sizes')?.split(' ').length ?? blocks.length;
  if (announced !== blocks.length)
    throw fail('input', WHO, `${blocks.length} trees of the ${announced} that tree_sizes lists; the file is cut.`);
  const trees = blocks.map((block, t) => treeOf(fieldsOf(block), t, players));
  const factor = head.split('\n').includes('average_output') ? 1 / trees.length : 1;
  return { players, base: 0, trees: factor === 1 ? trees : trees.map((tree) => scaledTree(tree, factor)) };
}

/** name=value lines up to the first empty line. */
function fieldsOf(block: string): Fields {
  const lines = block
    .trim()
    .split(/\n\s*\n/, 1)[0]
    .split('\n');
  return new Map(
    lines
      .filter((line) => line.includes('='))
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1).trim()]),
  );
}

function treeOf(fields: Fields, t: number, players: number): Tree {
  const leaves = Number(fields.get('num_leaves'));
  if (!Number.isInteger(leaves) || leaves < 1)
    throw fail('input', WHO, `tree ${t} has num_leaves ${fields.get('num_leaves')}; a whole number >= 1 is needed.`);
  if (Number(fields.get('is_linear') ?? 0) !== 0)
    throw fail('input', WHO, `tree ${t} has linear leaves; train with linear_tree=false.`);
  const categorical = Number(fields.get('num_cat') ?? 0);
  if (categorical !== 0)
    throw fail(
      'input',
      WHO,
      `tree ${t} has ${categorical} categorical splits; train on masks as numbers, without categorical_feature.`,
    );
  const column = (key: string, count: number): number[] => {
    const words = (fields.get(key) ?? '').split(' ').filter((word) => word !== '');
    if (words.length !== count)
      throw fail('input', WHO, `tree ${t} lists ${words.length} of ${key}; ${count} are needed, the file is damaged.`);
    return words.map((word) => {
      const value = Number(word.replace('inf', 'Infinity'));
      if (Number.isNaN(value))
        throw fail('input', WHO, `tree ${t} has "${word}" among its ${key}; numbers are needed.`);
      return value;
    });
  };
  const values = column('leaf_value', leaves);
  if (leaves === 1) return importedTree(WHO, players, 0, () => ({ kind: 'leaf', value: values[0] }));
  const [feature, threshold, decision, left, right] = [
    'split_feature',
    'threshold',
    'decision_type',
    'left_child',
    'right_child',
  ].map((key) => column(key, leaves - 1));
  return importedTree(WHO, players, 0, (node): ImportedNode => {
    if (node < 0) return { kind: 'leaf', value: values[~node] };
    if (!(node < leaves - 1))
      throw fail('input', WHO, `tree ${t} names node ${node} of ${leaves - 1}; the file is damaged.`);
    const zeroIsMissing = ((decision[node] >> 2) & 3) === 1;
    const zeroLeft = zeroIsMissing ? (decision[node] & 2) !== 0 : 0 <= threshold[node];
    const side = (goesLeft: boolean): number => (goesLeft ? left[node] : right[node]);
    return { kind: 'split', feature: feature[node], absent: side(zeroLeft), present: side(1 <= threshold[node]) };
  });
}
