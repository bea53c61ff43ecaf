/** Prompts as text and as token ids, their files, and the tasks they become. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS } from '../../src/lens/metrics.ts';
import { parsePrompts, readPrompts, toTasks, type Prompt, type TaskOptions } from '../../src/lens/prompts.ts';
import { unspacedAnswers } from '../../src/lens/spaced-answers.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { CONFIGS, open, randomModel, TEST_BACKEND } from '../tensors.ts';

const plain: TaskOptions = { metric: METRICS['logit-diff'], corrupted: false };
const resample: TaskOptions = { ...plain, corrupted: true };

let close: () => void;
/** 25 positions, 34 tokens: letters, numbers and BOS. */
let spoken: Model;
/** The same vocabulary for in- and output, no tokenizer. */
let mute: Model;
let folder: string;
beforeAll(async () => {
  close = (await open(TEST_BACKEND)).close;
  spoken = await loadModel('models/induction-2l-h1');
  mute = randomModel(CONFIGS['gpt2']).model;
  folder = mkdtempSync(join(tmpdir(), 'prompts-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  spoken[Symbol.dispose]();
  mute[Symbol.dispose]();
  close();
});

const file = (name: string, text: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe('a prompt of text', () => {
  it('is refused where it is empty, although BOS alone would run', () => {
    expect(() => toTasks(spoken, [{ prompt: '', correct: ' a', incorrect: ' b' }], plain)).toThrow(
      'prompt: is an empty text; give one, or the id of the token to begin with ([0]).',
    );
  });

  it('is refused among more than ten thousand, at once', () => {
    const prompt = { prompt: 'a b c', correct: ' a', incorrect: ' b' };
    expect(() => toTasks(spoken, Array<Prompt>(100_000).fill(prompt), plain)).toThrow(
      'prompts: 100000 prompts; every mask runs each of them, so at most 10000 are taken. Give a sample.',
    );
  });

  it('is told of answers that lack the space which the text goes on with', () => {
    const ids: Readonly<Record<string, number>> = { Mary: 1, ' Mary': 2, John: 3, ' John': 3 };
    const tokenizer = {
      toSingleToken(text: string): number {
        if (!(text in ids)) throw new Error('several tokens');
        return ids[text];
      },
    } as unknown as Tokenizer;
    const said = (...prompts: Prompt[]): string | undefined => unspacedAnswers({ tokenizer }, prompts);
    expect(said({ prompt: 'a drink to', correct: 'Mary', incorrect: ' John' })).toBe(
      'The answers "Mary" have no space before them, as a word after a text does; with one they are single tokens too, other ones: give " Mary".',
    );
    expect(said({ prompt: 'a drink to', correct: ' Mary', incorrect: 'John' })).toBeUndefined(); // one token either way
    expect(said({ prompt: 'a drink to ', correct: 'Mary' })).toBeUndefined();
    expect(said({ prompt: [1, 2], correct: 'Mary' }, { prompt: 'to', correct: 'Xy' })).toBeUndefined();
    expect(unspacedAnswers({ tokenizer: undefined }, [{ prompt: 'to', correct: 'Mary' }])).toBeUndefined();
  });
});

describe('a prompt of token ids', () => {
  it('is the task of the text that has those ids', () => {
    const tokenizer = spoken.tokenizer!;
    const text = { prompt: 'a b c a', correct: ' b', incorrect: ' c', corrupted: 'a b c d' };
    const ids: Prompt = {
      prompt: tokenizer.encode(text.prompt),
      correct: tokenizer.toSingleToken(text.correct),
      incorrect: tokenizer.toSingleToken(text.incorrect),
      corrupted: tokenizer.encode(text.corrupted),
    };
    const [[spelled], [given]] = [toTasks(spoken, [text], resample), toTasks(spoken, [ids], resample)];
    for (const key of ['tokens', 'correct', 'incorrect', 'corrupted', 'position', 'strTokens'] as const)
      expect(given[key]).toEqual(spelled[key]);
    expect(given.text).toEqual({
      prompt: tokenizer.toStrTokens(ids.prompt as number[]).join(''),
      correct: tokenizer.toStrTokens([ids.correct as number])[0],
      incorrect: tokenizer.toStrTokens([ids.incorrect as number])[0],
      corrupted: tokenizer.toStrTokens(ids.corrupted as number[]).join(''),
    });
    expect(spelled.text).toEqual(text);
    expect([spelled.label, given.label]).toEqual(['"a b c a"', JSON.stringify(given.text.prompt)]);
  });

  it('may be mixed with text, field by field', () => {
    const tokenizer = spoken.tokenizer!;
    const b = tokenizer.toSingleToken(' b');
    const [task] = toTasks(spoken, [{ prompt: 'a b c a', correct: b, incorrect: ' c' }], plain);
    expect([task.correct, task.text.correct, task.text.incorrect]).toEqual([b, tokenizer.toStrTokens([b])[0], ' c']);
  });

  it('is taken as it is: nothing is put before it', () => {
    const [task] = toTasks(spoken, [{ prompt: [5], correct: 1, incorrect: 2 }], plain);
    expect(task.tokens).toEqual([5]);
  });

  it('needs no tokenizer, and is then shown as numbers', () => {
    const [task] = toTasks(mute, [{ prompt: [3, 1, 4], correct: 5, incorrect: 2, corrupted: [7, 0, 16] }], resample);
    expect(task).toMatchObject({
      tokens: [3, 1, 4],
      correct: 5,
      incorrect: 2,
      corrupted: [7, 0, 16],
      strTokens: ['[3]', '[1]', '[4]'],
      text: { prompt: '[3][1][4]', correct: '[5]', incorrect: '[2]', corrupted: '[7][0][16]' },
      label: '"[3][1][4]"',
    });
  });

  it.each<[string, Prompt, RegExp]>([
    [
      'prompt',
      { prompt: [3, 17], correct: 5, incorrect: 2 },
      /^prompt.*: .*token id 17 .*outside the vocabulary 0\.\.16/,
    ],
    ['correct answer', { prompt: [3], correct: 17, incorrect: 2 }, /^prompt, correct: .*token id 17 .*0\.\.16/],
    ['incorrect answer', { prompt: [3], correct: 5, incorrect: 99 }, /^prompt, incorrect: .*token id 99 .*0\.\.16/],
    [
      'corrupted prompt',
      { prompt: [3], correct: 5, incorrect: 2, corrupted: [-1] },
      /^prompt, corrupted: .*token id -1 .*0\.\.16/,
    ],
    ['prompt that is half an id', { prompt: [1.5], correct: 5, incorrect: 2 }, /token id 1\.5/],
    ['prompt without ids', { prompt: [], correct: 5, incorrect: 2 }, /no tokens/],
    ['pair of equal answers', { prompt: [3], correct: 5, incorrect: 5 }, /the same token \(5, 5\); they must differ/],
    [
      'prompt longer than the context',
      { prompt: Array<number>(13).fill(1), correct: 5, incorrect: 2 },
      /13 tokens; the context of random holds 12/,
    ],
    [
      'corrupted prompt of another length',
      { prompt: [3, 1], correct: 5, incorrect: 2, corrupted: [1] },
      /the corrupted prompt has 1 tokens, the prompt 2/,
    ],
  ])('is refused with a bad %s, naming the field and the number', (_, prompt, message) => {
    const make = () => toTasks(mute, [prompt], resample);
    expect(make).toThrow(message);
    expect(make).toThrow(/^[^\n]+$/);
    expect(make).toThrow(expect.objectContaining({ kind: 'input' }) as Error);
  });

  it.each<[string, Prompt, string]>([
    ['prompt', { prompt: 'a', correct: 5, incorrect: 2 }, 'prompt, text'],
    ['answer', { prompt: [1], correct: 'a', incorrect: 2 }, 'prompt, correct'],
  ])('is asked for where the %s is text and the model has no tokenizer', (_, prompt, who) => {
    expect(() => toTasks(mute, [prompt], plain)).toThrow(
      `${who}: has no tokenizer.json; give token ids instead of text, or add one to its folder.`,
    );
  });

  it('is refused with an answer that the model has as input only', () => {
    const narrow = randomModel(CONFIGS['relu, bidirectional, wide heads, other output']).model; // 17 tokens in, 7 out
    const ask = (correct: number) => () => toTasks(narrow, [{ prompt: [10, 16], correct, incorrect: 2 }], plain);
    expect(ask(6)()[0].correct).toBe(6);
    expect(ask(7)).toThrow(/^prompt, correct: .*\b7\b.*0\.\.6/);
    narrow[Symbol.dispose]();
  });

  it('is counted in the error where there are several', () => {
    const good = { prompt: [3], correct: 5, incorrect: 2 };
    expect(() => toTasks(mute, [good, { ...good, correct: 40 }], plain)).toThrow(/^prompt 2, correct: /);
  });
});

describe('a task', () => {
  it('has a label that is its text, quoted and cut', () => {
    const [task] = toTasks(spoken, [{ prompt: 'a b '.repeat(5).trim(), correct: ' a', incorrect: ' c' }], plain);
    expect(task.label).toBe(JSON.stringify('a b a b a b a b a b'));
    const long = toTasks(mute, [{ prompt: Array<number>(12).fill(16), correct: 5, incorrect: 2 }], plain);
    expect(long[0].text.prompt).toHaveLength(48);
    const longer = randomModel({ ...CONFIGS['gpt2'], nCtx: 40 }).model;
    const [cut] = toTasks(longer, [{ prompt: Array<number>(40).fill(16), correct: 5, incorrect: 2 }], plain);
    expect(cut.label).toHaveLength(62);
    expect(cut.label).toMatch(/\.\.\."$/);
    expect(cut.text.prompt).toHaveLength(160);
    longer[Symbol.dispose]();
  });

  it('has no answer that its metric does not need and nobody gave', () => {
    const [task] = toTasks(mute, [{ prompt: [3, 1] }], { metric: METRICS.kl, corrupted: false });
    expect([task.correct, task.incorrect, task.corrupted, task.position]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(() => toTasks(mute, [{ prompt: [3, 1], correct: 5 }], plain)).toThrow(
      'metric logit-diff needs an incorrect token',
    );
    expect(() => toTasks(mute, [{ prompt: [3], correct: 5, incorrect: 2 }], resample)).toThrow(
      'resample ablation needs a corrupted prompt',
    );
  });
});

describe('a prompts file', () => {
  it('may hold ids wherever it may hold text', async () => {
    const lines = [
      { prompt: 'a b', correct: ' c', incorrect: ' d', corrupted: 'b a' },
      { prompt: [1, 2], correct: 3, incorrect: 4, corrupted: [2, 1] },
      { prompt: [1] },
    ];
    expect(await readPrompts(file('ids.jsonl', lines.map((line) => JSON.stringify(line)).join('\n')))).toEqual(lines);
  });

  it('is read with a byte-order mark, Windows line ends, blank lines and no last newline', async () => {
    const lines = [{ prompt: 'é — ü', correct: ' c' }, { prompt: [7] }];
    const text = `\uFEFF${JSON.stringify(lines[0])}\r\n\r\n  \r\n${JSON.stringify(lines[1])}`;
    expect(await readPrompts(file('windows.jsonl', text))).toEqual(lines);
    expect(await readPrompts(file('windows-end.jsonl', `${text}\r\n`))).toEqual(lines);
  });

  it('counts blank lines when it names one', async () => {
    const path = file('bad.jsonl', '\uFEFF{"prompt":"a"}\r\n\r\n{"prompt":"a"\r\n');
    await expect(readPrompts(path)).rejects.toMatchObject({
      kind: 'input',
      message: `prompts ${path} line 3: is not JSON; one object {"prompt", "correct", "incorrect", "corrupted"?} a line is needed.`,
    });
  });

  it.each([
    ['an empty prompt', '{"prompt":""}', /line 1: prompt: /],
    ['no ids', '{"prompt":[]}', /line 1: prompt: /],
    ['a negative id', '{"prompt":[1,-2]}', /line 1: prompt/],
    ['half an id', '{"prompt":"a","correct":1.5}', /line 1: correct: /],
    ['several ids for an answer', '{"prompt":"a","correct":[1]}', /line 1: correct: /],
    ['no prompt', '{"correct":" a"}', /line 1: prompt: /],
    ['an unknown field', '{"prompt":"a","correkt":" b"}', /line 1: .*correkt/],
    ['a list', '["a"]', /line 1: object: /],
  ])('is refused with %s, naming the line and the field', (_, line, message) => {
    const parse = () => parsePrompts(line, 'prompts x');
    expect(parse).toThrow(message);
    expect(parse).toThrow(/^prompts x line 1: [^\n]+$/);
  });

  it('is refused when it has none, is not there, or is not UTF-8', async () => {
    await expect(readPrompts(file('empty.jsonl', '\n\r\n'))).rejects.toThrow(
      /has no prompts; at least one line is needed/,
    );
    await expect(readPrompts(join(folder, 'absent.jsonl'))).rejects.toThrow(/absent\.jsonl: cannot be read \(ENOENT\)/);
    await expect(readPrompts(file('latin.jsonl', Uint8Array.of(0x7b, 0xe9, 0x7d)))).rejects.toThrow(/is not UTF-8/);
  });

  it('of 100,000 lines is read in order and in time', { timeout: 20_000 }, async () => {
    const count = 100_000;
    const path = file(
      'many.jsonl',
      Array.from(
        { length: count },
        (_, k) => `{"prompt":${k % 2 === 0 ? `"a ${k}"` : `[${k},1]`},"correct":${k}}\n`,
      ).join(''),
    );
    const prompts = await readPrompts(path);
    expect(prompts).toHaveLength(count);
    for (const k of [0, 1, 65_536, count - 1])
      expect(prompts[k]).toEqual({ prompt: k % 2 === 0 ? `a ${k}` : [k, 1], correct: k });
    writeFileSync(path, 'oops\n', { flag: 'a' });
    await expect(readPrompts(path)).rejects.toThrow(/line 100001: is not JSON/);
  });
});
