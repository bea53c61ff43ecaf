import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SpexlensError } from '../../src/errors.ts';
import { createTokenizer, loadTokenizer, type Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { wordLevelTokenizer } from '../../src/tokenizer/word-tokenizer.ts';
import { createRandom } from '../../src/random.ts';

interface Golden {
  versions: Record<string, string>;
  tokenizers: {
    name: string;
    tokenizer: Record<string, unknown>;
    config: Record<string, unknown>;
    cases: { text: string; plain: number[]; full: number[]; decoded: string }[];
  }[];
}
/** Made by golden/make-tokenizers.py with Python's tokenizers 0.23.3 and transformers 5.23.0. */
const golden = JSON.parse(await readFile(new URL('../golden/tokenizers.json', import.meta.url), 'utf8')) as Golden;
const goldenOf = (name: string) => golden.tokenizers.find((item) => item.name === name)!;
const made = async (name: string): Promise<Tokenizer> =>
  createTokenizer(goldenOf(name).tokenizer, goldenOf(name).config, name);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokenizer-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(SpexlensError);
    expect((error as SpexlensError).message).not.toMatch(/\n/);
    return (error as SpexlensError).message;
  }
  return expect.fail('nothing was thrown');
}
async function rejectionOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return messageOf(() => {
    throw error;
  });
}

describe.each(['gpt2', 'llama3', 'llama', 'bert', 'words'])('the %s tokenizer', (name) => {
  const { cases, tokenizer: file } = goldenOf(name);
  const unkId = name === 'bert' ? 1 : -1;

  it("gives Python's ids and text", async () => {
    const tokenizer = await made(name);
    for (const { text, plain, full, decoded } of cases) {
      expect(tokenizer.decode(full)).toBe(decoded);
      if (plain.includes(unkId)) {
        expect(messageOf(() => tokenizer.encode(text, { unknown: 'error' }))).toContain('not in the vocabulary of');
      }
      expect(tokenizer.encode(text, { bos: false })).toEqual(plain);
      expect(tokenizer.encode(text)).toEqual(full);
    }
    const model = file.model as { vocab: Record<string, number> };
    const ids = [...Object.values(model.vocab), ...(file.added_tokens as { id: number }[]).map(({ id }) => id)];
    expect(tokenizer.vocabSize).toBe(Math.max(...ids) + 1);
  });

  it('cuts text into token strings that join to the text again', async () => {
    const tokenizer = await made(name);
    for (const { plain } of cases.filter((item) => !item.plain.includes(unkId))) {
      const pieces = tokenizer.toStrTokens(plain);
      expect(pieces).toHaveLength(plain.length);
      const joined = pieces.join('');
      // A character of several byte tokens has no string per token.
      if (!joined.includes('\uFFFD')) expect(joined).toBe(tokenizer.decode(plain, { special: true }));
    }
  });
});

describe('BOS', () => {
  it('is added as the files say, and the policy is reported', async () => {
    const policies = await Promise.all(['gpt2', 'llama3', 'llama', 'bert'].map(async (name) => made(name)));
    expect(policies.map(({ bosId, bosByDefault, bosPolicy }) => [bosId, bosByDefault, bosPolicy])).toEqual([
      [0, false, "the tokenizer's own template adds no BOS"],
      [300, true, "the tokenizer's own template begins with BOS"],
      [1, true, 'add_bos_token is true in tokenizer_config.json'],
      [2, true, "the tokenizer's own template begins with BOS"],
    ]);
  });

  it('can be asked for and left out, once and never twice', async () => {
    const [gpt2, llama3] = [await made('gpt2'), await made('llama3')];
    expect(gpt2.encode('the', { bos: true })).toEqual([0, ...gpt2.encode('the')]);
    expect(llama3.encode('the')).toEqual([300, ...llama3.encode('the', { bos: false })]);
    expect(gpt2.toStrTokens(' the', { bos: true })).toEqual(['<|endoftext|>', ' the']);
  });

  it('follows add_bos_token over the template', async () => {
    const { tokenizer, config } = goldenOf('llama3');
    const without = await createTokenizer(tokenizer, { ...config, add_bos_token: false });
    expect(without.bosByDefault).toBe(false);
    expect(without.bosPolicy).toBe('add_bos_token is false in tokenizer_config.json');
    const gpt2 = goldenOf('gpt2');
    const withBos = await createTokenizer(gpt2.tokenizer, { ...gpt2.config, add_bos_token: true });
    expect(withBos.encode('the')[0]).toBe(0);
  });

  it('asked of a tokenizer without one is an error', async () => {
    const { tokenizer } = goldenOf('gpt2');
    const bare = await createTokenizer(tokenizer, {});
    expect(bare.bosId).toBeUndefined();
    expect(messageOf(() => bare.encode('the', { bos: true }))).toBe(
      'tokenizer: bos: true was asked for, but the tokenizer has no BOS token; leave bos out.',
    );
  });

  it('is left out of decoded text unless asked for', async () => {
    const words = await made('words');
    expect(words.decode([0, 3])).toBe('Mary');
    expect(words.decode([0, 3], { special: true })).toBe('<|bos|> Mary');
    expect(words.decode([])).toBe('');
  });
});

