/**
 * The directory of a zip file whose entries are stored, as torch.save writes it.
 *
 * Only the central directory is believed; an entry's local header must agree with it. What torch.save never
 * writes is refused by name: compression, encryption, several disks, bytes before or between the structures,
 * names that leave the archive, entries that overlap. Checksums are not compared: torch can be told to leave
 * them out (set_crc32_options), and its own reader ignores them.
 *
 * Format: PKWARE APPNOTE 6.3.10, sections 4.3 to 4.5.
 */
import { fail } from '../../errors.ts';
import type { OpenFile } from '../../platform/file-system.ts';
import { readFully } from '../file-bytes.ts';
import { quote } from '../strict-json.ts';

export interface ZipEntry {
  readonly name: string;
  readonly bytes: number;
  /** Where its local header is. */
  readonly headerAt: number;
  /** Where the next structure of the file is: its data ends before. */
  readonly limit: number;
}

const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
/** Central directories larger than this are not those of a checkpoint (100,000 tensors need some 8 MB). */
const DIRECTORY_LIMIT = 64 << 20;

/**
 * The entries of the zip file, by name.
 *
 * @throws 'checkpoint' when it is not such a file, naming the rule.
 */
export async function readZipDirectory(
  file: OpenFile,
  fileBytes: number,
  who: string,
): Promise<ReadonlyMap<string, ZipEntry>> {
  const damaged = (what: string): Error => fail('checkpoint', who, `${what}; the zip file is damaged or truncated.`);
  const { count, size, offset, end } = await findDirectory(file, fileBytes, who);
  if (offset + size !== end)
    throw damaged(`the central directory is ${size} bytes at ${offset}, but should end at ${end}`);
  if (size > DIRECTORY_LIMIT || count * 46 > size)
    throw damaged(`the central directory of ${size} bytes announces ${count} entries`);
  const bytes = await readFully(file, new Uint8Array(size), offset, who);
  const view = new DataView(bytes.buffer);
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const found: Omit<ZipEntry, 'limit'>[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || view.getUint32(at, true) !== ENTRY)
      throw damaged(`entry ${i} of the central directory is not one`);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => view.getUint16(at + field, true));
    const next = at + 46 + nameBytes + extraBytes + commentBytes;
    if (next > size) throw damaged(`entry ${i} reaches beyond the central directory`);
    let name: string;
    try {
      name = text.decode(bytes.subarray(at + 46, at + 46 + nameBytes));
    } catch {
      throw damaged(`the name of entry ${i} is not UTF-8`);
    }
    const refuse = (what: string): Error =>
      fail('checkpoint', who, `its entry ${quote(name)} ${what}; torch.save writes none like it.`);
    if (name === '' || /[\\:\0]|^\/|(^|\/)\.{0,2}(\/|$)/.test(name))
      throw refuse('has a name that could leave the archive');
    if (names.has(name)) throw refuse('is there twice');
    names.add(name);
    if ((view.getUint16(at + 8, true) & 1) !== 0) throw refuse('is encrypted');
    const method = view.getUint16(at + 10, true);
    if (method !== 0)
      throw refuse(
        `is compressed (method ${method}; TorchScript programs are), and only dictionaries of tensors are read`,
      );
    const fields = [20, 24, 42].map((field) => view.getUint32(at + field, true));
    const [packed, unpacked, headerAt] = widen(
      fields,
      bytes.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes),
    );
    if (packed !== unpacked) throw refuse(`is ${packed} bytes stored and ${unpacked} unpacked`);
    if (!(headerAt + 30 + nameBytes + unpacked <= offset))
      throw damaged(`entry ${quote(name)} of ${unpacked} bytes at ${headerAt} reaches beyond ${offset}`);
    found.push({ name, bytes: unpacked, headerAt });
    at = next;
  }
  if (at !== size) throw damaged(`${size - at} bytes follow the last entry of the central directory`);
  found.sort((a, b) => a.headerAt - b.headerAt);
  const entries = found.map((entry, i) => ({ ...entry, limit: found[i + 1]?.headerAt ?? offset }));
  return new Map(entries.map((entry) => [entry.name, entry]));
}

