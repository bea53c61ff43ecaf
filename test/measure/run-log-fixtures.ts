/** What the tests of the run log share: a study, entries, and processes of their own that open a log. */
import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { maskHex, masksFromHex } from '../../src/masks.ts';
import type { Entries } from '../../src/ledger.ts';
import { openRunLog, type RunLog } from '../../src/measure/run-log.ts';
import { STUDY_VERSION, type Study } from '../../src/study.ts';

export const ROOT = resolve(import.meta.dirname, '../..');

/** A study of `count` heads whose first is called `name`. */
export function studyOf(count = 2, { metric = 'logit', name = 'L0H0' } = {}): Study {
  return {
    spexlens: STUDY_VERSION,
    model: {
      id: 'modèle 🦊',
      weights: '0'.repeat(64),
      configuration: '1'.repeat(64),
      tokenizer: null,
      storage: 'float32',
    },
    backend: 'wasm',
    question: {
      lens: 'components',
      players: Array.from({ length: count }, (_, head) => ({
        name: head === 0 ? name : `L0H${head}`,
        place: { kind: 'head', layer: 0, head },
      })),
      prompts: [{ tokens: [1], correct: 2, incorrect: null, position: null, corrupted: null }],
      metric: { name: metric, definition: null },
      ablation: { name: 'zero', definition: null, rescale: false, data: null },
    },
  };
}

/** Values of masks of `players` players, by hex. */
export const entriesOf = (values: Readonly<Record<string, number>>, players = 2): Entries => ({
  masks: masksFromHex(players, Object.keys(values)),
  values: Float64Array.from(Object.values(values)),
});

/** What a log held when it was opened, by hex. */
export const contentsOf = (log: RunLog): Record<string, number> =>
  Object.fromEntries(
    [...log.entries()].flatMap(({ masks, values }) => Array.from(values, (value, row) => [maskHex(masks, row), value])),
  );

/** Opens, reads and closes: what a later run would find, or the error. */
export function reopened(
  path: string,
  study: Parameters<typeof openRunLog>[1] = studyOf(),
): Record<string, number> | string {
  try {
    const log = openRunLog(path, study);
    try {
      return contentsOf(log);
    } finally {
      log.close();
    }
  } catch (error) {
    return (error as Error).message;
  }
}

const moduleUrl = (file: string): string => JSON.stringify(new URL(`../../${file}`, import.meta.url).href);

/** A module for a process of its own: `source` with what it needs of the run log, `path` and `study` in scope. */
export function scriptOf(path: string, source: string): string {
  return `
    import { openRunLog } from ${moduleUrl('src/measure/run-log.ts')};
    import { takeLock } from ${moduleUrl('src/measure/run-log-lock.ts')};
    import { createOutput } from ${moduleUrl('cli/circuits/output.ts')};
    import { masksFromHex } from ${moduleUrl('src/masks.ts')};
    import * as fs from 'node:fs';
    const path = ${JSON.stringify(path)};
    const study = ${JSON.stringify(studyOf())};
    const entry = (hex, value) => ({ masks: masksFromHex(2, [hex]), values: Float64Array.of(value) });
    ${source}`;
}

export const NODE_ARGUMENTS = ['--import', 'tsx', '--input-type=module', '-e'];

export const childOf = (script: string): ChildProcess =>
  spawn(process.execPath, [...NODE_ARGUMENTS, script], { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] });

/** The next line that a process prints. */
export const lineOf = (child: ChildProcess): Promise<string> =>
  new Promise((done) => child.stdout?.once('data', (text: Buffer) => done(text.toString().trim())));

export const ended = (child: ChildProcess): Promise<unknown> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((done) => child.once('exit', done));
