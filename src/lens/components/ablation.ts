/**
 * Ablation masks inside the forward pass: row i of a batch has its own mask over the players.
 *
 * At each site (a hook point that holds players) z' = m·z + (1 - m)·baseline. Before the first site a batch has one row;
 * at each it gets as many as its masks have distinct prefixes there (mask-order.ts). Baselines: zero; the mean over a data set; the corrupted run's activation.
 * With m = 1 the activation is untouched to the last bit, with m = 0 it is the baseline to the last bit.
 * Rescaled zero ablation (ProxySPEX, the heads study) multiplies what a layer's heads that stay on write by
 * heads / heads on, as dropout does, so that a layer with few heads on writes about as much as a whole one.
 */
import * as tf from '@tensorflow/tfjs-core';
import { isKept } from '../../masks.ts';
import { fail } from '../../errors.ts';
import type { ModelConfig } from '../../model/config.ts';
import { fused, hasFused } from '../../model/forward/fused.ts';
import type { Tap } from '../../model/forward/forward.ts';
import { hookPoints, type HookName } from '../../model/hook-points.ts';
import type { Ablation, Baselines } from './ablations.ts';
import { componentName, siteOf } from './component.ts';
import type { ComponentPlayer } from './components.ts';
import type { Cells } from './mask-factors.ts';
import { ancestors, maskMatrix, type MaskBlock } from './mask-order.ts';
import { atQueries, byQuery, cellsBefore, packedSite, READ_EVERYWHERE, siteFrom, wordsOf, type Site } from './site.ts';

export interface Ablator {
  /**
   * The tap that applies a block of masks to a forward pass whose input has one row (or as many as the block has at
   * every stage). At each stage the rows become as many as the masks there have distinct prefixes. `heads`: leave out the
   * heads that a mask ablates. `from`: the pass has the positions from there on only (0).
   */
  tap(block: MaskBlock, how?: { readonly heads?: boolean; readonly from?: number }): Tap;
  /** The same for factors of any value, in a pass that has the positions from `from` on only. */
  between(from: number): Between;
  [Symbol.dispose](): void;
}

/** Ablation between kept and absent: z' = factor·z + (1 - factor)·baseline, a differentiable function of the factors. */
export interface Between {
  /** The cells of each hook point's factors. */
  readonly cells: readonly Cells[];
  /** A tensor [rows, P, E] for each hook point from the factors of its cells, [rows · cells]; the caller owns them. */
  readonly toTensors: (factors: readonly Float32Array[]) => tf.Tensor[];
  /** The tap that applies them. All rows begin at the first hook point and share nothing. */
  readonly tap: (factors: readonly tf.Tensor[]) => Tap;
}

export interface AblatorOptions {
  readonly baselines?: Baselines | undefined;
  /** Multiply a layer's heads by heads / heads on; the players are then whole heads, without baselines (requireRescalable). */
  readonly rescale?: boolean | undefined;
}

/** @throws 'input' unless the within-layer rescale is defined: an ablation that leaves nothing, players made of whole heads. */
export function requireRescalable(players: readonly ComponentPlayer[], { name, rescalable }: Ablation): void {
  if (!rescalable)
    throw fail(
      'input',
      'rescale',
      `makes up for heads that write nothing, and ${name} ablation puts something in their place; use zero ablation, or leave the rescale out.`,
    );
  const odd = players
    .flatMap(({ components }) => components)
    .find(({ kind, position }) => kind !== 'head' || position !== undefined);
  if (odd !== undefined)
    throw fail(
      'input',
      'rescale',
      `counts the whole heads that a layer has on, and ${componentName(odd)} is not one; use heads and groups of heads as players, or leave the rescale out.`,
    );
}

/** The hooks at which `players` are ablated, in the order in which the forward pass reaches them. */
export function sitesOf(players: readonly ComponentPlayer[], config: ModelConfig): HookName[] {
  const hooks = new Set(
    players.flatMap((player) => player.components.map((component) => siteOf(component, config).hook)),
  );
  return hookPoints(config)
    .map(({ name }) => name)
    .filter((name) => hooks.has(name));
}

/** By player, the first of those hooks at which it is ablated. */
export function stagesOf(players: readonly ComponentPlayer[], config: ModelConfig): number[] {
  const stages = new Map<HookName, number>(sitesOf(players, config).map((hook, stage) => [hook, stage]));
  return players.map(({ components }) =>
    Math.min(...components.map((component) => stages.get(siteOf(component, config).hook) as number)),
  );
}

