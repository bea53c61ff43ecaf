/** The page of hub-in-browser.test.ts: loads a model of the hub when it is asked, and says what it computes. */
import { loadModel, openBackend, runWithHooks } from '../../src/index.ts';
import type { HubOptions, HubProgress } from '../../src/checkpoint/hub/settings.ts';

/** Logits of a prompt, and how the downloads went; or why there are none. */
export type FromHub =
  | { readonly logits: readonly number[]; readonly progress: readonly HubProgress[] }
  | { readonly failed: string };

declare global {
  var fromHub: (id: string, prompt: string, hub: HubOptions) => Promise<FromHub>;
}

globalThis.fromHub = async (id, prompt, hub) => {
  const backend = await openBackend('wasm');
  const progress: HubProgress[] = [];
  try {
    using model = await loadModel(id, { hub: { ...hub, onProgress: (each) => progress.push(each) } });
    const logits = runWithHooks(model, prompt, []);
    const values = [...(await logits.data())];
    logits.dispose();
    return { logits: values, progress };
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  } finally {
    backend.close();
  }
};
