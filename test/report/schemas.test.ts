/** The JSON Schemas that are committed are those that the program reads by, and what it writes fits them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { schemaFiles } from '../../scripts/build-schemas.ts';
import { openRunLog } from '../../src/measure/run-log.ts';
import { readRunLog } from '../../src/measure/read-run-log.ts';
import { runLogEntry, runLogHeader } from '../../src/measure/run-log-schema.ts';
import { entriesOf, studyOf } from '../measure/run-log-fixtures.ts';

describe('schema/', () => {
  it('is what scripts/build-schemas.ts writes', () => {
    const folder = resolve(import.meta.dirname, '../../schema');
    const committed = Object.fromEntries(
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
    );
    expect(committed).toEqual(schemaFiles());
  });

  it('describes the lines of a run log, which can be read while it is written', () => {
    const folder = mkdtempSync(join(tmpdir(), 'schemas-'));
    const path = join(folder, 'run-log.jsonl');
    const log = openRunLog(path, studyOf());
    try {
      log.append(entriesOf({ '00': 1, '03': -0.5 }));
      const [header, ...entries] = readFileSync(path, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      expect(runLogHeader.safeParse(header).success).toBe(true);
      expect(entries.map((entry) => runLogEntry.parse(entry).value)).toEqual([1, -0.5]);
      const read = readRunLog(path);
      expect(read.hash).toBe(log.hash);
      expect([...read.entries()].flatMap(({ values }) => [...values])).toEqual([1, -0.5]);
    } finally {
      log.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('is not found in a file that is no log', () => {
    expect(() => readRunLog(resolve(import.meta.dirname, '../../package.json'))).toThrow(
      /does not begin with a run-log header/,
    );
  });
});
