/**
 * Reads a ZIP file (a Python wheel is one): its directory, and single members streamed to disk.
 *
 * Written for wheels, so that one of 270 MB needs neither Python nor its size in memory. Stored and deflated members,
 * sizes checked by CRC-32; no encryption, no ZIP64 (no file of 4 GiB and more). Format: PKWARE APPNOTE 4.3.
 */
import { closeSync, createReadStream, createWriteStream, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { fail } from '../../src/errors.ts';
import { throwIfStopped } from './child.ts';

export interface Member {
  readonly name: string;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  /** Where its local header starts. */
  readonly offset: number;
}

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const ZIP64 = 0xffffffff;

/** Bytes [at, at + length) of an open file. */
function bytes(file: number, at: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(file, buffer, 0, length, at));
}

/** @throws 'input' when the file is not a ZIP, is cut short, or is a ZIP64. */
export function membersOf(path: string): Member[] {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const tailAt = Math.max(0, size - 65_557); // the end record and its longest comment
    const tail = bytes(file, tailAt, size - tailAt);
    let end = tail.length - 22;
    while (end >= 0 && tail.readUInt32LE(end) !== END) end--;
    if (end < 0) throw fail('input', path, 'is not a whole ZIP file (no end record); a wheel is one.');
    const [count, length, start] = [
      tail.readUInt16LE(end + 10),
      tail.readUInt32LE(end + 12),
      tail.readUInt32LE(end + 16),
    ];
    if (count === 0xffff || start === ZIP64) throw fail('input', path, 'is a ZIP64 file, which is not read here.');
    const directory = bytes(file, start, length);
    const members: Member[] = [];
    for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === ENTRY; ) {
      const [nameLength, extra, comment] = [28, 30, 32].map((field) => directory.readUInt16LE(at + field));
      members.push({
        name: directory.toString('utf8', at + 46, at + 46 + nameLength),
        method: directory.readUInt16LE(at + 10),
        crc: directory.readUInt32LE(at + 16),
        packed: directory.readUInt32LE(at + 20),
        size: directory.readUInt32LE(at + 24),
        offset: directory.readUInt32LE(at + 42),
      });
      at += 46 + nameLength + extra + comment;
    }
    if (members.length !== count)
      throw fail('input', path, `is damaged: its directory lists ${members.length} of ${count} files.`);
    return members;
  } finally {
    closeSync(file);
  }
}

/** Writes one member to `target`, making its folder. @throws 'input' when the bytes are not those the directory promises. */
export async function extract(path: string, member: Member, target: string, signal?: AbortSignal): Promise<void> {
  const { name, method, packed, size, offset } = member;
  if (packed === ZIP64 || size === ZIP64 || (method !== 0 && method !== 8))
    throw fail('input', path, `${name} is packed in a way that is not read here (method ${method}).`);
  const file = openSync(path, 'r');
  const local = bytes(file, offset, 30);
  closeSync(file);
  if (local.length < 30 || local.readUInt32LE(0) !== LOCAL)
    throw fail('input', path, `is damaged: ${name} does not start where the directory says.`);
  const start = offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  mkdirSync(dirname(target), { recursive: true });
  let [written, crc] = [0, 0];
  const check = new Transform({
    transform(chunk: Buffer, _, done: TransformCallback) {
      written += chunk.length;
      crc = crc32(chunk, crc);
      if (written > size)
        done(fail('input', path, `is damaged: ${name} unpacks to more than the ${size} bytes it lists.`));
      else done(null, chunk);
    },
  });
  const source = packed === 0 ? [] : createReadStream(path, { start, end: start + packed - 1, highWaterMark: 1 << 20 });
  try {
    if (method === 8)
      await pipeline(source, createInflateRaw({ chunkSize: 1 << 20 }), check, createWriteStream(target), { signal });
    else await pipeline(source, check, createWriteStream(target), { signal });
  } catch (error) {
    throwIfStopped(signal);
    if ((error as NodeJS.ErrnoException).code?.startsWith('Z_') === true)
      throw fail('input', path, `is damaged: ${name} does not unpack.`);
    throw error;
  }
  if (written !== size || crc !== member.crc)
    throw fail(
      'input',
      path,
      `is damaged: ${name} unpacks to ${written} bytes with CRC ${crc}, not ${size} with ${member.crc}.`,
    );
}
