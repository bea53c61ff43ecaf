/** Records on disk, whatever kind: result.json of circuits, prompt and data; patch.json of patch. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fail } from '../../src/errors.ts';
import { renderReport } from '../../src/report/html.ts';
import { patchPage } from '../../src/report/patch-page.ts';
import { parsePatches, type PatchRecord } from '../../src/report/patch-record.ts';
import { parseResult, type Result } from '../../src/report/result.ts';
import { measuredBeside } from '../measured-beside.ts';

export type AnyRecord =
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'patches'; readonly patches: readonly PatchRecord[] };

/** The record at `path`. @throws 'input' where it cannot be read or is none. */
export function readRecord(path: string): AnyRecord {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw fail('input', 'record', `${path} cannot be read (${code}); give a result.json or a patch.json.`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { kind: 'result', result: parseResult(text, path) }; // which says what is wrong with it
  }
  return Array.isArray(json)
    ? { kind: 'patches', patches: parsePatches(json, path) }
    : { kind: 'result', result: parseResult(json, path) };
}

/** The page of the record at `path`; values of the run log beside it are in it. */
export function pageOf(record: AnyRecord, path: string): string {
  if (record.kind === 'patches') return patchPage(record.patches);
  return renderReport(record.result, measuredBeside(join(dirname(path), 'run-log.jsonl'), record.result));
}
