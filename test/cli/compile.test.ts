/** The compile command: its list, what it writes, and that other commands read it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { circuitsCommand } from '../../cli/circuits/main.ts';
import { compileCommand } from '../../cli/compile/main.ts';
import { parseEapGraph } from '../../src/circuit/eap-graph.ts';
import { parseKnownCircuit } from '../../src/rasp/known-circuit.ts';
import { PROGRAMS } from '../../src/rasp/programs.ts';
import { parseResult } from '../../src/report/result.ts';

const folder = mkdtempSync(join(tmpdir(), 'spexlens-compile-command-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(command: typeof compileCommand, ...args: string[]) {
  const text = { out: '', err: '' };
  const code = await command(args, { out: (more) => (text.out += more), err: (more) => (text.err += more) });
  return { code, ...text };
}
const json = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'));

describe('spexlens compile', () => {
  it('lists every program with the size of its transformer', async () => {
    const { code, out } = await run(compileCommand, '--list');
    expect(code).toBe(0);
    expect(out.trimEnd().split('\n')).toHaveLength(1 + Object.keys(PROGRAMS).length);
    expect(out).toMatch(/^reverse +40 +4 +1 +30 {2}the tokens from the last to the first$/m);
  });

  it('writes a model folder with prompts and the truth, which is the circuit that circuits finds', async () => {
    const { code, out } = await run(compileCommand, 'reverse', '--out', folder);
    expect(code).toBe(0);
    expect(out).toContain('truth    edges that its answers depend on, of all 363 inputs');
    expect(out).toContain(`next     spexlens circuits --model ${folder} --prompts ${folder}/prompts.jsonl`);
    expect(readdirSync(folder).sort()).toEqual([
      'circuit-mean.json',
      'circuit-resample.json',
      'circuit-zero.json',
      'config.json',
      'model.safetensors',
      'prompts.jsonl',
      'tokenizer.json',
      'tokenizer_config.json',
      'truth.json',
    ]);
    const known = parseKnownCircuit(json('truth.json'));
    expect(known.nodes.zero).toEqual(['a0.h0', 'm0', 'm1', 'm2', 'a3.h0']);
    const { edges } = parseEapGraph(json('circuit-zero.json'));
    expect(
      Object.keys(edges)
        .filter((edge) => edges[edge].in_graph)
        .sort(),
    ).toEqual(known.edges.zero.filter((edge) => !edge.startsWith('positions')).sort());

    const where = join(folder, 'run');
    const asked = ['--model', folder, '--prompts', join(folder, 'prompts.jsonl'), '--players', 'heads,mlps'];
    const found = await run(
      circuitsCommand,
      ...asked,
      '--ablation',
      'zero',
      '--metric',
      'l2',
      '--backend',
      'wasm',
      '--out',
      where,
    );
    expect(found.err.replace(/.*install-tensorflow.*/g, '').trim()).toBe('');
    const { players, spectrum } = parseResult(readFileSync(join(where, 'result.json'), 'utf8'));
    const energy = new Map(players.map(({ name }) => [name, 0]));
    for (const { members, value } of spectrum.terms)
      for (const i of members) energy.set(players[i].name, (energy.get(players[i].name) ?? 0) + value ** 2);
    const matter = [...energy].filter(([, value]) => value > 1e-12).map(([name]) => name);
    expect(matter.sort()).toEqual(['L0H0', 'L3H0', 'MLP0', 'MLP1', 'MLP2']);
  }, 60_000);

  it('makes other sizes, and says what it cannot', async () => {
    const smaller = await run(
      compileCommand,
      'sort',
      '--vocabulary',
      '1,5',
      '--max-length',
      '3',
      '--out',
      join(folder, 'sort'),
    );
    expect(smaller.out).toContain('of all 14 inputs');
    expect(parseKnownCircuit(json('sort/truth.json'))).toMatchObject({ vocabulary: [1, 5], maxLength: 3 });
    for (const [args, message] of [
      [['revers'], /program: "revers" is unknown; did you mean reverse\?/],
      [['sort', '--vocabulary', 'a,b'], /--vocabulary: "a" is not a number; sort needs numbers/],
      [['hist', '--max-length', '0'], /max length: 0; a whole number from 1 to 100 is needed/],
    ] as const) {
      const { code, err } = await run(compileCommand, ...args, '--out', join(folder, 'never'));
      expect([code, err]).toEqual([1, expect.stringMatching(message)]);
    }
  });
});
