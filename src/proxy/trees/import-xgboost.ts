/**
 * XGBoost's JSON as an ensemble: Booster.save_model('model.json'), or the trees of get_dump(dump_format='json').
 *
 * x goes left ("yes") iff x < split_condition, so missing values play no part for dense 0/1 rows. A model trained with
 * missing=0, or on sparse rows, has never seen a 0: it sends one to the split's default side. The file does not say
 * which kind it is, but the second kind has splits that send 0 and 1 the same way as numbers and apart by the default;
 * such a file is refused until the caller says. Leaves include the learning rate; those of dart are multiplied by
 * weight_drop, which a saved model has and a dump lacks; so does a dump lack base_score and the objective, and the
 * caller says the base. Trees after the best iteration of early stopping are left out. XGBoost adds in 32 bits, we in 64.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import { importedPlayers, importedTree, scaledTree, type ImportedNode, type ImportOptions } from './import-trees.ts';
import type { Ensemble, Tree } from './tree.ts';

const WHO = 'importXgboost';
const WHO_DUMP = 'importXgboostDump';

/** Objectives whose prediction is base_score and the sum of the trees. */
const IDENTITY = ['reg:squarederror', 'reg:absoluteerror', 'reg:pseudohubererror', 'reg:quantileerror', 'reg:linear'];
/** Objectives that give a probability: base_score is one too, its logit is added to the trees. */
const LOGISTIC = ['binary:logistic', 'reg:logistic'];

const numbers = z.array(z.number());
const SavedTree = z.object({
  left_children: numbers,
  right_children: numbers,
  split_indices: numbers,
  split_conditions: numbers,
  default_left: z.array(z.union([z.number(), z.boolean()])).optional(),
  split_type: numbers.optional(),
  tree_param: z.object({ size_leaf_vector: z.coerce.number().default(1) }).optional(),
});
const Trees = z.object({
  model: z.object({
    trees: z.array(SavedTree),
    tree_info: numbers.optional(),
    gbtree_model_param: z.object({ num_parallel_tree: z.coerce.number().default(1) }).optional(),
  }),
});
const Saved = z.object({
  learner: z.object({
    attributes: z.object({ best_iteration: z.coerce.number().int().nonnegative().optional() }).optional(),
    learner_model_param: z.object({
      base_score: z.string(),
      num_class: z.coerce.number().default(0),
      num_feature: z.coerce.number(),
      num_target: z.coerce.number().default(1),
    }),
    objective: z.object({ name: z.string() }),
    gradient_booster: z.union([
      Trees.extend({ name: z.literal('gbtree') }),
      z.object({ name: z.literal('dart'), gbtree: Trees, weight_drop: numbers }),
      z.object({ name: z.string().refine((name) => name !== 'gbtree' && name !== 'dart') }),
    ]),
  }),
});

export interface XgboostOptions extends ImportOptions {
  /** What a 0 of a mask is: a number, or (missing=0, sparse rows) a missing value. Needed where the file allows both. */
  readonly zero?: 'number' | 'missing' | undefined;
  /** 'best', the default: those up to the best iteration of early stopping, where there was one, as scikit-learn's interface predicts; or all. */
  readonly iterations?: 'best' | 'all' | undefined;
}

/**
 * The ensemble of a saved model.json: players are features by column, f̂(m) the (raw) prediction on the dense 0/1 row m.
 * @throws 'input' on text that is not such a model, several outputs, a link function (see `output`), linear boosters,
 * categorical splits, another number of features than `players`, or splits that only a model with zeros missing would have.
 */
export function importXgboost(
  text: string,
  { players: wanted, output, zero, iterations = 'best' }: XgboostOptions = {},
): Ensemble {
  const { learner } = parse(WHO, Saved, text, "a model saved by Booster.save_model('model.json')");
  const { learner_model_param: param, objective, gradient_booster: booster } = learner;
  const outputs = Math.max(param.num_class, param.num_target);
  if (outputs > 1) throw fail('input', WHO, `a model of ${outputs} outputs; one is needed: train one model an output.`);
  if (!('model' in booster || 'gbtree' in booster))
    throw fail('input', WHO, `a booster "${booster.name}"; gbtree or dart is needed.`);
  const { trees: all, gbtree_model_param: forest } = 'model' in booster ? booster.model : booster.gbtree.model;
  const weights = 'weight_drop' in booster ? booster.weight_drop : all.map(() => 1);
  const best = iterations === 'best' ? learner.attributes?.best_iteration : undefined;
  const trees = best === undefined ? all : all.slice(0, (best + 1) * (forest?.num_parallel_tree ?? 1));
  if (weights.length !== all.length)
    throw fail('input', WHO, `${weights.length} weights for ${all.length} trees of a dart model; the file is damaged.`);
  const players = importedPlayers(WHO, param.num_feature, wanted);
  const base = baseOf(objective.name, param.base_score, output);
  return { players, base, trees: trees.map((tree, t) => scaledTree(savedTree(tree, t, players, zero), weights[t])) };
}

function baseOf(objective: string, text: string, output: ImportOptions['output']): number {
  // "5E-1" up to version 3.0, "[5E-1]" since.
  const scores = text
    .replace(/^\[|\]$/g, '')
    .split(',')
    .map(Number);
  const score = scores[0];
  if (scores.length !== 1 || !Number.isFinite(score))
    throw fail('input', WHO, `base_score ${text}; one finite number is needed.`);
  if (IDENTITY.includes(objective)) return score;
  if (output !== 'raw')
    throw fail(
      'input',
      WHO,
      `objective "${objective}" predicts a function of the trees' sum; train reg:squarederror, or ask for output: 'raw'.`,
    );
  if (LOGISTIC.includes(objective)) return Math.log(score / (1 - score));
  throw fail(
    'input',
    WHO,
    `objective "${objective}": its base_score is on a scale that is not known here; known are ${[...IDENTITY, ...LOGISTIC].join(', ')}.`,
  );
}

