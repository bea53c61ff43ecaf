/** A comparison of circuit finders in a terminal and in Markdown: one table. Pure. */
import pc from 'picocolors';
import { columnsText, comparisonColumns, isBest, ranked } from './comparison-columns.ts';
import type { ComparisonRecord } from './comparison-record.ts';
import { columnsOf, countOf, largest, numberFormat, oneLine, whole } from './wording.ts';

export interface ComparisonTextOptions {
  readonly color?: boolean | undefined;
  /** Columns; a table that is wider is broken into parts. Default 120. */
  readonly width?: number | undefined;
}

/** The table, what it was asked of, and who could not be run; ends with a newline. */
export function comparisonText(record: ComparisonRecord, { color, width = 120 }: ComparisonTextOptions = {}): string {
  const colors = pc.createColors(color ?? false);
  const { name, players, task, full, empty, budget, backend, refusals, judged } = record;
  const format = numberFormat(largest([full, empty]));
  const unit = task.unit === '' ? '' : ` ${task.unit}`;
  return [
    colors.bold(oneLine(`${countOf(players.length, task.players)} of ${name}, ${task.ablation} ablation`, width)),
    oneLine(`${task.metric} ${format(full)}${unit} with all kept, ${format(empty)} with none; ${backend}`, width),
    ...wrapped(
      `at most ${countOf(budget, 'masks')} each, one with gradients counting 3; ${whole(judged)} more to judge them all${task.judged === null ? '' : `, on ${countOf(task.judged.length, 'other prompts')}`}`,
      width,
    ),
    '',
    ...tableLines(record, width, colors.bold),
    '',
    ...refusals.map(({ name: method, why }) => oneLine(`${method} could not be run: ${why}`, width)),
    ...wrapped(columnsText(record), width).map((line) => colors.dim(line)),
    '',
  ].join('\n');
}

/** The table in Markdown, the best of a column in bold; ends with a newline. */
export function comparisonMarkdown(record: ComparisonRecord): string {
  const columns = comparisonColumns(record);
  const methods = ranked(record);
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  return [
    row(['method', ...columns.map(({ title }) => title)]),
    row(['---', ...columns.map(() => '---:')]),
    ...methods.map((method) =>
      row([
        method.name,
        ...columns.map((column) =>
          isBest(column, method, methods) ? `**${column.cell(method)}**` : column.cell(method),
        ),
      ]),
    ),
  ].join('');
}

function tableLines(record: ComparisonRecord, width: number, bold: (text: string) => string): string[] {
  const methods = ranked(record);
  const names = ['method', ...methods.map(({ name }) => name)];
  const left = Math.max(...names.map(columnsOf));
  const columns = comparisonColumns(record).map((column) => {
    const cells = [column.title, ...methods.map(column.cell)].map((cell) => cell.replaceAll('\u00a0', ' '));
    const wide = 2 + Math.max(...cells.map(columnsOf));
    const lines = cells.map((cell, k) => {
      const padded = ' '.repeat(wide - columnsOf(cell)) + cell;
      return k > 0 && isBest(column, methods[k - 1], methods) ? bold(padded) : padded;
    });
    return { wide, lines };
  });
  const lines: string[] = [];
  for (let start = 0; start < columns.length; ) {
    let [end, used] = [start, left];
    while (end < columns.length && (end === start || used + columns[end].wide <= width)) used += columns[end++].wide;
    if (start > 0) lines.push('');
    names.forEach((name, k) => {
      const cells = columns.slice(start, end).map((column) => column.lines[k]);
      lines.push(name + ' '.repeat(left - columnsOf(name)) + cells.join(''));
    });
    start = end;
  }
  return lines;
}

/** Words in lines of at most `width` columns. */
function wrapped(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== '' && columnsOf(last) + 1 + columnsOf(word) > width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
