/** Conversations as the templates of checkpoints write them: transformers' text, and ids with special tokens as such. */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { chatPrompt, type ChatMessage } from '../../src/tokenizer/chat.ts';
import { createTokenizer, type Tokenizer } from '../../src/tokenizer/tokenizer.ts';

/** Made by golden/make-tokenizer-kinds.py with transformers 5.24.0. */
const { chats } = JSON.parse(
  gunzipSync(await readFile(new URL('../golden/tokenizer-kinds.json.gz', import.meta.url))).toString(),
) as {
  readonly chats: {
    readonly templates: Readonly<Record<string, string>>;
    readonly messages: readonly (readonly ChatMessage[])[];
    /** template, messages, addGenerationPrompt, text; null and the error where the template refuses */
    readonly rows: readonly (readonly [string, number, boolean, string | null, string?])[];
  };
};

const ALPHABET = [
  ...new Set(['theruser', ...chats.rows.map(([, , , text]) => text ?? '')].flatMap((text) => Array.from(text))),
];
async function tokenizerWith(chat_template: unknown): Promise<Tokenizer> {
  const words = ['<s>', '</s>', '<|im_start|>', '<|im_end|>', '<start_of_turn>', '<end_of_turn>'];
  const special = words.map((content, id) => ({ id, content, special: true, normalized: false }));
  const vocab = Object.fromEntries([...words, ...ALPHABET].map((token, id) => [token, id]));
  return createTokenizer(
    { added_tokens: special, model: { type: 'BPE', vocab, merges: [] }, decoder: { type: 'Fuse' } },
    { chat_template, bos_token: '<s>', eos_token: '</s>', add_bos_token: true },
    'chat',
  );
}
const USER = [{ role: 'user', content: 'hi' }] as const;

describe('chatPrompt', () => {
  const rows = chats.rows.map(([name, which, add, text, problem]) => ({ name, which, add, text, problem }));
  it.each(rows)(
    'writes $name of conversation $which as transformers does',
    async ({ name, which, add, text, problem }) => {
      const tokenizer = await tokenizerWith(chats.templates[name]);
      const made = (): string => chatPrompt(tokenizer, chats.messages[which], { addGenerationPrompt: add }).text;
      if (text === null) expect(made).toThrow(problem);
      else expect(made()).toBe(text);
    },
  );

  it('gives the ids of the text with its special tokens as such, and no second BOS', async () => {
    const tokenizer = await tokenizerWith('{{ bos_token }}<|im_start|>{{ messages[0].content }}<|im_end|>');
    const { text, ids, template } = chatPrompt(tokenizer, USER);
    expect([text, template]).toEqual(['<s><|im_start|>hi<|im_end|>', 'default']);
    expect(tokenizer.toStrTokens(ids)).toEqual(['<s>', '<|im_start|>', 'h', 'i', '<|im_end|>']);
  });

  it('chooses among named templates, the one for tools where tools are given', async () => {
    const tokenizer = await tokenizerWith([
      { name: 'default', template: 'd' },
      { name: 'tool_use', template: 't{{ tools | length }}' },
    ]);
    const of = (options: object): string => chatPrompt(tokenizer, USER, options).text;
    expect([of({}), of({ tools: [{}, {}] }), of({ template: 'default', tools: [] })]).toEqual(['d', 't2', 'd']);
    expect(() => of({ template: 'rag' })).toThrow('there is no chat template "rag"; there are "default", "tool_use".');
  });

  it('hands further variables to the template', async () => {
    const tokenizer = await tokenizerWith('{% if enable_thinking %}the{% else %}her{% endif %}');
    expect(chatPrompt(tokenizer, USER, { variables: { enable_thinking: true } }).text).toBe('the');
  });

  it('says that there is no template, that one cannot be read, and that one does not end', async () => {
    const none = await tokenizerWith(undefined);
    expect(() => chatPrompt(none, USER)).toThrow('the tokenizer has no chat template; it should be in');
    const broken = await tokenizerWith('{% for %}');
    expect(() => chatPrompt(broken, USER)).toThrow('chat template: cannot be read: ');
    const endless = await tokenizerWith(
      '{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% for d in range(1000) %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}',
    );
    const start = performance.now();
    expect(() => chatPrompt(endless, USER)).toThrow('chat template: did not end within 5 s; it is damaged.');
    expect(performance.now() - start).toBeLessThan(20_000);
  }, 30_000);
});
