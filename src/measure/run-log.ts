/**
 * Measured values on disk: append-only JSONL, so that a killed run resumes without measuring a mask twice.
 *
 * Line 1 says what was asked: {"spexlens":"run-log/2","hash","study"}. Every further line is an entry (run-log-line.ts), and each
 * line ends with its checksum. A batch is one write and one fdatasync. On opening, the file is read line by line, a last line
 * that a crash tore is cut off, and anything else that is not as it was written is refused by its number: a value is never
 * another than was measured, and none is lost in silence. One process writes at a time (run-log-lock.ts).
 */
import { closeSync, existsSync, fdatasyncSync, ftruncateSync, openSync, readSync, realpathSync, rmSync } from 'node:fs';
import { statSync, writeSync } from 'node:fs';
import { fail } from '../errors.ts';
import type { Entries, ValueLog } from '../ledger.ts';
import { createMaskTable } from '../mask-table.ts';
import { masksFromHex } from '../masks.ts';
import { differencesOf, hashStudy, playersOf, type OwnStudy, type Study } from '../study.ts';
import { entryLine, gradientOf, parseEntry, sealLine, unsealLine, type Entry } from './run-log-line.ts';
import { takeLock } from './run-log-lock.ts';

const VERSION = 'run-log/2';

export interface RunLog extends ValueLog {
  readonly path: string;
  /** The study's. */
  readonly hash: string;
  /** Masks that were in the file when it was opened. */
  readonly resumed: number;
  /** Lets others write; a log that this call began and that holds no entry is removed. */
  close(): void;
}

/** Bytes read at a time, and masks handed out at a time. */
const CHUNK = 2 ** 20;
const PIECE = 4096;

/**
 * Opens or begins the log of `study` at `path`.
 * @throws 'log' when the file cannot be written, is no run log, is damaged (naming the line), belongs to another study, or is being
 * written by somebody else.
 */
export function openRunLog(path: string, study: Study | OwnStudy): RunLog {
  const who = `run log ${path}`;
  requireRegular(path, who);
  const isNew = !existsSync(path);
  const lock = takeLock(isNew ? path : realpathSync(path), who);
  let file: number | undefined;
  try {
    file = openFor(path, who);
    const contents = readContents(file, study, who);
    const log = writer(file, who, contents.length);
    if (contents.length === 0) log.write(headerOf(study));
    let entries: readonly Entries[] = contents.entries;
    let count = contents.count;
    return {
      path,
      hash: hashStudy(study),
      resumed: contents.count,
      *entries() {
        yield* entries;
        entries = []; // the ledger has them
      },
      append({ masks, values, gradients }) {
        const n = masks.players;
        const slopes = (row: number): Float32Array | undefined => gradients?.subarray(row * n, (row + 1) * n);
        log.write(Array.from(values, (value, row) => entryLine(masks, row, value, slopes(row))).join(''));
        count += masks.count;
      },
      close() {
        log.close();
        if (isNew && count === 0) rmSync(path, { force: true });
        lock.release();
      },
    };
  } catch (error) {
    if (file !== undefined) closeSync(file);
    lock.release();
    throw error;
  }
}

function headerOf(study: Study | OwnStudy): string {
  return sealLine(JSON.stringify({ spexlens: VERSION, hash: hashStudy(study), study }));
}

/** @throws unless there is nothing at `path`, or a regular file (links are followed). */
function requireRegular(path: string, who: string): void {
  let found;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw fail('log', who, `cannot be looked at (${(error as NodeJS.ErrnoException).code}).`);
  }
  if (found === undefined || found.isFile()) return;
  const what = found.isDirectory() ? 'a folder' : found.isFIFO() ? 'a pipe' : 'a device';
  throw fail('log', who, `is ${what}; a log is a regular file. Choose another --out folder.`);
}

