/**
 * One prompt, ready to be run under blocks of masks with as little work as the answer needs.
 *
 * What is saved (SAVINGS) changes no value by more than rounding: everything before the first player runs once; masks of
 * a block share what their prefixes share (mask-order.ts), and blocks what they share with the one before
 * (prefix-states.ts); heads that a whole block ablates are left out; the last layer runs at the positions whose logits are
 * read, and only the vocabulary columns that are read are unembedded. Each can be switched off, for measuring it.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { emptyMasks, type Masks } from '../../masks.ts';
import { layerOf } from '../../hooks/run.ts';
import { forward, type ForwardOptions, type Tap } from '../../model/forward/forward.ts';
import type { HookName } from '../../model/hook-points.ts';
import type { Model } from '../../model/model.ts';
import { createAblator, requireRescalable, sitesOf, stagesOf, type Ablator } from './ablation.ts';
import type { Ablation, BaselineSource } from './ablations.ts';
import type { ComponentPlayer } from './components.ts';
import { disposeHeld, heldOf } from './held.ts';
import { addSlopes, factorsOf } from './mask-factors.ts';
import { createPast, firstChanged, hasPast, type Past } from './past.ts';
import { sharedStages, type MaskBlock, type OrderedMasks } from './mask-order.ts';
import { metricOfRows, type Metric } from '../metrics.ts';
import { passBack, type Passed } from '../pass-back.ts';
import { createPrefixStates, type PrefixStates } from './prefix-states.ts';
import type { Task } from '../prompts.ts';

/**
 * trunk: one row until the first player. sharing: masks are sorted, equal ones run once, and rows share their prefixes.
 * states: blocks go on from residuals of the block before. heads: those that a block ablates throughout are left out.
 * positions: the last layer at the scored positions only. columns: only the logits that the metric reads. past: no position
 * before the first that a block can change (past.ts).
 */
export const SAVINGS = ['trunk', 'sharing', 'states', 'heads', 'positions', 'columns', 'past'] as const;
export type Saving = (typeof SAVINGS)[number];

export interface PromptOptions {
  readonly players: readonly ComponentPlayer[];
  readonly tasks: readonly Task[];
  readonly metric: Metric;
  readonly ablation: Ablation;
  /** With zero ablation of whole heads: a layer's heads that stay on are multiplied by its heads / those on. Default false. */
  readonly rescale?: boolean | undefined;
  /** Token rows that mean ablation averages over; the tasks' own when absent. */
  readonly meanOver?: readonly (readonly number[])[] | undefined;
  /** Savings to switch off, to measure what they bring. Without the trunk there is no sharing, without sharing there are no states. */
  readonly without?: readonly Saving[] | undefined;
}

/** Where a block stands among the ordered masks. */
export interface BlockPlace {
  /** How many leading stages the block's masks agree on with one another and with the mask before. */
  readonly before: number;
  /** The same for the block that comes next; 0 when none does. */
  readonly after: number;
}

export interface PromptRun {
  /** By player, the stage where its ablation begins: what sortByStage takes. */
  readonly stages: readonly number[];
  readonly stageCount: number;
  /** The first position that is computed for a mask. */
  from(masks: Masks, row: number): number;
  /** The residuals that one value() call keeps. */
  states(byteLimit: number): PrefixStates;
  /** The metric of every mask of the block, [masks]; the caller owns it. */
  run(block: MaskBlock, place: BlockPlace, states: PrefixStates): tf.Tensor1D;
  /**
   * The metric of every row of m [rows · players], whose entries may be anything from 0 to 1, and its gradient with respect to
   * that row, [rows · players]. @throws 'input' for a metric that has no gradient.
   */
  differentiate(m: Float32Array): Promise<{ readonly values: Float32Array; readonly slopes: Float64Array }>;
  [Symbol.dispose](): void;
}

