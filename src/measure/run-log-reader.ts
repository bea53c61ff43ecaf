/**
 * A run log read as a stream: every line checked, in memory that does not grow with the file.
 *
 * Opening checks the whole file and keeps a few bytes a mask, to find a mask that has two values; handing out reads it again,
 * piece by piece. Whatever is not as it was written is refused by the number of its line. Only half a line at the very end is
 * what a crash leaves: it is cut off, and nobody was ever told of the value in it.
 */
import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { fail } from '../errors.ts';
import type { Entries } from '../ledger.ts';
import { createMaskTable } from '../mask-table.ts';
import { emptyMasks, maskHex, type Masks } from '../masks.ts';
import { gradientOf, parseEntry, unsealLine } from './run-log-line.ts';

export interface Contents {
  /** Distinct masks. */
  readonly count: number;
  /** Bytes of whole lines; 0 for a new file, or one whose header was torn. */
  readonly length: number;
  /** Whether half a line follows. */
  readonly isTorn: boolean;
}

interface Line {
  /** Without its newline; valid until the next line is asked for. */
  readonly bytes: Buffer;
  /** From 1. */
  readonly number: number;
  /** Where the next line begins in the file. */
  readonly end: number;
  /** False for what stands behind the last newline. */
  readonly isWhole: boolean;
}

/** An entry of the file; `mask` is overwritten by the next one. */
interface Row {
  readonly mask: Masks;
  readonly value: number;
  readonly gradient: Float32Array | undefined;
}

/** Bytes read at a time. */
const CHUNK = 2 ** 18;
/** No line is longer: a header holds prompts as token ids, an entry at most 6 bytes a player. */
const LONGEST = 2 ** 26;
/** Masks, and numbers in gradients, handed out at a time. */
const PIECE = { masks: 4096, slopes: 2 ** 20 };

/**
 * Reads the file from its start and checks every line.
 * @param checkHeader is given the first line, whole or torn, and throws where it is not this log's.
 * @throws 'log' naming the first line that is damaged.
 */
export function checkContents(
  file: number,
  players: number,
  who: string,
  checkHeader: (line: Buffer, isWhole: boolean) => void,
): Contents {
  const table = createMaskTable(players);
  const values: number[] = [];
  const marks: number[] = []; // of gradients: their checksums
  const read = entryReader(players, who);
  let length = 0;
  for (const { bytes, number, end, isWhole } of linesOf(file, Infinity, who)) {
    if (number === 1) checkHeader(bytes, isWhole);
    if (!isWhole) {
      requireTorn(bytes, number, who);
      return { count: table.count, length, isTorn: true };
    }
    length = end;
    if (number === 1) continue;
    const { mask, value, gradient } = read(bytes, number);
    const at = table.add(mask, 0);
    if (at < values.length && !Object.is(values[at], value))
      throw damaged(who, number, `gives mask ${maskHex(mask, 0)} the value ${value}, an earlier line ${values[at]}`);
    values[at] = value;
    if (gradient === undefined) continue;
    const mark = crc32(new Uint8Array(gradient.buffer));
    if (marks[at] !== undefined && marks[at] !== mark)
      throw damaged(who, number, `gives mask ${maskHex(mask, 0)} another gradient than an earlier line`);
    marks[at] = mark;
  }
  return { count: table.count, length, isTorn: false };
}

/** The first line without its newline; undefined where the file has no whole one. */
export function firstLineOf(file: number, who: string): Buffer | undefined {
  for (const { bytes, isWhole } of linesOf(file, Infinity, who)) return isWhole ? Buffer.from(bytes) : undefined;
  return undefined;
}

/** The entries in the whole lines of the first `length` bytes, in pieces of one kind each: with gradients, or without. */
export function* piecesOf(file: number, players: number, length: number, who: string): Generator<Entries> {
  const read = entryReader(players, who);
  let piece = newPiece(players, false);
  for (const { bytes, number, isWhole } of linesOf(file, length, who)) {
    if (number === 1 || !isWhole) continue;
    const { mask, value, gradient } = read(bytes, number);
    if (piece.count === piece.values.length || (piece.gradients === undefined) !== (gradient === undefined)) {
      if (piece.count > 0) yield cut(piece);
      piece = newPiece(players, gradient !== undefined);
    }
    const row = piece.count++;
    piece.masks.words.set(mask.words, row * mask.stride);
    piece.values[row] = value;
    if (gradient !== undefined) piece.gradients?.set(gradient, row * players);
  }
  if (piece.count > 0) yield cut(piece);
}