/**
 * Prepares the ablation of `players` in a prompt of `length` tokens of which the last layer sees `scored` only.
 * Copies what it needs of `baselines`.
 */
export function createAblator(
  config: ModelConfig,
  players: readonly ComponentPlayer[],
  length: number,
  scored: readonly number[],
  { baselines = {}, rescale = false }: AblatorOptions = {},
): Ablator {
  const last: `blocks.${number}.` = `blocks.${config.nLayers - 1}.`;
  const sites = sitesOf(players, config).map((hook): Site => {
    const here = players.flatMap((player, i) =>
      player.components.filter((c) => siteOf(c, config).hook === hook).map((component) => ({ i, component })),
    );
    const { elements } = siteOf(here[0].component, config);
    const narrowed = hook.startsWith(last) && !READ_EVERYWHERE.test(hook);
    const visible = narrowed ? scored : Array.from({ length }, (_, p) => p);
    const tied = here.some(({ component }) => component.position !== undefined);
    const rows: readonly (number | undefined)[] = tied ? visible : [undefined];
    const columns = [...new Set(here.map(({ i }) => i))];
    const index = new Int32Array(rows.length * elements).fill(columns.length);
    rows.forEach((position, r) => {
      for (const { i, component } of here) {
        if (component.position === undefined || component.position === position)
          index[r * elements + component.element] = columns.indexOf(i);
      }
    });
    const plain = index.length === columns.length && index.every((column, cell) => column === cell);
    const kept = baselines[hook];
    const given = kept !== undefined && hook.endsWith('.hook_pattern') ? byQuery(kept) : kept;
    const baseline =
      given === undefined
        ? undefined
        : given.shape[1] === 1 || visible.length === length
          ? tf.clone(given)
          : tf.tidy(() => tf.gather(given, tf.tensor1d([...visible], 'int32'), 1));
    if (given !== kept) given?.dispose();
    const whole = here[0].component.kind === 'head' && !tied;
    const heads = whole
      ? Array.from({ length: elements }, (_, head) => here.find(({ component }) => component.element === head)?.i)
      : undefined;
    const cells = Int32Array.from(index, (column) => columns[column] ?? -1);
    return {
      hook,
      players: columns,
      packed: rescale || !hasFused('SpexlensMaskBits') ? undefined : packedSite(cells, rows.length, columns),
      index: plain ? undefined : tf.tensor1d(index, 'int32'),
      positions: rows.length,
      visible,
      elements,
      cells: index.map((column) => columns[column] ?? -1),
      baseline,
      heads,
    };
  });
  const stageOf = new Map<HookName, number>(sites.map((site, stage) => [site.hook, stage]));
  return {
    tap: (block, { heads: leavesOut = true, from: first = 0 } = {}) => {
      const seen = sites.map((site) => siteFrom(site, first));
      /** For each of `rows` rows at some stage, the one of `from` rows at an earlier stage that it continues. */
      const lineage = (from: number, rows: number): Int32Array => {
        const [earlier, later] = [from, rows].map((count) => block.rows.find((firsts) => firsts.length === count));
        if (earlier === undefined || later === undefined)
          throw fail(
            'input',
            'ablation',
            `${from} rows are to become ${rows}, and the masks have no stage of so many.`,
          );
        return ancestors(earlier, later);
      };
      const expand = (x: tf.Tensor, rows: number): tf.Tensor => {
        const parents = tf.tensor1d(lineage(x.shape[0], rows), 'int32');
        return hasFused('SpexlensMaskRows') ? fused('SpexlensMaskRows', { x, parents }, {}) : tf.gather(x, parents);
      };
      const ablate = (stage: number, activation: tf.Tensor): tf.Tensor => {
        const { players: here, elements, packed } = sites[stage];
        const { positions, skipped, index, baseline, cells } = seen[stage]();
        const firsts = block.rows[stage];
        if (packed !== undefined && hasFused('SpexlensMaskBits')) {
          const { words, all } = wordsOf(block, firsts, packed);
          const as = activation.shape[0] === 1 || activation.shape[0] === firsts.length;
          if (all) return as ? activation : expand(activation, firsts.length);
          const parents = as ? undefined : tf.tensor1d(lineage(activation.shape[0], firsts.length), 'int32');
          const bits = tf.tensor2d(words, [firsts.length, packed.players.length], 'int32');
          return fused(
            'SpexlensMaskBits',
            { x: activation, words: bits, cells: cells as tf.Tensor, parents, base: baseline },
            {},
          );
        }
        const matrix = maskMatrix(block.masks, firsts, here, index === undefined ? 0 : 1);
        const stay = activation.shape[0] === 1 || activation.shape[0] === firsts.length;
        if (matrix.every((bit) => bit === 1)) return stay ? activation : expand(activation, firsts.length);
        const bits = tf.tensor2d(matrix, [firsts.length, matrix.length / firsts.length]);
        const on = index === undefined ? tf.slice(bits, [0, skipped]) : tf.gather(bits, index, 1); // [rows, P·E]
        const factors = rescale ? tf.mul(on, shareOut(on)) : on;
        const shaped = tf.reshape(factors, [firsts.length, positions, elements]);
        if (stay || !hasFused('SpexlensMaskRows'))
          return blend(stay ? activation : expand(activation, firsts.length), shaped, baseline);
        const parents = tf.tensor1d(lineage(activation.shape[0], firsts.length), 'int32');
        return fused('SpexlensMaskRows', { x: activation, parents, factors: shaped, base: baseline }, {});
      };
      return {
        wants: (name) => stageOf.has(name),
        visit: (name, activation) => atQueries(name, activation, (x) => ablate(stageOf.get(name) as number, x)),
        expand,
        liveHeads(layer) {
          const stage = stageOf.get(`blocks.${layer}.attn.hook_z`);
          const { heads, baseline } = sites[stage ?? -1] ?? {};
          const inside = (['q', 'k', 'v', 'pattern'] as const).some((part) =>
            stageOf.has(`blocks.${layer}.attn.hook_${part}`),
          );
          if (!leavesOut || inside || stage === undefined || heads === undefined) return undefined;
          const firsts = block.rows[stage];
          const each = Uint8Array.from({ length: firsts.length * heads.length }, (_, i) =>
            keeps(block, firsts[Math.floor(i / heads.length)], heads[i % heads.length]),
          );
          return {
            read(rows) {
              if (rows === firsts.length) return each;
              const of = rows === 1 ? new Int32Array(firsts.length) : lineage(rows, firsts.length);
              const any = new Uint8Array(rows * heads.length);
              each.forEach((is, i) => {
                if (is === 1) any[of[Math.floor(i / heads.length)] * heads.length + (i % heads.length)] = 1;
              });
              return any;
            },
            written: baseline === undefined ? each : undefined,
          };
        },
      };
    },
    between(from) {
      const seen = sites.map((site) => siteFrom(site, from));
      const cells = sites.map((site) => site.cells.subarray(cellsBefore(site, from)));
      return {
        cells,
        toTensors: (factors) =>
          sites.map(({ elements }, stage) => {
            const count = cells[stage].length;
            return tf.tensor(factors[stage], [factors[stage].length / count, count / elements, elements]);
          }),
        tap: (factors) => ({
          wants: (name) => stageOf.has(name),
          visit(name, activation) {
            const stage = stageOf.get(name) as number;
            return atQueries(name, activation, (x) => blend(x, factors[stage], seen[stage]().baseline));
          },
        }),
      };
    },
    [Symbol.dispose]: () =>
      tf.dispose(
        sites.flatMap(({ index, baseline, packed }) =>
          [index, baseline, packed?.cells].filter((tensor) => tensor !== undefined),
        ),
      ),
  };
}

/** factors·x + (1 - factors)·baseline: x [1 or rows, S, E·w] or [.., S, E, w], factors [rows, 1 or S, E]. */
function blend(x: tf.Tensor, factors: tf.Tensor, baseline: tf.Tensor | undefined): tf.Tensor {
  if (hasFused('SpexlensMaskRows')) return fused('SpexlensMaskRows', { x, factors, base: baseline }, {});
  const m = tf.reshape(factors, [...factors.shape, ...(x.rank === 4 ? [1] : [])]);
  const kept = tf.mul(x, m);
  return baseline === undefined ? kept : tf.add(kept, tf.mul(baseline, tf.sub(1, m)));
}

/** 1 where a mask keeps a head: its player, or that nobody holds it. */
function keeps({ masks }: MaskBlock, mask: number, player: number | undefined): 0 | 1 {
  return player === undefined || isKept(masks, mask, player) ? 1 : 0;
}

/** on [B, H] of 0 and 1 -> H / (heads on), [B, 1]: 1 to the last bit where all are, and H where none is. */
function shareOut(on: tf.Tensor): tf.Tensor {
  return tf.div(on.shape[1] as number, tf.maximum(tf.sum(on, 1, true), 1));
}
