/** A circuit written in EAP-IG's JSON, and read again as a ranking beside another run's. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { circuitsCommand } from '../../cli/circuits/main.ts';
import { eapEdges, parseEapGraph } from '../../src/circuit/eap-graph.ts';
import { parseResult } from '../../src/report/result.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spexlens-graph-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MODEL = 'models/induction-2l-h2';
const TASK = ['--model', MODEL, '--prompts', `${MODEL}/prompts.jsonl`, '--metric', 'accuracy', '--ablation', 'zero'];
const ASK = [...TASK, '--backend', 'wasm', '--threads', '1'];

async function run(...args: string[]): Promise<{ code: number; err: string }> {
  let err = '';
  const streams = { out: () => undefined, err: (text: string) => void (err += text) };
  return { code: await circuitsCommand([...ASK, ...args], streams), err };
}

it('is written, and its scores are a rival', async () => {
  const file = join(folder, 'ours.json');
  expect(await run('--out', join(folder, 'a'), '--graph', file)).toEqual({ code: 0, err: '' });
  const first = parseResult(JSON.parse(readFileSync(join(folder, 'a', 'result.json'), 'utf8')));
  const text = readFileSync(file, 'utf8');
  const graph = parseEapGraph(JSON.parse(text));
  expect(graph.cfg).toEqual({ n_layers: 2, n_heads: 2, parallel_attn_mlp: false, d_model: 64, attn_only: true });
  expect(Object.keys(graph.edges)).toEqual(eapEdges(graph.cfg));
  const inside = first.players.filter(({ place }) => {
    const name =
      place?.kind === 'head' ? `a${place.layer}.h${place.head}` : place?.kind === 'mlp' ? `m${place.layer}` : '';
    return graph.nodes[name].in_graph;
  });
  expect(inside.map(({ name }) => name)).toEqual(first.circuit?.chosen.players.map((i) => first.players[i].name));
  // As Python writes a score that is none.
  writeFileSync(file, text.replace(/("a1\.h0":\{"in_graph":\w+,"score":)[^}]+/, '$1NaN'));
  expect(await run('--out', join(folder, 'b'), '--beside', file)).toEqual({ code: 0, err: '' });
  const second = parseResult(JSON.parse(readFileSync(join(folder, 'b', 'result.json'), 'utf8')));
  expect(JSON.stringify(second.circuit)).toContain('"ours"');
});

it.each([
  ['{"cfg": 1}', /graph .*bad\.json: cfg: /],
  ['{', /--beside: .*bad\.json is not JSON/],
  [
    '{"cfg":{"n_layers":4,"n_heads":4,"parallel_attn_mlp":false,"d_model":64},"nodes":{},"edges":{}}',
    /is of 4 layers of 4 heads; the model has 2 of 2/,
  ],
])('refuses %s', async (json, message) => {
  const file = join(folder, 'bad.json');
  writeFileSync(file, json);
  const { code, err } = await run('--out', join(folder, 'c'), '--beside', file);
  expect(code).toBe(1);
  expect(err).toMatch(message);
});