describe('toSingleToken', () => {
  it('gives the id of one token, with its leading space', async () => {
    const gpt2 = await made('gpt2');
    expect(gpt2.toSingleToken(' Mary')).toBe(goldenOf('gpt2').cases.find(({ text }) => text === ' Mary')!.plain[0]);
    const words = await made('words');
    expect([words.toSingleToken('Mary'), words.toSingleToken(' Mary')]).toEqual([3, 3]);
  });

  it('shows what a longer text became, and what the leading space does', async () => {
    const gpt2 = await made('gpt2');
    const mary = gpt2.toStrTokens('Mary');
    expect(mary.length).toBeGreaterThan(1);
    const shown = mary.map((piece) => JSON.stringify(piece)).join(', ');
    expect(messageOf(() => gpt2.toSingleToken('Mary'))).toBe(
      `gpt2: "Mary" is ${mary.length} tokens (${shown}), not one; " Mary" with a leading space is one.`,
    );
    expect(messageOf(() => gpt2.toSingleToken(' Mary John'))).toContain(
      '" Mary John" is 2 tokens (" Mary", " John"), not one; with and without a leading space it is 2 and',
    );
    expect(messageOf(() => gpt2.toSingleToken(''))).toBe('gpt2: "" is no token at all; pass a text that is one token.');
    const words = await made('words');
    expect(messageOf(() => words.toSingleToken(' Bob'))).toBe(
      'words: "Bob" is not in the vocabulary of 18 tokens; use words that are.',
    );
  });
});

describe('unknown words', () => {
  it('are named once each, and never become a token', async () => {
    const words = await made('words');
    expect(messageOf(() => words.encode('When Bob and Zork, and Bob'))).toBe(
      'words: "Bob", "Zork" are not in the vocabulary of 18 tokens; use words that are.',
    );
    const many = Array.from({ length: 11 }, (_, i) => `w${i}`).join(' ');
    expect(messageOf(() => words.encode(many))).toContain('"w7" and 3 more are not in');
  });

  it('are no error where the text itself spells the unknown token', async () => {
    const gpt2 = await made('gpt2');
    const ids = gpt2.encode('one<|endoftext|>two');
    expect(ids.filter((id) => id === 0)).toHaveLength(1);
  });

  it('ids outside the vocabulary are an error', async () => {
    const words = await made('words');
    for (const id of [18, -1, 0.5, NaN])
      expect(messageOf(() => words.decode([3, id]))).toBe(
        `words: there is no token with id ${id}; ids are integers in [0, 18).`,
      );
  });
});

