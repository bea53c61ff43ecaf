/** One writer: who holds a log is named, who is gone holds nothing, and nobody loses what another uses. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from '../../src/measure/run-log-lock.ts';
import { openRunLog } from '../../src/measure/run-log.ts';
import {
  childOf,
  ended,
  entriesOf,
  lineOf,
  NODE_ARGUMENTS,
  reopened,
  ROOT,
  scriptOf,
  studyOf,
} from './run-log-fixtures.ts';

let path: string;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-log-lock-'));
  path = join(folder, 'run-log.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const IS_LINUX = process.platform === 'linux';
if (!IS_LINUX) process.stderr.write('skipped: locks of processes whose number is in use again (not Linux)\n');

/** A process that opens the log, writes a mask, says so and waits. */
const HOLDER = `
  try {
    const log = openRunLog(path, study);
    if (log.resumed === 0) log.append(entry('00', 1));
    console.log('holds ' + process.pid);
    setInterval(() => {}, 1000);
  } catch (error) { console.log(error.message); process.exit(); }`;
const holder = (): ReturnType<typeof childOf> => childOf(scriptOf(path, HOLDER));
const open = () => openRunLog(path, studyOf());

describe('one writer', () => {
  it('refuses a second one in this process, and lets it in afterwards', () => {
    const log = open();
    expect(() => open()).toThrow(
      /is being written by this process since \d{4}-.*; wait for it, stop it, or choose another/,
    );
    log.close();
    open().close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is one by whatever name the log goes', () => {
    const log = open();
    log.append(entriesOf({ '00': 1 }));
    const link = join(folder, 'link.jsonl');
    symlinkSync('run-log.jsonl', link);
    symlinkSync('.', join(folder, 'here'));
    for (const name of [link, join(folder, 'here', 'run-log.jsonl'), join(folder, 'here', 'here', 'link.jsonl')])
      expect(reopened(name)).toMatch(/is being written by this process/);
    log.close();
    expect(reopened(link)).toEqual({ '00': 1 });
  });

  it('takes over from one that was killed, and only one of several does', async () => {
    const first = holder();
    expect(await lineOf(first)).toBe(`holds ${first.pid}`);
    expect(reopened(path)).toMatch(new RegExp(`is being written by process ${first.pid} on ${hostname()} since `));
    first.kill('SIGKILL');
    await ended(first);
    const several = [holder(), holder(), holder()];
    const said = await Promise.all(several.map(lineOf));
    const [winner, ...others] = said.toSorted((a, b) => b.indexOf('holds') - a.indexOf('holds'));
    expect(winner).toMatch(/^holds \d+$/);
    const pid = winner.replace('holds ', '');
    for (const text of others) expect(text).toContain(`is being written by process ${pid} on ${hostname()}`);
    for (const child of several) child.kill('SIGKILL');
    await Promise.all(several.map(ended));
    expect(reopened(path)).toEqual({ '00': 1 });
    expect(readdirSync(folder)).toEqual(['run-log.jsonl']);
  }, 60_000);

  it('never has two holders, while four processes take it, let go, and die holding it', async () => {
    // Whoever holds the lock makes a file that must not be there; one in eight holders is gone without a word.
    const contender = scriptOf(
      path,
      `let taken = 0;
       const end = Date.now() + 1500;
       while (Date.now() < end) {
         let lock;
         try { lock = takeLock(path, 'contender'); } catch { continue; }
         fs.writeFileSync(path + '-inside', String(process.pid), { flag: 'wx' });
         taken++;
         fs.rmSync(path + '-inside');
         if (Math.random() < 1 / 8) break;
         lock.release();
       }
       console.log(taken);
       process.exit();`,
    );
    let taken = 0;
    for (let round = 0; round < 2; round++) {
      const children = Array.from({ length: 4 }, () => childOf(contender));
      for (const text of await Promise.all(children.map(lineOf))) taken += Number(text);
      await Promise.all(children.map(ended));
      expect(children.map((child) => child.exitCode)).toEqual([0, 0, 0, 0]);
    }
    expect(taken).toBeGreaterThan(8);
    takeLock(path, 'last').release();
    expect(readdirSync(folder)).toEqual([]);
  }, 120_000);

  it('keeps the log of the process that measures, when another one is stopped first', async () => {
    const first = holder();
    await lineOf(first);
    for (let k = 0; k < 3; k++) expect(reopened(path)).toMatch(/is being written/);
    const second = holder();
    expect(await lineOf(second)).toMatch(/is being written/);
    await ended(second);
    expect(existsSync(path)).toBe(true);
    first.kill('SIGKILL');
    await ended(first);
    expect(reopened(path)).toEqual({ '00': 1 });
  }, 60_000);

  it.runIf(IS_LINUX)(
    'takes over from one that is dead and not yet buried by its parent',
    async () => {
      const parent = spawn(
        'bash',
        ['-c', '"$@" & exec sleep 600', '-', process.execPath, ...NODE_ARGUMENTS, scriptOf(path, HOLDER)],
        { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const pid = Number((await lineOf(parent)).replace('holds ', ''));
      expect(pid).toBeGreaterThan(0);
      expect(reopened(path)).toMatch(/is being written/);
      process.kill(pid, 'SIGKILL');
      const state = (): string => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '')[0];
      while (state() !== 'Z') await new Promise((done) => setTimeout(done, 5));
      expect(reopened(path)).toEqual({ '00': 1 });
      parent.kill('SIGKILL');
      await ended(parent);
    },
    60_000,
  );

  /** What the lock of this process says, with `changes`, as a lock that was found. */
  const found = (changes: Readonly<Record<string, unknown>>): void => {
    const lock = takeLock(path, 'owner');
    const owner = JSON.parse(readFileSync(`${path}.lock`, 'utf8')) as Record<string, unknown>;
    lock.release();
    writeFileSync(`${path}.lock`, JSON.stringify({ ...owner, ...changes }));
  };
  const GONE = 2 ** 22 + 1; // above the largest process number of Linux

  it.each([
    ['a process that is not there', { pid: GONE }],
    ['a process whose number another one has now', { born: '1' }],
    ['a process of before the machine was started anew', { boot: 'another' }],
  ])('takes over from %s', (what, changes) => {
    if (!IS_LINUX && !('pid' in changes)) return;
    found(changes);
    takeLock(path, what).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['another host', { pid: GONE, host: 'elsewhere' }, /by process \d+ on elsewhere since/],
    ['another container', { pid: GONE, space: 'pid:[1]' }, /by process \d+ on .* since/],
  ])('respects a lock from %s, which it cannot judge, and says what to remove', (_what, changes, message) => {
    found(changes);
    const before = readFileSync(`${path}.lock`, 'utf8');
    expect(() => open()).toThrow(message);
    expect(() => open()).toThrow(`where it is gone, remove ${path}.lock; else choose another folder.`);
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe(before);
    rmSync(`${path}.lock`);
    open().close();
  });

  it.each([
    ['nothing', ''],
    ['half of what should', '{"pid":1,"host":"'],
    ['something else', '[1]'],
  ])('takes over a lock in which a crash of the machine left %s', (_what, text) => {
    writeFileSync(`${path}.lock`, text);
    open().close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('clears away claims of processes that were killed while they made them', () => {
    const claim = (pid: number, letter: string): string => `${path}.lock.${pid}-${letter.repeat(12)}`;
    writeFileSync(claim(GONE, 'a'), '');
    writeFileSync(`${path}.lock.notes`, 'not a claim');
    takeLock(path, 'me').release();
    expect(readdirSync(folder)).toEqual(['run-log.jsonl.lock.notes']);
  });

  it('waits for a claim of one that lives, a while, and leaves it', () => {
    const claim = `${path}.lock.${process.pid}-${'a'.repeat(12)}`;
    writeFileSync(claim, '');
    expect(() => takeLock(path, 'me')).toThrow(
      /is being taken by several processes at once; try again, or remove .*lock/,
    );
    expect(readdirSync(folder)).toEqual([claim.slice(folder.length + 1)]);
  }, 20_000);

  it('leaves a lock alone that somebody put in place of its own', () => {
    const lock = takeLock(path, 'me');
    writeFileSync(`${path}.lock`, 'of another');
    lock.release();
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe('of another');
  });

  it('says that a folder cannot be written to', () => {
    expect(() => takeLock(join(folder, 'no', 'log'), 'run log x')).toThrow(
      /^run log x: cannot be locked \(.*: ENOENT\)/,
    );
  });
});
