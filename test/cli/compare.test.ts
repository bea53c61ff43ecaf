/** The compare command from end to end on the bundled model: table, page, record, graphs; bad input is one clear line. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spexlens } from '../../cli/spexlens.ts';
import { parseEapGraph } from '../../src/circuit/eap-graph.ts';
import { METHODS } from '../../src/methods/methods.ts';
import { formatComparison, parseComparison } from '../../src/report/comparison-record.ts';
import { comparisonMarkdown, comparisonText } from '../../src/report/comparison-text.ts';
import { comparisonPage } from '../../src/report/comparison-page.ts';
import { madeUpComparison } from '../report/made-up-comparison.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spexlens-compare-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const streams = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await spexlens(['compare', '--backend', 'wasm', '--threads', '1', ...args], streams);
  return { code, out, err };
}

describe('spexlens compare', () => {
  it('compares methods on heads and MLPs, and writes what they found', async () => {
    const [out, graphs] = [join(folder, 'a'), join(folder, 'graphs')];
    const few = 'random,attribution-patching,activation-patching,greedy-removal';
    const ask = ['--players', 'heads,mlps', '--budget', '48', '--knock-outs', '2'];
    const first = await run(...ask, '--methods', `${few},subnetwork-probing`, '--out', out, '--graphs', graphs);
    expect(first.err).toBe('');
    expect(first.code).toBe(0);
    expect(first.out).toMatch(/^20 parts of ioi-tiny, resample ablation/);
    expect(first.out).toMatch(
      /^method +CPR +CMD +5 % +10 % +20 % +50 % +size +incomplete +needless +forward +backward +seconds$/m,
    );
    expect(first.out).toMatch(
      /^subnetwork-probing could not be run: subnetwork probing: 48 masks are left; 120 are needed/m,
    );
    const record = parseComparison(JSON.parse(readFileSync(join(out, 'comparison.json'), 'utf8')));
    expect(record.methods.map(({ name }) => name)).toEqual(few.split(','));
    for (const method of record.methods) {
      expect(method.masks).toBeLessThanOrEqual(48);
      expect(method.curve[0]).toEqual({ size: 0, helping: 0, mattering: 0 });
      expect(method.curve.at(-1)).toEqual({ size: 20, helping: 1, mattering: 1 });
    }
    const by = Object.fromEntries(record.methods.map((method) => [method.name, method]));
    expect([by['attribution-patching'].forward, by['attribution-patching'].backward]).toEqual([2, 2]);
    expect(by['activation-patching'].forward).toBe(42);
    expect(by['greedy-removal'].cmd).toBeLessThan(by['random'].cmd);
    const page = readFileSync(join(out, 'comparison.html'), 'utf8');
    const [drawn] = page.split('<script>'); // without its script
    expect(drawn.match(/<svg /g)?.length).toBe(2);
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    expect(readdirSync(graphs).sort()).toEqual(
      few
        .split(',')
        .map((name) => `${name}.json`)
        .sort(),
    );

    const eap = join(graphs, 'attribution-patching.json');
    const graph = parseEapGraph(JSON.parse(readFileSync(eap, 'utf8')));
    expect(Object.values(graph.nodes).filter(({ in_graph }) => in_graph)).toHaveLength(
      by['attribution-patching'].circuit.players.length + 2, // the input and the logits are no players
    );
    const truth = join(folder, 'truth.json');
    writeFileSync(truth, JSON.stringify(by['greedy-removal'].circuit.players.map((player) => record.players[player])));
    const again = await run(...ask, '--methods', 'random', '--beside', eap, '--truth', truth, '--out', out, '--json');
    expect(again.err).toBe('');
    const second = parseComparison(JSON.parse(again.out));
    expect(second.methods.map(({ name }) => name)).toEqual(['random', 'attribution-patching']);
    expect(second.methods[1].cmd).toBeCloseTo(by['attribution-patching'].cmd, 6);
    expect(second.methods[1].auroc).toBeGreaterThan(0.5);
  }, 120_000);

  it('tells of every method in its help', async () => {
    const { out } = await run('--help');
    for (const name of Object.keys(METHODS)) expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it.each([
    [['--methods', 'acdd'], /method: "acdd" is unknown; did you mean acdc/],
    [['--harm', 'kl'], /--harm: "kl" is unknown; there are divergence, metric/],
    [['--budget', '0', '--methods', 'random'], /budget: 0 masks; a whole number >= 1/],
    [['--target', 'x', '--methods', 'random'], /--target: "x" is not a number; a share in \(0, 1\] is needed/],
    [['--beside', 'nowhere.json', '--methods', 'random'], /--beside: nowhere\.json cannot be read \(ENOENT\)/],
    [['--judge-seed', '1', '--methods', 'random'], /--judge-seed: draws prompts of a task; give --task too/],
    [['--truth', 'package.json', '--methods', 'random'], /graph package\.json: cfg: /],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await run(...args, '--out', join(folder, 'c'));
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err.trim().split('\n').length).toBe(1);
  });
});

describe('a record of a comparison', () => {
  const record = madeUpComparison();

  it('is a page that no text of it can break, the same for the same record', () => {
    const page = comparisonPage(record);
    expect(page).toBe(comparisonPage(record));
    for (const tag of ['<b>better', 'm<b>', '</script>a', '<i>', '<better>', '<more>']) expect(page).not.toContain(tag);
    expect(page.match(/class="key method line1"/g)?.length).toBe(3); // table and two legends
  });

  it('is a table, best CMD first, that is broken where it is too wide', () => {
    const lines = comparisonText(record, { color: false, width: 60 }).split('\n');
    expect(lines.every((line) => line.length <= 60)).toBe(true);
    expect(lines.filter((line) => line.startsWith('<better>')).length).toBeGreaterThan(1);
    const markdown = comparisonMarkdown(record).split('\n');
    expect(markdown[0]).toMatch(/^\| method \| CPR \| CMD \| AUROC \|/);
    expect(markdown[2]).toMatch(/^\| <better> \| \*\*0\.750\*\* \| \*\*0\.250\*\* \|/);
  });

  it('is read as it was written, and refused where it does not hold together', () => {
    expect(parseComparison(JSON.parse(formatComparison(record)))).toEqual(record);
    expect(() => parseComparison({ ...record, truth: [2] })).toThrow(
      'truth: names player 2; players are 0..1; the fields are those of spexlens.comparison/1',
    );
    const [first, ...others] = record.methods;
    expect(() => parseComparison({ ...record, methods: [...others, { ...first, scores: [1] }] })).toThrow(
      'methods.1.scores: 1 scores for 2 players',
    );
    expect(() => formatComparison({ ...record, full: Number.NaN })).toThrow(/full: /);
    expect(() => parseComparison({ ...record, extra: 1 })).toThrow(/extra/);
  });
});
