/** An asker in a process of its own, to be killed: `asker-process.ts URL LOG PLAYERS MASKS`; says how many masks it has from the log. */
import { openLedger } from '../../../src/ledger.ts';
import { createQueuedGame } from '../../../src/measure/queue/queued-game.ts';
import { openRunLog } from '../../../src/measure/run-log.ts';
import { createRandom } from '../../../src/random.ts';
import { uniformMasks } from '../../../src/uniform-masks.ts';
import { madeUpStudy } from './made-up.ts';

const [url, path, players, masks] = process.argv.slice(2);
const study = madeUpStudy(Number(players));
const log = openRunLog(path, study);
const game = await createQueuedGame(study, url);
const ledger = openLedger(game, log);
process.send?.({ resumed: ledger.resumed });
await ledger.value(uniformMasks(Number(players), Number(masks), createRandom(1, 'asked')));
process.send?.({ measured: ledger.measured });
await game[Symbol.asyncDispose]();
log.close();
process.disconnect?.();
