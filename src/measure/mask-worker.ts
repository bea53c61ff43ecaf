/**
 * The entry of a thread that measures masks (on-threads.ts starts it): a backend, the model over shared weights where
 * a question has one, its game. Like find-circuits.ts it puts rooms together: it alone among what games use opens a backend.
 */
import { parentPort, workerData } from '../platform/threads.ts';
import { openBackend } from '../open-backend.ts';
import { fail } from '../errors.ts';
import { createModelGame } from '../lens/components/model-game.ts';
import { reportDeath, serveMasks, type AskedGame } from './mask-threads.ts';
import { openPlainQuestion } from '../lens/examples/plain-question.ts';
import { createPromptGame } from '../lens/tokens/prompt-game.ts';
import { promptOptionsOf } from '../lens/tokens/question.ts';
import { optionsOf } from '../lens/components/question.ts';
import type { ThreadQuestion, ThreadSetting } from './on-threads.ts';
import { createModel } from '../model/model.ts';
import { parametersOfShared } from '../model/weights/shared-weights.ts';

/** Models up to this many bytes are copied whole into each thread. */
const COPIED_BYTES = 2 ** 26;

if (parentPort !== null) {
  const { backend, kernels, model, asked } = workerData as ThreadSetting;
  try {
    await openBackend(backend, { kernels });
    serveMasks(gameOf(model, asked), parentPort);
  } catch (error) {
    reportDeath(error, parentPort);
  }
}

function gameOf(shared: ThreadSetting['model'], asked: ThreadQuestion): AskedGame {
  if (asked.lens === 'examples') return openPlainQuestion(asked.question);
  if (shared === undefined) throw fail('input', 'threads', `the lens of ${asked.lens} needs a model's weights.`);
  const { name, config, weights } = shared;
  const model = createModel(config, parametersOfShared(weights, COPIED_BYTES), { name });
  return asked.lens === 'components'
    ? createModelGame(model, { ...optionsOf(asked.question), ...asked.execution })
    : createPromptGame(model, { ...promptOptionsOf(asked.question), ...asked.execution });
}