/** @throws 'input' for prompts, baselines and players that do not fit together. */
export function preparePrompts(model: Model, options: PromptOptions): PromptRun[] {
  const { players, tasks, ablation, rescale, meanOver } = options;
  if (rescale === true) requireRescalable(players, ablation);
  const hooks = sitesOf(players, model.config);
  const data = ablation.needs.data ? (meanOver ?? tasks.map((task) => task.tokens)) : [];
  const source = ablation.open({ model, hooks, data });
  const prepared: PromptRun[] = [];
  try {
    for (const task of tasks) prepared.push(preparePrompt(model, options, task, source));
    return prepared;
  } catch (error) {
    for (const prompt of prepared) prompt[Symbol.dispose]();
    throw error;
  } finally {
    source[Symbol.dispose]();
  }
}

function preparePrompt(
  model: Model,
  { players, metric, ablation, rescale, without = [] }: PromptOptions,
  task: Task,
  source: BaselineSource,
): PromptRun {
  const { config, parameters } = model;
  const saves = (saving: Saving): boolean => !without.includes(saving);
  const length = task.tokens.length;
  const scored = metric.positions(task);
  const visible = saves('positions') ? scored : undefined;
  const seen = visible ?? Array.from({ length }, (_, p) => p);
  const hooks = sitesOf(players, config);
  const columns = metric.columns(task);
  const usesPast = saves('past') && saves('trunk') && saves('positions') && hasPast(config, length);
  const changed = usesPast ? firstChanged(players, task, ablation) : () => 0;
  const firstScored = Math.min(...scored);
  const from = (masks: Masks, row: number): number => Math.min(firstScored, changed(masks, row));
  /** The first position that any mask, or anything between masks, can change. */
  const varies = from(emptyMasks(players.length, 1), 0);
  const ablator = ablatorOf(model, players, task, seen, source, rescale);
  const held = orDispose(ablator, () => heldOf(model, metric, task, scored, saves('columns')));
  const { tokens, unembed, clean } = held;
  const { cells, toTensors, tap: tapFactors } = ablator.between(varies);
  let past: Past | undefined;
  let disposed = false;
  const requireAlive = (): void => {
    if (disposed) throw fail('input', `${model.name} ${metric.name}`, 'was disposed; make a new one.');
  };
  const stagesBefore = Array.from(
    { length: config.nLayers },
    (_, layer) => hooks.filter((hook) => (layerOf(hook) ?? -1) < layer).length,
  );
  const layerAfter = (stages: number): number =>
    Math.max(
      0,
      stagesBefore.findLastIndex((count) => count <= stages),
    );
  /** Of full logits, what the metric reads. */
  const read = (logits: tf.Tensor3D): tf.Tensor3D => {
    const here = visible === undefined ? tf.gather(logits, tf.tensor1d(scored, 'int32'), 1) : logits;
    const whole = !saves('columns') && columns !== undefined;
    return whole ? tf.gather(here, tf.tensor1d(columns, 'int32'), 2) : here;
  };
  const makePast = (first: number): void => {
    if (first > 0) past ??= createPast(model, tokens, { scored, unembed });
  };
  /** The metric of a pass of `rows` rows over the positions from `first` on. */
  const pass = (first: number, rows: number, { tap, start }: Pick<ForwardOptions, 'tap' | 'start'>): tf.Tensor1D => {
    const whole = saves('trunk') ? tokens : (tf.tile(tokens, [rows, 1]) as tf.Tensor2D);
    const logits = forward(config, parameters, first === 0 ? whole : tf.slice(whole, [0, first]), {
      tap,
      scored: visible?.map((position) => position - first),
      unembed,
      start,
      cache: first === 0 ? undefined : past?.before(first),
    });
    // A prompt that no mask changes keeps batch 1: every mask has the same value.
    return tf.add(metricOfRows(metric, read(logits), task, clean), tf.zeros([rows])) as tf.Tensor1D;
  };
  return {
    stages: stagesOf(players, config),
    stageCount: hooks.length,
    from,
    states: (byteLimit) =>
      createPrefixStates(
        stagesBefore,
        4 * length * config.dModel,
        saves('states') && saves('sharing') && saves('trunk') ? byteLimit : 0,
      ),
    run(block, { before, after }, states) {
      requireAlive();
      return tf.tidy(() => {
        const masks = block.end - block.start;
        let first = length;
        for (let row = block.start; row < block.end; row++) first = Math.min(first, from(block.masks, row));
        const start = states.find(before, first);
        const keeps = new Map<HookName, number>(
          states.wanted(start?.layer ?? 0, layerAfter(after)).map((layer) => [`blocks.${layer}.hook_resid_pre`, layer]),
        );
        const tap = keeping(ablator.tap(block, { heads: saves('heads'), from: first }), keeps, states, first);
        makePast(first);
        return pass(first, masks, { tap, start });
      });
    },
    async differentiate(m) {
      requireAlive();
      const n = players.length;
      const rescaled = rescale === true;
      makePast(varies);
      const factors = toTensors(cells.map((here) => factorsOf(here, m, n, rescaled)));
      let passed: Passed | undefined;
      try {
        passed = passBack(factors, `metric ${metric.name}`, () =>
          pass(varies, m.length / n, { tap: tapFactors(factors) }),
        );
        const slopes = new Float64Array(m.length);
        for (const [stage, gradient] of passed.gradients.entries())
          if (gradient !== undefined) addSlopes(cells[stage], m, n, rescaled, await gradient.data(), slopes);
        return { values: (await passed.value.data()) as Float32Array, slopes };
      } finally {
        const found = passed?.gradients.filter((gradient) => gradient !== undefined) ?? [];
        tf.dispose([...factors, ...found, ...(passed === undefined ? [] : [passed.value])]);
      }
    },
    [Symbol.dispose]() {
      disposed = true;
      disposeHeld(held);
      past?.[Symbol.dispose]();
      ablator[Symbol.dispose]();
    },
  };
}

