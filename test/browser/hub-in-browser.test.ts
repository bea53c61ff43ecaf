/** A model of the hub in Chromium: its files by fetch from another origin, kept by the browser, and what is said when there is none. */
import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveFolder, type Served } from '../../scripts/serve-folder.ts';
import { loadModel, openBackend, runWithHooks } from '../../src/index.ts';
import { startHub, type Misbehaviour, type TestHub } from '../checkpoint/hub-server.ts';
import { CHROMIUM, startChromium, type Browser } from '../report/chromium.ts';
import { bundledPage } from './bundled-page.ts';
import type { FromHub } from './hub-page.ts';

const MODEL = resolve(import.meta.dirname, '../../models/ioi-tiny');
const NEEDED = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const REPO = 'someone/ioi-tiny';
const TOKEN = 'hf_right';
const PROMPT = 'When Mary and John went to the store, John gave a drink to';

/** What the real hub and its storage let pages of other origins do and read. */
const allowPages: Misbehaviour = ({ method }, _request, response) => {
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('access-control-expose-headers', 'X-Repo-Commit, X-Error-Code, X-Error-Message, ETag');
  if (method !== 'OPTIONS') return false;
  response.writeHead(204, { 'access-control-allow-headers': 'authorization' }).end();
  return true;
};

describe.skipIf(CHROMIUM === undefined)(
  'the hub in Chromium (skipped where there is none)',
  { timeout: 120_000 },
  () => {
    let folder: string;
    let page: Served;
    let hub: TestHub;
    let browser: Browser;
    let inNode: readonly number[];
    beforeAll(async () => {
      folder = await bundledPage('hub-page');
      page = await serveFolder(folder, 0);
      const files = Object.fromEntries(NEEDED.map((name) => [name, readFileSync(join(MODEL, name))]));
      hub = await startHub(REPO, { ...files, 'README.md': Buffer.from('# a card') }, { token: TOKEN });
      hub.misbehave = allowPages;
      browser = await startChromium();
      await openBackend('wasm');
      using model = await loadModel(MODEL);
      const logits = runWithHooks(model, PROMPT, []);
      inNode = [...(await logits.data())];
      logits.dispose();
    }, 120_000);
    afterAll(async () => {
      await browser.close();
      await hub.close();
      await page.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const load = async (id: string, token: string): Promise<FromHub> => {
      const tab = await browser.open(page.url);
      const options = { endpoint: hub.endpoint, token, retries: 1, retryDelayMs: 5 };
      return tab.evaluate(`fromHub(${JSON.stringify(id)}, ${JSON.stringify(PROMPT)}, ${JSON.stringify(options)})`);
    };

    it('is computed with as from a folder; bytes come once, and the token goes to the hub alone', async () => {
      const first = await load(REPO, TOKEN);
      if ('failed' in first) throw new Error(first.failed);
      expect(first.logits).toBeAllClose(inNode, 1e-5);
      for (const name of NEEDED) {
        const last = first.progress.findLast(({ file }) => file === name);
        expect([name, last?.done]).toEqual([name, readFileSync(join(MODEL, name)).length]);
        expect([name, hub.gets(name).length]).toEqual([name, 1]);
      }
      expect(hub.gets('README.md')).toEqual([]);
      const storage = hub.asked.filter(({ host }) => host === 'storage');
      expect(storage.length).toBeGreaterThan(0);
      for (const { authorization } of storage) expect(authorization).toBeUndefined();

      const second = await load(REPO, TOKEN); // another tab: the browser has kept the files of the commit
      if ('failed' in second) throw new Error(second.failed);
      expect(second.logits).toEqual(first.logits);
      expect(second.progress).toEqual([]);
      for (const name of NEEDED) expect([name, hub.gets(name).length]).toEqual([name, 1]);
    });

    it('says what is wrong where there is no such model, in words of a page', async () => {
      expect(await load('someone/else', TOKEN)).toEqual({
        failed: expect.stringMatching(
          /^hub someone\/else@main: .* answers 401: there is no model someone\/else that may be read/,
        ),
      });
      expect(await load(REPO, '')).toEqual({
        failed: expect.stringContaining('or pass { hub: { token } } if it is private or gated'),
      });
    });

    it('asks again when the connection breaks, and says so when it stays broken', async () => {
      let breaks = 1;
      hub.misbehave = (asked, request, response) => {
        if (asked.path.includes('/revision/') && asked.method === 'GET' && breaks-- > 0) {
          request.socket.destroy();
          return true;
        }
        return allowPages(asked, request, response);
      };
      const again = await load(REPO, TOKEN);
      if ('failed' in again) throw new Error(again.failed);
      expect(again.logits).toBeAllClose(inNode, 1e-5);
      breaks = Infinity;
      expect(await load(REPO, TOKEN)).toEqual({
        failed: expect.stringMatching(/failed 2 times: it cannot be reached .*try again later\.$/),
      });
      hub.misbehave = allowPages;
    });
  },
);
