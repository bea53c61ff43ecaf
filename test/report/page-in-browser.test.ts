/** The page in a browser: what it answers when it is asked, at every width, in the dark, in print, and without its script. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emptyMasks, keep, masksFromMembers } from '../../src/masks.ts';
import { renderReport } from '../../src/report/html.ts';
import { patchPage } from '../../src/report/patch-page.ts';
import type { Result } from '../../src/report/result.ts';
import { numberFormat } from '../../src/report/wording.ts';
import { createSpectrum, evaluate } from '../../src/spectrum/spectrum.ts';
import { CHROMIUM, startChromium, type Browser, type Tab, type TabOptions } from './chromium.ts';
import { HOSTILE } from './hostile-text.ts';
import { heads, madeUpResult, neurons, tokens } from './made-up-result.ts';

const WORDS = 'When Mary and John went to the store'.split(' ');

/** Patterns of two heads on two prompts: every query attends to the first token and to itself. */
function withAttention(result: Result): Result {
  const weights = WORDS.map((_, q) => (q === 0 ? [1] : [0.75, ...Array.from({ length: q - 1 }, () => 0), 0.25]));
  const prompts = [0, 1].map((k) => ({ text: WORDS.join(' '), tokens: WORDS, correct: k === 0 ? ' Mary' : ' John' }));
  return {
    ...result,
    task: { ...result.task, prompts },
    attention: [0, 1].flatMap((prompt) => [0, 1].map((head) => ({ prompt, layer: 2, head, from: 0, weights }))),
  };
}

