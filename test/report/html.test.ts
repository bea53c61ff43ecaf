import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseHTML } from 'linkedom';
import { beforeAll, describe, expect, it } from 'vitest';
import { pageScript } from '../../scripts/build-page.ts';
import { renderReport } from '../../src/report/html.ts';
import { PAGE_SCRIPT } from '../../src/report/page-script.ts';
import type { Result } from '../../src/report/result.ts';
import { HOSTILE } from './hostile-text.ts';
import { heads, madeUpResult, neurons, tokens } from './made-up-result.ts';

const cases: Record<string, Result> = {};
beforeAll(async () => {
  cases['4 x 4 heads'] = await madeUpResult({ players: heads(4, 4), layers: 4, heads: 4 });
  cases['12 x 12 heads'] = await madeUpResult({ players: heads(12, 12), layers: 12, heads: 12, seed: 5 });
  cases['32 x 32 heads'] = await madeUpResult({
    players: heads(32, 32),
    layers: 32,
    heads: 32,
    seed: 9,
    circuit: false,
  });
  cases['heads and MLPs'] = await madeUpResult({ players: heads(4, 4, true), layers: 4, heads: 4 });
  cases['heads and a token'] = await madeUpResult({
    players: [...heads(2, 2), ...tokens(['a', 'b'])],
    layers: 2,
    heads: 2,
  });
  cases['tokens'] = await madeUpResult({ players: tokens('the cat sat on the mat'.split(' ')) });
  cases['500 neurons'] = await madeUpResult({ players: neurons(500), layers: 2 });
  cases['one player'] = await madeUpResult({ players: heads(1, 1), layers: 1, heads: 1 });
  cases['hostile'] = await madeUpResult({ players: tokens(HOSTILE), prompt: HOSTILE.join(' '), name: HOSTILE[1] });
  const { heldOut: _, circuit: __, ...bare } = cases['4 x 4 heads'];
  cases['nothing found'] = {
    ...bare,
    interactions: [],
    solver: { name: 'exact', masks: 65_536, exact: true, details: {} },
  };
  cases['constant'] = {
    ...bare,
    interactions: [],
    values: bare.values.map(() => ({ banzhaf: 0, shapley: 0 })),
    energy: { total: 0, alone: 0, within: 0, across: 0, ungrouped: 0, byOrder: [] },
    clean: 0,
    ablated: 0,
  };
});

const names = [
  '4 x 4 heads',
  '12 x 12 heads',
  '32 x 32 heads',
  'heads and MLPs',
  'heads and a token',
  'tokens',
  '500 neurons',
  'one player',
  'hostile',
  'nothing found',
  'constant',
];

const pages = new Map<string, string>();

/** The page of a case, rendered once. */
function pageOf(name: string): string {
  const page = pages.get(name) ?? renderReport(cases[name]);
  pages.set(name, page);
  return page;
}

