/**
 * EAP-IG over parts, its node form: the gradient of the metric where a part writes, averaged over points at which the embedding is on
 * its way from that of the corrupted prompt to its own, times what the part writes in the one run less what it writes in the other,
 * summed over positions. No part is ablated: gradients are those of the model.
 *
 * Source: Hanna, Pezzelle, Belinkov, Have Faith in Faithfulness (arXiv 2403.17806); the points 1/steps, 2/steps, .. 1 are those of the
 * node form in their repository. It takes an MLP's gradient where the MLP reads; here it is where it writes, as of every other part.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail, throwIfAborted } from '../../errors.ts';
import type { HookName } from '../../model/hook-points.ts';
import type { Model } from '../../model/model.ts';
import { forward } from '../../model/forward/forward.ts';
import { takePositions } from '../../model/forward/pass.ts';
import { metricOfRows } from '../metrics.ts';
import { passBack } from '../pass-back.ts';
import type { Task } from '../prompts.ts';
import { turn } from '../turn.ts';
import { createAblator, sitesOf, type Between } from './ablation.ts';
import { runBaselines } from './ablations.ts';
import { siteOf } from './component.ts';
import { addSlopes } from './mask-factors.ts';
import type { PromptOptions } from './prompt-run.ts';
import { disposeHeld, heldOf } from './held.ts';
import { atQueries, byQuery } from './site.ts';

export interface InputPathOptions {
  readonly steps: number;
  /** Points in a pass. */
  readonly rows: number;
  readonly signal?: AbortSignal | undefined;
}

/** Of every player what keeping it is estimated to add to the metric, [players], the mean over the prompts. */
export async function slopesAlongInputs(
  model: Model,
  options: Pick<PromptOptions, 'players' | 'tasks' | 'metric'>,
  { steps, rows, signal }: InputPathOptions,
): Promise<Float64Array> {
  const { players, tasks } = options;
  const slopes = new Float64Array(players.length);
  for (const task of tasks) {
    throwIfAborted(signal, model.name);
    for (let from = 0; from < steps; from += rows) {
      const shares = Array.from({ length: Math.min(rows, steps - from) }, (_, k) => (from + k + 1) / steps);
      await addSlopesAt(model, options, task, shares, slopes);
      await turn(signal, model.name);
    }
  }
  return slopes.map((slope) => slope / (steps * tasks.length));
}

/** Adds the scores of one prompt at `shares` of the way. */
async function addSlopesAt(
  model: Model,
  { players, metric }: Pick<PromptOptions, 'players' | 'metric'>,
  task: Task,
  shares: readonly number[],
  into: Float64Array,
): Promise<void> {
  const { config, parameters } = model;
  const { tokens, corrupted, label } = task;
  if (corrupted === undefined) throw fail('input', 'EAP-IG', `${label} has no corrupted prompt to move from.`);
  const embedding = siteOf({ kind: 'embed' }, config).hook;
  const hooks = sitesOf(players, config);
  const scored = metric.positions(task);
  const everywhere = Array.from({ length: tokens.length }, (_, p) => p);
  const runs = [tokens, corrupted].map((row) => runBaselines(model, [...new Set([embedding, ...hooks])], row));
  const ablator = createAblator(config, players, tokens.length, scored);
  const held = heldOf(model, metric, task, scored, true);
  const { cells, toTensors }: Between = ablator.between(0);
  const factors = toTensors(cells.map((here) => new Float32Array(here.length)));
  const stages = new Map<HookName, number>(hooks.map((hook, stage) => [hook, stage]));
  /** What the two runs write, less one another, with positions on axis 1. */
  const difference = (hook: HookName, positions: readonly number[]): tf.Tensor => {
    const [clean, other] = runs.map((run) => (hook.endsWith('.hook_pattern') ? byQuery(run[hook]) : run[hook]));
    return takePositions(tf.sub(clean, other), positions, everywhere);
  };
  let gradients: readonly (tf.Tensor | undefined)[] = [];
  try {
    const passed = passBack(factors, `metric ${metric.name}`, () => {
      const rows = tf.tile(held.tokens, [shares.length, 1]) as tf.Tensor2D;
      const logits = forward(config, parameters, rows, {
        scored,
        unembed: held.unembed,
        tap: {
          wants: (name) => name === embedding || stages.has(name),
          visit(name, activation, positions) {
            const points = tf.tensor3d([...shares], [shares.length, 1, 1]);
            const x =
              name === embedding ? tf.add(runs[1][name], tf.mul(points, difference(name, positions))) : activation;
            const stage = stages.get(name);
            if (stage === undefined) return x;
            return atQueries(name, x, (at) =>
              tf.add(at, tf.mul(likeElements(factors[stage], at), difference(name, positions))),
            );
          },
        },
      });
      return tf.add(metricOfRows(metric, logits, task, held.clean), tf.zeros([shares.length])) as tf.Tensor1D;
    });
    passed.value.dispose();
    gradients = passed.gradients;
    const kept = new Float32Array(players.length).fill(1);
    for (const [stage, gradient] of gradients.entries())
      if (gradient !== undefined) addSlopes(cells[stage], kept, players.length, false, await gradient.data(), into);
  } finally {
    tf.dispose([...factors, ...gradients.filter((gradient) => gradient !== undefined)]);
    disposeHeld(held);
    for (const run of runs) tf.dispose(run);
    ablator[Symbol.dispose]();
  }
}

/** A factor [1, P, E] with an axis for the width of an element where `x` has one. */
function likeElements(factor: tf.Tensor, x: tf.Tensor): tf.Tensor {
  return x.rank === 4 ? tf.expandDims(factor, -1) : factor;
}
