/**
 * Gradients of a number that the logits give, with respect to any activation: runWithGradients.
 *
 * One forward and one backward pass. The activation at a hook point is what its hooks return, and its gradient is that of the metric
 * with respect to what the model goes on with from there. Hooks change activations on the way there, backward hooks gradients on the
 * way back. Everything is an argument of one call; nothing is left to reset.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { forward, type Tap } from '../model/forward/forward.ts';
import type { HookName } from '../model/hook-points.ts';
import type { Model } from '../model/model.ts';
import type { Input } from '../model/tokens.ts';
import { record, type Recording } from './backward.ts';
import { createCache, type ActivationCache } from './cache.ts';
import { atPositions, holdActivations, type CachedActivations } from './cached-activations.ts';
import {
  checkBytes,
  checkReplacement,
  hookTap,
  keptPoints,
  layerOf,
  resolveHooks,
  resolvePosition,
  withTokens,
  type CacheOptions,
  type HookContext,
  type HookFunction,
  type NameFilter,
} from './run.ts';

/**
 * What is differentiated, as a function of the logits [batch, pos, d_vocab]: one number, or one for every row of the batch
 * (the gradient of a row is then that of its own number). Any differentiable operations of TensorFlow.js.
 */
export type LogitsMetric = ((logits: tf.Tensor3D) => tf.Tensor) | { value(logits: tf.Tensor3D): tf.Tensor };

/**
 * Sees the gradient at a hook point once it is complete (the shape is the activation's) and returns what goes on towards the
 * input in its place, or nothing to leave it. Synchronous, inside tf.tidy.
 */
export type BackwardHookFunction = (gradient: tf.Tensor, context: HookContext) => tf.Tensor | void;
/** Names of hook points, and what runs at them on the way back. */
export type BackwardHook = readonly [names: NameFilter, run: BackwardHookFunction];

/** As runWithCache's, and hooks on the way back. */
export interface GradientRunOptions extends Omit<CacheOptions, 'stopAtLayer'> {
  /** Run on the way back, in the given order at one point; gradients() holds what they return. */
  readonly backwardHooks?: readonly BackwardHook[];
}

/** A metric, activations, and the metric's gradients with respect to them. */
export interface GradientRun {
  /** The metric, [] or [batch]. */
  readonly value: tf.Tensor;
  /** The activations of `names`, as runWithCache has them. */
  readonly cache: ActivationCache;
  /** Under the same names the gradient of the metric with respect to each, of the same shape. */
  readonly gradients: CachedActivations;
  /** Frees all three. */
  [Symbol.dispose](): void;
}

/**
 * The metric of a run, activations, and the metric's gradients with respect to them.
 *
 * @example const run = runWithGradients(model, prompt, (logits) => tf.mean(logits), { names: 'blocks.0.attn.hook_z' });
 * @throws 'input' as runWithCache; for a metric that is not a number a row, or on which no activation has an influence; for an
 * activation that a hook or the metric cuts off; for an operation that has no gradient.
 */
export function runWithGradients(
  model: Model,
  input: Input,
  metric: LogitsMetric,
  options: GradientRunOptions = {},
): GradientRun {
  const { config, parameters } = model;
  const kept = keptPoints(config, options.names, config.nLayers);
  const hooks = hookTap(resolveHooks(config, options.hooks ?? []));
  const backward = resolveHooks(
    config,
    (options.backwardHooks ?? []) as readonly (readonly [NameFilter, HookFunction])[],
  );
  const wanted = new Set(kept.map(({ name }) => name));
  return withTokens(model, input, options, (tokens, given) => {
    const [batch, length] = tokens.shape;
    const positions = options.positions?.map((p) => resolvePosition(p, length));
    const limit = (options.byteLimit ?? 2 ** 31) / 2;
    checkBytes('runWithGradients', config, kept, batch, positions?.length ?? length, limit);
    const points = new Map<HookName, Point>();
    const tap: Tap = {
      wants: (name) => wanted.has(name) || backward.has(name) || hooks.wants(name),
      visit(name, activation, at) {
        const edited = hooks.wants(name) ? hooks.visit(name, activation, at) : activation;
        if (!wanted.has(name) && !backward.has(name)) return edited;
        const here = tf.clone(edited); // two points may share a tensor, and have gradients of their own
        points.set(name, {
          tensor: here,
          at,
          held: wanted.has(name) ? tf.keep(atPositions(name, here, positions)) : undefined,
        });
        return here;
      },
    };
    const holds = (): tf.Tensor[] => [...points.values()].flatMap(({ held }) => held ?? []);
    let recording: Recording<tf.Tensor> | undefined;
    try {
      recording = record(() => {
        const logits = forward(config, parameters, tokens, { ...given, tap });
        return requireNumbers(typeof metric === 'function' ? metric(logits) : metric.value(logits), logits);
      });
      const gradients = differentiate(recording, points, backward, positions);
      return runOf(recording.value, createCache(model, heldBy(points)), holdActivations(config, gradients));
    } catch (error) {
      recording?.value.dispose();
      tf.dispose(holds());
      throw error;
    } finally {
      recording?.[Symbol.dispose]();
    }
  });
}

