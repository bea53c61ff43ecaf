/** The prompt command from end to end on the bundled models: the planted pair is found, bad input is one clear line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spexlens } from '../../cli/spexlens.ts';
import { parseResult, type Result } from '../../src/report/result.ts';

const MODEL = 'models/induction-2l-h2';
/** q m ... q: the model says m because of the earlier q and the m after it; the last q is the question, and is kept. */
const TEXT = 'e n 4 q m s b o d j v 0 q';
const ASK = ['--model', MODEL, '--prompt', TEXT, '--answer', ' m', '--keep-text', 'q$', '--backend', 'wasm'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spexlens-prompt-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let runs = 0;
async function run(...args: string[]): Promise<{ code: number; out: string; err: string; at: string }> {
  let [out, err] = ['', ''];
  const at = join(folder, String(runs++));
  const streams = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
  const code = await spexlens(['prompt', ...args, '--out', at], streams);
  return { code, out, err, at };
}

describe('spexlens prompt', () => {
  let result: Result;
  let page: string;
  let story: string;
  let csv: string;
  it('finds that the earlier cue and its successor act together, which first order cannot say', async () => {
    csv = join(folder, 'csv');
    const { code, out, err, at } = await run(
      ...ASK,
      '--against',
      ' v',
      '--budget',
      '400',
      '--held-out',
      '100',
      '--csv',
      csv,
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    story = out;
    result = parseResult(readFileSync(join(at, 'result.json'), 'utf8'));
    page = readFileSync(join(at, 'report.html'), 'utf8');
    expect(result.interactions[0].names).toEqual(['q', 'm']);
    expect(result.interactions[0].value).toBeGreaterThan(0);
    expect(result.task).toMatchObject({ players: 'words', metric: 'contrast' });
    expect(result.players.map(({ name }) => name)).toEqual(TEXT.split(' ').slice(0, -1));
    const { heldOut } = result;
    expect(heldOut?.gain?.low).toBeGreaterThan(0);
    expect(result.pilot?.why).toMatch(/^remove leaves \d+ % of the value's range/);
  });

  it('shows the text itself, in the terminal and on the page, and writes tables', () => {
    expect(story).toContain('the text');
    expect(story).toContain(TEXT);
    expect(page).toContain('class="played"');
    const words = [
      ...page.matchAll(
        /<span class="part (up|down|none)(?: noise)? p(\d+)" data-player="\d+" tabindex="0"[^>]*>([^<]+)/gu,
      ),
    ];
    expect(words.map(([, , player, word]) => [Number(player), word])).toEqual(
      TEXT.split(' ')
        .slice(0, -1)
        .map((word, k) => [k, word]),
    );
    expect(page).toContain('<bdi>q × m</bdi>');
    expect(page.match(/<script/g)?.length).toBe(2); // its data and its own
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    const players = readFileSync(join(csv, 'players.csv'), 'utf8').trim().split('\r\n');
    expect(players[0]).toBe('player,start,end,banzhaf,shapley,standard_error,layer,head,in_circuit');
    expect(players[4]).toMatch(/^q,6,7,/);
    expect(readFileSync(join(csv, 'interactions.csv'), 'utf8')).toContain('1,2,"[""q"",""m""]"');
  });

  it('asks what the model itself says, of the parts of a JSON file', async () => {
    const file = join(folder, 'spans.json');
    writeFileSync(
      file,
      JSON.stringify([
        { start: 0, end: 5, name: 'front' },
        { start: 6, end: 9 },
        { start: 10, end: 21, name: 'front' },
      ]),
    );
    const { code, out, err } = await run(
      '--model',
      MODEL,
      '--prompt',
      TEXT,
      '--spans',
      file,
      '--generate',
      '2',
      '--budget',
      '4',
      '--json',
      '--backend',
      'wasm',
    );
    expect([code, err]).toEqual([0, '']);
    const said = parseResult(out);
    expect(said.players.map(({ name }) => name)).toEqual(['front', 'q m']);
    expect(said.task.prompts[0].correct?.trim()).toMatch(/^m /);
    expect(said.solver.exact).toBe(true);
  });

  it('says token by token what an answer of several owes to the words, in the terminal, on the page and as CSV', async () => {
    const tables = join(folder, 'outputs');
    const { code, out, err, at } = await run(
      ...ASK.filter((each) => each !== '--answer' && each !== ' m'),
      '--generate=3',
      '--absent=remove',
      '--budget=200',
      '--held-out=60',
      '--threads=1',
      '--csv',
      tables,
    );
    expect([code, err]).toEqual([0, '']);
    const { outputs, clean, players } = parseResult(readFileSync(join(at, 'result.json'), 'utf8'));
    expect(outputs?.tokens).toHaveLength(3);
    const parts = outputs?.tokens.map((token) => token.clean) ?? [];
    expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(clean, 4);
    const [first] = outputs?.tokens ?? [];
    const best = first.values.indexOf(Math.max(...first.values));
    expect(['q', 'm']).toContain(players[best].name); // of m after the second q
    expect(out).toContain('token by token');
    const written = readFileSync(join(at, 'report.html'), 'utf8');
    expect(written).toContain('<table class="outputs">');
    expect(written.match(/<th scope="row"><bdi>/g)).toHaveLength(players.length);
    const rows = readFileSync(join(tables, 'outputs.csv'), 'utf8').trim().split('\r\n');
    expect(rows[0]).toBe('output,token,player,banzhaf');
    expect(rows).toHaveLength(1 + 3 * players.length);
  });

  it.each([
    ['an empty answer', ['--answer', ''], /answer: is empty/],
    ['an answer that is not in the vocabulary', ['--answer', ' zebra'], /answer: .*zebra.* not in the vocabulary/],
    ['the same without a space', ['--answer', 'zebra'], /answer: "zebra" is not in the vocabulary/],
    ['no answer', [], /answer: logprob needs one/],
    ['the same answer twice', ['--answer', ' m', '--against', ' m'], /against: is the same as the answer/],
    ['one answer for a contrast', ['--answer', ' m', '--value', 'contrast'], /against: contrast needs a second answer/],
    ['every part kept', ['--answer', ' m', '--keep-text', '.+'], /every part of the prompt is kept/],
    ['an unknown absence', ['--answer', ' m', '--absent', 'maks'], /absence: "maks" is unknown; did you mean mask/],
    ['a value that is none', ['--answer', ' m', '--value', 'logits'], /did you mean logit/],
    ['replace without a text', ['--answer', ' m', '--absent', 'replace'], /replace: needs the text/],
    [
      'a corrupted prompt of another length',
      ['--answer', ' m', '--absent', 'resample', '--corrupted', 'a b'],
      /the corrupted prompt has \d+ tokens/,
    ],
    ['a template without a place', ['--answer', ' m', '--template', 'x'], /template: has 0 places/],
    ['players of no kind', ['--answer', ' m', '--players', 'heads'], /--players: "heads" is unknown/],
    ['more tokens than the context', ['--generate', '5000'], /pass the context/],
  ])('says what is wrong with %s', async (_, args, message) => {
    const { code, out, err } = await run('--model', MODEL, '--prompt', TEXT, '--backend', 'wasm', ...args);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  it('answers about one player', async () => {
    const { code, out } = await run(
      '--model',
      MODEL,
      '--prompt',
      'q [[m]] s q',
      '--players',
      'marks',
      '--answer',
      ' m',
      '--json',
      '--backend',
      'wasm',
      '--absent',
      'remove',
    );
    expect(code).toBe(0);
    expect(parseResult(out).players.map(({ name }) => name)).toEqual(['m']);
  });
});
