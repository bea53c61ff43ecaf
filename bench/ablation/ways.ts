/**
 * The ways to the same values: a loop of single runs with hooks, hooks on a batch, and the game.
 *
 * The first two are what one would write by hand with runWithHooks: a hook at every layer multiplies by the mask there,
 * whole logits come back, two of them are read. The loop builds its hooks anew for every mask.
 */
import * as tf from '@tensorflow/tfjs-core';
import { isKept, type Masks } from '../../src/masks.ts';
import { createComponentGame, type ComponentGameOptions } from '../../src/lens/components/component-game.ts';
import { siteOf } from '../../src/lens/components/component.ts';
import { metricOf } from '../../src/lens/metrics.ts';
import { createPooledGame } from '../../src/measure/pooled-game.ts';
import { SAVINGS } from '../../src/lens/components/prompt-run.ts';
import { runWithHooks, type Hook } from '../../src/hooks/run.ts';
import type { HookName } from '../../src/model/hook-points.ts';
import type { Model } from '../../src/model/model.ts';
import { masksOf, playersOf, taskOf, type Job } from './job.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';

/** What the engine does to be fast and can be told not to do, and how it is told; last, all of the game's own at once. */
export const WITHOUT: Readonly<Record<string, Partial<ComponentGameOptions>>> = {
  ...Object.fromEntries(SAVINGS.map((saving) => [saving, { without: [saving] }])),
  batching: { batchSize: 1 },
  savings: { without: SAVINGS },
};

/** A way by name; `off`: the saving that the engine goes without; `threads`: on how many it runs, 1 when absent. */
export interface WaySpec {
  readonly name: string;
  readonly kind: 'loop' | 'hooks' | 'engine';
  readonly off?: string;
  readonly threads?: number;
}

export interface Way {
  /** Masks that `run` does: the first of the job. */
  readonly masks: number;
  /** Rows of a forward pass. */
  readonly batch: number;
  run(): Promise<Float64Array>;
  [Symbol.dispose](): void;
}

export function createWay(model: Model, job: Job, { kind, off, threads }: WaySpec): Way {
  if (kind === 'engine') return engine(model, job, off === undefined ? {} : WITHOUT[off], threads);
  const batch = kind === 'loop' ? 1 : job.hookBatch;
  const masks = masksOf(job, kind === 'loop' ? job.loopMasks : job.hookMasks);
  return {
    masks: masks.count,
    batch,
    async run() {
      const values = new Float64Array(masks.count);
      for (let start = 0; start < masks.count; start += batch) {
        const end = Math.min(start + batch, masks.count);
        values.set(await hooked(model, job, masks, start, end), start);
      }
      return values;
    },
    [Symbol.dispose]: () => undefined,
  };
}

function engine(model: Model, job: Job, without: Partial<ComponentGameOptions>, threads: number | undefined): Way {
  const masks = masksOf(job);
  const options: ComponentGameOptions = {
    players: playersOf(job),
    tasks: [taskOf(job)],
    metric: metricOf('logit-diff'),
    ablation: ABLATIONS.zero,
    batchSize: job.batchSize ?? undefined,
    ...without,
  };
  const game =
    threads === undefined ? createComponentGame(model, options) : createPooledGame(model, options, { threads });
  return {
    masks: masks.count,
    batch: game.batchSize,
    run: () => game.value(masks),
    [Symbol.dispose]: () => game[Symbol.dispose](),
  };
}

/** The values of masks [start, end) by hooks on a batch of that many rows. */
async function hooked(model: Model, job: Job, masks: Masks, start: number, end: number): Promise<ArrayLike<number>> {
  const rows = Array.from({ length: end - start }, () => job.tokens);
  const logits = runWithHooks(model, rows, maskHooks(job, masks, start, end)); // [B, S, V]
  const difference = tf.tidy(() => {
    const last = tf.slice(logits, [0, job.tokens.length - 1, 0], [-1, 1, -1]); // [B, 1, V]
    const one = (token: number): tf.Tensor => tf.slice(last, [0, 0, token], [-1, 1, 1]);
    return tf.reshape(tf.sub(one(job.correct), one(job.incorrect)), [-1]);
  });
  logits.dispose();
  const values = await difference.data();
  difference.dispose();
  return values;
}

/** One hook a site, multiplying its elements by 0 or 1, [B, 1, elements, 1] or [B, 1, elements]. */
function maskHooks(job: Job, masks: Masks, start: number, end: number): Hook[] {
  const sites = new Map<HookName, { readonly kept: Float32Array; readonly elements: number }>();
  playersOf(job).forEach(({ components }, player) => {
    for (const component of components) {
      const { hook, elements } = siteOf(component, job.config);
      const site = sites.get(hook) ?? { kept: new Float32Array((end - start) * elements).fill(1), elements };
      sites.set(hook, site);
      for (let row = start; row < end; row++)
        if (!isKept(masks, row, player)) site.kept[(row - start) * elements + component.element] = 0;
    }
  });
  return [...sites].map(([name, { kept, elements }]) => [
    name,
    (activation) =>
      tf.mul(
        activation,
        tf.tensor(kept, activation.rank === 4 ? [end - start, 1, elements, 1] : [end - start, 1, elements]),
      ),
  ]);
}
