/**
 * One writer: a lock beside a file that says who holds it, and outlives nobody.
 *
 * A lock names its owner: process, host, and when the kernel started that process, so that another process that got the same
 * number is not taken for it. To take one, a process makes a claim, a file whose name no other has, and looks for others: of
 * two that claim at once, whoever looks later sees the other (Dekker's idea). One that is alone turns its claim into the lock
 * by renaming it, over that of an owner who is gone. So nobody ever removes a file that may be somebody else's, and a process
 * may be stopped or killed between any two steps. An owner on another host, or in another container, cannot be looked at from
 * here: its lock is respected, and the error says which file to remove. The same holds, where the kernel does not tell starts
 * of processes (outside Linux), for a number that is in use again.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fail } from '../errors.ts';

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** The running kernel and the space of process numbers; empty where the kernel does not say. */
  readonly boot: string;
  readonly space: string;
  /** Since when the process runs, in the kernel's clock ticks. */
  readonly born: string;
  /** When the lock was taken, ISO 8601. */
  readonly since: string;
  /** Tells two locks of one process apart. */
  readonly key: string;
}

export interface Lock {
  /** Removes the lock, where it is still this one. */
  release(): void;
}

/** Taking a lock needs a millisecond; processes that start together wait for each other so long. */
const PATIENCE_MS = 5000;

/** @throws 'log' naming the holder when somebody else, or this process, writes to `path` already. */
export function takeLock(path: string, who: string): Lock {
  const lock = `${path}.lock`;
  const mine = ownOwner();
  const claim = `${lock}.${mine.pid}-${mine.key}`;
  const deadline = performance.now() + PATIENCE_MS;
  do {
    requireFree(lock, who);
    attempt(() => writeFileSync(claim, JSON.stringify(mine), { flag: 'wx' }), lock, who);
    try {
      if (winsClaim(claim, lock, who, deadline) && becomesLock(claim, lock, who))
        return { release: () => release(lock, mine) };
    } finally {
      rmSync(claim, { force: true });
    }
    sleep(5 + 20 * Math.random());
  } while (performance.now() < deadline);
  throw fail('log', who, `is being taken by several processes at once; try again, or remove ${lock}.*`);
}

/** @throws 'log' when an owner who may live holds `lock`. */
function requireFree(lock: string, who: string): void {
  const text = attempt(() => readIfThere(lock), lock, who);
  const owner = text === undefined ? undefined : parseOwner(text);
  if (owner === undefined) return; // nobody's: not there, or torn by a crash of the machine
  const state = stateOf(owner);
  if (state === 'gone') return;
  const { pid, host, since } = owner;
  const whom = state === 'here' && pid === process.pid ? 'this process' : `process ${pid} on ${host}`;
  const remedy =
    state === 'here'
      ? 'wait for it, stop it, or choose another folder.'
      : `it cannot be looked at from here: where it is gone, remove ${lock}; else choose another folder.`;
  throw fail('log', who, `is being written by ${whom} since ${since}; ${remedy}`);
}

/** Whether `claim` is alone; of several, the one whose name comes first waits until the others have gone. */
function winsClaim(claim: string, lock: string, who: string, deadline: number): boolean {
  for (;;) {
    const rivals = otherClaims(claim, lock, who);
    requireFree(lock, who); // after the claims were listed: a claim that was missed has become the lock
    if (rivals.length === 0) return true;
    if (rivals.some((rival) => rival < claim) || performance.now() > deadline) return false;
    sleep(2);
  }
}

/** Claims of others who may live; those of processes that are gone are removed. */
function otherClaims(claim: string, lock: string, who: string): string[] {
  const folder = dirname(lock);
  const start = `${basename(lock)}.`;
  const own = basename(claim);
  const names = attempt(() => readdirSync(folder), lock, who).filter(
    (name) => name !== own && name.startsWith(start) && /^\d+-[0-9a-f]{12}$/.test(name.slice(start.length)),
  );
  return names.flatMap((name) => {
    const path = join(folder, name);
    const owner = parseOwner(read(path) ?? '');
    // A claim with nothing in it yet is judged by the number in its name. Whoever loses one in error tries again.
    const pid = Number.parseInt(name.slice(start.length), 10);
    if (owner === undefined ? isRunning(pid) : stateOf(owner) !== 'gone') return [path];
    rmSync(path, { force: true });
    return [];
  });
}

/** Renames; false where somebody removed the claim. */
function becomesLock(claim: string, lock: string, who: string): boolean {
  return attempt(
    () => {
      try {
        renameSync(claim, lock);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
        throw error;
      }
    },
    lock,
    who,
  );
}

function release(lock: string, mine: Owner): void {
  if (read(lock) === JSON.stringify(mine)) rmSync(lock, { force: true });
}

function ownOwner(): Owner {
  const { pid } = process;
  const key = randomBytes(6).toString('hex');
  return { pid, host: hostname(), ...kernel(), born: birthOf(pid) ?? '', since: new Date().toISOString(), key };
}

/** Whether an owner lives, as far as this process can see. */
function stateOf({ pid, host, boot, space, born }: Owner): 'here' | 'gone' | 'elsewhere' {
  const now = kernel();
  if (host !== hostname()) return 'elsewhere';
  if (boot !== now.boot) return 'gone'; // the machine was started anew
  if (space !== now.space) return 'elsewhere';
  return isRunning(pid) && (born === '' || birthOf(pid) === born) ? 'here' : 'gone';
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** The start of a process (field 22 of /proc/PID/stat); undefined for one that is dead but not yet buried, or not there. */
function birthOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || /[ZX]/.test(fields[0]) ? undefined : fields[19];
}

function kernel(): Pick<Owner, 'boot' | 'space'> {
  return { boot: read('/proc/sys/kernel/random/boot_id')?.trim() ?? '', space: target('/proc/self/ns/pid') };
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Record<keyof Owner, unknown>>;
    const texts = [owner.host, owner.boot, owner.space, owner.born, owner.since, owner.key];
    const isOwner = Number.isInteger(owner.pid) && texts.every((field) => typeof field === 'string');
    return isOwner ? (owner as Owner) : undefined;
  } catch {
    return undefined;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

function attempt<T>(work: () => T, lock: string, who: string): T {
  try {
    return work();
  } catch (error) {
    throw fail('log', who, `cannot be locked (${lock}: ${(error as NodeJS.ErrnoException).code}).`);
  }
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
