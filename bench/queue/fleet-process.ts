/**
 * A process of workers whose work is made up: `fleet-process.ts URL NAME COUNT MASKS_PER_SECOND`. With a rate they wait as long as
 * such a machine would take; with 0 they count the first players, as fast as that goes.
 */
import { checkPlayers, type Game } from '../../src/game.ts';
import { throwIfAborted } from '../../src/errors.ts';
import { hostOf, type OpenStudy } from '../../src/measure/queue/study-host.ts';
import { startQueueWorker } from '../../src/measure/queue/queue-worker.ts';
import { madeUpOf } from './made-up.ts';

const [url, name, count, rate] = process.argv.slice(2);

const gameOf = (players: Game['players']): Game => ({
  name: 'made up',
  players,
  async value(masks, { signal } = {}) {
    checkPlayers('made up', players.length, masks);
    throwIfAborted(signal, 'made up');
    if (Number(rate) > 0) await new Promise((resolve) => setTimeout(resolve, (1000 * masks.count) / Number(rate)));
    return Float64Array.from({ length: masks.count }, (_, row) => madeUpOf(masks, row));
  },
});
const open: OpenStudy = async ({ question }) => hostOf(gameOf(question.players));
for (let at = 0; at < Number(count); at += 25)
  await Promise.all(
    Array.from({ length: Math.min(25, Number(count) - at) }, async (_, k) =>
      startQueueWorker(url, { open, name: `${name}-${at + k}` }),
    ),
  );
process.send?.('ready');
