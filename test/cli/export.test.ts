/** A record's tables as CSV, JSON and Parquet. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spexlens } from '../../cli/spexlens.ts';
import { masksFromMembers } from '../../src/masks.ts';
import { masksTable } from '../../src/report/data-tables.ts';
import { patchesTable } from '../../src/report/patches-table.ts';
import { formatComparison } from '../../src/report/comparison-record.ts';
import { formatResult, type Result } from '../../src/report/result.ts';
import { madeUpComparison } from '../report/made-up-comparison.ts';
import { heads, madeUpResult } from '../report/made-up-result.ts';

describe('spexlens export', () => {
  let folder: string;
  let result: Result;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'export-'));
    result = await madeUpResult({ players: heads(2, 4), layers: 2, heads: 4 });
    writeFileSync(join(folder, 'result.json'), formatResult(result));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    let [out, err] = ['', ''];
    const code = await spexlens(['export', ...args], { out: (text) => (out += text), err: (text) => (err += text) });
    return { code, out, err };
  };

  it('says the same in all formats, and the numbers are the record’s to the last bit', async () => {
    const into = (format: string): string => join(folder, format);
    const { code, out } = await run(
      join(folder, 'result.json'),
      ...['csv', 'json', 'parquet'].flatMap((format) => [`--${format}`, into(format)]),
    );
    expect(code).toBe(0);
    expect(out).toContain('interactions.parquet');
    for (const format of ['csv', 'json', 'parquet'])
      expect(readdirSync(into(format)).sort()).toEqual(
        ['curve', 'interactions', 'players', 'terms'].map((name) => `${name}.${format}`),
      );
    for (const table of ['players', 'interactions', 'terms', 'curve']) {
      const bytes = readFileSync(join(into('parquet'), `${table}.parquet`));
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
      const rows = (await parquetReadObjects({ file })).map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? null])),
      );
      expect(rows).toEqual(JSON.parse(readFileSync(join(into('json'), `${table}.json`), 'utf8')));
    }
    const players = JSON.parse(readFileSync(join(into('json'), 'players.json'), 'utf8')) as Record<string, unknown>[];
    expect(players.map(({ player, banzhaf, layer, head }) => [player, banzhaf, layer, head])).toEqual(
      result.players.map(({ name }, k) => [name, result.values[k].banzhaf, Math.floor(k / 4), k % 4]),
    );
  });

  it('lists every measured mask once, with the players that it keeps', () => {
    const masks = masksFromMembers(8, [[0, 3], [1]]);
    const table = masksTable(result, [
      { masks, values: Float64Array.of(1, 2) },
      { masks, values: Float64Array.of(1, 2), gradients: new Float32Array(16) },
    ]);
    const column = (name: string): readonly unknown[] | undefined =>
      table.columns.find((each) => each.name === name)?.values;
    expect(column('mask')).toEqual(['09', '02']);
    expect(column('kept')).toEqual([2, 1]);
    expect(column('value')).toEqual([1, 2]);
    expect(column('keeps L0H3')).toEqual([true, false]);
  });

  it('places patches on their axes', () => {
    const [record] = [
      {
        schema: 'spexlens.patch/1' as const,
        model: 'm',
        backend: 'wasm',
        metric: 'logit-diff',
        unit: 'logits',
        what: 'z',
        direction: 'denoise' as const,
        axes: [
          { name: 'layer' as const, labels: ['3', '5'] },
          { name: 'position' as const, labels: [' a', ' b'] },
        ],
        values: [0, 1, 2, 4],
        base: 0,
        source: 4,
        prompts: [],
        rows: 4,
        seconds: 1,
      },
    ];
    const rows = patchesTable([record]).columns;
    const at = (name: string): readonly unknown[] | undefined => rows.find((each) => each.name === name)?.values;
    expect([at('layer'), at('position'), at('token'), at('effect')]).toEqual([
      [3, 3, 5, 5],
      [0, 1, 0, 1],
      [' a', ' b', ' a', ' b'],
      [0, 0.25, 0.5, 1],
    ]);
  });

  it('writes a comparison as methods, scores and curves', async () => {
    const path = join(folder, 'comparison.json');
    writeFileSync(path, formatComparison(madeUpComparison()));
    const into = join(folder, 'compared');
    expect((await run(path, '--csv', into, '--parquet', into)).code).toBe(0);
    expect(readFileSync(join(into, 'scores.csv'), 'utf8').split('\r\n').slice(0, 3)).toEqual([
      'method,player,score,helping,mattering,in_circuit,in_truth',
      'worse,L0H0,1,1,1,true,true',
      'worse,L0H1,0,2,2,false,false',
    ]);
    expect(readFileSync(join(into, 'methods.csv'), 'utf8')).toContain(
      '<better>,0.75,0.25,0.5,1,1,"[""L0H0""]",0.1,,3,1,1,0.04',
    );
    expect(readFileSync(join(into, 'curves.csv'), 'utf8')).toContain('<better>,1,0.5,-3');
  });

  it('asks for a format, and refuses a record that is none', async () => {
    expect((await run(join(folder, 'result.json'))).err).toContain('give --csv, --parquet or --json');
    expect((await run(join(folder, 'none.json'), '--csv', folder)).err).toContain('cannot be read (ENOENT)');
  });
});
