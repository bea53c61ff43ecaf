/** The patch command from end to end on the bundled model: maps, page, record, log; bad input is one clear line. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spexlens } from '../../cli/spexlens.ts';
import { patchMaps, patchPage } from '../../src/report/patch-page.ts';
import { PATCH_SCHEMA, type PatchRecord } from '../../src/report/patch-record.ts';
import { patchName, patchText } from '../../src/report/patch-text.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spexlens-patch-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const streams = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await spexlens(['patch', '--backend', 'wasm', '--threads', '1', ...args], streams);
  return { code, out, err };
}

describe('spexlens patch', () => {
  it('shows where the subject is moved from its second name to the end', async () => {
    const out = join(folder, 'a');
    const first = await run('--what', 'resid_pre,z', '--out', out);
    expect(first.err).toBe('');
    expect(first.code).toBe(0);
    expect(first.out).toMatch(/^resid_pre: clean into corrupted, 60 patches in ioi-tiny; 120 rows/);
    expect(first.out).toMatch(/layer 1, position 10 " \w+\/? ?\w*" +6\d %/);
    expect(first.out).toMatch(/layer 3, position 14 " to" +8\d %/);
    const records = JSON.parse(readFileSync(join(out, 'patch.json'), 'utf8')) as PatchRecord[];
    expect(records.map(({ what, values }) => [what, values.length])).toEqual([
      ['resid_pre', 60],
      ['z', 16],
    ]);
    expect(records[0].schema).toBe(PATCH_SCHEMA);
    const [page] = readFileSync(join(out, 'patch.html'), 'utf8').split('<script>'); // what it draws without its script
    expect(page.match(/<svg /g)?.length).toBe(2);
    expect(page.match(/class="cell"/g)?.length).toBe(76);
    expect(readdirSync(out).filter((name) => name.startsWith('run-log-')).length).toBe(2);
    const again = await run('--what', 'resid_pre,z', '--out', out, '--json');
    const resumed = JSON.parse(again.out) as PatchRecord[];
    expect(resumed.map(({ values }) => values)).toEqual(records.map(({ values }) => values));
    expect(resumed.map(({ rows }) => rows)).toEqual([0, 0]);
  });

  it('patches paths', async () => {
    const { code, out } = await run('--receivers', 'logits', '--direct', '--out', join(folder, 'b'));
    expect(code).toBe(0);
    expect(out).toMatch(/^direct paths from heads to logits: clean into corrupted, 16 patches/);
  });

  it.each([
    [['--what', 'hook_z'], /--what: "hook_z" is unknown; there are resid_pre, /],
    [['--direction', 'up'], /--direction: "up" is unknown; there are denoise, noise/],
    [['--layers', '3-1'], /--layers: "3-1" is not a layer or an increasing range/],
    [
      ['--prompt', 'When Mary', '--correct', ' Mary', '--incorrect', ' John'],
      /--corrupted: is missing for "When Mary"/,
    ],
    [['--receivers', 'L0H0'], /receiver: "L0H0" is none/],
  ])('refuses %j', async (args, message) => {
    const { code, err } = await run(...args, '--out', join(folder, 'c'));
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err.trim().split('\n').length).toBe(1);
  });
});

describe('a record of patches', () => {
  const record: PatchRecord = {
    schema: PATCH_SCHEMA,
    model: 'm<b>',
    backend: 'wasm',
    metric: 'logit-diff',
    unit: 'logits',
    what: 'z, position by position',
    direction: 'noise',
    axes: [
      { name: 'layer', labels: ['0', '1'] },
      { name: 'position', labels: ['<s>', ' a', ' b'] },
      { name: 'head', labels: ['0', '1'] },
    ],
    values: [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, -1, 2],
    base: 2,
    source: -2,
    prompts: [{ clean: '<script>', corrupted: 'b' }],
    rows: 12,
    seconds: 1,
  };

  it('names its places and draws a map for each position', () => {
    expect(patchName(record, 10)).toBe('L1H0, position 2 " b"');
    expect(patchMaps(record).length).toBe(3);
    expect(patchMaps(record)[2].html).toContain('layer 1, head 0: 75');
    expect(patchText([record], { color: false })).toMatch(/corrupted into clean.*\n.*clean 2.00 {3}corrupted −2.00/);
    expect(patchText([record], { color: false })).toContain('L1H0, position 2 " b"');
    const page = patchPage([record]);
    expect(page.match(/<script>/g)?.length).toBe(1); // its own
    expect(page).not.toContain('m<b>');
  });

  it('of two runs that are alike has no scale, and says so', () => {
    expect(patchText([{ ...record, source: 2 }], { color: false })).toContain('an effect has no scale');
  });
});
