/**
 * The entry of a thread that measures a study (study-host.ts starts it): the study's backend with its self-check, its model, whose
 * weights and configuration have to be the ones that the study names, and its game. Like mask-worker.ts it puts rooms together.
 */
import { parseHubId } from '../../checkpoint/hub/hub-id.ts';
import { hubSettings } from '../../checkpoint/hub/settings.ts';
import { fetchSnapshot } from '../../checkpoint/hub/snapshot.ts';
import { fail } from '../../errors.ts';
import { identifyModel } from '../../model/identity.ts';
import { loadModel, type Model } from '../../model/model.ts';
import { requireStorage } from '../../model/weights/parameters.ts';
import { openBackend } from '../../open-backend.ts';
import { parentPort, workerData } from '../../platform/threads.ts';
import type { ModelIdentity } from '../../study.ts';
import { reportDeath, serveMasks } from '../mask-threads.ts';
import { openGame } from '../open-game.ts';
import { canPool } from '../pooled-game.ts';
import { namingMask } from './name-mask.ts';
import type { StudyOpened, StudySetting } from './study-host.ts';

if (parentPort !== null) {
  const { study, model: named, fromHub, threads } = workerData as StudySetting;
  try {
    const backend = await openBackend(study.backend);
    const where = fromHub ? await fetchSnapshot(parseHubId(named), await hubSettings({})) : named;
    const model = await loadModel(where, { storage: requireStorage(study.model.storage) });
    await requireSame(model, study.model);
    const game = openGame(study.question, model, { threads: canPool() ? threads : 1 });
    const about = `${backend.name} (${backend.device}), self-check within ${backend.selfCheckError.toExponential(0)}`;
    parentPort.postMessage({ about } satisfies StudyOpened);
    serveMasks(namingMask(game), parentPort);
  } catch (error) {
    reportDeath(error, parentPort);
  }
}

/** @throws 'checkpoint' when the model here is another one than the study's. */
async function requireSame(model: Model, asked: ModelIdentity): Promise<void> {
  const here = await identifyModel(model);
  for (const part of ['weights', 'configuration'] as const) {
    if (here[part] === asked[part]) continue;
    const what = `has other ${part === 'weights' ? 'weights' : 'settings'} here`;
    throw fail(
      'checkpoint',
      `model ${model.name}`,
      `${what} (${part} ${here[part].slice(0, 8)}) than the study names (${asked[part].slice(0, 8)}).`,
    );
  }
}
