/** The command over edges: a circuit of edges, its graph, rankings beside it, resuming, threads. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { circuitsCommand } from '../../cli/circuits/main.ts';
import { parseEapGraph } from '../../src/circuit/eap-graph.ts';
import { parseResult, type Result } from '../../src/report/result.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spexlens-edges-'));
  const prompts = readFileSync(`${MODEL}/prompts.jsonl`, 'utf8').split('\n').slice(0, 4);
  writeFileSync(join(folder, 'prompts.jsonl'), prompts.join('\n'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const MODEL = 'models/induction-2l-h1';

const ask = (): string[] => ['--model', MODEL, '--prompts', join(folder, 'prompts.jsonl'), '--backend', 'wasm'];

async function run(...args: string[]): Promise<{ code: number; err: string; out: string }> {
  let [out, err] = ['', ''];
  const streams = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  return { code: await circuitsCommand([...ask(), ...args], streams), err, out };
}
const resultIn = (name: string): Result =>
  parseResult(JSON.parse(readFileSync(join(folder, name, 'result.json'), 'utf8')));

it('finds the circuit of the induction model: previous token, keys, values, logits', async () => {
  const graph = join(folder, 'graph.json');
  const asked = [
    '--players',
    'edges',
    '--ablation',
    'resample',
    '--narrow',
    '--threads',
    '1',
    '--budget',
    '200',
    '--held-out',
    '40',
    '--graph',
    graph,
  ];
  const rankings = ['--rankings', 'attribution-patching,eap-ig-inputs,eap-ig-activations,activation-patching'];
  const first = await run(...asked, ...rankings, '--out', join(folder, 'a'));
  expect(first).toMatchObject({ code: 0, err: '' });
  const result = resultIn('a');
  expect(result.task.players).toBe('edges');
  expect(result.players.map(({ name }) => name)).toEqual([
    ...['q', 'k', 'v'].map((letter) => `input->a0.h0<${letter}>`),
    ...['q', 'k', 'v'].flatMap((letter) => ['input', 'a0.h0'].map((from) => `${from}->a1.h0<${letter}>`)),
    ...['input', 'a0.h0', 'a1.h0'].map((from) => `${from}->logits`),
  ]);
  const chosen = result.circuit?.chosen.players.map((i) => result.players[i].name) ?? [];
  expect(chosen).toEqual(
    expect.arrayContaining(['input->a0.h0<v>', 'a0.h0->a1.h0<k>', 'input->a1.h0<v>', 'a1.h0->logits']),
  );
  expect(JSON.stringify(result.circuit)).toContain('EAP-IG activations');
  const { edges } = parseEapGraph(JSON.parse(readFileSync(graph, 'utf8')));
  for (const { name } of result.players) expect(edges[name].in_graph, name).toBe(chosen.includes(name));

  await run(...asked, ...rankings, '--out', join(folder, 'a'));
  const again = resultIn('a');
  expect([again.masks.measured, again.clean]).toEqual([0, result.clean]);
}, 120_000);

it('takes threads, and graphs of edges beside', async () => {
  const asked = ['--players', 'edges:*->a1.*', '--ablation', 'resample', '--budget', '60', '--held-out', '4'];
  const beside = await run(
    ...asked,
    '--threads',
    '2',
    '--beside',
    join(folder, 'graph.json'),
    '--out',
    join(folder, 'b'),
  );
  expect(beside).toMatchObject({ code: 0, err: '' });
  await run(...asked, '--threads', '1', '--out', join(folder, 'c'));
  const [two, one] = [resultIn('b'), resultIn('c')];
  expect(two.clean).toBe(one.clean);
  two.values.forEach(({ banzhaf }, i) => expect(banzhaf).toBeCloseTo(one.values[i].banzhaf, 3));
  expect(JSON.stringify(two.circuit)).toContain('"graph"');
}, 120_000);

it('says what edges cannot be', async () => {
  expect((await run('--players', 'edges,heads')).err).toMatch(/"heads" is no edge; write e\.g\./);
  expect((await run('--players', 'edges', '--rescale', '--ablation', 'zero')).err).toMatch(
    /rescale: makes up for heads that write nothing; cut edges leave every head/,
  );
  expect((await run('--players', 'heads', '--ablation', 'zero', '--rankings', 'eap-ig-activations')).err).toMatch(
    /EAP-IG: moves activations one by one over edges alone; over parts it moves inputs/,
  );
});
