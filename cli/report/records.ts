/** Records on disk, whatever kind: result.json of circuits, prompt and data; patch.json of patch; comparison.json of compare. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail } from '../../src/errors.ts';
import { printableJson } from '../../src/printable.ts';
import { comparisonPage } from '../../src/report/comparison-page.ts';
import { formatComparison, parseComparison, type ComparisonRecord } from '../../src/report/comparison-record.ts';
import { renderReport } from '../../src/report/html.ts';
import { patchPage } from '../../src/report/patch-page.ts';
import { parsePatches, type PatchRecord } from '../../src/report/patch-record.ts';
import { formatResult, parseResult, type Result } from '../../src/report/result.ts';
import { measuredBeside } from '../measured-beside.ts';

export type AnyRecord =
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'patches'; readonly patches: readonly PatchRecord[] }
  | { readonly kind: 'comparison'; readonly comparison: ComparisonRecord };

/** The names that the commands give to records. */
export const RECORD_FILES = ['result.json', 'patch.json', 'comparison.json'] as const;

/** The record at `path`. @throws 'input' where it cannot be read or is none. */
export function readRecord(path: string): AnyRecord {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw fail('input', 'record', `${path} cannot be read (${code}); give a ${RECORD_FILES.join(' or a ')}.`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { kind: 'result', result: parseResult(text, path) }; // which says what is wrong with it
  }
  if (Array.isArray(json)) return { kind: 'patches', patches: parsePatches(json, path) };
  return isComparison(json)
    ? { kind: 'comparison', comparison: parseComparison(json, path) }
    : { kind: 'result', result: parseResult(json, path) };
}

function isComparison(json: unknown): boolean {
  const schema = typeof json === 'object' && json !== null && 'schema' in json ? json.schema : undefined;
  return typeof schema === 'string' && schema.startsWith('spexlens.comparison/');
}

/** The page of the record at `path`; values of the run log beside it are in it. */
export function pageOf(record: AnyRecord, path: string): string {
  switch (record.kind) {
    case 'patches':
      return patchPage(record.patches);
    case 'comparison':
      return comparisonPage(record.comparison);
    case 'result':
      return renderReport(record.result, measuredBeside(join(dirname(path), 'run-log.jsonl'), record.result));
    default:
      return record satisfies never;
  }
}

/** The record as this version writes it. */
export function jsonOf(record: AnyRecord): string {
  switch (record.kind) {
    case 'patches':
      return printableJson(`${JSON.stringify(record.patches, null, 1)}\n`);
    case 'comparison':
      return formatComparison(record.comparison);
    case 'result':
      return formatResult(record.result);
    default:
      return record satisfies never;
  }
}
