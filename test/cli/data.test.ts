/** The data command as a user types it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { spexlens } from '../../cli/spexlens.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'spexlens-data-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await spexlens(['data', ...args], { out: (text) => (out += text), err: (text) => (err += text) });
  return { code, out, err };
}
const REVIEWS = ['--train', 'examples/reviews/train.jsonl', '--test', 'examples/reviews/test.jsonl', '--rows', '0'];

describe('spexlens data', () => {
  it('tells, writes the record, the page, the tables and a log that a second run resumes', async () => {
    const asked = [...REVIEWS, '--groups', 'source', '--value', 'probability', '--out', join(FOLDER, 'a')];
    const first = await run(...asked, '--csv', FOLDER);
    expect(first.err).toBe('');
    expect(first.code).toBe(0);
    expect(first.out).toContain('films × music');
    const result = JSON.parse(readFileSync(join(FOLDER, 'a/result.json'), 'utf8')) as {
      name: string;
      masks: { measured: number };
      examples: { count: number }[];
    };
    expect(result.name).toBe('reviews');
    expect(result.examples).toHaveLength(7);
    expect(readFileSync(join(FOLDER, 'players.csv'), 'utf8')).toContain('films');
    expect(readFileSync(join(FOLDER, 'a/report.html'), 'utf8')).toContain('splendid');
    const second = await run(...asked);
    expect(second.out).toContain('128 from the log');
  });

  it('screens single examples, of vectors too', async () => {
    const rows = Array.from({ length: 40 }, (_, n) => `${n % 2},${1 - (n % 2)},${Math.sin(n)},${n % 2}`);
    writeFileSync(join(FOLDER, 'train.csv'), `a,b,c,label\n${rows.join('\n')}\n`);
    writeFileSync(join(FOLDER, 'test.csv'), 'a,b,c,label\n0.6,0.4,0.2,1\n');
    const asked = `--train ${join(FOLDER, 'train.csv')} --test ${join(FOLDER, 'test.csv')} --screen 6 --screen-by tracin --epochs 20 --json`;
    const { code, out, err } = await run(...asked.split(' '), '--out', join(FOLDER, 'b'));
    expect([code, err]).toEqual([0, '']);
    const { players, solver } = JSON.parse(out) as { players: { name: string }[]; solver: { exact: boolean } };
    expect(players).toHaveLength(6);
    expect(solver.exact).toBe(true);
  });

  it('goes on training a loaded model, and says which', async () => {
    const line = (n: number, text: string, label: string): string =>
      `${JSON.stringify({ text, label, document: `d${n % 3}` })}\n`;
    const rows = ['Mary', 'Tom', 'Anna', 'Paul', 'Laura', 'Peter'].map((name, n) =>
      line(n, `When ${name} went to the store, the teacher gave a drink to`, ` ${name}`),
    );
    writeFileSync(join(FOLDER, 'facts.jsonl'), rows.join(''));
    writeFileSync(
      join(FOLDER, 'questions.jsonl'),
      `${JSON.stringify({ text: 'When Susan went to the park, the teacher gave a ring to', label: ' Susan', against: ' Mary' })}\n`,
    );
    const files = ['--train', join(FOLDER, 'facts.jsonl'), '--test', join(FOLDER, 'questions.jsonl')];
    const tuned = ['--recipe', 'finetune', '--model', 'models/ioi-tiny', '--tune', 'blocks', '--layers', '1'];
    const rest = ['--groups', 'document', '--value', 'logit-diff', '--epochs', '2', '--json'];
    const { code, out, err } = await run(...files, ...tuned, ...rest, '--out', join(FOLDER, 'd'));
    expect([code, err]).toEqual([0, '']);
    const { study } = JSON.parse(out) as {
      study: { model: { id: string }; settings: { tune: string; layers: number } };
    };
    expect(study.model.id).toBe('ioi-tiny');
    expect(study.settings).toMatchObject({ tune: 'blocks', layers: 1 });
  });

  it.each([
    [['--recipe', 'finetune'], '--model: is what finetune goes on training; give one.'],
    [['--model', 'models/ioi-tiny'], '--model: is for --recipe finetune.'],
    [['--groups', 'nobody'], 'no example has a field "nobody"'],
    [['--rows', '9'], 'there is no row 9'],
    [['--recipe', 'forest'], '"forest" is unknown; there are softmax, mlp, transformer'],
    [['--value', 'joy'], '"joy" is unknown'],
    [['--estimates', 'hope'], '"hope" is unknown'],
    [['--screen', '4', '--screen-by', 'hope'], '"hope" is unknown; there are influence, ek-fac, tracin, trak.'],
    [['--threads', 'many'], '--threads'],
    [['--learning-rate', 'fast'], '"fast" is not a number'],
    [['--groups', 'clusters:100'], '100 of'],
    [['--train', 'nowhere.jsonl'], 'nowhere.jsonl cannot be read'],
  ])('refuses %j', async (args, why) => {
    const { code, err } = await run(...REVIEWS, ...args, '--out', join(FOLDER, 'c'));
    expect(code).toBe(1);
    expect(err).toContain(why);
  });
});
