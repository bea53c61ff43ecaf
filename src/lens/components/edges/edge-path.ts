/**
 * Edge attribution with integrated gradients, EAP-IG, of one prompt.
 *
 * The score of an edge is (sender - its baseline) · g summed over positions, g the gradient of the metric where the receiver reads,
 * averaged over points of a path: of the embedding from its baseline towards what it is (`inputs`, at 0, 1/steps, ..), or of what is
 * written at one sender site after the other, all else untouched (`activations`, at 1/steps, .., 1). No edge is cut: gradients are
 * those of the model.
 * Source: Hanna, Pezzelle, Belinkov, Have Faith in Faithfulness (arXiv 2403.17806), section 3, and their repository's points.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { HookName } from '../../../model/hook-points.ts';
import type { Metric } from '../../metrics.ts';
import { passBack } from '../../pass-back.ts';
import { addCellSlopes, type UsedReceivers } from './edge-cells.ts';
import type { EdgePrompt } from './edge-prompt.ts';
import { atPositions, byElement, isSplit, slicedTo } from './edge-tap.ts';

/** What moves from its baseline to what it is: the embedding, or what is written at each sender site in turn. */
export type EdgePath = 'inputs' | 'activations';

export interface PathSlopes {
  /** Of every player: what keeping it is estimated to add to the metric. */
  readonly slopes: Float64Array;
  /** Points that were differentiated in a prompt: steps, or steps for each sender site. */
  readonly points: number;
}

export interface PathOptions {
  readonly path: EdgePath;
  readonly steps: number;
  /** Points in a pass. */
  readonly rows: number;
  readonly players: number;
}

/** Of every player the sum of its edges' scores, [players], in units of the metric. */
export async function slopesAlong(
  prompt: EdgePrompt,
  metric: Metric,
  { path, steps, rows, players }: PathOptions,
): Promise<PathSlopes> {
  prompt.requireAlive();
  const { receivers } = prompt.table;
  prompt.untouched(); // before anything is recorded
  const nodes = path === 'inputs' ? prompt.sites.slice(0, 1) : prompt.sites;
  const totals: (tf.Tensor | undefined)[] = receivers.map(() => undefined);
  try {
    for (const node of nodes)
      for (let from = 0; from < steps; from += rows) {
        const points = Array.from({ length: Math.min(rows, steps - from) }, (_, k) => from + k);
        const shares = points.map((k) => (path === 'inputs' ? k : k + 1) / steps);
        gradientsAt(prompt, metric, node, shares).forEach((gradient, stage) => {
          const before = totals[stage];
          if (gradient === undefined) return;
          totals[stage] = before === undefined ? gradient : tf.tidy(() => tf.add(before, gradient));
          if (before !== undefined) tf.dispose([before, gradient]);
        });
      }
    const slopes = new Float64Array(players);
    for (const [stage, site] of receivers.entries()) {
      const total = totals[stage];
      if (total === undefined) continue;
      const products = tf.tidy(() => productsOf(prompt, site, tf.div(total, steps * nodes.length)));
      try {
        addCellSlopes(site.cells, byCell(site, prompt, await products.data()), players, slopes);
      } finally {
        products.dispose();
      }
    }
    return { slopes, points: steps * nodes.length };
  } finally {
    tf.dispose(totals.filter((total) => total !== undefined));
  }
}

/** By stage, the gradient where receivers read, summed over `shares` of the way of `node`, [1, S, ..]; the caller owns them. */
function gradientsAt(
  prompt: EdgePrompt,
  metric: Metric,
  node: HookName,
  shares: readonly number[],
): readonly (tf.Tensor | undefined)[] {
  const { tokens, table, baseline } = prompt;
  const stages = new Map<HookName, number>(table.receivers.map(({ hook }, stage) => [hook, stage]));
  const difference = prompt.untouched().differences.get(node) as tf.Tensor4D;
  const zeros = table.receivers.map((site) => {
    const read = positionsOf(site, prompt).length;
    const width = difference.shape[3];
    return tf.zeros(isSplit(site) ? [1, read, site.elements, width] : [1, read, width]);
  });
  try {
    const passed = passBack(zeros, `metric ${metric.name}`, () => {
      const along = (positions: readonly number[], rank: number): tf.Tensor => {
        const gone = tf.mul(tf.tensor4d([...shares], [shares.length, 1, 1, 1]), difference);
        const base = baseline(node, positions);
        const now = base === undefined ? tf.neg(gone) : tf.sub(byElement(base), gone); // [points, elements, S, d]
        return rank === 4 ? tf.transpose(now, [0, 2, 1, 3]) : tf.squeeze(now, [1]);
      };
      const input = tf.tile(tokens, [shares.length, 1]);
      return prompt.metric(
        shares.length,
        {
          tap: {
            wants: (name) => name === node || stages.has(name),
            visit: (name, activation, positions) =>
              name === node ? along(positions, activation.rank) : tf.add(activation, zeros[stages.get(name) as number]),
          },
        },
        input,
      );
    });
    passed.value.dispose();
    return passed.gradients;
  } finally {
    tf.dispose(zeros);
  }
}

/** difference · gradient of what a site reads, [E, n], or [S, E, n] where edges are tied to positions; `gradient` [1, S, E, d] or, of one, [1, S, d]. */
function productsOf(prompt: EdgePrompt, site: UsedReceivers, gradient: tf.Tensor): tf.Tensor {
  const { differences } = prompt.untouched();
  const positions = positionsOf(site, prompt);
  const everywhere = Array.from({ length: prompt.length }, (_, p) => p);
  const senders = prompt.table.senders.filter(({ offset }) => offset < site.reads);
  const read = senders.map(({ hook }) => {
    const x = differences.get(hook) as tf.Tensor4D;
    return x.shape[2] === positions.length ? x : atPositions(x, positions, everywhere);
  });
  const x = tf.squeeze(slicedTo(tf.concat(read, 1), site.reads), [0]); // [n, S, d]
  const g = tf.squeeze(byElement(gradient), [0]); // [E, S, d]
  if (site.positions === 1) {
    const flat = (y: tf.Tensor): tf.Tensor2D => tf.reshape(y, [y.shape[0], y.size / y.shape[0]]);
    return tf.matMul(flat(g), tf.transpose(flat(x)));
  }
  return tf.matMul(tf.transpose(g, [1, 0, 2]), tf.transpose(x, [1, 2, 0]));
}

/** Products [P, E, n] or, at the positions that the site has, [S, E, n], as the site's cells. */
function byCell(site: UsedReceivers, prompt: EdgePrompt, products: ArrayLike<number>): ArrayLike<number> {
  if (products.length === site.cells.length) return products;
  const all = new Float32Array(site.cells.length);
  const each = site.elements * site.reads;
  positionsOf(site, prompt).forEach((position, k) => {
    for (let c = 0; c < each; c++) all[position * each + c] = products[k * each + c];
  });
  return all;
}

/** The positions that a site's activation has: in the last layer, behind its attention's inputs, the scored ones. */
function positionsOf(site: UsedReceivers, { scored, length, lastLayer }: EdgePrompt): readonly number[] {
  return site.layer === lastLayer && !isSplit(site) ? scored : Array.from({ length }, (_, p) => p);
}
