/** Rows a second of the masked engine, what it multiplied, what part of the time launching took, and how long a readback takes. */
import * as tf from '@tensorflow/tfjs-core';
import { forwardFlops, profile } from '../ablation/flops.ts';
import { median } from './clock.ts';
import type { Entry } from './record.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import { createComponentGame, type ComponentGame } from '../../src/lens/components/component-game.ts';
import { parsePlayers } from '../../src/lens/components/components.ts';
import { metricOf } from '../../src/lens/metrics.ts';
import type { Task } from '../../src/lens/prompts.ts';
import type { Model } from '../../src/model/model.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';
import { createRandom } from '../../src/random.ts';

export type Rows = Extract<Entry, { kind: 'rows' }>;

export interface Setting {
  readonly length: number;
  readonly players: string;
  /** As the engine chooses when undefined. */
  readonly batch?: number | undefined;
  readonly byteLimit?: number | undefined;
  /** The masks of a run: at most, and for how long. */
  readonly masks: number;
  readonly seconds: number;
}

/** A random prompt of `length` tokens and two answers, from the seed. */
export function promptOf(vocabulary: number, length: number, seed: number): Task {
  const random = createRandom(seed, 'bench-gpu/prompt');
  const tokens = Array.from({ length }, () => random.integer(vocabulary));
  const [correct, incorrect] = random.shuffle(random.subset(vocabulary, 2));
  return {
    label: `${length} tokens`,
    text: { prompt: `${length} tokens` },
    tokens,
    correct,
    incorrect,
    corrupted: undefined,
    strTokens: tokens.map(String),
  };
}

export function gameOf(model: Model, { length, players, batch, byteLimit }: Setting): ComponentGame {
  return createComponentGame(model, {
    players: parsePlayers(players, model.config),
    tasks: [promptOf(model.config.dVocab, length, 0)],
    metric: metricOf('logit-diff'),
    ablation: ABLATIONS.zero,
    ...(batch === undefined ? {} : { batchSize: batch }),
    ...(byteLimit === undefined ? {} : { byteLimit }),
  });
}

/** Runs two batches, which compiles and tells the speed, then as many masks as the time allows. */
export async function measureRows(
  model: Model,
  setting: Setting,
): Promise<Omit<Rows, 'kind' | 'model' | 'backend' | 'products'>> {
  const game = gameOf(model, setting);
  try {
    const { batchSize } = game;
    const players = game.players.length;
    await game.value(proxyMasks(players, Math.min(batchSize, setting.masks), 1));
    const trial = proxyMasks(players, Math.min(2 * batchSize, setting.masks), 2);
    const tried = performance.now();
    const { flops, kernels, ms: trialMs } = await profile(() => game.value(trial));
    const rate = trial.count / (performance.now() - tried);
    const wanted = Math.max(trial.count, Math.min(setting.masks, Math.ceil(1000 * rate * setting.seconds)));
    const masks = proxyMasks(players, Math.ceil(wanted / batchSize) * batchSize, 0);
    const started = performance.now();
    await game.value(masks);
    const ms = performance.now() - started;
    return {
      length: setting.length,
      players: setting.players,
      batch: game.batchSize,
      masks: masks.count,
      rowsPerSecond: (1000 * masks.count) / ms,
      flopsPerRow: flops / trial.count,
      fullFlopsPerRow: forwardFlops(model.config, setting.length),
      launching: kernels.reduce((sum, kernel) => sum + kernel.ms, 0) / trialMs,
      deviceBytes: (tf.memory() as { readonly numBytesAllocatedInGPU?: number }).numBytesAllocatedInGPU ?? 0,
    };
  } finally {
    game[Symbol.dispose]();
  }
}

/** Milliseconds from a small computation to its number here, with nothing else on the device. */
export async function measureReadback(times: number): Promise<{ readonly medianMs: number; readonly worstMs: number }> {
  const each: number[] = [];
  const x = tf.randomUniform([2048], 0, 1, 'float32', 1);
  for (let t = 0; t < times + 3; t++) {
    const started = performance.now();
    const y = tf.add(x, t);
    await y.data();
    if (t >= 3) each.push(performance.now() - started);
    y.dispose();
  }
  x.dispose();
  return { medianMs: median(each), worstMs: Math.max(...each) };
}