describe.each(names)('the page of %s', (name) => {
  it('is the same every time, parses, and has no number that is not one', () => {
    const page = pageOf(name);
    expect(renderReport(cases[name])).toBe(page);
    const { document } = parseHTML(page);
    expect(document.querySelector('h1')?.textContent).toContain('What acts together in');
    expect(page).not.toMatch(/NaN|Infinity|undefined|\[object/);
    for (const svg of document.querySelectorAll('svg')) {
      expect(svg.querySelector('title')?.textContent).not.toBe('');
      expect(svg.querySelector('desc')?.textContent).not.toBe('');
    }
  });

  it('loads nothing, runs nothing but its own script, and opens no element of its data', () => {
    const page = pageOf(name);
    const { document } = parseHTML(page);
    expect(document.querySelectorAll('link, img, iframe, object, embed, image, use, base, a, form').length).toBe(0);
    const [data, script, ...more] = [...document.querySelectorAll('script')];
    expect(more).toEqual([]);
    expect(data.getAttribute('type')).toBe('application/json');
    expect(JSON.parse(data.textContent ?? '')).toMatchObject({ clean: Number(cases[name].clean.toPrecision(6)) });
    expect(script.attributes.length).toBe(0);
    expect(script.textContent).toBe(PAGE_SCRIPT);
    for (const element of document.querySelectorAll('*')) {
      for (const { name: attribute, value } of element.attributes) {
        expect(attribute).not.toMatch(/^on|^(src|href|xlink:href|action|srcset)$/i);
        if (attribute !== 'xmlns' && !attribute.startsWith('xmlns:') && attribute !== 'aria-label')
          expect(`${element.tagName} ${attribute} ${value}`).not.toMatch(/https?:|url\(/);
      }
    }
    for (const style of document.querySelectorAll('style'))
      expect(style.textContent).not.toMatch(/@import|url\(|https?:/);
  });

  it('has every id once', () => {
    const ids = [...parseHTML(pageOf(name)).document.querySelectorAll('[id]')].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('scopes every rule of a figure to its figure', () => {
    const { document } = parseHTML(pageOf(name));
    for (const style of document.querySelectorAll('svg style')) {
      const root = `.${style.closest('svg')?.getAttribute('class')?.split(' ')[0]}`;
      const selectors = [...(style.textContent ?? '').matchAll(/(?:^|\})\s*([^{}]+)\{/g)].flatMap(([, list]) =>
        splitSelectors(list),
      );
      expect(selectors.length).toBeGreaterThan(0);
      for (const selector of selectors)
        expect(selector).toMatch(new RegExp(`^(${root}|:where\\(${root})\\b`.replaceAll('.', '\\.')));
    }
  });

  it('names every player of the circuit and every interaction', () => {
    const text = parseHTML(pageOf(name)).document.body.textContent ?? '';
    const { circuit, players, interactions } = cases[name];
    const readable = (of: string): string =>
      of.replace(/[^\P{Cc}\n\t]|[\p{Cs}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/gu, '�');
    for (const player of circuit?.chosen.players ?? []) expect(text).toContain(readable(players[player].name));
    for (const entry of interactions) expect(text).toContain(readable(entry.names.join(' × ')));
  });
});

/** Splits at commas outside parentheses. */
function splitSelectors(list: string): string[] {
  return list.split(/,(?![^(]*\))/).map((selector) => selector.trim());
}

describe('the page', () => {
  it('shows hostile text as that text', () => {
    const { document } = parseHTML(pageOf('hostile'));
    expect(document.querySelector('h1')?.textContent).toBe(`What acts together in ${HOSTILE[1]}`);
    expect(document.querySelectorAll('main').length).toBe(1);
    expect(document.querySelectorAll('footer').length).toBe(1);
  });

  it('forbids the network in its head, and every script but its own, by hash', () => {
    const policy = parseHTML(pageOf('tokens')).document.querySelector('meta[http-equiv]')?.getAttribute('content');
    const hash = createHash('sha256').update(PAGE_SCRIPT).digest('base64');
    expect(policy).toBe(
      `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`,
    );
  });

  it('has the script that page/ compiles to', async () => {
    expect(await pageScript()).toBe(
      readFileSync(resolve(import.meta.dirname, '../../src/report/page-script.ts'), 'utf8'),
    );
  });

  it('stays small: 2,000 neurons and 500 words below 1 MB', async () => {
    const [many, words] = [
      await madeUpResult({ players: neurons(2000), layers: 2 }),
      await madeUpResult({ players: tokens(Array.from({ length: 500 }, (_, k) => `word${k}`)) }),
    ];
    expect(renderReport(many).length).toBeLessThan(1e6);
    expect(renderReport(words).length).toBeLessThan(1e6);
  });

  it('draws a heatmap for heads, bars for tokens and neurons', () => {
    const figures = (name: string): string[] =>
      [...parseHTML(pageOf(name)).document.querySelectorAll('svg')].map((svg) => svg.getAttribute('class') ?? '');
    expect(figures('4 x 4 heads')).toEqual([
      'spex-heatmap',
      'spex-graph',
      'spex-interval',
      'spex-energy',
      'spex-curve',
      'spex-removal',
    ]);
    expect(figures('tokens')).toEqual([
      'spex-bars',
      'spex-matrix',
      'spex-interval',
      'spex-energy',
      'spex-curve',
      'spex-removal',
    ]);
    expect(figures('500 neurons')).toEqual([
      'spex-bars',
      'spex-matrix',
      'spex-interval',
      'spex-energy',
      'spex-curve',
      'spex-removal',
    ]);
    expect(figures('heads and a token').slice(0, 2)).toEqual(['spex-heatmap', 'spex-bars']);
    expect(figures('nothing found')).toEqual(['spex-heatmap', 'spex-energy', 'spex-removal']);
  });

  it('tells the rounds of a run that measured until a target was passed', () => {
    const round = { fitted: 64, solver: 'stack', r2: 0.7, low: 0.6, high: 0.8, level: 0.95, masks: 100 };
    const page = renderReport({
      ...cases['4 x 4 heads'],
      adaptive: {
        target: 0.9,
        outcome: 'hopeless',
        why: 'the curve reaches 0.85 at best',
        rounds: [round, { ...round, fitted: 96, r2: 0.75 }],
      },
    });
    expect(page).toContain('the curve reaches 0.85 at best');
    expect(
      [...parseHTML(page).document.querySelectorAll('[aria-label="Rounds"] tbody tr')].map(
        (row) => row.querySelector('td')?.textContent,
      ),
    ).toEqual(['64', '96']);
    expect(pageOf('4 x 4 heads')).not.toContain('Masks were measured in rounds');
  });

  it('says that the interactions are not shown to matter when the intervals overlap', () => {
    const base = cases['4 x 4 heads'];
    const heldOut = {
      r2: 0.8,
      low: 0.7,
      high: 0.9,
      level: 0.95,
      masks: 100,
      firstOrder: { r2: 0.75, low: 0.65, high: 0.85, level: 0.95, masks: 100 },
    };
    expect(renderReport({ ...base, heldOut })).toContain('not shown to matter');
    expect(pageOf('4 x 4 heads')).toContain('the interactions are needed');
  });

  it('says nothing of interactions where the answer names none', () => {
    const base = cases['4 x 4 heads'];
    const page = renderReport({ ...base, interactions: [] });
    expect(page).toContain('no interaction is named');
    expect(page).not.toContain('the interactions are needed');
  });
});
