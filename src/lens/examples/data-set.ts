/**
 * Labelled examples, as files hold them: JSONL with a text or a vector, or CSV with a column each.
 *
 * A label is kept as it is written, "3" or "positive". What else a line says are fields, which may name its group.
 */
import { fail } from '../../errors.ts';

/** A text or a vector with its label. */
export interface Example {
  /** Words; or the numbers of `vector`. */
  readonly text?: string | undefined;
  readonly vector?: readonly number[] | undefined;
  readonly label: string;
  /** Everything else that is known of it. */
  readonly fields: Readonly<Record<string, string>>;
}

/** JSONL: `{"text": "...", "label": "..."}` or `{"vector": [...], "label": 3}` a line; other fields are kept. @throws 'input' naming the line. */
export function parseJsonl(content: string, who: string): Example[] {
  const examples: Example[] = [];
  content
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .forEach((line, at) => {
      if (line.trim() === '') return;
      const wrong = (what: string): never => {
        throw fail('input', who, `line ${at + 1}: ${what}`);
      };
      let parsed: unknown;
      try {
        parsed = JSON.parse(line);
      } catch {
        return wrong('is no JSON; one object a line is needed, {"text": "...", "label": "..."}.');
      }
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
        return wrong('is no object; {"text": "...", "label": "..."} is needed.');
      const { text, vector, label, ...rest } = parsed as Record<string, unknown>;
      if (typeof label !== 'string' && typeof label !== 'number')
        return wrong(`has ${label === undefined ? 'no label' : 'a label that is neither text nor a number'}.`);
      if (text !== undefined && typeof text !== 'string') return wrong('has a text that is none.');
      if ((text === undefined) === (vector === undefined)) return wrong('has to have a text or a vector, one of them.');
      if (vector !== undefined && !(Array.isArray(vector) && vector.every((x) => Number.isFinite(x))))
        return wrong('has a vector that is no list of finite numbers.');
      const fields = Object.fromEntries(
        Object.entries(rest).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
      );
      examples.push({ text, vector: vector as number[] | undefined, label: String(label), fields });
    });
  return atLeastOne(examples, who);
}

/**
 * CSV with a header: the column `label` (or the last one), every column of numbers a part of the vector in their order, every other
 * a field. Quoted cells as in RFC 4180. @throws 'input' naming the line.
 */
export function parseCsv(content: string, who: string, labelColumn?: string): Example[] {
  const rows = cellsOf(content.replace(/^\uFEFF/, ''), who);
  const header = rows.shift()?.map((name) => name.trim()) ?? [];
  const named = labelColumn ?? (header.includes('label') ? 'label' : header[header.length - 1]);
  const at = header.indexOf(named);
  if (at < 0) throw fail('input', who, `has no column "${named}"; there are ${header.join(', ')}.`);
  rows.forEach((row, r) => {
    if (row.length !== header.length)
      throw fail('input', who, `row ${r + 1} has ${row.length} cells; the header has ${header.length}.`);
  });
  const isNumber = header.map(
    (_, column) =>
      column !== at && rows.every((row) => row[column].trim() !== '' && Number.isFinite(Number(row[column]))),
  );
  if (!isNumber.includes(true)) throw fail('input', who, 'has no column of numbers beside the label.');
  return atLeastOne(
    rows.map((row) => ({
      vector: row.flatMap((cell, column) => (isNumber[column] ? [Number(cell)] : [])),
      label: row[at].trim(),
      fields: Object.fromEntries(
        header.flatMap((name, column) => (column === at || isNumber[column] ? [] : [[name, row[column]]])),
      ),
    })),
    who,
  );
}

function atLeastOne(examples: Example[], who: string): Example[] {
  if (examples.length === 0) throw fail('input', who, 'holds no example.');
  return examples;
}

function cellsOf(content: string, who: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let quoted = false;
  const endRow = (): void => {
    row.push(cell);
    if (row.length > 1 || row[0] !== '') rows.push(row);
    [row, cell] = [[], ''];
  };
  for (let i = 0; i < content.length; i++) {
    const c = content[i];
    if (quoted) {
      if (c !== '"') cell += c;
      else if (content[i + 1] === '"') cell += content[++i];
      else quoted = false;
    } else if (c === '"' && cell === '') quoted = true;
    else if (c === ',') {
      row.push(cell);
      cell = '';
    } else if (c === '\n') endRow();
    else if (c !== '\r' || content[i + 1] !== '\n') cell += c;
  }
  if (quoted) throw fail('input', who, 'ends inside a quoted cell.');
  if (cell !== '' || row.length > 0) endRow();
  return rows;
}
