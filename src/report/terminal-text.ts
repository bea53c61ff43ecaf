/**
 * A text whose parts are players, in a terminal: the words coloured by their value, and the largest of them as a list, which says
 * the same where there is no colour.
 */
import type pc from 'picocolors';
import type { Result } from './result.ts';
import { visibleToken } from './output-heat-map.ts';
import { textParts } from './text-view.ts';
import { columnsOf, largest, numberFormat, oneLine, unitSuffix } from './wording.ts';

/** Words listed beside the text, and lines of text before it is cut. */
const LISTED = 10;
const LINES = 24;

/** The lines of the section; none where the players are not spans of a text. */
export function textLines(result: Result, colors: ReturnType<typeof pc.createColors>, width: number): string[] {
  const parts = textParts(result);
  if (parts === undefined) return [];
  const { players, values } = result;
  const most = largest(values.map(({ banzhaf }) => banzhaf));
  const paint = (word: string, player: number | undefined): string => {
    if (player === undefined) return colors.dim(word);
    const { banzhaf } = values[player];
    if (banzhaf === 0) return word;
    const strong = Math.abs(banzhaf) >= most / 3 ? colors.bold : (text: string): string => text;
    return strong(banzhaf > 0 ? colors.blue(word) : colors.yellow(word));
  };
  const lines: string[] = [];
  let [line, columns] = ['', 0];
  for (const { text, player } of parts)
    for (const token of text.match(/\s+|\S+/gu) ?? []) {
      if (token.trim() === '') {
        if (columns > 0) [line, columns] = [`${line} `, columns + 1];
        continue;
      }
      const word = oneLine(token, width - 2);
      const wide = columnsOf(word);
      if (columns + wide > width - 2) {
        lines.push(line.trimEnd());
        [line, columns] = ['', 0];
      }
      [line, columns] = [line + paint(word, player), columns + wide];
    }
  lines.push(line.trimEnd());
  const shown =
    lines.length > LINES ? [...lines.slice(0, LINES), `... ${lines.length - LINES} more lines are on the page`] : lines;
  const format = numberFormat(most, { signed: true });
  const ranked = players
    .map((_, player) => player)
    .filter((player) => values[player].banzhaf !== 0)
    .sort((a, b) => Math.abs(values[b].banzhaf) - Math.abs(values[a].banzhaf) || a - b)
    .slice(0, LISTED)
    .map((player) => `${oneLine(players[player].name, 24)} ${format(values[player].banzhaf)}`);
  return [
    `${colors.bold('the text')}  ${colors.dim(`Banzhaf values${oneLine(unitSuffix(result), 20) && `, in ${oneLine(unitSuffix(result), 20).trim()}`}; largest first`)}`,
    ...shown.map((each) => `  ${each}`),
    ...wrapped(ranked, width - 4).map((each) => `  ${each}`),
  ];
}

/** Tokens of an answer that are listed, and parts of each. */
const [MOST_TOKENS, MOST_PARTS] = [30, 5];

/** A line for every token of an answer: its part of the value, and the words that it owes most to. */
export function outputLines(result: Result, colors: ReturnType<typeof pc.createColors>, width: number): string[] {
  const { outputs, players } = result;
  if (outputs === undefined) return [];
  const shown = outputs.tokens.slice(0, MOST_TOKENS);
  const format = numberFormat(largest(shown.flatMap(({ values }) => values)), { signed: true });
  const plain = numberFormat(largest(shown.map(({ clean }) => clean)), { signed: true });
  const [wide, far] = [
    shown.map(({ text }) => columnsOf(visibleToken(text))),
    shown.map(({ clean }) => plain(clean).length),
  ];
  const lines = shown.map(({ text, clean, values }, k) => {
    const parts = values
      .map((_, player) => player)
      .filter((player) => values[player] !== 0)
      .sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b)
      .slice(0, MOST_PARTS)
      .map((player) => `${oneLine(players[player].name, 16)} ${format(values[player])}`);
    const start = `${visibleToken(text)}${' '.repeat(Math.max(...wide) - wide[k])}  ${plain(clean).padStart(Math.max(...far))}`;
    return `  ${start}  ${wrapped(parts, Math.max(20, width - columnsOf(start) - 4))[0] ?? ''}`;
  });
  const more = outputs.tokens.length - shown.length;
  return [
    `${colors.bold('token by token')}  ${colors.dim("each token's log-probability, and the parts that it owes most to")}`,
    ...lines,
    ...(more > 0 ? [`  ... ${more} more tokens are on the page`] : []),
  ];
}

/** An answer as its token is written, the space before it made visible. */
export function answerText(token: string): string {
  return oneLine(token.replaceAll(' ', '␣'), 20);
}

/** Items separated by ` · `, in lines of at most `width` columns. */
export function wrapped(items: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last !== undefined && columnsOf(last) + 3 + columnsOf(item) <= width)
      lines[lines.length - 1] = `${last} · ${item}`;
    else lines.push(oneLine(item, width));
  }
  return lines;
}

/** Words in lines of at most `width`; what does not fit in `rows` lines is counted in the last. */
export function cutWords(words: readonly string[], width: number, rows: number): string[] {
  const lines: string[] = [''];
  for (let k = 0; k < words.length; k++) {
    const line = lines[lines.length - 1];
    const more = `and ${words.length - k} more`;
    const last = lines.length === rows && k < words.length - 1;
    const room = width - (last ? more.length + 2 : 0);
    if (columnsOf(line) + columnsOf(words[k]) + 1 <= room)
      lines[lines.length - 1] = line === '' ? words[k] : `${line} ${words[k]}`;
    else if (lines.length < rows) lines.push(words[k]);
    else {
      lines[lines.length - 1] = `${line} ${more}`;
      break;
    }
  }
  return lines;
}