/** Where the entry's data begins. @throws 'checkpoint' when its local header disagrees or its data overlaps what follows. */
export async function dataStart(file: OpenFile, entry: ZipEntry, who: string): Promise<number> {
  const name = new TextEncoder().encode(entry.name);
  const header = await readFully(file, new Uint8Array(30 + name.length), entry.headerAt, who);
  const view = new DataView(header.buffer);
  const agrees =
    view.getUint32(0, true) === LOCAL &&
    view.getUint16(8, true) === 0 &&
    view.getUint16(26, true) === name.length &&
    name.every((byte, i) => header[30 + i] === byte);
  const start = entry.headerAt + 30 + name.length + view.getUint16(28, true);
  if (agrees && start + entry.bytes <= entry.limit) return start;
  const what = agrees ? `overlaps what begins at ${entry.limit}` : 'has a local header that is not its own';
  throw fail(
    'checkpoint',
    who,
    `the zip entry ${quote(entry.name)} of ${entry.bytes} bytes at ${entry.headerAt} ${what}; the file is damaged.`,
  );
}

/** Entries, bytes and offset of the central directory, and where it has to end. */
async function findDirectory(
  file: OpenFile,
  fileBytes: number,
  who: string,
): Promise<{ count: number; size: number; offset: number; end: number }> {
  const tailBytes = Math.min(fileBytes, 22 + 0xffff);
  const tail = await readFully(file, new Uint8Array(tailBytes), fileBytes - tailBytes, who);
  const view = new DataView(tail.buffer);
  let at = tailBytes - 22;
  while (at >= 0 && !(view.getUint32(at, true) === END && view.getUint16(at + 20, true) === tailBytes - at - 22)) at--;
  if (at < 0)
    throw fail(
      'checkpoint',
      who,
      `has no zip directory at its end among ${fileBytes} bytes; the file is truncated or not a zip file.`,
    );
  const [disk, directoryDisk, here, count] = [4, 6, 8, 10].map((field) => view.getUint16(at + field, true));
  const end = {
    count,
    size: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
    end: fileBytes - tailBytes + at,
  };
  if ((disk !== 0 && disk !== 0xffff) || directoryDisk !== disk || here !== count) {
    throw fail('checkpoint', who, 'is part of a zip file over several disks, which is not read.');
  }
  if (at < 20 || view.getUint32(at - 20, true) !== LOCATOR64) return end;

  const damaged = fail('checkpoint', who, 'has a zip64 directory that contradicts the plain one; the file is damaged.');
  const recordAt = Number(view.getBigUint64(at - 12, true));
  if (recordAt + 56 !== end.end - 20) throw damaged;
  const record = new DataView((await readFully(file, new Uint8Array(56), recordAt, who)).buffer);
  const wide = {
    count: Number(record.getBigUint64(32, true)),
    size: Number(record.getBigUint64(40, true)),
    offset: Number(record.getBigUint64(48, true)),
    end: recordAt,
  };
  const agree = (narrow: number, full: number, none: number): boolean => narrow === none || narrow === full;
  if (record.getUint32(0, true) !== END64 || record.getBigUint64(24, true) !== BigInt(wide.count)) throw damaged;
  if (
    !agree(count, wide.count, 0xffff) ||
    !agree(end.size, wide.size, 0xffff_ffff) ||
    !agree(end.offset, wide.offset, 0xffff_ffff)
  )
    throw damaged;
  return wide;
}

/** Sizes and offset, those that are all ones taken from the zip64 extra field; NaN when it lacks them. */
function widen(fields: readonly number[], extra: Uint8Array): number[] {
  const view = new DataView(extra.buffer, extra.byteOffset, extra.byteLength);
  let [at, end] = [0, 0];
  for (let next = 0; next + 4 <= extra.length; next += 4 + view.getUint16(next + 2, true)) {
    if (view.getUint16(next, true) !== 1) continue;
    at = next + 4;
    end = Math.min(extra.length, at + view.getUint16(next + 2, true));
  }
  return fields.map((field) => {
    if (field !== 0xffff_ffff) return field;
    if (at + 8 > end) return NaN;
    at += 8;
    return Number(view.getBigUint64(at - 8, true));
  });
}
