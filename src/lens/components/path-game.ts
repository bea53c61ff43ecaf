/**
 * Path patching as a game: what the metric becomes when parts (senders) reach others (receivers) as they were in another run, while
 * every other way from them is closed.
 *
 * Goldowsky-Dill et al., Localizing Model Behavior with Path Patching, 2023; Wang et al. (IOI), 2022, section 3.1. Two passes: in
 * the first, the senders that a mask takes away write what they wrote in the other run, all other heads what they wrote in this
 * one, and MLPs follow (`direct`: they do not); what receivers read there is kept. In the second, this run with that in its
 * receivers. With the logits as receiver the first pass is all. Rows are masks; a pass begins at the first layer that any of
 * them changes, and attention is computed where a receiver reads alone.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { checkPlayers, type Game, type ValueOptions } from '../../game.ts';
import { layerOf, runWithCache } from '../../hooks/run.ts';
import { forward, type ForwardOptions, type Tap } from '../../model/forward/forward.ts';
import type { HookName } from '../../model/hook-points.ts';
import type { Model } from '../../model/model.ts';
import { isKept, selectRows, type Masks } from '../../masks.ts';
import { chooseBatch, isOutOfMemory, requireBatch, usualByteLimit } from '../batch-size.ts';
import type { Metric } from '../metrics.ts';
import type { Task } from '../prompts.ts';
import { turn } from '../turn.ts';
import { siteOf, type Component } from './component.ts';
import { parsePlayers, type ComponentPlayer } from './components.ts';
import { maskMatrix } from './mask-order.ts';

export interface PathGameOptions {
  /** Heads and MLPs, whole. */
  readonly senders: readonly ComponentPlayer[];
  /** q, k and v of heads, and MLPs (what they read); or the logits. */
  readonly receivers: readonly ComponentPlayer[] | 'logits';
  /** Prompts; the other run is over `corrupted`. */
  readonly tasks: readonly Task[];
  readonly metric: Metric;
  /** Close the ways through MLPs too. */
  readonly direct?: true | undefined;
  /** Masks in a pass; from the byte estimate when absent. */
  readonly batchSize?: number | undefined;
}

export interface PathGame extends Game {
  readonly batchSize: number;
  [Symbol.dispose](): void;
}

/** Names as in parsePlayers: `L9H6.q,MLP10`, or `logits`. */
export function parseReceivers(text: string, model: Model): PathGameOptions['receivers'] {
  return text.trim() === 'logits' ? 'logits' : parsePlayers(text, model.config);
}

/** A game over senders; the caller disposes it. @throws 'input' for parts that cannot send or receive. */
export function createPathGame(model: Model, options: PathGameOptions): PathGame {
  const { senders, receivers, tasks, metric } = options;
  requireKinds(senders, ['head', 'mlp'], 'sender', 'whole heads and MLPs send');
  if (receivers !== 'logits')
    requireKinds(receivers, ['q', 'k', 'v', 'mlp'], 'receiver', 'q, k and v of heads, and MLPs, receive');
  let batchSize = options.batchSize ?? chooseBatch(model, tasks, metric, usualByteLimit());
  requireBatch(model, tasks, metric, batchSize);
  const runs = tasks.map((task) => openRuns(model, options, task));
  const name = `${model.name} paths, ${metric.name}`;
  const order = Array.from(senders.keys()).sort((a, b) => firstLayer(senders[a]) - firstLayer(senders[b]));
  return {
    name,
    players: senders,
    rowsPerMask: tasks.length,
    get batchSize() {
      return batchSize;
    },
    async value(masks, { signal, onValues }: ValueOptions = {}) {
      checkPlayers(name, senders.length, masks);
      const values = new Float64Array(masks.count);
      const layers = Array.from({ length: masks.count }, (_, row) => {
        const away = order.find((sender) => !isKept(masks, row, sender));
        return away === undefined ? model.config.nLayers : firstLayer(senders[away]);
      });
      const rows = Array.from(layers.keys()).sort((a, b) => layers[a] - layers[b]);
      for (let start = 0; start < rows.length; ) {
        await turn(signal, name);
        const some = rows.slice(start, start + batchSize);
        try {
          const found = await valuesOf(model, options, runs, selectRows(masks, some), layers[some[0]]);
          some.forEach((row, k) => (values[row] = found[k]));
          onValues?.(some, Float64Array.from(found));
          start += some.length;
        } catch (error) {
          if (batchSize === 1 || !isOutOfMemory(error)) throw error;
          batchSize = Math.ceil(batchSize / 2);
        }
      }
      return values;
    },
    [Symbol.dispose]() {
      for (const run of runs) run[Symbol.dispose]();
    },
  };
}

