/**
 * Measured values on disk: append-only JSONL, so that a killed run resumes without measuring a mask twice.
 *
 * Line 1 says what was asked: {"spexlens":"run-log/2","hash","study"}. Every further line is an entry, and each line ends with
 * its checksum (run-log-line.ts). A batch is one write and one fdatasync. On opening, the file is read as a stream
 * (run-log-reader.ts), a last line that a crash tore is cut off, and anything else that is not as it was written is refused by
 * its number: a value is never another than was measured, and none is lost in silence. One process writes at a time
 * (run-log-lock.ts). Logs of version 1 are refused: they do not say by which configuration their values were measured.
 */
import { closeSync, fdatasyncSync, fsyncSync, ftruncateSync, lstatSync, openSync, realpathSync, rmSync } from 'node:fs';
import { statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { fail } from '../errors.ts';
import { checkPlayers } from '../game.ts';
import type { Entries, ValueLog } from '../ledger.ts';
import { maskHex } from '../masks.ts';
import { canonicalJson, differencesOf, hashStudy, playersOf, type OwnStudy, type Study } from '../study.ts';
import { entryLine, sealLine, unsealLine } from './run-log-line.ts';
import { takeLock } from './run-log-lock.ts';
import { checkContents, piecesOf } from './run-log-reader.ts';

const VERSION = 'run-log/2';
const START_OVER = 'choose another folder, or remove the log to start over.';
const NO_HEADER = 'does not begin with a run-log header; choose another folder or remove the file.';

/** The file that holds every value of a study, for a run that goes on. */
export interface RunLog extends ValueLog {
  readonly path: string;
  /** The study's. */
  readonly hash: string;
  /** Masks that were in the file when it was opened. */
  readonly resumed: number;
  /**
   * What was in the file when it was opened. A mask whose gradient was measured after its value comes again with it.
   * @throws 'log' after close().
   */
  entries(): Iterable<Entries>;
  /**
   * Durable when it returns.
   * @throws 'input' on numbers that are not finite and masks over other players; 'log' when the file cannot be written: it then
   * ends where it ended before, and this log takes no more.
   */
  append(entries: Entries): void;
  /** Lets others write; a log that this call began and that holds no entry is removed. */
  close(): void;
}

/**
 * Opens or begins the log of `study` at `path`.
 * @throws 'log' when the file cannot be written, is no run log, is damaged (naming the line), belongs to another study, or is being
 * written by somebody else.
 */
export function openRunLog(path: string, study: Study | OwnStudy): RunLog {
  const who = `run log ${path}`;
  const lock = takeLock(requireRegular(path, who) ? realpathSync(path) : path, who);
  let opened: Opened | undefined;
  try {
    opened = openFor(path, who);
    const { file, isNew } = opened;
    const players = playersOf(study);
    const header = Buffer.from(headerOf(study));
    const check = (line: Buffer, isWhole: boolean): void => checkHeader(line, isWhole, header, study, who);
    const { count, length, isTorn } = checkContents(file, players, who, check);
    if (isTorn) ftruncateSync(file, length);
    const writer = writerOf(file, who, length);
    if (length === 0) writer.write([header.toString()]);
    if (isNew) syncFolder(path);
    let isEmpty = count === 0;
    let isClosed = false;
    const requireOpen = (): void => {
      if (isClosed) throw fail('log', who, 'is closed; open it again.');
    };
    return {
      path,
      hash: hashStudy(study),
      resumed: count,
      *entries() {
        requireOpen();
        for (const piece of piecesOf(file, players, length, who)) {
          yield piece;
          requireOpen();
        }
      },
      append(entries) {
        requireOpen();
        requireEntries(entries, players, who);
        writer.write(linesOf(entries));
        isEmpty &&= entries.masks.count === 0;
      },
      close() {
        if (isClosed) return;
        isClosed = true;
        closeSync(file);
        if (isNew && isEmpty) rmSync(path, { force: true });
        lock.release();
      },
    };
  } catch (error) {
    if (opened !== undefined) closeSync(opened.file);
    if (opened?.isNew === true) rmSync(path, { force: true });
    lock.release();
    throw error;
  }
}

function headerOf(study: Study | OwnStudy): string {
  // Canonical, so that equal studies have equal headers, to the byte.
  return sealLine(`{"spexlens":"${VERSION}","hash":"${hashStudy(study)}","study":${canonicalJson(study)}}`);
}

/** Whether there is a file at `path`. @throws unless it is a regular one (links are followed). */
function requireRegular(path: string, who: string): boolean {
  let found;
  let isLink;
  try {
    found = statSync(path, { throwIfNoEntry: false });
    isLink = found === undefined && lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw fail('log', who, `cannot be looked at (${(error as NodeJS.ErrnoException).code}).`);
  }
  if (isLink) throw fail('log', who, 'is a link to a file that is not there; a log is a regular file.');
  if (found === undefined || found.isFile()) return found !== undefined;
  const what = found.isDirectory() ? 'a folder' : found.isFIFO() ? 'a pipe' : 'a device';
  throw fail('log', who, `is ${what}; a log is a regular file. Choose another folder.`);
}

interface Opened {
  readonly file: number;
  /** Whether this call made the file. */
  readonly isNew: boolean;
}

function openFor(path: string, who: string): Opened {
  try {
    return requireRegular(path, who)
      ? { file: openSync(path, 'r+'), isNew: false }
      : { file: openSync(path, 'wx+'), isNew: true };
  } catch (error) {
    throw fail('log', who, `cannot be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** Makes the name of a new file as durable as what will stand in it. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return; // which has no such thing
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Lines that are written at once: one batch, unless it is of many megabytes. */
const BLOCK = 2 ** 22;

/** Appends whole lines, durably; after a failure the file ends where it ended before, and nothing is written any more. */
function writerOf(file: number, who: string, start: number): { write(lines: Iterable<string>): void } {
  let length = start;
  let broken: string | undefined;
  const put = (text: string, at: number): number => {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length; )
      done += writeSync(file, bytes, done, bytes.length - done, length + at + done);
    return bytes.length;
  };
  return {
    write(lines) {
      if (broken !== undefined) throw fail('log', who, broken);
      try {
        let written = 0;
        let block = '';
        for (const line of lines) {
          block += line;
          if (block.length < BLOCK) continue;
          written += put(block, written);
          block = '';
        }
        written += put(block, written);
        fdatasyncSync(file);
        length += written;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const why = code === 'ENOSPC' ? 'the disk is full' : code === 'EDQUOT' ? 'the quota is used up' : 'it failed';
        broken = `cannot be written (${code}: ${why}); what was measured before is safe, and the same command goes on from it.`;
        try {
          ftruncateSync(file, length);
        } catch {
          // The torn line stays, and is cut off on opening.
        }
        throw fail('log', who, broken);
      }
    },
  };
}

function* linesOf({ masks, values, gradients }: Entries): Generator<string> {
  const n = masks.players;
  for (let row = 0; row < masks.count; row++)
    yield entryLine(masks, row, values[row], gradients?.subarray(row * n, (row + 1) * n));
}

/** A log takes nothing that it would refuse to read. */
function requireEntries({ masks, values, gradients }: Entries, players: number, who: string): void {
  checkPlayers(who, players, masks);
  if (values.length !== masks.count || (gradients !== undefined && gradients.length !== masks.count * players))
    throw fail(
      'input',
      who,
      `${values.length} values and ${gradients?.length ?? 'no'} gradients were given for ${masks.count} masks of ${players} players; one value a mask, and one gradient a mask and player or none, are needed.`,
    );
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad !== -1)
    throw fail('input', who, `the value of mask ${maskHex(masks, bad)} is ${values[bad]}; it must be a finite number.`);
  const steep = gradients?.findIndex((slope) => !Number.isFinite(slope)) ?? -1;
  if (steep !== -1) {
    const mask = maskHex(masks, Math.floor(steep / players));
    const slope = gradients?.[steep];
    throw fail(
      'input',
      who,
      `the gradient of mask ${mask} by player ${steep % players} is ${slope}; it must be finite.`,
    );
  }
}

/** @throws 'log' unless `line` is the header as it is to be, or, torn, begins like it. */
function checkHeader(line: Buffer, isWhole: boolean, wanted: Buffer, study: Study | OwnStudy, who: string): void {
  const known = isWhole ? wanted.subarray(0, -1) : wanted.subarray(0, line.length);
  if (known.equals(line)) return;
  const text = line.toString();
  const version = /^\{"spexlens":"(run-log\/[^"]*)"/.exec(text)?.[1];
  if (version === undefined) throw fail('log', who, NO_HEADER);
  if (version === 'run-log/1')
    throw fail(
      'log',
      who,
      `is of version run-log/1, which does not say by which configuration its values were measured; this program reads ${VERSION}. Choose another folder, or remove the file.`,
    );
  if (version !== VERSION) throw fail('log', who, `is of version ${version}; this program reads ${VERSION}.`);
  if (!isWhole) throw fail('log', who, `holds half a header of another run and no values; ${START_OVER}`);
  const body = unsealLine(line);
  if (body === undefined) throw fail('log', who, `line 1 is damaged (its checksum says so); ${START_OVER}`);
  const found = JSON.parse(`${body}}`) as { readonly study?: unknown };
  const shown = differencesOf(found.study, study).join('; ') || 'the header differs';
  throw fail('log', who, `belongs to another run (${shown}); ${START_OVER}`);
}
