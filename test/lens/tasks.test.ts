/** Prompts of the literature's tasks, for tokenizers that cut words in different ways. */
import { describe, expect, it } from 'vitest';
import { fail } from '../../src/errors.ts';
import { promptsOfTask, taskOf, type TaskTokenizer } from '../../src/lens/tasks/task.ts';
import { TASKS } from '../../src/lens/tasks/tasks.ts';

/** Words with the space before them, punctuation alone; digits in runs, or one by one. */
function words(digits: 'runs' | 'single', space: 'joined' | 'alone' = 'joined'): TaskTokenizer {
  const ids = new Map<string, number>();
  const texts: string[] = [];
  const number = digits === 'runs' ? '\\d+' : '\\d';
  const pattern = new RegExp(space === 'joined' ? ` ?[A-Za-z]+| ?${number}|.|\n` : `[A-Za-z]+|${number}|.|\n`, 'gs');
  return {
    encode: (text) =>
      (text.match(pattern) ?? []).map((piece) => {
        if (!ids.has(piece)) ids.set(piece, texts.push(piece) - 1);
        return ids.get(piece) as number;
      }),
    decode: (given) => given.map((id) => texts[id]).join(''),
  };
}
const TOKENIZERS = {
  'spaces joined': words('runs'),
  'digits alone': words('single'),
  'spaces alone': words('single', 'alone'),
};

const lengthOf = (tokenizer: TaskTokenizer, prompt: unknown): number =>
  typeof prompt === 'string' ? tokenizer.encode(prompt).length : (prompt as number[]).length;

describe.each(Object.entries(TOKENIZERS))('tasks for a tokenizer with %s', (_, tokenizer) => {
  it.each(Object.values(TASKS))('$name: pairs of equal length whose answers are swapped', (template) => {
    const prompts = promptsOfTask(template, tokenizer, 8, 0);
    expect(prompts).toHaveLength(16);
    for (let k = 0; k < 16; k += 2) {
      const [a, b] = [prompts[k], prompts[k + 1]];
      if (template.name === 'ioi') expect(a.corrupted).toEqual(b.corrupted);
      else expect([a.corrupted, b.corrupted]).toEqual([b.prompt, a.prompt]);
      expect([a.prompt, b.prompt]).not.toContainEqual(template.name === 'ioi' ? a.corrupted : undefined);
      expect(lengthOf(tokenizer, a.corrupted)).toBe(lengthOf(tokenizer, a.prompt));
      expect(lengthOf(tokenizer, a.prompt)).toBe(lengthOf(tokenizer, b.prompt));
      expect(a.correct).not.toBe(a.incorrect);
      expect([a.correct, a.incorrect]).toEqual([b.incorrect, b.correct]);
    }
    expect(new Set(prompts.map(({ prompt, corrupted }) => JSON.stringify([prompt, corrupted]))).size).toBe(16);
  });
});

describe('a task', () => {
  it('is the same for the same seed, and another for another', () => {
    const tokenizer = words('runs');
    const [a, b, c] = [0, 0, 1].map((seed) => promptsOfTask(TASKS.ioi, tokenizer, 4, seed));
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
  });

  it('asks what its name says', () => {
    const tokenizer = words('runs');
    const [{ prompt, correct, incorrect }] = promptsOfTask(TASKS.ioi, tokenizer, 1, 3);
    const [, first, second, giver] = /^When (\w+) and (\w+) went to the \w+, (\w+) gave a \w+ to$/.exec(
      String(prompt),
    ) as string[];
    expect(tokenizer.decode([correct as number])).toBe(` ${giver === first ? second : first}`);
    expect(tokenizer.decode([incorrect as number])).toBe(` ${giver}`);
    for (const { prompt: sum, correct: right } of promptsOfTask(TASKS.arithmetic, tokenizer, 6, 0)) {
      const [, x, y] = /(\d) \+ (\d) =$/.exec(String(sum)) as string[];
      expect(tokenizer.decode([right as number]).trim()).toBe(String(Number(x) + Number(y)));
    }
  });

  it('gives the space to the prompt where the tokenizer does', () => {
    const tokenizer = words('single', 'alone');
    const [{ prompt, correct }] = promptsOfTask(TASKS.capitals, tokenizer, 1, 0);
    expect(tokenizer.decode(prompt as number[])).toMatch(/^The capital of \w+ is the city of $/);
    expect(tokenizer.decode([correct as number])).toMatch(/^[A-Z]\w+$/);
  });

  it('draws again what a tokenizer of whole words does not know, and says which where nothing is left', () => {
    const all = words('runs');
    const without = (...unknown: string[]): TaskTokenizer => ({
      ...all,
      encode: (text) => {
        const found = unknown.find((word) => new RegExp(`\\b${word}\\b`).test(text));
        if (found !== undefined) throw fail('input', 'tokenizer', `"${found}" is not in the vocabulary.`);
        return all.encode(text);
      },
    });
    const some = promptsOfTask(TASKS.ioi, without('flower', 'gift', 'bag', 'office'), 20, 0);
    expect(some).toHaveLength(40);
    for (const { prompt, corrupted } of some)
      expect(`${String(prompt)} ${String(corrupted)}`).not.toMatch(/flower|gift|bag|office/);
    expect(() => promptsOfTask(TASKS.ioi, without('gave'), 2, 0)).toThrow(
      'task ioi: 0 of 2 pairs fit this tokenizer after 120 draws (tokenizer: "gave" is not in the vocabulary); ask for fewer pairs',
    );
    const broken: TaskTokenizer = {
      ...all,
      encode: () => {
        throw new Error('out of order');
      },
    };
    expect(() => promptsOfTask(TASKS.ioi, broken, 2, 0)).toThrow('out of order');
  });

  it('says so when the tokenizer has none of its words', () => {
    const bytes: TaskTokenizer = {
      encode: (text) => [...Buffer.from(text)],
      decode: (ids) => Buffer.from(ids).toString(),
    };
    expect(() => promptsOfTask(TASKS.ioi, bytes, 2, 0)).toThrow(
      'task ioi: 0 of 2 pairs fit this tokenizer after 120 draws; ask for fewer pairs, or use another task.',
    );
  });

  it('is refused under a name that none has, and with a number of pairs that is none', () => {
    expect(() => taskOf('ioy', TASKS)).toThrow('task: "ioy" is unknown; did you mean ioi?');
    expect(() => promptsOfTask(TASKS.ioi, words('runs'), 0, 0)).toThrow('pairs: 0; a whole number');
  });
});