describe.skipIf(CHROMIUM === undefined)('the page in Chromium (skipped where there is none)', () => {
  let browser: Browser;
  let folder: string;
  let result: Result;
  const measured = emptyMasks(16, 1);
  beforeAll(async () => {
    browser = await startChromium();
    folder = mkdtempSync(join(tmpdir(), 'page-'));
    result = withAttention(await madeUpResult({ players: heads(4, 4), layers: 4, heads: 4 }));
    for (const player of [1, 2, 15]) keep(measured, 0, player);
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = async (page: string, options?: TabOptions): Promise<Tab> => {
    const path = join(folder, 'page.html');
    writeFileSync(path, page);
    return browser.open(pathToFileURL(path).href, options);
  };
  const openResult = (of = result, options?: TabOptions): Promise<Tab> =>
    open(renderReport(of, [{ masks: measured, values: Float64Array.of(0.125) }]), options);
  const text = (tab: Tab, selector: string): Promise<string> =>
    tab.evaluate(
      `document.querySelector(${JSON.stringify(selector)})?.checkVisibility() ? document.querySelector(${JSON.stringify(selector)}).innerText : ''`,
    );

  it('tells of a head under the pointer: its value, its interactions, what it attends to on each prompt', async () => {
    const tab = await openResult();
    expect(await text(tab, '.asked')).toBe('');
    await tab.hover('.spex-heatmap [data-player="9"]');
    const card = await text(tab, '.asked');
    const signed = numberFormat(Math.max(...result.values.map(({ banzhaf }) => Math.abs(banzhaf))), { signed: true });
    expect(card).toContain('L2H1');
    expect(card).toContain(signed(result.values[9].banzhaf).slice(0, 4));
    const own = result.interactions.filter(({ members }) => members.includes(9));
    for (const { names } of own.slice(0, 2)) expect(card).toContain(names.join(' × '));
    expect(card).toMatch(/store attends to When 75\s%, store 25\s%/);
    expect(await tab.evaluate('document.querySelectorAll(".asked .prompt").length')).toBe(2);
    await tab.hover('.asked [data-token="3"]');
    expect(await text(tab, '.asked')).toMatch(/John attends to When 75\s%, John 25\s%/);
    await tab.press('Escape');
    expect(await text(tab, '.asked')).toBe('');
    expect(tab.complaints).toEqual([]);
  });

  it('is asked by keys alone: one tab stop a figure, arrows between heads, Enter picks', async () => {
    const tab = await openResult();
    expect(await tab.evaluate(`document.querySelectorAll('.spex-heatmap [tabindex="0"]').length`)).toBe(1);
    await tab.evaluate(`document.querySelector('.spex-heatmap [tabindex="0"]').focus()`);
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowDown']) await tab.press(key);
    expect(await tab.evaluate('document.activeElement.getAttribute("aria-label")')).toMatch(/^L2H1: /);
    expect(await text(tab, '.asked')).toContain('L2H1');
    await tab.press('Enter');
    expect(await tab.evaluate('document.activeElement.getAttribute("aria-selected")')).toBe('true');
    expect(await text(tab, '.picks .names')).toContain('L2H1');
  });

  it('shows heads on several prompts side by side, and asks all of them at once', async () => {
    const tab = await openResult();
    expect(await text(tab, '#attention table')).toMatch(/L2H1.*When 75\s%, store 25\s%/s);
    const pressed = (name: string): Promise<number> =>
      tab.evaluate(`document.querySelectorAll('.toggles[aria-label="${name}"] [aria-pressed="true"]').length`);
    const panels = (): Promise<number> => tab.evaluate(`document.querySelectorAll('.attended .prompt').length`);
    const press = (label: string): Promise<unknown> =>
      tab.evaluate(
        `[...document.querySelectorAll('.attention button')].find((b) => b.textContent === '${label}').click()`,
      );
    expect(await pressed('prompts')).toBe(2);
    await press('none');
    expect(await panels()).toBe(0);
    await press('L2H0');
    await press('L2H1');
    expect(await pressed('heads')).toBe(2);
    expect(await panels()).toBe(4);
    await tab.hover('.attended .prompt:last-child [data-token="3"]');
    const said = await tab.evaluate<string[]>(
      `[...document.querySelectorAll('.attended .said')].map((p) => p.innerText)`,
    );
    expect(said.length).toBe(4);
    for (const each of said) expect(each).toMatch(/^John attends to When 75\s%, John 25\s%$/);
    // only what was pointed at is read out
    expect(await tab.evaluate(`document.querySelectorAll('.attended .said[aria-live="polite"]').length`)).toBe(1);
    await press('2 → ␣John');
    expect(await panels()).toBe(2);
    expect(tab.complaints).toEqual([]);
  });

  it('draws an arc that would cross other lines only where its words are pointed at', async () => {
    const words = Array.from({ length: 200 }, (_, k) => WORDS[k % WORDS.length]);
    let end = -1;
    const players = words.map((word, k) => {
      const start = end + 1;
      end = start + word.length;
      return { name: `${word}@${k}`, place: { kind: 'span' as const, pieces: [{ start, end }] } };
    });
    const made = await madeUpResult({ players, prompt: words.join(' '), circuit: false });
    const tab = await open(renderReport(made));
    const far = `document.querySelector('.arcs .far')`;
    expect(await tab.evaluate(`getComputedStyle(${far}).opacity`)).toBe('0');
    await tab.evaluate(`${far}.setAttribute('id', 'far')`);
    const number = await tab.evaluate<string>(`${far}.getAttribute('data-interaction')`);
    await tab.hover(`.played [data-player="${made.interactions[Number(number)].members[0]}"]`);
    expect(await tab.evaluate(`getComputedStyle(document.getElementById('far')).opacity`)).toBe('1');
  });

  it('predicts a picked set as the spectrum does, and says what it was measured to be', async () => {
    const tab = await openResult();
    for (const player of [1, 2, 15]) await tab.click(`.spex-heatmap [data-player="${player}"]`);
    const spectrum = createSpectrum('fourier', 16, result.spectrum.terms);
    const [predicted] = evaluate(spectrum, masksFromMembers(16, [[1, 2, 15]]));
    const format = numberFormat(Math.max(Math.abs(result.clean), Math.abs(result.ablated)));
    const answer = await text(tab, '.picks .answer');
    expect(answer).toContain(`Predicted ${format(predicted)}`);
    expect(answer).toContain(`measured ${format(0.125)}`);
    await tab.click('.spex-heatmap [data-player="1"]');
    expect(await text(tab, '.picks .answer')).toContain('not measured');
    await tab.evaluate(
      `[...document.querySelectorAll('.picks button')].find((b) => b.textContent === 'the circuit').click()`,
    );
    expect(await text(tab, '.picks .answer')).toContain(`measured ${format(result.circuit?.chosen.kept.value ?? NaN)}`);
  });

  it('filters interactions by order, sign and layer, in the figure and in the table', async () => {
    const tab = await openResult();
    const choose = (name: string, value: string): Promise<unknown> =>
      tab.evaluate(`(() => {
        const select = [...document.querySelectorAll('#together label')].find((l) => l.textContent.startsWith('${name}')).querySelector('select');
        select.value = '${value}';
        select.dispatchEvent(new Event('change', { bubbles: true }));
      })()`);
    const rows = (column: number): Promise<string[]> =>
      tab.evaluate(`[...document.querySelectorAll('#together tbody tr')].map((r) => r.cells[${column}].innerText)`);
    const before = await rows(3);
    await choose('sign', '-1');
    const negative = await rows(3);
    expect(negative.length).toBeGreaterThan(0);
    expect(negative.every((value) => value.startsWith('−'))).toBe(true);
    await choose('sign', '');
    await choose('order', '3');
    expect((await rows(1)).every((names) => names.split(' × ').length === 3)).toBe(true);
    await choose('layer', '2');
    expect((await rows(1)).every((names) => names.includes('L2'))).toBe(true);
    expect(await tab.evaluate(`document.querySelectorAll('#together figure svg').length`)).toBe(1);
    await choose('order', '');
    await choose('layer', '');
    expect(await rows(3)).toEqual(before);
  });

  it('rings the circuit of the size that is chosen on the curve', async () => {
    const tab = await openResult();
    const rings = (): Promise<number> => tab.evaluate(`document.querySelectorAll('.spex-heatmap .ring').length`);
    expect(await rings()).toBe(result.circuit?.chosen.players.length);
    await tab.evaluate(`(() => {
      const slider = document.querySelector('.sizes input');
      slider.value = '3';
      slider.dispatchEvent(new Event('input', { bubbles: true }));
    })()`);
    const at = result.circuit?.curve[3];
    expect(await rings()).toBe(at?.players.length);
    expect(await text(tab, '.sizes')).toContain(at?.players.map((player) => result.players[player].name).join(', '));
  });

  it('gives figures as SVG and PNG, tables as CSV and JSON', async () => {
    const tab = await openResult();
    await tab.evaluate(`navigator.clipboard.write = async ([item]) => {
      const [type] = item.types;
      const blob = await item.getType(type);
      window.copied = type === 'image/png' ? [...new Uint8Array(await blob.arrayBuffer())].slice(0, 4).join() : await blob.text();
    }`);
    const copy = async (selector: string, kind: string): Promise<string> => {
      await tab.evaluate(
        `window.copied = undefined; document.querySelector('${selector} .tools [aria-label$="as ${kind}"]').click()`,
      );
      return tab.evaluate(
        `new Promise((resolve) => { const wait = () => window.copied === undefined ? setTimeout(wait, 10) : resolve(window.copied); wait(); })`,
      );
    };
    expect(await copy('#alone figure', 'SVG')).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(await copy('#alone figure', 'PNG')).toBe('137,80,78,71');
    expect(await copy('#together', 'CSV')).toBeDefined();
    const csv = await tab.evaluate<string>(
      `new Promise((resolve) => { document.querySelector('#together table .tools [aria-label$="CSV"]').click(); setTimeout(() => resolve(window.copied), 100); })`,
    );
    expect(csv.split('\r\n')[0]).toBe('rank,order,players,fourier,value,meaning,standard_error');
    expect(csv.split('\r\n').length).toBe(result.interactions.length + 2);
  });

  it('says the same without its script', async () => {
    const [plain, asked] = [await openResult(result, { script: false }), await openResult()];
    expect(await plain.evaluate('document.querySelectorAll(".asked, .panel, .tools").length')).toBe(0);
    const words = (tab: Tab): Promise<string> => tab.evaluate(`document.querySelector('.story').innerText`);
    expect(await words(plain)).toBe(await words(asked));
    expect(plain.complaints).toEqual([]);
  });

  it.each(['heads', 'many heads', 'tokens', 'neurons', 'hostile', 'patches'])(
    'cuts nothing of %s off, from 380 px up',
    async (kind) => {
      const page = await pageOf(kind);
      for (const width of [1100, 600, 380]) {
        const tab = await open(page, { width });
        const wide = await tab.evaluate<
          string[]
        >(`[document.scrollingElement, ...document.querySelectorAll('figure .scroll, figure svg, .panel, .played')]
        .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 || e.getBoundingClientRect().right > ${width} + 1)
        .map((e) => e.tagName + '.' + (e.getAttribute('class') ?? '') + ' ' + e.scrollWidth + ' > ' + e.clientWidth)`);
        expect(`${width}: ${wide.join('; ')}`).toBe(`${width}: `);
        expect(tab.complaints).toEqual([]);
      }
    },
  );

  async function pageOf(kind: string): Promise<string> {
    switch (kind) {
      case 'heads':
        return renderReport(result);
      case 'many heads':
        return renderReport(await madeUpResult({ players: heads(30, 9), layers: 30, heads: 9, circuit: false }));
      case 'tokens':
        return renderReport(await madeUpResult({ players: tokens(WORDS) }));
      case 'neurons':
        return renderReport(await madeUpResult({ players: neurons(500), layers: 2 }));
      case 'hostile':
        return renderReport(
          await madeUpResult({ players: tokens(HOSTILE), prompt: HOSTILE.join(' '), name: HOSTILE[1] }),
        );
      default:
        return patchPage([
          {
            schema: 'spexlens.patch/1',
            model: 'm',
            backend: 'wasm',
            metric: 'logit-diff',
            unit: 'logits',
            what: 'resid_pre',
            direction: 'denoise',
            axes: [
              { name: 'layer', labels: ['0', '1', '2'] },
              { name: 'position', labels: Array.from({ length: 40 }, (_, k) => ` word${k}`) },
            ],
            values: Array.from({ length: 120 }, (_, k) => Math.sin(k)),
            base: 0,
            source: 2,
            prompts: [{ clean: 'a', corrupted: 'b' }],
            rows: 120,
            seconds: 1,
          },
        ]);
    }
  }

  it('reads out a cell of a patching map that has the focus', async () => {
    const tab = await open(await pageOf('patches'));
    await tab.evaluate(`document.querySelector('.spex-patch [tabindex="0"]').focus()`);
    await tab.press('ArrowRight');
    expect(await text(tab, '.asked')).toContain('layer 0, position 1');
  });
});