function savedTree(tree: z.infer<typeof SavedTree>, t: number, players: number, zero: XgboostOptions['zero']): Tree {
  const { left_children: left, right_children: right, split_indices: feature, split_conditions: condition } = tree;
  const vector = tree.tree_param?.size_leaf_vector ?? 1;
  if (vector > 1) throw fail('input', WHO, `tree ${t} has leaves of ${vector} outputs; one is needed.`);
  const categorical = tree.split_type?.filter((type) => type !== 0).length ?? 0;
  if (categorical > 0)
    throw fail('input', WHO, `tree ${t} has ${categorical} categorical splits; train on masks as numbers.`);
  const lengths = [left, right, feature, condition].map((column) => column.length);
  if (lengths.some((length) => length !== left.length || length === 0))
    throw fail(
      'input',
      WHO,
      `tree ${t} has columns of ${lengths.join(', ')} nodes; equal ones, at least 1 long, are needed.`,
    );
  return importedTree(WHO, players, 0, (node): ImportedNode => {
    if (!(node >= 0 && node < left.length))
      throw fail('input', WHO, `tree ${t} names node ${node} of ${left.length}; the file is damaged.`);
    if (left[node] === -1) return { kind: 'leaf', value: condition[node] };
    const asNumber = split(feature[node], condition[node], left[node], right[node]);
    const side = Number(tree.default_left?.[node] ?? 0) === 1 ? left[node] : right[node];
    if (zero === 'missing') return { ...asNumber, absent: side };
    if (zero === undefined && asNumber.absent === asNumber.present && side !== asNumber.present)
      throw fail(
        'input',
        WHO,
        `node ${node} of tree ${t} sends 0 and 1 the same way (x < ${condition[node]}) and a missing value the other, as models trained with missing=0 or on sparse rows do; say zero: 'missing' for those, zero: 'number' for others.`,
      );
    return asNumber;
  });
}

function split(feature: number, condition: number, yes: number, no: number): ImportedNode & { kind: 'split' } {
  return { kind: 'split', feature, absent: 0 < condition ? yes : no, present: 1 < condition ? yes : no };
}

interface DumpedNode {
  readonly nodeid: number;
  readonly leaf?: number | undefined;
  readonly split?: string | undefined;
  readonly split_condition?: unknown;
  readonly yes?: number | undefined;
  readonly no?: number | undefined;
  readonly children?: readonly DumpedNode[] | undefined;
}
const Dumped: z.ZodType<DumpedNode> = z.lazy(() =>
  z.object({
    nodeid: z.number(),
    leaf: z.number().optional(),
    split: z.string().optional(),
    split_condition: z.unknown().optional(),
    yes: z.number().optional(),
    no: z.number().optional(),
    children: z.array(Dumped).optional(),
  }),
);

export interface DumpOptions {
  readonly players: number;
  /** What a dump lacks: base_score, as it is added to the sum of the trees. */
  readonly base: number;
  /** Feature names in player order; default f0, f1, .. */
  readonly features?: readonly string[] | undefined;
}

/**
 * The ensemble of get_dump(dump_format='json'): one JSON text a tree. Not for dart, whose weights a dump lacks.
 * @throws 'input' on another format, an unknown feature name, or categorical and indicator splits.
 */
export function importXgboostDump(dump: readonly string[], { players, base, features }: DumpOptions): Ensemble {
  importedPlayers(WHO_DUMP, features?.length ?? players, players);
  if (!Number.isFinite(base))
    throw fail('input', WHO_DUMP, `a base of ${base}; the model's base_score, a finite number, is needed.`);
  const featureOf = (name: string): number => {
    const index = features === undefined ? (/^f\d+$/.test(name) ? Number(name.slice(1)) : -1) : features.indexOf(name);
    if (index < 0)
      throw fail(
        'input',
        WHO_DUMP,
        `feature "${name}" is none of ${features === undefined ? `f0..f${players - 1}` : features.join(', ')}; name the features in player order.`,
      );
    return index;
  };
  const trees = dump.map((text, t) => {
    const root = parse(WHO_DUMP, Dumped, text, "a tree of get_dump(dump_format='json')");
    const nodes = new Map<number, DumpedNode>();
    const index = (node: DumpedNode): void => {
      nodes.set(node.nodeid, node);
      node.children?.forEach(index);
    };
    index(root);
    return importedTree(WHO_DUMP, players, root.nodeid, (id): ImportedNode => {
      const node = nodes.get(id);
      if (node === undefined)
        throw fail('input', WHO_DUMP, `tree ${t} names node ${id}, which is not there; the dump is damaged.`);
      if (node.leaf !== undefined) return { kind: 'leaf', value: node.leaf };
      const { split: name, split_condition: condition, yes, no } = node;
      if (name === undefined || yes === undefined || no === undefined || typeof condition !== 'number') {
        throw fail(
          'input',
          WHO_DUMP,
          `node ${id} of tree ${t} splits on ${JSON.stringify(condition ?? null)}; a number is needed (categorical and indicator splits are not read).`,
        );
      }
      return split(featureOf(name), condition, yes, no);
    });
  });
  return { players, base, trees };
}

function parse<T>(who: string, schema: z.ZodType<T>, text: string, what: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw fail(
      'input',
      who,
      `${text.length} characters that are not JSON, starting with ${JSON.stringify(text.slice(0, 12))}; ${what} is needed (.ubj and .model are binary).`,
    );
  }
  const read = schema.safeParse(json);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  throw fail('input', who, `${issue.path.join('.') || 'the JSON'}: ${issue.message}; ${what} is needed.`);
}
