/** What an attacker may write into a tokenizer's files ends in one clear error, soon and in little memory. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compilePattern } from '../../src/tokenizer/pattern/pattern.ts';
import { createTokenizer, loadTokenizer } from '../../src/tokenizer/tokenizer.ts';

const codesOf = (text: string): number[] => Array.from(text, (char) => char.codePointAt(0)!);
const O200K = String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

describe('a pattern', () => {
  it.each([
    ['(.+)+\\u0000', 'a', ''],
    ['(a*)*b', 'a', ''],
    ['(a|a)*c', 'a', ''],
    ['(a|aa)+$x', 'a', ''],
    ['(?:a?){50}a{50}x', 'a', ''],
    ['a(?:.*b)?', 'a', ''],
    ['(?=(a+)+b)a', 'a', ''],
    ['(?>(a+)+)b|(?<!a)(a+)+c', 'a', ''],
    ['(\\s+)+$', ' ', 'x'],
    [O200K, 'a', ''],
    [O200K, ' ', ''],
    [O200K, 'É', '\u0301'],
  ])('%s takes steps that grow no faster than the text: %o', (pattern, unit, tail) => {
    const compiled = compilePattern(pattern);
    // Steps are told by how often the text is read.
    const reads = (count: number): number => {
      let n = 0;
      const counted = new Proxy(codesOf(unit.repeat(count) + tail), {
        get: (codes, key) => {
          n++;
          return Reflect.get(codes, key) as unknown;
        },
      });
      compiled.matches(counted);
      return n;
    };
    // Linear is 4-fold, quadratic 16-fold; a backtracking matcher needs 2^500 for the first four.
    expect(reads(2000) / reads(500)).toBeLessThan(4.5);
  });

  it.each([
    ['(a)\\1', '\\1, which is not supported, at character 3'],
    ['(?<=a+)b', 'a look-behind whose length is not fixed'],
    ['(?<n>a)\\k<n>', '\\k, which is not supported,'],
    ['a{3,1}', 'the interval {3,1}, which runs backwards,'],
    ['(?:(?:a{1000}){1000}){9}', 'a pattern of more than 20000 steps'],
    ['('.repeat(200), 'groups nested deeper than 100'],
    ['['.repeat(200), 'character classes nested deeper than 32'],
    ['(?i:ss)', '"ss" with case ignored, which one character can match too,'],
    ['\\p{Klingon}', 'the property Klingon, which is not known,'],
    ['a)', 'a ")" that closes nothing'],
    ['[a', 'a character class that is not closed'],
    ['x'.repeat(10_001), 'a pattern of 10001 characters; the limit is 10000'],
  ])('%s is refused by name', (pattern, why) => {
    expect(() => compilePattern(pattern)).toThrow(why);
  });

  it('in a file that would hang a backtracking matcher cuts prompts at once', async () => {
    const tokenizer = await createTokenizer({
      pre_tokenizer: { type: 'Split', pattern: { Regex: '(.+)+\\u0000' }, behavior: 'Isolated', invert: false },
      model: { type: 'BPE', vocab: { a: 0, b: 1 }, merges: [] },
    });
    expect(tokenizer.encode('ab'.repeat(500))).toHaveLength(1000);
  });
});

describe('a file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bounds-'));
  });
  afterAll(async () => rm(folder, { recursive: true }));
  const timed = async (): Promise<[message: string, ms: number, heap: number]> => {
    const [start, before] = [performance.now(), process.memoryUsage().rss];
    const message = await loadTokenizer(folder).then(
      () => 'it loaded',
      (error: Error) => error.message,
    );
    return [message, performance.now() - start, process.memoryUsage().rss - before];
  };

  it('of 120 MB is refused by its size, unread', async () => {
    const file = await open(join(folder, 'tokenizer.json'), 'w');
    await file.truncate(120_000_000);
    await file.close();
    const [message, ms, memory] = await timed();
    expect(message).toContain('tokenizer.json is 120000000 bytes; above the limit of 67108864 it is not read.');
    expect(ms).toBeLessThan(2000);
    expect(memory).toBeLessThan(50e6);
  });

  it.each([
    ['brackets', '['.repeat(60_000_000), 'tokenizer.json is nested deeper than 64; it is damaged.'],
    ['objects', '{"a":'.repeat(1000), 'tokenizer.json is nested deeper than 64; it is damaged.'],
    [
      'values',
      `[${'{},'.repeat(20_000_000)}{}]`,
      'tokenizer.json has more than 6000000 values; no tokenizer in use has.',
    ],
    ['one string', `"${'\\"'.repeat(20_000_000)}"`, 'tokenizer.json is JSON but not an object; it should be {...}.'],
  ])('of 60 MB of %s is refused before it is parsed', async (_, text, wanted) => {
    await writeFile(join(folder, 'tokenizer.json'), text);
    const [message, ms, memory] = await timed();
    expect(message).toContain(wanted);
    expect(ms).toBeLessThan(5000);
    expect(memory).toBeLessThan(500e6);
  });

  it('that is a pipe is refused and not waited for', async () => {
    await rm(join(folder, 'tokenizer.json'));
    execFileSync('mkfifo', [join(folder, 'tokenizer.json')]);
    expect((await timed())[0]).toContain('tokenizer.json is not a file.');
    await rm(join(folder, 'tokenizer.json'));
  });

  it('beside it has limits of its own, and a template may stand in one', async () => {
    await writeFile(join(folder, 'tokenizer.json'), '{"model":{"vocab":{"a":0},"merges":[]}}');
    await writeFile(join(folder, 'chat_template.jinja'), '{{ messages[0].content }}');
    expect((await loadTokenizer(folder)).chatTemplates.get('default')).toBe('{{ messages[0].content }}');
    await writeFile(join(folder, 'chat_template.jinja'), ' '.repeat((1 << 20) + 1));
    expect((await timed())[0]).toContain('chat_template.jinja is 1048577 bytes; above the limit of 1048576');
    await rm(join(folder, 'chat_template.jinja'));
    await writeFile(join(folder, 'tokenizer_config.json'), `{"a":[${'0,'.repeat(600_000)}0]}`);
    expect((await timed())[0]).toContain('tokenizer_config.json has more than 500000 values');
  });
});