describe('wordLevelTokenizer', () => {
  const list = [
    'When',
    'Mary',
    'and',
    'John',
    'went',
    'to',
    'the',
    'store',
    ',',
    'gave',
    'a',
    'drink',
    '.',
    'it',
    '?',
    '1999',
  ];

  it("writes the file Python's tokenizers writes", () => {
    const { tokenizer, config } = wordLevelTokenizer(list);
    const { tokenizer: expected, config: expectedConfig } = goldenOf('words');
    expect(JSON.parse(JSON.stringify(tokenizer))).toEqual(expected);
    expect(config).toMatchObject(expectedConfig);
  });

  it('reads prompts and gives them back', async () => {
    const { tokenizer, config } = wordLevelTokenizer(list);
    const words = await createTokenizer(tokenizer, config);
    const prompt = 'When Mary and John went to the store, John gave a drink to';
    expect(words.encode(prompt)).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 5, 11, 12, 13, 7]);
    expect(words.decode(words.encode(prompt))).toBe(prompt);
    expect(words.toStrTokens(prompt).slice(0, 3)).toEqual(['<|bos|>', 'When', ' Mary']);
    expect(words.toStrTokens(prompt).slice(1).join('')).toBe(prompt);
  });

  it('holds any ASCII word, also names that objects inherit', async () => {
    const odd = ['__proto__', 'constructor', '7', '##', '...', 'toString'];
    const { tokenizer, config } = wordLevelTokenizer(odd);
    const words = await createTokenizer(JSON.parse(JSON.stringify(tokenizer)) as object, config);
    expect(words.encode(odd.join(' '), { bos: false })).toEqual([2, 3, 4, 5, 6, 7]);
    expect(words.toStrTokens([2, 5])).toEqual(['__proto__', ' ##']);
  });

  it('refuses a word that would be cut or is there twice', () => {
    expect(messageOf(() => wordLevelTokenizer(['a', "don't"]))).toContain(
      'wordLevelTokenizer: "don\'t" is not one word',
    );
    expect(messageOf(() => wordLevelTokenizer(['a b']))).toContain('is not one word');
    expect(messageOf(() => wordLevelTokenizer(['']))).toContain('is not one word');
    expect(messageOf(() => wordLevelTokenizer(['a', 'b', 'a']))).toBe(
      'wordLevelTokenizer: "a" is there twice; list each word once.',
    );
    expect(messageOf(() => wordLevelTokenizer(['a'], { bos: 'x', unk: 'x' }))).toContain('bos and unk are both "x"');
  });
});

