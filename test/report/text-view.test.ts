/** The text itself on a page and in a terminal, whatever stands in it. */
import { describe, expect, it } from 'vitest';
import { explain } from '../../src/explain.ts';
import { gameFromFunction } from '../../src/game.ts';
import { isKept } from '../../src/masks.ts';
import { interactionCsv, playerCsv } from '../../src/report/csv.ts';
import { renderReport } from '../../src/report/html.ts';
import { recordOf } from '../../src/report/record.ts';
import type { Result } from '../../src/report/result.ts';
import { terminalReport } from '../../src/report/terminal.ts';
import { ranksOf, textParts, textView } from '../../src/report/text-view.ts';

/** Words of `text`, of which the first two act together, the third does harm and the others nothing. */
async function resultOf(text: string): Promise<Result> {
  const players = [...text.matchAll(/\S+/gu)].map(({ 0: word, index }, k) => ({
    name: `${word} (${k})`,
    place: { kind: 'span' as const, pieces: [{ start: index, end: index + word.length }] },
  }));
  const game = gameFromFunction('mood', players, (row, masks) => {
    const has = (k: number): number => Number(isKept(masks, row, k));
    return 3 * has(0) * has(1) - 2 * has(2);
  });
  const explanation = await explain(game, { budget: 64, heldOut: 0, seed: 0 });
  return recordOf(explanation, { task: { prompts: [{ text, tokens: [] }], metric: 'mood', players: 'words' } });
}

describe('a text of players', () => {
  it('is whole, in order, with what is kept between the words', async () => {
    const text = ' not great,\n but dull ';
    const parts = textParts(await resultOf(text)) ?? [];
    expect(parts.map((part) => part.text).join('')).toBe(text);
    expect(parts.filter(({ player }) => player !== undefined).map(({ player }) => player)).toEqual([0, 1, 2, 3]);
  });

  it('tints by value, says the sign without colour, numbers partners and outlines them', async () => {
    const result = await resultOf('not great but dull');
    const html = textView(result)?.html ?? '';
    expect(
      [...html.matchAll(/class="part (\w+) p(\d)" data-player="\d" tabindex="0" style="--tint:(\d+)%"/gu)].map((m) =>
        m.slice(1),
      ),
    ).toEqual([
      ['up', '0', '34'],
      ['up', '1', '34'],
      ['down', '2', '45'],
      ['none', '3', '0'],
    ]);
    expect(ranksOf(result)).toEqual([[1], [1], [], []]);
    expect(html).toContain('.played:has(.p0:is(:hover, :focus)) :is(.p1)');
    expect(html).toContain('<bdi>not (0) × great (1)</bdi>');
    expect(html).toContain('dull (3): no effect alone in the answer');
  });

  it('draws no tint where a value is within two standard errors of nothing, and says so', async () => {
    const result = await resultOf('not great but dull');
    const noisy = result.values.map((value, k) => ({ ...value, standardError: k === 0 ? 1 : 0.1 }));
    const html = textView({ ...result, values: noisy })?.html ?? '';
    expect([...html.matchAll(/class="part (\w+(?: noise)?) p\d"/gu)].map(([, each]) => each)).toEqual([
      'up noise',
      'up',
      'down',
      'none noise',
    ]);
    expect(html).toMatch(/not \(0\): alone \+1\.50[^"]*, which may be noise/u);
    expect(html.match(/may be noise/gu)).toHaveLength(1);
  });

  it('cannot open a tag or a style', async () => {
    const html = renderReport(await resultOf('</style><script>alert(1)</script> "onload="x" \u202Eevil <b>'));
    expect(html).not.toMatch(/<script>alert|<b>evil|\u202E/u);
    expect(html.match(/<script/gu)?.length).toBe(2); // its data and its own
    expect(html).toContain('&#60;script&#62;');
  });

  it('fits a terminal, and loses nothing without colour', async () => {
    const text = `not great but ${'word '.repeat(3)}${'漢字'.repeat(60)}`;
    const story = terminalReport(await resultOf(text), { color: false, width: 60 });
    expect(story).toContain('not great but word word word');
    expect(story).toMatch(/but \(2\) −2\.00 · (?:not \(0\) \+1\.50|great \(1\) \+1\.50) · /u);
  });

  it('is not drawn for players that are no spans, or of another text', async () => {
    const result = await resultOf('not great but dull');
    expect(textView({ ...result, players: result.players.map(({ name }) => ({ name })) })).toBeUndefined();
    expect(textView({ ...result, task: { ...result.task, prompts: [{ text: 'not', tokens: [] }] } })).toBeUndefined();
  });

  it('has its tables as CSV, whatever the names', async () => {
    const result = await resultOf('a,"b" c d e');
    expect(playerCsv(result).split('\r\n')[1]).toMatch(/^"a,""b"" \(0\)",0,5,1\.5/);
    expect(interactionCsv(result).split('\r\n')[1]).toMatch(/^1,2,"\[""a,\\""b\\"" \(0\)"",""c \(1\)""\]",0\.75/);
  });
});
