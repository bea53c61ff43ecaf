/** What a word is, which tokens are whose, and what is refused. Tokenizers: small ones written here, and the golden real ones. */
import { describe, expect, it } from 'vitest';
import { cutText, type Unit } from '../../../src/lens/tokens/cut-text.ts';
import { checkSpans, matchesOf, outside, parseSpans, unmark } from '../../../src/lens/tokens/spans.ts';
import { toPlayers, type PlayedText, type TextPlayersOptions } from '../../../src/lens/tokens/text-players.ts';
import type { Model } from '../../../src/model/model.ts';
import { createTokenizer } from '../../../src/tokenizer/tokenizer.ts';
import { CONFIGS } from '../../tensors.ts';

const cut = (text: string, unit: Unit, separator?: string): string[] =>
  cutText(text, unit, { separator }).map(({ start, end }) => text.slice(start, end));

describe('a word', () => {
  it.each([
    ["I don't e-mail R&D.", ['I', "don't", 'e-mail', 'R&D.']],
    ['not great, and dull!', ['not', 'great,', 'and', 'dull!']],
    ['great,but dull', ['great,', 'but', 'dull']],
    ['He said: "Go (now)" -- twice.', ['He', 'said:', '"Go', '(now)" --', 'twice.']],
    ['-- so it was', ['-- so', 'it', 'was']],
    ['3.14 + 2 = 5.14', ['3.14', '+', '2', '=', '5.14']],
    ['good😀 👩‍👩‍👧 bad', ['good', '😀', '👩‍👩‍👧', 'bad']],
    ['cafe\u0301 naïve Zürich', ['cafe\u0301', 'naïve', 'Zürich']],
    ['我喜欢猫。', ['我', '喜欢', '猫。']],
    ['हिन्दी भाषा', ['हिन्दी', 'भाषा']],
    ['  spaced \n\t out  ', ['spaced', 'out']],
    ['...', ['...']],
  ])('%s', (text, words) => {
    expect(cut(text, 'words')).toEqual(words);
  });

  it('is cut out of any text without overlap, and no visible character is lost', () => {
    const text = '¿Qué? "A-b" (c) d’e 😀😀 -x 12:30 a/b … 漢字かな交じり文。\r\n\u00a0end';
    for (const unit of ['words', 'sentences', 'paragraphs', 'examples'] as const) {
      const pieces = cutText(text, unit);
      pieces.forEach(({ start, end }, k) => {
        expect(end).toBeGreaterThan(start);
        if (k > 0) expect(start).toBeGreaterThanOrEqual(pieces[k - 1].end);
      });
      const all = pieces.map(({ start, end }) => text.slice(start, end)).join('');
      expect(all.replace(/\s/gu, '')).toBe(text.replace(/\s/gu, ''));
    }
  });
});

describe('larger parts', () => {
  it('are sentences, which no title ends', () => {
    expect(cut('Dr. Smith left. Who cares? I do!', 'sentences')).toEqual(['Dr. Smith left.', 'Who cares?', 'I do!']);
  });
  it('are paragraphs and examples between separators', () => {
    expect(cut('a b\nc\n \nd\n\n\ne\n', 'paragraphs')).toEqual(['a b\nc', 'd', 'e']);
    expect(cut('x: 1 ## y: 2 ## ', 'examples', '##')).toEqual(['x: 1', 'y: 2']);
    expect(() => cut('x', 'examples', '')).toThrow(/separator is empty/);
  });
});

describe('spans', () => {
  const text = 'one two three';
  it('are refused when they are empty, overlap or leave the text, with their numbers', () => {
    expect(() => checkSpans([{ start: 2, end: 2 }], text)).toThrow('span 0 is [2, 2), which is empty');
    expect(() => checkSpans([{ start: 8, end: 20 }], text)).toThrow('[8, 20), and the text has 13 characters');
    expect(() =>
      checkSpans(
        [
          { start: 4, end: 9 },
          { start: 0, end: 5 },
        ],
        text,
      ),
    ).toThrow('span 1 [0, 5) and span 0 [4, 9) overlap');
    expect(() => parseSpans('{')).toThrow(/is not JSON/);
    expect(() => parseSpans('[{"start": 0}]')).toThrow(/0\.end/);
  });
  it('may be marked in the text', () => {
    expect(unmark('a [[b c]] d[[e]]')).toEqual({
      text: 'a b c de',
      spans: [
        { start: 2, end: 5 },
        { start: 7, end: 8 },
      ],
    });
    for (const wrong of ['a [[b', 'a ]] b', '[[a [[b]]', 'none']) expect(() => unmark(wrong)).toThrow(/^marks/);
  });
  it('lose what is kept', () => {
    const kept = matchesOf(text, 'two');
    expect(outside(text, [{ start: 0, end: 13 }], kept)).toEqual([
      { start: 0, end: 3 },
      { start: 8, end: 13 },
    ]);
    expect(() => matchesOf(text, 'four')).toThrow(/matches nothing/);
    expect(() => matchesOf(text, '(')).toThrow(/is not a regular expression/);
  });
});

