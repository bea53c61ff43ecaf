/** The out folder: whole files or none, one process at a time, and nobody deletes what another uses. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOutput } from '../../cli/circuits/output.ts';
import { heads, madeUpResult } from '../report/made-up-result.ts';
import { childOf, ended, entriesOf, lineOf, reopened, scriptOf, studyOf } from '../measure/run-log-fixtures.ts';

let parent: string;
let out: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'output-'));
  out = join(parent, 'deep', 'out');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));
const logIn = (folder: string): string => join(folder, 'run-log.jsonl');

describe('the out folder', () => {
  it('removes the folders that it made and the log that it began, where nothing was measured', async () => {
    const output = createOutput(out);
    output.openLog(studyOf()).close();
    expect(readdirSync(out).sort()).toEqual(['run-log.jsonl', 'run-log.jsonl.lock']);
    await output.settle();
    expect(readdirSync(parent)).toEqual([]);
  });

  it('leaves folders that were there, or that others have put something into', async () => {
    mkdirSync(out, { recursive: true });
    await createOutput(out).settle();
    expect(existsSync(out)).toBe(true);
    rmSync(join(parent, 'deep'), { recursive: true });
    const output = createOutput(out);
    writeFileSync(join(parent, 'deep', 'notes'), 'mine');
    await output.settle();
    expect(readdirSync(join(parent, 'deep'))).toEqual(['notes']);
  });

  it('keeps the folder from the log to the record: another run is refused until then, and changes nothing', async () => {
    const first = createOutput(out);
    const log = first.openLog(studyOf());
    log.append(entriesOf({ '00': 1 }));
    log.close(); // the driver is done; its record is still to be written
    const second = createOutput(out);
    expect(() => second.openLog(studyOf())).toThrow(/is being written by this process/);
    await second.settle();
    expect(readdirSync(out).sort()).toEqual(['run-log.jsonl', 'run-log.jsonl.lock']);
    await first.settle();
    expect(reopened(logIn(out))).toEqual({ '00': 1 });
    expect(readdirSync(out)).toEqual(['run-log.jsonl']);
  });

  it('of two processes on one folder refuses the second by the name of the first, whichever stops first', async () => {
    const script = scriptOf(
      logIn(out),
      `const output = createOutput(${JSON.stringify(out)});
       let text;
       try { output.openLog(study).append(entry('00', 1)); text = 'measures'; } catch (error) { text = error.message; }
       console.log(text);
       process.stdin.once('data', async () => { await output.settle(); process.exit(); });`,
    );
    const both = [childOf(script), childOf(script)];
    const said = await Promise.all(both.map(lineOf));
    const at = said.indexOf('measures');
    const [winner, loser] = [both[at], both[1 - at]];
    expect(said[1 - at]).toContain(`is being written by process ${winner.pid} on `);
    loser.stdin?.end('stop');
    await ended(loser);
    expect(readdirSync(out).sort()).toEqual(['run-log.jsonl', 'run-log.jsonl.lock']);
    winner.stdin?.end('stop');
    await ended(winner);
    expect(reopened(logIn(out))).toEqual({ '00': 1 });
  }, 60_000);

  it('goes on where another process, which had made the folder and not used it, removed it', async () => {
    const first = createOutput(out);
    const second = createOutput(out);
    await first.settle();
    expect(existsSync(out)).toBe(false);
    const log = second.openLog(studyOf());
    log.append(entriesOf({ '00': 1 }));
    await second.settle();
    expect(reopened(logIn(out))).toEqual({ '00': 1 });
  });

  it('clears away what a process that was killed while it wrote left behind, and nothing else', async () => {
    mkdirSync(out, { recursive: true });
    const left = ['result.json.4194305.tmp', `report.html.${process.pid}.tmp`, '.write-test-7'];
    const kept = ['result.json.tmp', 'my.result.json.1.tmp', 'report.html.old.tmp', 'notes'];
    for (const name of [...left, ...kept]) writeFileSync(join(out, name), 'half');
    const output = createOutput(out);
    output.openLog(studyOf()).append(entriesOf({ '00': 1 }));
    await output.settle();
    expect(readdirSync(out).sort()).toEqual([...kept, 'run-log.jsonl'].sort());
  });

  it('says which record it replaces, where that is of other options', async () => {
    const made = await madeUpResult({ players: heads(2, 2), layers: 2, heads: 2 });
    const write = async (seed: number): Promise<string | undefined> => {
      const output = createOutput(out);
      output.openLog(studyOf());
      try {
        const { files } = await output.write({ ...made, run: { ...made.run, seed, options: { budget: 64 } } });
        return files.find(({ path }) => path.endsWith('result.json'))?.what;
      } finally {
        await output.settle();
      }
    };
    expect(await write(0)).toBe('the record');
    expect(await write(0)).toBe('the record');
    expect(await write(1)).toBe('the record; it replaces that of seed 0');
    writeFileSync(join(out, 'result.json'), 'mine');
    expect(await write(1)).toBe('the record; it replaces a file that was no record');
  });

  it('refuses at once a folder that can be neither made nor written to', () => {
    symlinkSync('nowhere', join(parent, 'link'));
    writeFileSync(join(parent, 'file'), '');
    for (const [folder, why] of [
      ['/proc/x', 'ENOENT'],
      ['/proc/x/y/z', 'ENOENT'],
      ['/dev/null', 'it is a file'],
      ['/dev/null/x', 'ENOTDIR'],
      [join(parent, 'link'), 'ENOENT'],
      [join(parent, 'file'), 'it is a file'],
      [join(parent, 'a', '\0'), 'ERR_INVALID_ARG_VALUE'],
    ])
      expect(() => createOutput(folder)).toThrow(`cannot be written to (${why}); give a folder that can.`);
    expect(readdirSync(parent).sort()).toEqual(['file', 'link']);
    expect(readFileSync(join(parent, 'file'), 'utf8')).toBe('');
  });
});
