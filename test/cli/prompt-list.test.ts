/** Many prompts from a file: a folder each, an index, kinds of words, and what was finished is not asked again. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spexlens } from '../../cli/spexlens.ts';
import type { PromptsRecord } from '../../src/report/prompts-record.ts';
import { parseResult } from '../../src/report/result.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spexlens-prompts-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const fileOf = (name: string, ...lines: unknown[]): string => {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'));
  return path;
};

async function run(file: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const streams = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const fixed = ['--model', 'models/induction-2l-h2', '--backend', 'wasm', '--threads', '1', '--absent', 'remove'];
  const code = await spexlens(['prompt', '--prompts', file, ...fixed, ...args], streams);
  return { code, out, err };
}

describe('a list of prompts', { timeout: 120_000 }, () => {
  const labels = { q: 'cue', m: 'successor', v: 'successor' };
  const lines = [
    { name: 'first', prompt: 'e n q m s b q', answer: ' m', labels },
    { prompt: 'd q v j k 0 q', answer: ' v', against: ' m', labels },
  ];
  const options = ['--keep-text', 'q$', '--budget', '64', '--held-out', '0'];

  it('has a folder for each, an index, and the kinds of words that act together', async () => {
    const out = join(folder, 'out');
    const { code, err, out: said } = await run(fileOf('list.jsonl', ...lines, ''), ...options, '--out', out);
    expect([code, err]).toEqual([0, '']);
    const record = JSON.parse(readFileSync(join(out, 'prompts.json'), 'utf8')) as PromptsRecord;
    expect(record.prompts.map(({ name, players, metric }) => [name, players, metric])).toEqual([
      ['first', 6, 'logprob'],
      ['0002', 6, 'contrast'],
    ]);
    expect(record.prompts[0].largest?.players).toEqual(['q', 'm']);
    const [top] = record.kinds;
    expect(top).toMatchObject({ kinds: ['cue', 'successor'], prompts: 2, pairs: 2 });
    expect(top.times).toBeGreaterThan(3);
    expect(record.kinds.reduce((sum, { pairs }) => sum + pairs, 0)).toBe(2 * 15);
    expect(said).toContain('cue × successor');
    for (const name of ['first', '0002']) expect(existsSync(join(out, name, 'report.html'))).toBe(true);
    const index = readFileSync(join(out, 'index.html'), 'utf8');
    expect(index).toContain('href="0002/report.html"');
    expect(index).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);

    const before = statSync(join(out, 'first', 'result.json')).mtimeMs;
    rmSync(join(out, '0002', 'asked.json')); // as if it had been stopped before its end
    const again = await run(fileOf('list.jsonl', ...lines), ...options, '--out', out);
    expect([again.code, again.err, again.out]).toEqual([0, '', said]);
    expect(statSync(join(out, 'first', 'result.json')).mtimeMs).toBe(before);
    const { masks } = parseResult(readFileSync(join(out, '0002', 'result.json'), 'utf8'));
    expect([masks.measured, masks.resumed > 60]).toEqual([0, true]);

    const other = await run(fileOf('list.jsonl', lines[0], { ...lines[1], answer: ' j' }), ...options, '--out', out);
    expect(other.err).toMatch(/^prompt 0002: run log .* belongs to another run \(question.answer/);
  });

  it.each([
    ['a line that is no JSON', ['{"prompt": '], /list.jsonl line 1: is not JSON/],
    ['a line without a prompt', [{ name: 'a' }], /line 1: prompt/],
    ['a field that is none', [{ prompt: 'e q', answr: ' m' }], /line 1: .*answr/],
    [
      'two of one name',
      [
        { prompt: 'e q', name: 'a' },
        { prompt: 'e s', name: 'a' },
      ],
      /two prompts .* called "a"/,
    ],
    ['a name that is no folder', [{ prompt: 'e q', name: '../a' }], /line 1: name/],
    ['no lines', [''], /has no prompts/],
    ['spans that leave the text', [{ prompt: 'e q', spans: [{ start: 0, end: 9 }] }], /line 1: span 0 .* 3 characters/],
    [
      'an answer that is not in the vocabulary',
      [{ prompt: 'e q m', name: 'a', answer: ' zebra' }],
      /prompt a: answer: .*zebra/,
    ],
  ])('says what is wrong with %s', async (_, given, message) => {
    const { code, out, err } = await run(fileOf('list.jsonl', ...given), '--out', join(folder, 'bad'));
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  it('is instead of a prompt', async () => {
    const { err } = await run(fileOf('list.jsonl', ...lines), '--prompt', 'e q');
    expect(err).toMatch(/--prompts: has the prompts/);
  });
});
