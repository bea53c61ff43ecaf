/** The tables of docs/circuit-methods.md from measured records. */
import { comparisonMarkdown } from '../../src/report/comparison-text.ts';
import type { ComparisonRecord } from '../../src/report/comparison-record.ts';
import { RIVALS, type Question } from './cells.ts';

/** What was measured of a question: a record a method, none where it was not. */
export interface Measured {
  readonly question: Question;
  readonly records: readonly ComparisonRecord[];
}

/** Every method on one question: their table, and why others could not be run. */
export function questionTable({ question, records }: Measured): string {
  const [first] = records;
  if (first === undefined) return `**${question.title}**: not measured.`;
  const methods = records.flatMap((record) => record.methods);
  const refusals = records.flatMap((record) => record.refusals);
  const missing = question.methods.filter((name) => ![...methods, ...refusals].some((each) => each.name === name));
  return [
    `**${question.title}**; ${first.task.metric} ${first.full.toFixed(2)} with all kept, ${first.empty.toFixed(2)} with none; ${first.backend.split(',')[0]}`,
    '',
    comparisonMarkdown({ ...first, methods }).trimEnd(),
    ...(refusals.length === 0 ? [] : ['', ...refusals.map(({ name, why }) => `* \`${name}\`: ${why}`)]),
    ...(missing.length === 0 ? [] : ['', `Not measured: ${missing.join(', ')}.`]),
  ].join('\n');
}

/** CMD of a few methods, a row a question, and how often steering is no worse than each other one. */
export function rivalsTable(measured: readonly Measured[]): string {
  const rows = measured.flatMap(({ question, records }) => {
    const scores = RIVALS.map(
      (name) => records.flatMap(({ methods }) => methods).find((method) => method.name === name)?.cmd,
    );
    return scores.some((score) => score !== undefined) ? [{ title: question.title, scores }] : [];
  });
  const steered = RIVALS.indexOf('steered');
  const counts = RIVALS.map((_, k) => {
    if (k === steered) return '';
    const both = rows.filter(({ scores }) => scores[k] !== undefined && scores[steered] !== undefined);
    const won = both.filter(({ scores }) => (scores[steered] as number) <= (scores[k] as number));
    return `${won.length} of ${both.length}`;
  });
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(['CMD', ...RIVALS]),
    line(['---', ...RIVALS.map(() => '---:')]),
    ...rows.map(({ title, scores }) => {
      const least = Math.min(...scores.filter((score) => score !== undefined));
      return line([
        title,
        ...scores.map((score) => {
          const text = score?.toFixed(3) ?? '';
          return score === least ? `**${text}**` : text;
        }),
      ]);
    }),
    line(['`steered` is no worse on', ...counts]),
  ].join('\n');
}