function requireKinds(
  players: readonly ComponentPlayer[],
  kinds: readonly Component['kind'][],
  who: string,
  what: string,
): void {
  const odd = players.find(({ components }) =>
    components.some(({ kind, position }) => !kinds.includes(kind) || position !== undefined),
  );
  if (odd !== undefined) throw fail('input', who, `"${odd.name}" is none: ${what}.`);
  if (players.length === 0) throw fail('input', who, `there is none; ${what}.`);
}

function firstLayer({ components }: ComponentPlayer): number {
  return Math.min(...components.map(({ layer }) => layer as number));
}

/** Of a prompt: this run's activations and the other's, by hook, [1, S, ..]. */
interface Runs {
  readonly task: Task;
  readonly tokens: tf.Tensor2D;
  readonly clean: tf.Tensor3D | undefined;
  base(name: HookName): tf.Tensor;
  other(name: HookName): tf.Tensor;
  [Symbol.dispose](): void;
}

function openRuns(model: Model, { metric }: PathGameOptions, task: Task): Runs {
  const { corrupted, label } = task;
  if (corrupted?.length !== task.tokens.length)
    throw fail('input', 'path patching', `${label} needs a corrupted prompt of its ${task.tokens.length} tokens.`);
  const names = (name: HookName): boolean => /\.(hook_resid_pre|attn\.hook_z|hook_mlp_out)$/.test(name);
  const base = runWithCache(model, task.tokens, { names });
  const other = runWithCache(model, corrupted, { names });
  const scored = tf.tensor1d(metric.positions(task), 'int32');
  const clean = metric.needs.clean ? tf.gather(base.logits, scored, 1) : undefined;
  tf.dispose([base.logits, other.logits, scored]);
  const tokens = tf.tensor2d([[...task.tokens]], undefined, 'int32');
  return {
    task,
    tokens,
    clean: clean as tf.Tensor3D | undefined,
    base: (name) => base.cache.get(name),
    other: (name) => other.cache.get(name),
    [Symbol.dispose]() {
      base.cache[Symbol.dispose]();
      other.cache[Symbol.dispose]();
      tf.dispose(clean === undefined ? tokens : [tokens, clean]);
    },
  };
}

/** The mean over the prompts of every mask's metric, where no sender before layer `first` is taken away. */
async function valuesOf(
  model: Model,
  options: PathGameOptions,
  runs: readonly Runs[],
  masks: Masks,
  first: number,
): Promise<Float32Array> {
  const mean = tf.tidy(() => {
    const each = runs.map((run) => tf.tidy(() => metricOf(model, options, run, masks, first)));
    return tf.div(tf.addN(each), runs.length);
  });
  try {
    return (await mean.data()) as Float32Array;
  } finally {
    mean.dispose();
  }
}

function metricOf(model: Model, options: PathGameOptions, run: Runs, masks: Masks, first: number): tf.Tensor1D {
  const { config, parameters } = model;
  const { metric, receivers } = options;
  const scored = metric.positions(run.task);
  const startAt = (layer: number): ForwardOptions['start'] =>
    layer === 0 ? undefined : { layer, residual: run.base(`blocks.${layer}.hook_resid_pre`) };
  const value = (layer: number, tap?: Tap): tf.Tensor1D => {
    const logits = forward(config, parameters, run.tokens, { tap, scored, start: startAt(layer) });
    const columns = metric.columns(run.task);
    const read = columns === undefined ? logits : tf.gather(logits, tf.tensor1d(columns, 'int32'), 2);
    return tf.add(metric.value(read as tf.Tensor3D, run.task, run.clean), tf.zeros([masks.count]));
  };
  const last = receivers === 'logits' ? config.nLayers : Math.max(...receivers.map(lastLayer));
  if (first === config.nLayers || last < first) return value(config.nLayers - 1); // nobody sends, or to nobody
  const kept = new Map<HookName, tf.Tensor>();
  const sending = sendingTap(model, options, run, masks, kept);
  if (receivers === 'logits') return value(first, sending);
  try {
    forward(config, parameters, run.tokens, { tap: sending, scored, start: startAt(first), stopAtLayer: last + 1 });
    const begin = Math.min(...[...kept.keys()].map((name) => layerOf(name) as number));
    return value(begin, receivingTap(model, receivers, kept));
  } finally {
    tf.dispose([...kept.values()]);
  }
}