/** Room for entries, the first `count` of which are there. */
interface Piece extends Entries {
  count: number;
}

function newPiece(players: number, gradients: boolean): Piece {
  const most = gradients ? Math.max(1, Math.min(PIECE.masks, Math.floor(PIECE.slopes / players))) : PIECE.masks;
  const slopes = gradients ? new Float32Array(most * players) : undefined;
  return { masks: emptyMasks(players, most), values: new Float64Array(most), gradients: slopes, count: 0 };
}

function cut({ masks, values, gradients, count }: Piece): Entries {
  const words = masks.words.slice(0, count * masks.stride);
  const rows = { masks: { ...masks, count, words }, values: values.slice(0, count) };
  return gradients === undefined ? rows : { ...rows, gradients: gradients.slice(0, count * masks.players) };
}

/** Reads lines that are entries over `players` players. */
function entryReader(players: number, who: string): (line: Buffer, number: number) => Row {
  const digits = 2 * Math.ceil(players / 8);
  const mask = emptyMasks(players, 1);
  const bytes = Buffer.from(mask.words.buffer); // little-endian, as in maskHex
  const beyond = players % 8 === 0 ? 0 : (0xff << players % 8) & 0xff;
  return (line, number) => {
    const json = unsealLine(line);
    if (json === undefined) throw damaged(who, number, 'is damaged (its checksum says so)');
    const entry = parseEntry(json);
    if (typeof entry === 'string') throw damaged(who, number, entry);
    if (entry.mask.length !== digits)
      throw damaged(who, number, `has a mask of ${entry.mask.length} hex digits; ${players} players take ${digits}`);
    bytes.write(entry.mask, 'hex');
    if (digits > 0 && (bytes[digits / 2 - 1] & beyond) !== 0)
      throw damaged(who, number, `has a mask that keeps a player beyond the last of ${players}`);
    const gradient = entry.gradient === undefined ? undefined : gradientOf(entry.gradient, players);
    if (entry.gradient !== undefined && gradient === undefined)
      throw damaged(who, number, `has a gradient that is not of ${players} finite numbers`);
    return { mask, value: entry.value, gradient };
  };
}

/** The lines in the first `length` bytes of a file. */
function* linesOf(file: number, length: number, who: string): Generator<Line> {
  const chunk = Buffer.allocUnsafe(CHUNK);
  let begun: Buffer[] = []; // what was read of a line whose end was not
  let [position, number, long] = [0, 0, 0];
  while (position < length) {
    const bytes = chunk.subarray(0, readSync(file, chunk, 0, Math.min(CHUNK, length - position), position));
    if (bytes.length === 0) break;
    let start = 0;
    for (let at; (at = bytes.indexOf(10, start)) !== -1; start = at + 1) {
      const line = bytes.subarray(start, at);
      const whole = begun.length === 0 ? line : Buffer.concat([...begun, line]);
      [begun, long] = [[], 0];
      yield { bytes: whole, number: ++number, end: position + at + 1, isWhole: true };
    }
    if (start < bytes.length) begun.push(Buffer.from(bytes.subarray(start)));
    position += bytes.length;
    long += bytes.length - start;
    if (long > LONGEST)
      throw number === 0
        ? fail('log', who, 'does not begin with a run-log header; choose another folder or remove the file.')
        : damaged(who, number + 1, `is longer than ${LONGEST} bytes, and no entry is`);
  }
  if (begun.length > 0) yield { bytes: Buffer.concat(begun), number: number + 1, end: position, isWhole: false };
}

/** A whole line with another byte for its newline was not torn: something happened to that byte. */
function requireTorn(tail: Buffer, number: number, who: string): void {
  if (unsealLine(tail.subarray(0, -1)) !== undefined) throw damaged(who, number, 'does not end with a newline');
}

function damaged(who: string, number: number, what: string): Error {
  return fail('log', who, `line ${number} ${what}; remove that line to go on without it, or choose another folder.`);
}
