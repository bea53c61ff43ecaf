/**
 * One writer: a lock beside a file that says who holds it, and outlives nobody.
 *
 * The lock names its owner: process, host, and when that process started, so that another process with the same number is
 * not taken for it. A lock whose owner is gone (kill -9, power) is taken over; of several who find it so, one does. A lock from
 * another host cannot be judged and is respected.
 */
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { fail } from '../errors.ts';

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Since when the process runs, as its kernel says; empty where it does not say. */
  readonly born: string;
  /** When the lock was taken, ISO 8601. */
  readonly since: string;
}

export interface Lock {
  release(): void;
}

/** A take-over takes microseconds; one that began so long ago was killed in the midst. */
const TAKEOVER_MS = 10_000;

/** @throws 'log' naming the holder when somebody else, or this process, writes to `path` already. */
export function takeLock(path: string, who: string): Lock {
  const lock = `${path}.lock`;
  const mine = JSON.stringify(ownerOf(process.pid));
  for (let attempt = 0; attempt < 100; attempt++) {
    if (create(lock, mine, who)) return { release: () => releaseOwn(lock, mine) };
    const theirs = read(lock);
    if (theirs === undefined) continue; // released meanwhile
    const owner = parseOwner(theirs);
    if (owner !== undefined && isAlive(owner)) throw fail('log', who, heldBy(owner));
    takeOver(lock, theirs);
  }
  throw fail('log', who, `is being taken by several processes at once; try again, or remove ${lock}.`);
}

function heldBy({ pid, host, since }: Owner): string {
  const whom = pid === process.pid && host === hostname() ? 'this process' : `process ${pid} on ${host}`;
  return `is being written by ${whom} since ${since}; wait for it, stop it, or choose another --out folder.`;
}

/** Makes the lock with its content at once: linking fails where there is one. */
function create(lock: string, content: string, who: string): boolean {
  const draft = `${lock}.${process.pid}.${Math.trunc(performance.now() * 1000)}`;
  try {
    writeFileSync(draft, content, { flag: 'wx' });
    linkSync(draft, lock);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw fail('log', who, `cannot be locked (${lock}: ${code}).`);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes a lock whose owner is gone, if it is still that one. Only one process at a time looks and removes. */
function takeOver(lock: string, stale: string): void {
  const turn = `${lock}.takeover`;
  try {
    writeFileSync(turn, String(process.pid), { flag: 'wx' });
  } catch {
    if (ageOf(turn) > TAKEOVER_MS) rmSync(turn, { force: true });
    return;
  }
  try {
    if (read(lock) === stale) rmSync(lock, { force: true });
  } finally {
    rmSync(turn, { force: true });
  }
}

function releaseOwn(lock: string, mine: string): void {
  if (read(lock) === mine) rmSync(lock, { force: true });
}

function ownerOf(pid: number): Owner {
  return { pid, host: hostname(), born: birthOf(pid), since: new Date().toISOString() };
}

function isAlive({ pid, host, born }: Owner): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return born === '' || birthOf(pid) === born;
}

/** The start time of a process in the kernel's clock ticks (field 22 of /proc/PID/stat), with the boot's id. */
function birthOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${ticks}`;
  } catch {
    return '';
  }
}

function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, host, born, since } = JSON.parse(text) as Partial<Owner>;
    return typeof pid === 'number' && typeof host === 'string' && typeof born === 'string' && typeof since === 'string'
      ? { pid, host, born, since }
      : undefined;
  } catch {
    return undefined; // torn by a crash: nobody's
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function ageOf(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}
