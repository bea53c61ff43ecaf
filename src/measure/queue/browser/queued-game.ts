/** A queue of masks from a page: none, as a page speaks no Redis. */
import { fail } from '../../../errors.ts';
import type { Study } from '../../../study.ts';
import type { QueueAddress } from '../connection.ts';
import type { QueuedGame, QueuedGameOptions } from '../queued-game.ts';

export type { QueuedGame, QueuedGameOptions } from '../queued-game.ts';

/** @throws 'input' always. */
export async function createQueuedGame(
  _study: Study,
  _connection: QueueAddress,
  _options: QueuedGameOptions = {},
): Promise<QueuedGame> {
  throw fail('input', 'createQueuedGame', 'cannot reach a queue from a page; measure here, or run in Node.');
}
