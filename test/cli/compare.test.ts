/** The compare command from end to end on the bundled model: table, page, record, graphs; bad input is one clear line. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spexlens } from '../../cli/spexlens.ts';
import { parseEapGraph } from '../../src/circuit/eap-graph.ts';
import { METHODS } from '../../src/methods/methods.ts';
import { COMPARISON_SCHEMA, type ComparisonRecord } from '../../src/report/comparison-record.ts';
import { comparisonMarkdown, comparisonText } from '../../src/report/comparison-text.ts';
import { comparisonPage } from '../../src/report/comparison-page.ts';

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
    const record = JSON.parse(readFileSync(join(out, 'comparison.json'), 'utf8')) as ComparisonRecord;
    expect(record.schema).toBe(COMPARISON_SCHEMA);
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
    const second = JSON.parse(again.out) as ComparisonRecord;
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
  const method = (name: string, cmd: number): ComparisonRecord['methods'][number] => ({
    name,
    cpr: 1 - cmd,
    cmd,
    auroc: 0.5,
    curve: [0, 1, 2].map((size) => ({ size, helping: size / 2, mattering: size === 1 ? -3 : size / 2 })),
    circuit: { players: [0], faithfulness: 1, completeness: { mean: 0.1, most: 0.2, knockOuts: 2 } },
    masks: 3,
    forward: 1,
    backward: 1,
    seconds: 0.04,
    scores: [1, 0],
    helping: [0, 1],
    mattering: [0, 1],
    details: {},
  });
  const record: ComparisonRecord = {
    schema: COMPARISON_SCHEMA,
    software: 'spexlens 0',
    name: 'm<b>',
    task: {
      prompts: ['a </script>'],
      judged: null,
      metric: 'logit-diff',
      unit: 'logits',
      ablation: 'zero',
      players: 'heads',
    },
    backend: 'wasm',
    command: '<i>',
    players: ['L0H0', 'L0H1'],
    full: 2,
    empty: 0,
    budget: 10,
    target: 0.9,
    harm: 'divergence',
    knockOuts: 2,
    seed: 0,
    truth: [0],
    methods: [method('worse', 0.5), method('<better>', 0.25)],
    refusals: [{ name: 'acdc', why: 'needs <more>' }],
    judged: 12,
  };

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
});