/** A byte-level BPE of single bytes and some merges, as GPT-2's: " not", "great" whole. */
async function byteLevel(): Promise<Model> {
  const bytes = [...Array(256).keys()].map((byte) => {
    const plain = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return plain ? String.fromCharCode(byte) : '';
  });
  let next = 256;
  const letters = bytes.map((letter) => (letter === '' ? String.fromCharCode(next++) : letter));
  const merges = ['Ġ n', 'Ġn o', 'Ġno t', 'd Ġ', 'c a', 'ca t'];
  const tokens = [...letters, ...merges.map((merge) => merge.replace(' ', ''))];
  const tokenizer = await createTokenizer(
    {
      added_tokens: [{ id: tokens.length, content: '<s>', special: true }],
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      decoder: { type: 'ByteLevel' },
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges,
      },
    },
    { tokenizer_class: 'GPT2Tokenizer', bos_token: '<s>', add_bos_token: true },
  );
  const config = { ...CONFIGS['gpt2'], dVocab: tokens.length + 1, dVocabOut: tokens.length + 1, nCtx: 64 };
  return { name: 'bytes', config, tokenizer } as unknown as Model;
}

describe('players of a text', () => {
  const played = async (text: string, options: TextPlayersOptions = {}): Promise<PlayedText> =>
    toPlayers(await byteLevel(), text, options);
  const owned = ({ strTokens, owners, players }: PlayedText): string[][] =>
    players.map((_, player) => strTokens.filter((_, i) => owners[i] === player));

  it('are words with their leading space, named as written; BOS is kept', async () => {
    const text = await played('cat not cat');
    expect(text.players.map(({ name }) => name)).toEqual(['cat', 'not', 'cat (2)']);
    expect(owned(text)).toEqual([['cat'], [' not'], [' ', 'cat']]);
    expect(text.owners[0]).toBe(-1);
  });
  it('own a token that goes on into the next word where it begins', async () => {
    // "d " is one token of this vocabulary: it begins in "and".
    const text = await played('and cat');
    expect(text.strTokens).toContain('d ');
    expect(owned(text)).toEqual([['a', 'n', 'd '], ['cat']]);
  });
  it('own all bytes of an emoji, which is one player also among tokens', async () => {
    const text = await played('a😀b', { players: 'tokens' });
    expect(text.players.map(({ name }) => name)).toEqual(['a', '😀', 'b']);
    expect(text.owners).toEqual([-1, 0, 1, 1, 1, 1, 2]);
  });
  it('are one for spans of equal names', async () => {
    const spans = [
      { start: 0, end: 3, name: 'pets' },
      { start: 8, end: 11, name: 'pets' },
      { start: 4, end: 7 },
    ];
    const text = await played('cat not cat', { players: spans });
    expect(text.players.map(({ name }) => name)).toEqual(['pets', 'not']);
    expect(text.players[0].place.pieces).toHaveLength(2);
    expect(owned(text)[0]).toEqual(['cat', ' ', 'cat']);
  });
  it('never get the name of another one', async () => {
    const spans = [
      { start: 0, end: 3, name: 'cat' },
      { start: 4, end: 7 },
      { start: 8, end: 11 },
    ];
    const text = await played('not cat cat', { players: spans });
    expect(text.players.map(({ name }) => name)).toEqual(['cat', 'cat (2)', 'cat (3)']);
  });
  it('leave out what is kept', async () => {
    const text = await played('cat not cat', { kept: [{ start: 4, end: 7 }] });
    expect(text.players.map(({ name }) => name)).toEqual(['cat', 'cat (2)']);
    expect(text.owners.filter((owner) => owner === -1)).toHaveLength(2); // BOS and " not"
  });
  it('are refused where there are none', async () => {
    await expect(played('  ')).rejects.toThrow(/prompt: is empty/);
    await expect(played('cat', { kept: [{ start: 0, end: 3 }] })).rejects.toThrow(/every part of the prompt is kept/);
    await expect(played('cat', { players: [{ start: 1, end: 2 }] })).rejects.toThrow(
      /no token of the prompt begins in "a"/,
    );
    await expect(played('x'.repeat(80))).rejects.toThrow('has 81 tokens; the context of bytes holds 64');
  });
});
