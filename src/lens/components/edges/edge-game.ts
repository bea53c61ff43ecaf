/**
 * "What if these edges were cut?" as a Game: players are what one part reads of another, or groups of that.
 *
 * A receiver reads the untouched stream's constants, what kept senders write under the same mask, and the baseline of cut ones:
 * with every edge kept that is the clean run to the last bit, with none (resample) the corrupted one.
 * Source: Hanna, Pezzelle, Belinkov, Have Faith in Faithfulness (arXiv 2403.17806), whose evaluation this is, row by row.
 */
import { fail, throwIfAborted } from '../../../errors.ts';
import type { Masks } from '../../../masks.ts';
import type { Model } from '../../../model/model.ts';
import { GRADIENT_BYTES, isOutOfMemory, usualByteLimit } from '../../batch-size.ts';
import { turn } from '../../turn.ts';
import { createMaskedGame, extendGame, type MaskedGame } from '../masked-game.ts';
import { sortByStage } from '../mask-order.ts';
import { chooseEdgeBatch, edgeBytesPerRow } from './edge-bytes.ts';
import type { EdgePath, PathSlopes } from './edge-path.ts';
import type { EdgePlayer } from './edge-players.ts';
import { prepareEdgePrompts, type EdgePromptOptions } from './edge-run.ts';

/** Which edges play, on which prompts, and how much is run at once. */
export interface EdgeGameOptions extends EdgePromptOptions {
  /** Masks per forward pass; from the byte estimate when absent. */
  readonly batchSize?: number | undefined;
  /** Bytes that one batch's activations may take by the estimate. Default 256 MiB, on webgpu 1 GiB; where gradients are taken 1 GiB. */
  readonly byteLimit?: number | undefined;
}

/** A model's edges as players. */
export interface EdgeGame extends MaskedGame<EdgePlayer> {
  /** EAP-IG's scores (edge-path.ts), the mean over the prompts; absent for a metric that has no gradient. */
  readonly slopesAlong?:
    | ((path: EdgePath, steps: number, options?: { readonly signal?: AbortSignal | undefined }) => Promise<PathSlopes>)
    | undefined;
}

/** A game over edges of `model`; the caller disposes it (the model stays the caller's). */
export function createEdgeGame(model: Model, options: EdgeGameOptions): EdgeGame {
  const { players, tasks, metric, ablation, byteLimit } = options;
  if (players.length === 0) throw fail('input', 'edge game', 'has no players; name at least one edge.');
  if (tasks.length === 0) throw fail('input', 'edge game', 'has no prompts; at least one is needed.');
  const bytes = edgeBytesPerRow(model, players, tasks, metric);
  const limits = { limit: byteLimit ?? usualByteLimit(), gradientLimit: byteLimit ?? GRADIENT_BYTES };
  const sizes = chooseEdgeBatch(model, tasks, bytes, { asked: options.batchSize, ...limits });
  const prompts = prepareEdgePrompts(model, options);
  const game = createMaskedGame(model, {
    players,
    tasks,
    metric,
    prompts,
    ordered: (masks: Masks) => sortByStage(masks, prompts[0].stages),
    ...sizes,
    stateBytes: 0,
  });
  if (metric.differentiable === false) return game;
  const slopesAlong: NonNullable<EdgeGame['slopesAlong']> = async (path, steps, { signal } = {}) => {
    if (path === 'inputs' && !ablation.needs.corrupted)
      throw fail(
        'input',
        'EAP-IG',
        `moves the input from that of a corrupted prompt, and ${ablation.name} has none; use resample, or activations.`,
      );
    const slopes = new Float64Array(players.length);
    let points = 0;
    let rows = game.gradientBatchSize;
    for (let p = 0; p < prompts.length; ) {
      throwIfAborted(signal, game.name);
      try {
        const each = await prompts[p].slopesAlong(path, steps, rows);
        each.slopes.forEach((slope, i) => (slopes[i] += slope / prompts.length));
        points = each.points;
        p++;
      } catch (error) {
        if (rows === 1 || !isOutOfMemory(error)) throw error;
        rows = Math.ceil(rows / 2);
      }
      await turn(undefined, game.name);
    }
    return { slopes, points };
  };
  return extendGame(game, { slopesAlong });
}
