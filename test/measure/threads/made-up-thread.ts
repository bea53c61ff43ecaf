/** A thread whose game does what `workerData` says: adds up the kept players, dies, throws, or waits to be stopped. */
import { parentPort, workerData } from 'node:worker_threads';
import { keptPlayers } from '../../../src/masks.ts';
import { fail, throwIfAborted } from '../../../src/errors.ts';
import type { Game } from '../../../src/game.ts';
import { reportDeath, serveMasks } from '../../../src/measure/mask-threads.ts';

export type Behaviour =
  | 'adds'
  | 'fills its memory'
  | 'exits'
  | 'throws an error of ours'
  | 'throws a defect'
  | 'waits'
  | 'cannot start';

const behaviour = workerData as Behaviour;

const game: Game = {
  name: 'made up',
  players: [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
  async value(masks, { signal, onValues } = {}) {
    const values = Float64Array.from({ length: masks.count }, (_, row) =>
      keptPlayers(masks, row).reduce((sum, player) => sum + player, 0),
    );
    onValues?.([0], values.subarray(0, 1));
    await new Promise((resolve) => setImmediate(resolve));
    const hoard: string[][] = [];
    switch (behaviour) {
      case 'fills its memory':
        for (;;) hoard.push(Array.from({ length: 1000 }, (_, i) => `${hoard.length} ${i}`));
      case 'exits':
        process.exit(3);
      case 'throws an error of ours':
        throw fail('input', 'mask 1', 'its value: NaN; a number is needed.');
      case 'throws a defect':
        throw new TypeError('undefined is not a function');
      case 'waits':
        while (signal?.aborted !== true) await new Promise((resolve) => setImmediate(resolve));
        throwIfAborted(signal, 'made up');
        break;
      default:
        onValues?.(
          Array.from({ length: masks.count - 1 }, (_, k) => k + 1),
          values.subarray(1),
        );
    }
    return values;
  },
};

if (parentPort !== null) {
  if (behaviour === 'cannot start') reportDeath(fail('backend', 'wasm', 'is not there.'), parentPort);
  else serveMasks(game, parentPort);
}
