/**
 * A prompt whose edges are cut: its untouched run, baselines, and what the metric reads.
 *
 * The untouched run is made once, on one row, when it is first needed: what every sender wrote, and the stream before each layer
 * that a cut may begin at.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../../errors.ts';
import { forward, type ForwardOptions } from '../../../model/forward/forward.ts';
import { takePositions } from '../../../model/forward/pass.ts';
import type { HookName } from '../../../model/hook-points.ts';
import type { Model } from '../../../model/model.ts';
import type { Baselines } from '../ablations.ts';
import { metricOfRows, type Metric } from '../../metrics.ts';
import { disposeHeld, heldOf } from '../held.ts';
import type { Task } from '../../prompts.ts';
import { edgeSites } from './edge.ts';
import type { EdgeTable } from './edge-cells.ts';
import { byElement, differenceOf } from './edge-tap.ts';

export interface Untouched {
  /** By sender site, baseline - what it wrote, [1, elements, S, d]; in the last layer at the scored positions. */
  readonly differences: ReadonlyMap<HookName, tf.Tensor4D>;
  /** The stream before the layers of receivers, [1, S, d]; none before the first. */
  readonly streams: ReadonlyMap<number, tf.Tensor>;
}

export interface EdgePrompt {
  readonly table: EdgeTable;
  readonly tokens: tf.Tensor2D;
  readonly length: number;
  readonly scored: readonly number[];
  readonly lastLayer: number;
  /** Every sender site of the model, in forward order. */
  readonly sites: readonly HookName[];
  readonly untouched: () => Untouched;
  /** Of a sender site, at some positions or for all of them alike; undefined for zero. */
  readonly baseline: (hook: HookName, positions: readonly number[]) => tf.Tensor | undefined;
  /** The metric of a pass of `rows` rows, [rows]. */
  readonly metric: (rows: number, options: Pick<ForwardOptions, 'tap' | 'start'>, tokens?: tf.Tensor2D) => tf.Tensor1D;
  /** @throws 'input' once it was disposed. */
  readonly requireAlive: () => void;
  [Symbol.dispose](): void;
}

/** The prompt owns `base` from then on, unless this throws. */
export function createEdgePrompt(
  model: Model,
  metric: Metric,
  task: Task,
  table: EdgeTable,
  base: Baselines,
): EdgePrompt {
  const { config, parameters } = model;
  const length = task.tokens.length;
  const everywhere = Array.from({ length }, (_, p) => p);
  const scored = metric.positions(task);
  const held = heldOf(model, metric, task, scored, true);
  const { tokens, unembed, clean } = held;
  const sites = edgeSites(config).senders.map(({ hook }) => hook);
  let untouched: Untouched | undefined;
  let disposed = false;
  const prompt: EdgePrompt = {
    table,
    tokens,
    length,
    scored,
    lastLayer: config.nLayers - 1,
    sites,
    untouched: () => (untouched ??= runUntouched(prompt)),
    baseline(hook, positions) {
      const x = base[hook] as tf.Tensor | undefined;
      return x === undefined || x.shape[1] === 1 ? x : takePositions(x, positions, everywhere);
    },
    metric(rows, options, input = tokens) {
      const logits = forward(config, parameters, input, { ...options, scored, unembed });
      return tf.add(metricOfRows(metric, logits, task, clean), tf.zeros([rows])) as tf.Tensor1D;
    },
    requireAlive() {
      if (disposed) throw fail('input', `${model.name} ${metric.name}`, 'was disposed; make a new one.');
    },
    [Symbol.dispose]() {
      disposed = true;
      disposeHeld(held);
      tf.dispose(base as Record<string, tf.Tensor>);
      if (untouched !== undefined) tf.dispose([...untouched.differences.values(), ...untouched.streams.values()]);
    },
  };
  return prompt;
}

function runUntouched({ table, sites, baseline, metric }: EdgePrompt): Untouched {
  const differences = new Map<HookName, tf.Tensor4D>();
  const streams = new Map<number, tf.Tensor>();
  const sending = new Set(sites);
  const layers = new Map<HookName, number>(
    table.receivers.filter(({ layer }) => layer > 0).map(({ layer }) => [`blocks.${layer}.hook_resid_pre`, layer]),
  );
  try {
    tf.tidy(() =>
      metric(1, {
        tap: {
          wants: (name) => sending.has(name) || layers.has(name),
          visit(name, activation, positions) {
            const layer = layers.get(name);
            if (layer === undefined)
              differences.set(name, tf.keep(byElement(differenceOf(activation, baseline(name, positions)))));
            else streams.set(layer, tf.keep(tf.clone(activation)));
            return activation;
          },
        },
      }),
    );
  } catch (error) {
    tf.dispose([...differences.values(), ...streams.values()]);
    throw error;
  }
  return { differences, streams };
}