function lastLayer({ components }: ComponentPlayer): number {
  return Math.max(...components.map(({ layer }) => layer as number));
}

/** Senders write as a mask says, other heads as in this run; what receivers read goes to `kept`, which owns it. */
function sendingTap(
  { config }: Model,
  { senders, receivers, direct }: PathGameOptions,
  run: Runs,
  masks: Masks,
  kept: Map<HookName, tf.Tensor>,
): Tap {
  const rows = masks.count;
  const received = new Set(receivers === 'logits' ? [] : receivers.flatMap((player) => hooksOf(player, config)));
  const every = Int32Array.from({ length: rows }, (_, row) => row);
  const bits = maskMatrix(masks, every, Array.from(senders.keys()), 0);
  /** [rows · elements] of a hook: 0 where the other run's is written. */
  const factorsAt = (hook: HookName, elements: number): Float32Array => {
    const factors = new Float32Array(rows * elements).fill(1);
    senders.forEach(({ components }, sender) => {
      for (const component of components) {
        if (siteOf(component, config).hook !== hook) continue;
        for (let row = 0; row < rows; row++)
          if (bits[row * senders.length + sender] === 0) factors[row * elements + component.element] = 0;
      }
    });
    return factors;
  };
  return {
    wants: (name) => /\.(attn\.hook_z|hook_mlp_out)$/.test(name) || received.has(name),
    visit(name, activation, positions) {
      if (received.has(name)) kept.set(name, tf.keep(tf.clone(activation)));
      const heads = name.endsWith('.attn.hook_z');
      if (!heads && !name.endsWith('.hook_mlp_out')) return activation;
      const factors = factorsAt(name, heads ? config.nHeads : 1);
      const own = heads || direct === true ? at(run.base(name), positions) : activation;
      const wide = own.shape[0] === rows ? own : tf.tile(own, [rows, ...own.shape.slice(1).map(() => 1)]);
      if (!factors.includes(0)) return wide;
      const on = tf.tensor(factors, heads ? [rows, 1, config.nHeads, 1] : [rows, 1, 1]);
      return tf.add(tf.mul(wide, on), tf.mul(at(run.other(name), positions), tf.sub(1, on)));
    },
    // Where nobody reads queries, keys or values, every head's z is known.
    liveHeads: (layer) =>
      (['q', 'k', 'v'] as const).some((letter) => received.has(`blocks.${layer}.attn.hook_${letter}`))
        ? undefined
        : { read: (count) => new Uint8Array(count * config.nHeads), written: undefined },
  };
}

/** Receivers read what was kept of the first pass. */
function receivingTap(
  { config }: Model,
  receivers: readonly ComponentPlayer[],
  kept: ReadonlyMap<HookName, tf.Tensor>,
): Tap {
  const components = receivers.flatMap((player) => player.components);
  return {
    wants: (name) => kept.has(name),
    visit(name, activation) {
      const read = kept.get(name) as tf.Tensor;
      const here = components.filter((component) => siteOf(component, config).hook === name);
      if (here[0].kind === 'mlp') return read;
      const elements = activation.shape[2] as number;
      const off = Array.from({ length: elements }, (_, e) => (here.some(({ element }) => element === e) ? 0 : 1));
      const on = tf.tensor(off, [1, 1, elements, 1]);
      return tf.add(tf.mul(activation, on), tf.mul(read, tf.sub(1, on)));
    },
  };
}

function hooksOf({ components }: ComponentPlayer, config: Model['config']): HookName[] {
  return components.map((component) => siteOf(component, config).hook);
}

/** x [1, S, ..] at some positions. */
function at(x: tf.Tensor, positions: readonly number[]): tf.Tensor {
  return positions.length === x.shape[1] ? x : tf.gather(x, tf.tensor1d([...positions], 'int32'), 1);
}
