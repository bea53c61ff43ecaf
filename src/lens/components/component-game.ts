/**
 * "What if these parts were missing?" as a Game: masks in, the metric out, nothing else leaves the device.
 *
 * What a mask costs and how masks are run is in masked-game.ts; a prompt under a block of masks in prompt-run.ts.
 */
import { fail } from '../../errors.ts';
import type { Masks } from '../../masks.ts';
import type { Model } from '../../model/model.ts';
import { chooseBatch, chooseGradientBatch, GRADIENT_BYTES, requireBatch, usualByteLimit } from '../batch-size.ts';
import type { ComponentPlayer } from './components.ts';
import { slopesAlongInputs } from './input-path.ts';
import { asGiven, sortByStage } from './mask-order.ts';
import { createMaskedGame, extendGame, type MaskedGame } from './masked-game.ts';
import { preparePrompts, type PromptOptions } from './prompt-run.ts';

/** Which parts play, on which prompts, judged by which metric, and what an absent one is replaced by. */
export interface ComponentGameOptions extends PromptOptions {
  /** Masks per forward pass; from the byte estimate when absent. */
  readonly batchSize?: number | undefined;
  /** Bytes that one batch's activations may take by the estimate. Default 256 MiB, on webgpu 1 GiB. */
  readonly byteLimit?: number | undefined;
  /** Bytes of residuals that may be kept from one batch for the next. Default 64 MiB. */
  readonly stateBytes?: number | undefined;
}

/** A model's parts as players: values of masks, their gradients, and how rows are shared. */
export interface ComponentGame extends MaskedGame<ComponentPlayer> {
  /** EAP-IG's scores as inputs move (input-path.ts), the mean over the prompts; absent for a metric that has no gradient. */
  readonly slopesAlong?:
    | ((
        path: 'inputs' | 'activations',
        steps: number,
        options?: { readonly signal?: AbortSignal | undefined },
      ) => Promise<{ readonly slopes: Float64Array; readonly points: number }>)
    | undefined;
}

/** A game over parts of `model`; the caller disposes it (the model stays the caller's). */
export function createComponentGame(model: Model, options: ComponentGameOptions): ComponentGame {
  const { players, tasks, metric, ablation, without = [], stateBytes = 2 ** 26, byteLimit } = options;
  if (players.length === 0)
    throw fail('input', 'component game', 'has no players; name at least one part of the model.');
  if (tasks.length === 0) throw fail('input', 'component game', 'has no prompts; at least one is needed.');
  const batchSize = options.batchSize ?? chooseBatch(model, tasks, metric, byteLimit ?? usualByteLimit());
  requireBatch(model, tasks, metric, batchSize);
  const gradientBatchSize = Math.min(batchSize, chooseGradientBatch(model, tasks, metric, byteLimit ?? GRADIENT_BYTES));
  const prompts = preparePrompts(model, options);
  const first = (masks: Masks, row: number): number => Math.min(...prompts.map((prompt) => prompt.from(masks, row)));
  const ordered =
    without.includes('sharing') || without.includes('trunk')
      ? asGiven
      : (masks: Masks) => sortByStage(masks, prompts[0].stages, first);
  const game = createMaskedGame(model, {
    players,
    tasks,
    metric,
    prompts,
    ordered,
    batchSize,
    gradientBatchSize,
    stateBytes,
  });
  if (metric.differentiable === false) return game;
  const slopesAlong: NonNullable<ComponentGame['slopesAlong']> = async (path, steps, { signal } = {}) => {
    if (path !== 'inputs')
      throw fail('input', 'EAP-IG', 'moves activations one by one over edges alone; over parts it moves inputs.');
    if (!ablation.needs.corrupted)
      throw fail(
        'input',
        'EAP-IG',
        `moves the input from that of a corrupted prompt, and ${ablation.name} has none; use resample.`,
      );
    const rows = game.gradientBatchSize;
    return { slopes: await slopesAlongInputs(model, options, { steps, rows, signal }), points: steps };
  };
  return extendGame(game, { slopesAlong });
}
