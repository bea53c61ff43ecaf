/** The report command: every kind of record that the commands write is rendered again. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spexlens } from '../../cli/spexlens.ts';
import { comparisonPage } from '../../src/report/comparison-page.ts';
import { formatComparison } from '../../src/report/comparison-record.ts';
import { renderReport } from '../../src/report/html.ts';
import { formatResult } from '../../src/report/result.ts';
import { madeUpComparison } from '../report/made-up-comparison.ts';
import { heads, madeUpResult } from '../report/made-up-result.ts';

describe('spexlens report', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'report-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    let [out, err] = ['', ''];
    const code = await spexlens(['report', ...args], { out: (text) => (out += text), err: (text) => (err += text) });
    return { code, out, err };
  };

  it('writes the page of a result beside it, and tells its story', async () => {
    const result = await madeUpResult({ players: heads(2, 4), layers: 2, heads: 4 });
    const path = join(folder, 'result.json');
    writeFileSync(path, formatResult(result));
    const { code, out } = await run(path);
    expect(code).toBe(0);
    expect(out).toContain('acting together');
    expect(readFileSync(join(folder, 'report.html'), 'utf8')).toBe(renderReport(result));
  });

  it('writes the page of a comparison beside it, and prints its table', async () => {
    const comparison = madeUpComparison();
    const path = join(folder, 'comparison.json');
    writeFileSync(path, formatComparison(comparison));
    const { code, out } = await run(path);
    expect(code).toBe(0);
    expect(out).toMatch(/^<better> +0\.750 +0\.250/m);
    expect(out).toContain(`written  ${join(folder, 'comparison.html')}`);
    expect(readFileSync(join(folder, 'comparison.html'), 'utf8')).toBe(comparisonPage(comparison));
    expect((await run(path, '--json')).out).toBe(formatComparison(comparison));
  });

  it('refuses what is no record, and a comparison of another version', async () => {
    const path = join(folder, 'other.json');
    writeFileSync(path, JSON.stringify({ ...madeUpComparison(), schema: 'spexlens.comparison/9' }));
    expect((await run(path)).err).toMatch(/other\.json: schema: .*the fields are those of spexlens\.comparison\/1/);
    expect((await run(join(folder, 'none.json'))).err).toContain(
      'give a result.json or a patch.json or a comparison.json',
    );
  });
});
