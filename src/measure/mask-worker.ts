/**
 * The entry of a thread that measures masks (games/pooled-game.ts starts it): a backend, the model over shared weights, its
 * game. Like find-circuits.ts it puts rooms together: it alone among what games use opens a backend.
 */
import { parentPort, workerData } from '../platform/threads.ts';
import { openBackend } from '../open-backend.ts';
import { createModelGame } from '../lens/components/model-game.ts';
import { reportDeath, serveMasks } from './mask-threads.ts';
import { optionsOf } from '../lens/components/question.ts';
import type { ThreadSetting } from './pooled-game.ts';
import { createModel } from '../model/model.ts';
import { parametersOfShared } from '../model/weights/shared-weights.ts';

/** Models up to this many bytes are copied whole into each thread. */
const COPIED_BYTES = 2 ** 26;

if (parentPort !== null) {
  const { backend, kernels, model: name, config, weights, question, execution } = workerData as ThreadSetting;
  try {
    await openBackend(backend, { kernels });
    const model = createModel(config, parametersOfShared(weights, COPIED_BYTES), { name });
    serveMasks(createModelGame(model, { ...optionsOf(question), ...execution }), parentPort);
  } catch (error) {
    reportDeath(error, parentPort);
  }
}
