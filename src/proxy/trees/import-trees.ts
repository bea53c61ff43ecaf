/**
 * Trees trained elsewhere, made into ours: what the importers of LightGBM and XGBoost share.
 *
 * A foreign node compares a number with a threshold; on masks that number is 0 (ablated) or 1 (kept), so each
 * split comes down to where 0 goes and where 1 goes. A split that sends both the same way is left out; the same
 * player asked again on a path stays (tree-fourier.ts takes the one reachable side). Predictions are theirs on
 * dense 0/1 features, up to the 32-bit sums of XGBoost.
 */
import { fail } from '../../errors.ts';
import type { Tree } from './tree.ts';

export interface ImportOptions {
  /** n; default the model's number of features. A model with another number of features is refused. */
  readonly players?: number | undefined;
  /**
   * 'raw' takes the sum of the trees of a model whose prediction is a function of that sum (a logistic one, say).
   * By default such a model is refused: a link function has no exact sparse spectrum.
   */
  readonly output?: 'raw' | undefined;
}

/** A foreign node: a leaf, or a split with the nodes that 0 and 1 go to. */
export type ImportedNode =
  | { readonly kind: 'leaf'; readonly value: number }
  | { readonly kind: 'split'; readonly feature: number; readonly absent: number; readonly present: number };

/**
 * The tree under `root`, renumbered parents first, without splits that decide nothing.
 * @throws 'input' on a feature >= players, a leaf that is not finite, or a node with two parents.
 */
export function importedTree(who: string, players: number, root: number, nodeAt: (node: number) => ImportedNode): Tree {
  const nodes: { player: number; absent: number; present: number; value: number }[] = [];
  const seen = new Set<number>();
  const visit = (node: number): ImportedNode => {
    if (seen.has(node))
      throw fail('input', who, `node ${node} is reached twice; a tree is needed, the file is damaged.`);
    seen.add(node);
    const read = nodeAt(node);
    return read.kind === 'split' && read.absent === read.present ? visit(read.absent) : read;
  };
  const add = (node: number): number => {
    const read = visit(node);
    const at = nodes.push({ player: -1, absent: -1, present: -1, value: 0 }) - 1;
    if (read.kind === 'leaf') {
      if (!Number.isFinite(read.value))
        throw fail('input', who, `the leaf at node ${node} is ${read.value}; leaves must be finite numbers.`);
      nodes[at].value = read.value;
      return at;
    }
    const { feature } = read;
    if (!Number.isInteger(feature) || feature < 0 || feature >= players) {
      throw fail('input', who, `node ${node} asks feature ${feature}; features are 0..${players - 1}, one a player.`);
    }
    nodes[at] = { player: feature, absent: add(read.absent), present: add(read.present), value: 0 };
    return at;
  };
  add(root);
  return {
    player: Int32Array.from(nodes, (node) => node.player),
    absent: Int32Array.from(nodes, (node) => node.absent),
    present: Int32Array.from(nodes, (node) => node.present),
    value: Float64Array.from(nodes, (node) => node.value),
  };
}

/** The tree with every leaf multiplied. */
export function scaledTree(tree: Tree, factor: number): Tree {
  return { ...tree, value: tree.value.map((value) => factor * value) };
}

/** n, once the model's features and the players asked for agree. @throws 'input' when they do not. */
export function importedPlayers(who: string, features: number, wanted: number | undefined): number {
  if (!Number.isInteger(features) || features < 1)
    throw fail('input', who, `a model of ${features} features; at least 1 is needed.`);
  if (wanted !== undefined && wanted !== features)
    throw fail(
      'input',
      who,
      `a model of ${features} features for ${wanted} players; one feature a player, in their order, is needed.`,
    );
  return features;
}
