/** The model, its masks, its gradients and the solvers in Chromium: the numbers that Node has. Skipped where there is no Chromium. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveFolder, type Served } from '../../scripts/serve-folder.ts';
import { CHROMIUM, startChromium, type Browser } from '../report/chromium.ts';
import { bundledPage } from './bundled-page.ts';
import { numbersOf, type Numbers } from './numbers.ts';

const MODEL = resolve(import.meta.dirname, '../../models/ioi-tiny');
/** Chromium's WebGPU without a GPU: SwiftShader under Vulkan. */
const SOFTWARE_GPU = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];

describe.skipIf(CHROMIUM === undefined)('in Chromium (skipped where there is none)', () => {
  let folder: string;
  let server: Served;
  let inNode: Numbers;
  beforeAll(async () => {
    folder = await bundledPage('page');
    cpSync(MODEL, join(folder, 'model'), { recursive: true });
    server = await serveFolder(folder, 0);
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
    const files = Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(join(MODEL, name)))]));
    inNode = await numbersOf('all', 'wasm', files, readFileSync(join(MODEL, 'prompts.jsonl'), 'utf8'));
  }, 120_000);
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const inBrowser = async (browser: Browser, what: 'all' | 'passes', backend: string): Promise<Numbers> => {
    const tab = await browser.open(server.url);
    const found = await tab.evaluate<Numbers>(`numbers('${what}', '${backend}')`);
    expect(tab.complaints).toEqual([]);
    return found;
  };
  const compare = (found: Numbers, masks: number, tolerance: number): void => {
    expect(found.logits).toBeAllClose(inNode.logits, tolerance);
    expect(found.values).toBeAllClose(inNode.values.slice(0, masks), tolerance);
    expect(found.gradients).toBeAllClose(inNode.gradients.slice(0, masks * 16), tolerance);
    expect(found.study).toBe(inNode.study);
  };

  it('computes on wasm what Node does, to 1e-5', { timeout: 120_000 }, async () => {
    const browser = await startChromium();
    try {
      const found = await inBrowser(browser, 'all', 'wasm');
      expect(found.device).toContain('own kernels');
      compare(found, 40, 1e-5);
      expect(found.terms.map(([members]) => members)).toEqual(inNode.terms.map(([members]) => members));
      const coefficients = (numbers: Numbers): number[] => numbers.terms.map(([, value]) => value);
      expect(coefficients(found)).toBeAllClose(coefficients(inNode), 1e-5);
      expect(found.r2).toBeCloseTo(inNode.r2 as number, 5);
    } finally {
      await browser.close();
    }
  });

  it('computes on WebGPU what Node does on wasm', { timeout: 300_000 }, async ({ skip }) => {
    const browser = await startChromium(SOFTWARE_GPU);
    try {
      const tab = await browser.open(server.url);
      const adapter = await tab.evaluate<string>(
        `navigator.gpu === undefined ? 'none' : navigator.gpu.requestAdapter().then((a) => a === null ? 'none' : a.info.vendor + ' ' + a.info.architecture)`,
      );
      if (adapter === 'none') skip('this Chromium has no WebGPU adapter, not even a software one');
      const found = await inBrowser(browser, 'passes', 'webgpu');
      expect(found.backend).toBe('webgpu');
      compare(found, 6, 1e-4);
    } finally {
      await browser.close();
    }
  });
});