interface Point {
  /** What the model goes on with; only its identity counts after the pass. */
  readonly tensor: tf.Tensor;
  readonly at: readonly number[];
  readonly held: tf.Tensor | undefined;
}

/** The gradients of the points that are held; the caller owns them. */
function differentiate(
  recording: Recording<tf.Tensor>,
  points: ReadonlyMap<HookName, Point>,
  backward: ReadonlyMap<HookName, readonly BackwardHookFunction[]>,
  positions: readonly number[] | undefined,
): Map<HookName, tf.Tensor> {
  const watched = new Map<number, (gradient: tf.Tensor) => tf.Tensor | void>();
  for (const [name, { tensor, at }] of points) {
    const hooks = backward.get(name);
    if (hooks === undefined) continue;
    watched.set(tensor.id, (gradient) =>
      hooks.reduce((current, run) => {
        const other = run(current, { name, layer: layerOf(name), positions: at });
        if (other === undefined) return current;
        checkReplacement(name, current, other);
        return other;
      }, gradient),
    );
  }
  const names = [...points.keys()];
  const found = new Map<HookName, tf.Tensor>();
  tf.tidy(() => {
    const all = recording.gradients(
      recording.value,
      names.map((name) => (points.get(name) as Point).tensor),
      watched,
    );
    const cut = names.filter((_, i) => all[i] === undefined);
    if (cut.length === names.length && names.length > 0)
      throw fail(
        'input',
        'metric',
        `does not depend on any of the ${names.length} activations in a way that has a gradient; make it of the logits by differentiable operations (an argMax or a comparison is none).`,
      );
    if (cut.length > 0)
      throw fail(
        'input',
        'gradients',
        `the metric does not depend on ${cut[0]}${cut.length > 1 ? ` and ${cut.length - 1} others` : ''}: a hook replaces what is made of it by something else, or the metric does not read it. Let the hook compute from the activation it is given, or leave the name out.`,
      );
    names.forEach((name, i) => {
      if (points.get(name)?.held !== undefined)
        found.set(name, tf.keep(atPositions(name, all[i] as tf.Tensor, positions)));
    });
  });
  return found;
}

function heldBy(points: ReadonlyMap<HookName, Point>): Map<HookName, tf.Tensor> {
  return new Map([...points].flatMap(([name, { held }]) => (held === undefined ? [] : [[name, held] as const])));
}

function runOf(value: tf.Tensor, cache: ActivationCache, gradients: CachedActivations): GradientRun {
  return {
    value,
    cache,
    gradients,
    [Symbol.dispose]() {
      value.dispose();
      cache[Symbol.dispose]();
      gradients[Symbol.dispose]();
    },
  };
}

/** @throws 'input' unless `value` is one number, or one for every row. */
function requireNumbers(value: unknown, { shape: [batch] }: tf.Tensor3D): tf.Tensor {
  if (!(value instanceof tf.Tensor))
    throw fail(
      'input',
      'metric',
      `returned ${value instanceof Promise ? 'a Promise' : typeof value}; a tensor of one number, or of one for each of the ${batch} rows, is needed.`,
    );
  const fits = value.size === 1 || (value.rank === 1 && value.shape[0] === batch);
  if (!fits || value.dtype !== 'float32')
    throw fail(
      'input',
      'metric',
      `returned ${value.dtype} [${value.shape.join()}]; one float32 number, or [${batch}] with one for each row, is needed.`,
    );
  return value;
}
