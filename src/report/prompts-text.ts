/** A list of prompts in a terminal: a line each, then the kinds of parts that act together. */
import type { PromptsRecord } from './prompts-record.ts';
import { columnsOf, joinNames, largest, numberFormat, oneLine, percent, whole } from './wording.ts';

/** Kinds that are listed. */
const MOST_KINDS = 12;

/** The lines, of at most `width` columns; ends with a newline. */
export function promptsText({ name, prompts, kinds }: PromptsRecord, width = 80): string {
  const value = numberFormat(largest(prompts.map((each) => each.largest?.value ?? 0)), { signed: true });
  const fixed = (r2: number | undefined): string => (r2 === undefined ? '    –' : r2.toFixed(3).padStart(6));
  const rows = prompts.map((each) => [
    oneLine(each.name, 24),
    `${whole(each.players)} parts`,
    `R² ${fixed(each.r2)}  first order ${fixed(each.firstOrderR2)}`,
    each.largest === undefined ? 'no interactions' : `${joinNames(each.largest.players)} ${value(each.largest.value)}`,
  ]);
  const format = numberFormat(largest(kinds.map((kind) => kind.value)), { signed: true });
  const pairs = kinds
    .slice(0, MOST_KINDS)
    .map(({ kinds: [a, b], prompts: count, share, times, value: mean }) => [
      `${oneLine(a, 16)} × ${oneLine(b, 16)}`,
      `${whole(count)} prompts`,
      `${percent(share)} of the variance${times === null ? '' : `, ${times.toFixed(1)} times an even share`}`,
      format(mean),
    ]);
  return [
    `${whole(prompts.length)} prompts, ${oneLine(name, 40)}`,
    ...aligned(rows, width),
    ...(pairs.length === 0 ? [] : ['', 'which kinds act together', ...aligned(pairs, width)]),
    '',
  ].join('\n');
}

/** Cells in columns; the last one gives way. */
function aligned(rows: readonly (readonly string[])[], width: number): string[] {
  const wide = rows[0].map((_, k) => Math.max(...rows.map((row) => columnsOf(row[k]))));
  return rows.map((row) =>
    oneLine(
      `  ${row.map((cell, k) => (k === row.length - 1 ? cell : cell + ' '.repeat(wide[k] - columnsOf(cell)))).join('  ')}`,
      width,
    ),
  );
}