/** Where every block of `ordered` stands, in order; `starts` has one more entry than there are blocks. */
export function placesOf(ordered: OrderedMasks, starts: readonly number[], stages: number): BlockPlace[] {
  const before = starts
    .slice(0, -1)
    .map((start, k) =>
      start === 0 ? 0 : Math.min(ordered.differs[start], sharedStages(ordered, start, starts[k + 1], stages)),
    );
  return before.map((shared, k) => ({ before: shared, after: before[k + 1] ?? 0 }));
}

/** The tap, which also keeps the residual before some layers, as it is before anything is ablated there. */
function keeping(tap: Tap, layers: ReadonlyMap<HookName, number>, states: PrefixStates, from: number): Tap {
  if (layers.size === 0) return tap;
  return {
    ...tap,
    wants: (name) => layers.has(name) || tap.wants(name),
    visit(name, activation, positions) {
      const layer = layers.get(name);
      if (layer !== undefined) states.keep(layer, activation, from);
      return tap.wants(name) ? tap.visit(name, activation, positions) : activation;
    },
  };
}

function ablatorOf(
  model: Model,
  players: readonly ComponentPlayer[],
  { tokens, corrupted, label }: Task,
  visible: readonly number[],
  source: BaselineSource,
  rescale: boolean | undefined,
): Ablator {
  const baselines = source.of({ tokens, corrupted, label });
  try {
    return createAblator(model.config, players, tokens.length, visible, { baselines, rescale });
  } finally {
    tf.dispose(baselines as Record<string, tf.Tensor>);
  }
}

/** What `make` returns; when it throws, `owned` goes with it. */
function orDispose<T>(owned: Disposable, make: () => T): T {
  try {
    return make();
  } catch (error) {
    owned[Symbol.dispose]();
    throw error;
  }
}