function openFor(path: string, who: string): number {
  try {
    return openSync(path, existsSync(path) ? 'r+' : 'wx+');
  } catch (error) {
    throw fail('log', who, `cannot be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** Appends whole texts, durably; after a failure the file ends where it ended before, and nothing is written any more. */
function writer(file: number, who: string, start: number): { write(text: string): void; close(): void } {
  let length = start;
  let broken: string | undefined;
  let closed = false;
  return {
    write(text) {
      if (closed) throw fail('log', who, 'is closed; open it again.');
      if (broken !== undefined) throw fail('log', who, broken);
      const bytes = Buffer.from(text);
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, length + at);
        fdatasyncSync(file);
        length += bytes.length;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const why = code === 'ENOSPC' ? 'the disk is full' : code === 'EDQUOT' ? 'the quota is used up' : 'it failed';
        broken = `cannot be written (${code}: ${why}); what was measured before is safe, and the same command goes on from it.`;
        try {
          ftruncateSync(file, length);
        } catch {
          // the torn line stays, and is cut off on opening
        }
        throw fail('log', who, broken);
      }
    },
    close() {
      if (!closed) closeSync(file);
      closed = true;
    },
  };
}

interface Contents {
  readonly entries: readonly Entries[];
  readonly count: number;
  /** Bytes of whole lines; 0 for a new file, or one whose header was torn. */
  readonly length: number;
}

/** Reads and checks every line; cuts off what a crash tore. */
function readContents(file: number, study: Study | OwnStudy, who: string): Contents {
  const header = Buffer.from(headerOf(study));
  const players = playersOf(study);
  const collected = collector(players, who);
  let number = 0;
  let length = 0;
  const take = (bytes: Buffer): void => {
    number++;
    if (number === 1) checkHeader(bytes, header, study, who);
    else collected.add(bytes.toString('latin1'), number);
    length += bytes.length + 1;
  };
  const tail = eachLine(file, take);
  if (number === 0 && tail.length > 0 && !header.subarray(0, tail.length).equals(tail))
    throw fail('log', who, 'does not begin with a run-log header; choose another --out folder or remove the file.');
  if (number > 0) requireTorn(tail, number + 1, who);
  if (tail.length > 0) ftruncateSync(file, length);
  return { entries: collected.pieces(), count: collected.count(), length };
}

/** Calls `take` with every line, without its newline; returns what stands behind the last one. */
function eachLine(file: number, take: (line: Buffer) => void): Buffer {
  const chunk = Buffer.alloc(CHUNK);
  let rest: Buffer = Buffer.alloc(0);
  for (let position = 0; ; ) {
    const read = readSync(file, chunk, 0, CHUNK, position);
    if (read === 0) return rest;
    position += read;
    const bytes: Buffer = rest.length === 0 ? chunk.subarray(0, read) : Buffer.concat([rest, chunk.subarray(0, read)]);
    let start = 0;
    for (let end; (end = bytes.indexOf(10, start)) !== -1; start = end + 1) take(bytes.subarray(start, end));
    rest = Buffer.from(bytes.subarray(start));
  }
}

/** A whole line behind the last newline was not torn: something happened to its newline. */
function requireTorn(tail: Buffer, number: number, who: string): void {
  const text = tail.toString('latin1');
  if (unsealLine(text) === undefined && unsealLine(text.slice(0, -1)) === undefined) return;
  throw damaged(who, number, 'does not end with a newline');
}

/** The header's line as it is to be, or an error that says whose it is. */
function checkHeader(line: Buffer, wanted: Buffer, study: Study | OwnStudy, who: string): void {
  if (wanted.subarray(0, -1).equals(line)) return;
  const text = line.toString('utf8');
  const old = /^\{"spexlens":"(run-log\/[^"]*)"/.exec(text)?.[1];
  if (old === 'run-log/1')
    throw fail(
      'log',
      who,
      `is of version ${old}, which does not say by which configuration its values were measured; this program reads ${VERSION}. Choose another --out folder, or remove the file.`,
    );
  const json = unsealLine(text);
  if (old === undefined || (old === VERSION && json === undefined))
    throw fail(
      'log',
      who,
      old === undefined
        ? 'does not begin with a run-log header; choose another --out folder or remove the file.'
        : 'line 1 is damaged (its checksum says so); choose another --out folder or remove the file.',
    );
  if (old !== VERSION) throw fail('log', who, `is of version ${old}; this program reads ${VERSION}.`);
  const found = JSON.parse(json as string) as { readonly study?: unknown };
  const shown = differencesOf(found.study, study).join('; ') || 'the header differs';
  throw fail(
    'log',
    who,
    `belongs to another run (${shown}); choose another --out folder, or remove the log to start over.`,
  );
}

/** Gathers entries into packed pieces, each mask once. */
function collector(
  players: number,
  who: string,
): { add(line: string, number: number): void; pieces(): Entries[]; count(): number } {
  const digits = 2 * Math.ceil(players / 8);
  const table = createMaskTable(players);
  const values: number[] = [];
  const pieces: Entries[] = [];
  let hexes: string[] = [];
  let waiting: Entry[] = [];
  const flush = (): void => {
    if (waiting.length === 0) return;
    const masks = masksFromHex(players, hexes);
    // A piece holds entries of one kind: with gradients, or without.
    const gradients = waiting[0].gradient === undefined ? undefined : new Float32Array(waiting.length * players);
    waiting.forEach(({ gradient }, row) => {
      if (gradient !== undefined) gradients?.set(gradientOf(gradient, players) as Float32Array, row * players);
    });
    pieces.push({ masks, values: Float64Array.from(waiting, ({ value }) => value), ...(gradients && { gradients }) });
    hexes = [];
    waiting = [];
  };
  return {
    add(line, number) {
      const body = unsealLine(line);
      if (body === undefined) throw damaged(who, number, 'is damaged (its checksum says so)');
      const entry = parseEntry(body);
      if (typeof entry === 'string') throw damaged(who, number, entry);
      if (entry.mask.length !== digits)
        throw damaged(who, number, `has a mask of ${entry.mask.length} hex digits; ${players} players take ${digits}`);
      if (entry.gradient !== undefined && gradientOf(entry.gradient, players) === undefined)
        throw damaged(who, number, `has a gradient that is not of ${players} numbers`);
      const at = table.add(maskOf(players, entry.mask, who, number), 0);
      if (at < values.length && values[at] !== entry.value)
        throw damaged(who, number, `gives mask ${entry.mask} the value ${entry.value}, an earlier line ${values[at]}`);
      if (at < values.length && entry.gradient === undefined) return;
      values[at] = entry.value;
      if (waiting.length >= PIECE || (waiting[0]?.gradient === undefined) !== (entry.gradient === undefined)) flush();
      hexes.push(entry.mask);
      waiting.push(entry);
    },
    pieces() {
      flush();
      return pieces;
    },
    count: () => table.count,
  };
}

function maskOf(players: number, hex: string, who: string, number: number): ReturnType<typeof masksFromHex> {
  try {
    return masksFromHex(players, [hex]);
  } catch {
    throw damaged(who, number, `has a mask that keeps a player beyond the last of ${players}`);
  }
}

function damaged(who: string, number: number, what: string): Error {
  return fail(
    'log',
    who,
    `line ${number} ${what}; remove that line to go on without it, or choose another --out folder.`,
  );
}
