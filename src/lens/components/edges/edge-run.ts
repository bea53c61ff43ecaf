/**
 * One prompt, ready to be run under blocks of masks over edges, and differentiated.
 *
 * What is saved: a block begins at the first layer that one of its masks cuts an edge into, from the untouched run's stream and
 * senders; the last layer runs at the scored positions, and only the vocabulary columns that the metric reads are unembedded. A mask
 * that cuts nothing is the untouched run itself, to the last bit.
 */
import * as tf from '@tensorflow/tfjs-core';
import { isKept, type Masks } from '../../../masks.ts';
import type { Model } from '../../../model/model.ts';
import type { Ablation } from '../ablations.ts';
import type { MaskBlock } from '../mask-order.ts';
import type { Metric } from '../../metrics.ts';
import { createPrefixStates } from '../prefix-states.ts';
import { passBack, type Passed } from '../../pass-back.ts';
import type { PromptRun } from '../prompt-run.ts';
import type { Task } from '../../prompts.ts';
import { edgeSites } from './edge.ts';
import { addCellSlopes, edgeTable, offOfMasks, offOfNumbers, type UsedReceivers } from './edge-cells.ts';
import { slopesAlong, type EdgePath, type PathSlopes } from './edge-path.ts';
import type { EdgePlayer } from './edge-players.ts';
import { createEdgePrompt, type EdgePrompt } from './edge-prompt.ts';
import { edgeTap } from './edge-tap.ts';

export interface EdgePromptOptions {
  readonly players: readonly EdgePlayer[];
  readonly tasks: readonly Task[];
  readonly metric: Metric;
  readonly ablation: Ablation;
  /** Token rows that mean ablation averages over; the tasks' own when absent. */
  readonly meanOver?: readonly (readonly number[])[] | undefined;
}

export interface EdgeRun extends PromptRun {
  /** EAP-IG (edge-path.ts); `rows` points in a pass. */
  slopesAlong(path: EdgePath, steps: number, rows: number): Promise<PathSlopes>;
}

/** @throws 'input' for a model without edges, and for prompts and baselines that do not fit together. */
export function prepareEdgePrompts(
  model: Model,
  { players, tasks, metric, ablation, meanOver }: EdgePromptOptions,
): EdgeRun[] {
  const hooks = edgeSites(model.config).senders.map(({ hook }) => hook);
  const data = ablation.needs.data ? (meanOver ?? tasks.map(({ tokens }) => tokens)) : [];
  const source = ablation.open({ model, hooks, data });
  const prepared: EdgeRun[] = [];
  try {
    for (const task of tasks) {
      const table = edgeTable(players, model.config, task.tokens.length);
      const base = source.of({ tokens: task.tokens, corrupted: task.corrupted, label: task.label });
      try {
        prepared.push(runOf(createEdgePrompt(model, metric, task, table, base), metric, players.length));
      } catch (error) {
        tf.dispose(base as Record<string, tf.Tensor>);
        throw error;
      }
    }
    return prepared;
  } catch (error) {
    for (const prompt of prepared) prompt[Symbol.dispose]();
    throw error;
  } finally {
    source[Symbol.dispose]();
  }
}

function runOf(prompt: EdgePrompt, metric: Metric, players: number): EdgeRun {
  const { stages, receivers } = prompt.table;
  let plain: tf.Tensor1D | undefined;
  const offTensor = ({ positions, elements, reads }: UsedReceivers, off: Float32Array, rows: number): tf.Tensor4D =>
    tf.tensor4d(off, [rows, positions, elements, reads]);
  return {
    stages,
    stageCount: receivers.length,
    from: () => 0,
    states: () => createPrefixStates([], 1, 0),
    run: ({ masks, start, end }: MaskBlock) =>
      tf.tidy(() => {
        prompt.requireAlive();
        const values: tf.Tensor1D[] = [];
        let first = start;
        if (keepsAll(masks, start)) {
          plain ??= tf.keep(prompt.metric(1, {}));
          values.push(plain);
          first++;
        }
        if (first < end) {
          const off = receivers.map((site) => {
            const given = offOfMasks(site.cells, masks, first, end);
            return given && offTensor(site, given, end - first);
          });
          values.push(cut(prompt, end - first, off));
        }
        return values.length === 1 ? tf.clone(values[0]) : tf.concat(values);
      }),
    async differentiate(m) {
      prompt.requireAlive();
      prompt.untouched(); // before anything is recorded
      const rows = m.length / players;
      const off = receivers.map((site) => offTensor(site, offOfNumbers(site.cells, m, players), rows));
      let passed: Passed | undefined;
      try {
        passed = passBack(off, `metric ${metric.name}`, () => cut(prompt, rows, off));
        const slopes = new Float64Array(rows * players);
        for (const [stage, gradient] of passed.gradients.entries())
          if (gradient !== undefined) addCellSlopes(receivers[stage].cells, await gradient.data(), players, slopes);
        return { values: (await passed.value.data()) as Float32Array, slopes };
      } finally {
        const found = passed?.gradients.filter((gradient) => gradient !== undefined) ?? [];
        tf.dispose([...off, ...found, ...(passed === undefined ? [] : [passed.value])]);
      }
    },
    slopesAlong: (path, steps, rows) => slopesAlong(prompt, metric, { path, steps, rows, players }),
    [Symbol.dispose]() {
      plain?.dispose();
      prompt[Symbol.dispose]();
    },
  };
}

/** The metric of `rows` rows that cut `off`, by stage; the pass begins where the first of them reads. */
function cut(prompt: EdgePrompt, rows: number, off: readonly (tf.Tensor4D | undefined)[]): tf.Tensor1D {
  const { table, length, baseline } = prompt;
  const { differences, streams } = prompt.untouched();
  const { layer } = table.receivers[off.findIndex((given) => given !== undefined)];
  return tf.tidy(() => {
    const earlier = table.senders.filter((site) => site.layer < layer);
    const before = earlier.map(({ hook }) => differences.get(hook) as tf.Tensor4D);
    const tap = edgeTap({
      table,
      length,
      layer,
      before: before.length === 0 ? undefined : tf.concat(before, 1),
      off,
      baseline,
    });
    try {
      const stream = streams.get(layer);
      return prompt.metric(rows, { tap, start: stream && { layer, residual: stream } });
    } finally {
      tap[Symbol.dispose]();
    }
  });
}

function keepsAll(masks: Masks, row: number): boolean {
  for (let player = 0; player < masks.players; player++) if (!isKept(masks, row, player)) return false;
  return true;
}