describe('loading', () => {
  it('names the file that is missing or damaged', async () => {
    const who = `tokenizer ${folder}`;
    expect(await rejectionOf(loadTokenizer(join(folder, 'none')))).toContain('there is no such folder');
    expect(await rejectionOf(loadTokenizer(folder))).toBe(`${who}: looked for tokenizer.json and did not find it.`);
    await writeFile(join(folder, 'tokenizer.json'), '{"model":');
    expect(await rejectionOf(loadTokenizer(folder))).toContain(`${who}: tokenizer.json is not JSON (`);
    await writeFile(join(folder, 'tokenizer.json'), '{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}');
    expect(await rejectionOf(loadTokenizer(folder))).toContain('tokenizer.json at "model');
    await writeFile(
      join(folder, 'tokenizer.json'),
      JSON.stringify({ ...goldenOf('gpt2').tokenizer, pre_tokenizer: { type: 'Telepathy' } }),
    );
    expect(await rejectionOf(loadTokenizer(folder))).toContain(
      'the pre-tokenizer "Telepathy" is not supported; Sequence, BertPreTokenizer, ByteLevel,',
    );
  });

  it('names the field and the pattern that are not as they should be', async () => {
    const { tokenizer, config } = goldenOf('gpt2');
    const split = (pattern: object): object => ({
      ...tokenizer,
      pre_tokenizer: { type: 'Split', pattern, behavior: 'Isolated', invert: false },
    });
    expect(await rejectionOf(createTokenizer(split({ Glob: '*' }), config))).toBe(
      'tokenizer: the pre-tokenizer Split of tokenizer.json, at "pattern": Invalid input.',
    );
    expect(await rejectionOf(createTokenizer(split({ Regex: String.raw`(a)\1` }), config))).toContain(
      'the pre-tokenizer Split of tokenizer.json cannot be used: the pattern "(a)\\\\1" has \\1, which is not supported,',
    );
  });

  it('touches no network, prints nothing and writes nothing', async () => {
    const fetched = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new Error('no network'));
    const printed = (['log', 'warn', 'error', 'info', 'debug'] as const).map((level) => vi.spyOn(console, level));
    const { tokenizer, config } = goldenOf('llama');
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
    await writeFile(
      join(folder, 'tokenizer_config.json'),
      JSON.stringify({
        ...config,
        tokenizer_class: 'NobodyKnowsTokenizer',
        bos_token: { content: '<s>', lstrip: false },
      }),
    );
    const loaded = await loadTokenizer(folder);
    expect(loaded.encode('Mary')[0]).toBe(1);
    expect(loaded.kind).toBe('NobodyKnowsTokenizer');
    expect(fetched).not.toHaveBeenCalled();
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
    expect((await readdir(folder)).sort()).toEqual(['tokenizer.json', 'tokenizer_config.json']);
    vi.restoreAllMocks();
  });

  it('reads merges as pairs and as strings alike', async () => {
    const { tokenizer, config, cases } = goldenOf('llama3');
    const model = tokenizer.model as { merges: [string, string][] };
    expect(model.merges[0]).toHaveLength(2);
    const old = await createTokenizer(
      { ...tokenizer, model: { ...model, merges: model.merges.map((pair) => pair.join(' ')) } },
      config,
    );
    for (const { text, full } of cases) expect(old.encode(text)).toEqual(full);
  });

  it.each(['gpt2', 'bert', 'words'])(
    'tells the type of a %s model from its fields where an old file leaves it out',
    async (name) => {
      const { tokenizer, config, cases } = goldenOf(name);
      const { type, ...model } = tokenizer.model as { type: string };
      expect(type).toBeTypeOf('string');
      const old = await createTokenizer({ ...tokenizer, model }, config);
      const { text, full } = cases[0];
      expect(old.encode(text)).toEqual(full);
    },
  );

  it('of 200 seeded mutations ends in one clear error or a working tokenizer', async () => {
    let errors = 0;
    for (let seed = 0; seed < 200; seed++) {
      const random = createRandom(seed, 'tokenizer');
      const { name, tokenizer, config } = golden.tokenizers[seed % golden.tokenizers.length];
      let text = JSON.stringify(tokenizer);
      const at = random.integer(text.length);
      const edits = [
        () => text.slice(0, at),
        () => text.slice(0, at) + String.fromCharCode(32 + random.integer(95)) + text.slice(at + 1),
        () => text.replace(/"type":"[A-Za-z]+"/, '"type":"Nothing"'),
        () =>
          replaceOne(
            text,
            /:\d+/g,
            [':-1', ':1e9', ':0.5', ':"x"', ':9007199254740993'][random.integer(5)],
            random.integer(50),
          ),
        () =>
          replaceOne(
            text,
            /null|true|false|\[\]/g,
            ['{}', '[]', '0', '"x"', '[['.repeat(20_000)][random.integer(5)],
            random.integer(20),
          ),
        () => replaceOne(text, /"[a-z_]+":/g, '"other":', random.integer(20)),
      ];
      text = edits[random.integer(edits.length)]();
      await writeFile(join(folder, 'tokenizer.json'), text);
      await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
      const started = performance.now();
      try {
        const loaded = await loadTokenizer(folder);
        loaded.toStrTokens('When Mary and John went to the store');
        loaded.decode([0, 1, 2]);
      } catch (error) {
        if (!(error instanceof SpexlensError)) throw new Error(`${name}, seed ${seed}`, { cause: error });
        expect(error.message).toMatch(/^tokenizer [^\n]+\.$/);
        errors++;
      }
      expect(performance.now() - started).toBeLessThan(2000);
    }
    expect(errors).toBeGreaterThan(80);
  });
});

/** `text` with match number `index` of `pattern` replaced. */
function replaceOne(text: string, pattern: RegExp, by: string, index: number): string {
  const matches = [...text.matchAll(pattern)];
  const hit = matches[index % matches.length];
  return text.slice(0, hit.index) + by + text.slice(hit.index + hit[0].length);
}
