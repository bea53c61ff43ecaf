/** The runs of a folder over HTTP: listed, opened, compared, and nothing else reached. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveRuns, type Serving } from '../../cli/serve/server.ts';
import { comparisonPage } from '../../src/report/comparison-page.ts';
import { formatComparison } from '../../src/report/comparison-record.ts';
import { formatResult } from '../../src/report/result.ts';
import { madeUpComparison } from '../report/made-up-comparison.ts';
import { heads, madeUpResult } from '../report/made-up-result.ts';

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

describe('spexlens serve', () => {
  let parent: string;
  let serving: Serving;
  beforeAll(async () => {
    parent = mkdtempSync(join(tmpdir(), 'serve-'));
    const folder = join(parent, 'out');
    for (const [name, seed] of [
      ['one', 1],
      ['deep/<b>two', 2],
    ] as const) {
      mkdirSync(join(folder, name), { recursive: true });
      const result = await madeUpResult({ players: heads(2, 4), layers: 2, heads: 4, seed, name: `model ${seed}` });
      writeFileSync(join(folder, name, 'result.json'), formatResult(result));
    }
    mkdirSync(join(folder, 'compare-model'));
    writeFileSync(join(folder, 'compare-model', 'comparison.json'), formatComparison(madeUpComparison()));
    mkdirSync(join(folder, 'broken'));
    writeFileSync(join(folder, 'broken', 'result.json'), '{"schema": <script>');
    mkdirSync(join(parent, 'secret'));
    writeFileSync(
      join(parent, 'secret', 'result.json'),
      formatResult(await madeUpResult({ players: heads(1, 2), name: 'secret' })),
    );
    symlinkSync(join(parent, 'secret'), join(folder, 'link'));
    serving = await serveRuns(folder, 0);
  });
  afterAll(async () => {
    await serving.close();
    rmSync(parent, { recursive: true, force: true });
  });

  /** The path goes out as it is: fetch would tidy it. */
  const get = (path: string, { host, method = 'GET' }: { host?: string; method?: string } = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { port } = new URL(serving.url);
      const asked = request(
        { host: '127.0.0.1', port, path, method, headers: host === undefined ? {} : { host } },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => (text += part));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
        },
      );
      asked.on('error', reject).end();
    });

  it('lists the runs, also one that cannot be read, and shows what stands in them as text', async () => {
    const { status, text, headers } = await get('/');
    expect(status).toBe(200);
    expect(text).toContain('model 1');
    expect(text).toContain('&#60;b&#62;two');
    expect(text).toContain('are not JSON');
    expect(text).not.toMatch(/<b>two|secret/);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'.*frame-ancestors 'none'$/);
  });

  it('opens a run and compares two', async () => {
    const id = encodeURIComponent('deep/<b>two/result.json');
    expect((await get(`/run?record=one%2Fresult.json`)).text).toContain('What acts together in model 1');
    expect(JSON.parse((await get(`/json?record=${id}`)).text)).toMatchObject({ name: 'model 2' });
    expect((await get(`/compare?a=${id}`)).text).toContain('compare with this');
    const { text } = await get(`/compare?a=one%2Fresult.json&b=${id}`);
    expect(text).toContain('model 1 beside model 2');
    expect(text).toMatch(/Correlation (?:-?\d\.\d{3})/);
    expect(text).not.toMatch(/NaN|\[object/);
  });

  it('lists a comparison of methods with the best of them, and opens its page', async () => {
    const { text } = await get('/');
    expect(text).toContain('m&#60;b&#62;: 2 methods over 2 heads, logit-diff, zero');
    expect(text).toContain('1 keep 100\u00a0% (&#60;better&#62;)');
    const id = encodeURIComponent('compare-model/comparison.json');
    expect((await get(`/run?record=${id}`)).text).toBe(comparisonPage(madeUpComparison()));
    expect(JSON.parse((await get(`/json?record=${id}`)).text)).toEqual(madeUpComparison());
    expect((await get(`/compare?a=${id}`)).status).toBe(404); // two runs are compared, not two comparisons
  });

  it.each([
    '/run?record=../secret/result.json',
    '/run?record=..%2Fsecret%2Fresult.json',
    '/run?record=link/result.json',
    '/run?record=/etc/passwd',
    '/run?record=one/../../secret/result.json',
    '/run?record=broken/result.json',
    '/run',
    '/../secret/result.json',
    '/one/result.json',
    '/compare?a=one%2Fresult.json&b=..%2Fsecret%2Fresult.json',
    '//',
  ])('does not reach %s', async (path) => {
    const { status, text } = await get(path);
    expect(status).toBe(404);
    expect(text).not.toContain('secret');
  });

  it('answers this machine under its own name alone, and reads only', async () => {
    expect((await get('/', { host: 'evil.example' })).status).toBe(421);
    expect((await get('/', { method: 'POST' })).status).toBe(405);
    expect(await get('/', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  });

  it('refuses a folder that is not there, and a port that is taken', async () => {
    await expect(serveRuns(join(parent, 'nowhere'), 0)).rejects.toThrow(/nowhere cannot be read \(ENOENT\)/);
    await expect(serveRuns(parent, Number(new URL(serving.url).port))).rejects.toThrow(/EADDRINUSE/);
  });
});
