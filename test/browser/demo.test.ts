/** The demo page in Chromium: a sentence, heads off, ProxySPEX begun, stopped and finished. Skipped where there is no Chromium. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDemo } from '../../scripts/build-demo.ts';
import { serveFolder, type Served } from '../../scripts/serve-folder.ts';
import { CHROMIUM, startChromium, type Browser, type Tab, type TabOptions } from '../report/chromium.ts';

describe.skipIf(CHROMIUM === undefined)(
  'the demo in Chromium (skipped where there is none)',
  { timeout: 120_000 },
  () => {
    let folder: string;
    let server: Served;
    let browser: Browser;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'spexlens-demo-'));
      await buildDemo(folder);
      server = await serveFolder(folder, 0);
      browser = await startChromium();
    }, 120_000);
    afterAll(async () => {
      await browser.close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    });

    /** What `expression` gives, once it gives something. */
    const until = <T>(tab: Tab, expression: string): Promise<T> =>
      tab.evaluate(`new Promise((resolve) => {
      const look = () => { const found = ${expression}; if (found) resolve(found); else setTimeout(look, 20); };
      look();
    })`);
    const said = (words: string): string =>
      `((text) => text.includes(${JSON.stringify(words)}) && text)(document.getElementById('said').textContent)`;
    const open = async (options?: TabOptions): Promise<Tab> => {
      const tab = await browser.open(server.url, options);
      await until(tab, said('All heads on'));
      return tab;
    };

    const allOff = async (tab: Tab): Promise<string> => {
      await tab.evaluate(`[...document.querySelectorAll('button')].find((b) => b.textContent === 'All off').click()`);
      await until(tab, said('Without 16 heads'));
      return tab.evaluate(`document.getElementById('difference').textContent`);
    };

    it('says the next word, and another once heads are off', async () => {
      const tab = await open();
      expect(await until<string>(tab, said('All heads on'))).toMatch(/it says “Mary”, 9\d %/);
      await tab.evaluate(`[...document.querySelectorAll('button')].find((b) => b.textContent === 'All off').click()`);
      expect(await until<string>(tab, said('Without 16 heads'))).toMatch(/“Mary” fell from 9\d % to \d+ %/);
      await tab.evaluate(`[...document.querySelectorAll('button')].find((b) => b.textContent === 'All on').click()`);
      await until(tab, said('All heads on'));
      expect(tab.complaints).toEqual([]);
    });

    it('is switched by keys alone, and shows what the head with the focus reads', async () => {
      const tab = await open();
      expect(await tab.evaluate(`document.querySelectorAll('.head[tabindex="0"]').length`)).toBe(1);
      await tab.evaluate(`document.querySelector('.head[tabindex="0"]').focus()`);
      for (const key of ['ArrowRight', 'ArrowDown', ' ']) await tab.press(key);
      await until(tab, said('Without L1H1'));
      expect(await tab.evaluate(`document.getElementById('reads-name').textContent`)).toBe('L1H1');
      expect(await tab.evaluate(`document.getElementById('reads').innerText`)).toMatch(/to attends to .*%/);
      expect(await tab.evaluate(`document.activeElement.getAttribute('aria-pressed')`)).toBe('false');
    });

    it('says of a word that it does not know that it does not', async () => {
      const tab = await open();
      const type = (text: string): Promise<unknown> =>
        tab.evaluate(`(() => {
        const field = document.getElementById('text');
        field.value = ${JSON.stringify(text)};
        field.dispatchEvent(new Event('input', { bubbles: true }));
      })()`);
      await type('When the xylophone');
      expect(await until<string>(tab, `document.getElementById('complaint').textContent`)).toContain('xylophone');
      await type('When Amy and Mark went to the store, Amy gave a drink to');
      expect(await until<string>(tab, said('“Mark”'))).toContain('All heads on');
      expect(await tab.evaluate(`document.getElementById('complaint').textContent`)).toBe('');
    });

    it('searches in a worker, is stopped, and draws what the report draws', async () => {
      const tab = await open();
      await tab.evaluate(`document.getElementById('budget').value = '128'`);
      expect(await tab.evaluate(`document.getElementById('pair').value`)).toBe(
        'When Mary and John went to the store, Mary gave a drink to',
      );
      await tab.evaluate(`document.getElementById('pair').value = ''`); // what is compared below is of one sentence
      await tab.click('#start');
      expect(await tab.evaluate(`document.getElementById('cancel').hidden`)).toBe(false);
      await tab.click('#cancel');
      expect(await tab.evaluate(`document.getElementById('start').disabled`)).toBe(false);
      await tab.click('#start');
      await until(tab, `document.querySelector('#progress progress').value > 0`);
      await until(tab, `document.querySelector('#found .spex-heatmap')`);
      expect(await tab.evaluate(`document.querySelectorAll('#found .spex-graph').length`)).toBe(1);
      expect(await tab.evaluate(`document.querySelector('#found .story').innerText`)).toContain('ioi-tiny');
      await tab.evaluate(
        `[...document.querySelectorAll('#found button')].find((b) => b.textContent.startsWith('Switch off')).click()`,
      );
      await until(tab, said('Without'));
      const difference = await tab.evaluate<string>(`document.getElementById('difference').textContent`);
      const [, whole, left] = (/“John”: (-?\d+\.\d+), now (-?\d+\.\d+)/.exec(difference) ?? []).map(Number);
      const [, none] = /now (-?\d+\.\d+)/.exec(await allOff(tab)) ?? [];
      // what the circuit's target of 90 % of the range means, measured by another forward pass
      expect((left - Number(none)) / (whole - Number(none))).toBeGreaterThan(0.89);
      expect(tab.complaints).toEqual([]);
    });

    it('takes another sentence for heads that are off, and says when it is too long', async () => {
      const tab = await open();
      const write = (id: string, text: string): Promise<unknown> =>
        tab.evaluate(`(() => {
        const field = document.getElementById('${id}');
        field.value = ${JSON.stringify(text)};
        field.dispatchEvent(new Event('change', { bubbles: true }));
      })()`);
      expect(await tab.evaluate(`document.getElementById('twin').value`)).toMatch(
        /^When \w+ and \w+ went to the store/,
      );
      const names = await allOff(tab);
      await write('twin', 'When Mary and John went to the store, Mary gave a drink to'); // the answers swapped
      const swapped = await until<string>(
        tab,
        `((text) => text !== ${JSON.stringify(names)} && text)(document.getElementById('difference').textContent)`,
      );
      const [, now] = /now (-\d+\.\d+)/.exec(swapped) ?? [];
      expect(Number(now)).toBeLessThan(-1); // every head reads it: the model now says John
      await write('twin', 'When Mary went');
      expect(await until<string>(tab, `document.getElementById('complaint').textContent`)).toMatch(
        /^The other sentence has 4 tokens and this one 15; as many are needed\.$/,
      );
      expect(tab.complaints).toEqual([]);
    });

    it('searches a sentence and its pair', async () => {
      const tab = await open();
      await tab.evaluate(`document.getElementById('budget').value = '128'`);
      await tab.click('#start');
      await until(tab, `document.querySelector('#found .spex-heatmap')`);
      expect(await tab.evaluate(`document.querySelector('#found .story').innerText`)).toContain('2 prompts');
      expect(tab.complaints).toEqual([]);
    });

    it.each([1100, 600, 380])('cuts nothing off at %d px, light and dark', async (width) => {
      for (const dark of [false, true]) {
        const tab = await open({ width, dark });
        const wide = await tab.evaluate<string[]>(
          `[document.scrollingElement, ...document.querySelectorAll('main *')].filter((e) => !e.closest('.scroll, .file') && e.getBoundingClientRect().right > ${width} + 1).map((e) => e.tagName + '.' + e.className)`,
        );
        expect(wide).toEqual([]);
        expect(tab.complaints).toEqual([]);
      }
    });
  },
);
