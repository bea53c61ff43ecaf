/** The thread that searches: a model of its own, ProxySPEX on a prompt or a pair, and how far it is. The page ends it to cancel. */
import { z } from 'zod';
import { ABLATIONS, findCircuits, loadModel, openBackend, SOLVERS } from '../src/index.ts';
import type { FromWorker, Search } from './messages.ts';

z.config({ jitless: true }); // the page's policy lets no text become code

/** Sets that judge the fit. */
const HELD_OUT = 256;

const say = (message: FromWorker): void => postMessage(message);

addEventListener('message', ({ data }: MessageEvent<Search>) => {
  search(data).then(
    (result) => say({ result }),
    (error: unknown) => say({ failed: error instanceof Error ? error.message : String(error) }),
  );
});

async function search({ model: name, files, prompts, ablation, budget }: Search) {
  say({ progress: { stage: 'load', done: 0, total: 1 } });
  const backend = await openBackend('wasm');
  using model = await loadModel(files, { name });
  return await findCircuits(model, backend, {
    prompts,
    ablation: ABLATIONS[ablation],
    solver: SOLVERS.proxyspex,
    budget,
    heldOut: HELD_OUT,
    onProgress: (progress) => say({ progress }),
  });
}
