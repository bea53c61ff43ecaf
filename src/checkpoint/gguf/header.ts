/**
 * The head of a GGUF file, llama.cpp's format: bytes in, checked metadata and a table of tensors out.
 *
 * Layout (ggml's docs/gguf.md), little-endian: "GGUF" | u32 version | u64 tensors | u64 pairs | pairs of key, type and
 * value | tensors of name, sizes (fastest first), type and offset | padding | data. Versions 2 and 3 are read. The rules
 * are those of llama.cpp's own reader and, where it trusts the file, stricter: a key is there once, text is UTF-8,
 * tensors lie one after the other with nothing between but padding, and what is counted is bounded before it is made.
 */
import { fail } from '../../errors.ts';
import { quote } from '../strict-json.ts';
import { BLOCK_TYPES, REFUSED_TYPES, type BlockType } from './block-types.ts';

/** A list of numbers keeps its own width: a vocabulary has a quarter of a million scores. */
export type GgufNumbers = Float32Array | Float64Array | Int32Array | Uint32Array | Int16Array | Uint16Array;
export type GgufList = readonly string[] | GgufNumbers | Int8Array | Uint8Array;
export type GgufValue = string | number | boolean | GgufList;

export interface GgufTensor {
  readonly type: BlockType;
  /** C order: the file's sizes reversed. */
  readonly shape: readonly number[];
  /** First byte, relative to the data. */
  readonly begin: number;
  readonly bytes: number;
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Where the data begins in the file. */
  readonly dataStart: number;
}

/** Gemma 3's head, with 262,144 tokens and as many scores, has 6.5 MB. */
export const HEADER_LIMIT = 64 << 20;
/** Pairs and tensors: the largest models have some 100 and 2,000. */
const COUNT_LIMIT = 100_000;
/** Items of one list; the tokenizers in use have 0.5 million merges. */
const LIST_LIMIT = 4_000_000;
/** ggml's own: dimensions of a tensor, bytes of a tensor's name and of a key. */
const [MOST_DIMENSIONS, NAME_LIMIT, KEY_LIMIT] = [4, 64, 65_535];
const DEFAULT_ALIGNMENT = 32;

/**
 * The head that `bytes`, the beginning of a file of `fileBytes`, holds; undefined when it goes on beyond them.
 *
 * @throws 'checkpoint' at the first rule broken.
 */
export function parseGgufHeader(bytes: Uint8Array, fileBytes: number, who: string): GgufHeader | undefined {
  const reader = new HeadReader(bytes, who);
  try {
    return readHeader(reader, fileBytes, who);
  } catch (error) {
    if (error !== END) throw error;
    if (bytes.length < Math.min(fileBytes, HEADER_LIMIT)) return undefined;
    const why =
      bytes.length === fileBytes
        ? `ends at byte ${fileBytes} inside its head; the file is truncated`
        : `has a head of more than ${HEADER_LIMIT} bytes, the limit; the file is damaged`;
    throw fail('checkpoint', who, `${why}.`);
  }
}

/** Thrown where the bytes end. */
const END = Symbol('end of the bytes at hand');

function readHeader(reader: HeadReader, fileBytes: number, who: string): GgufHeader {
  const magic = String.fromCharCode(...reader.take(4));
  if (magic !== 'GGUF') {
    const old = ['ggml', 'ggjt', 'ggla', 'ggmf', 'lmgg', 'tjgg'].includes(magic);
    const what = old ? `is of llama.cpp's format before GGUF; convert it again` : 'is no GGUF file';
    throw fail('checkpoint', who, `begins with ${quote(magic)}, not "GGUF": it ${what}.`);
  }
  const version = reader.u32();
  if (version !== 2 && version !== 3) {
    const why = version > 0xffff ? 'is written in big-endian byte order or damaged' : `is of GGUF version ${version}`;
    throw fail('checkpoint', who, `${why}; little-endian files of version 2 and 3 are read.`);
  }
  const [tensorCount, pairCount] = [reader.count('tensors', COUNT_LIMIT), reader.count('pairs', COUNT_LIMIT)];
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < pairCount; i++) {
    const key = reader.text(KEY_LIMIT, 'a key');
    if (metadata.has(key)) throw fail('checkpoint', who, `has the key ${quote(key)} twice; the file is damaged.`);
    metadata.set(key, readValue(reader, key));
  }
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  if (typeof alignment !== 'number' || alignment < 1 || alignment > 2 ** 20 || !Number.isInteger(Math.log2(alignment)))
    throw fail('checkpoint', who, `has the general.alignment ${String(alignment)}; it should be a power of 2.`);
  const tensors: [string, GgufTensor][] = [];
  for (let i = 0; i < tensorCount; i++) tensors.push(readTensor(reader, who));
  const dataStart = aligned(reader.at, alignment);
  checkData(tensors, fileBytes - dataStart, alignment, who);
  return { metadata, tensors: uniquely(tensors, who), dataStart };
}

function readTensor(reader: HeadReader, who: string): [string, GgufTensor] {
  const name = reader.text(NAME_LIMIT, 'a tensor name');
  const fault = (what: string): Error => fail('checkpoint', who, `tensor ${quote(name)} ${what}`);
  const dimensions = reader.u32();
  if (dimensions > MOST_DIMENSIONS) throw fault(`has ${dimensions} dimensions, above ${MOST_DIMENSIONS}.`);
  const sizes = Array.from({ length: dimensions }, () => reader.u64());
  const code = reader.u32();
  const begin = reader.u64();
  const type = BLOCK_TYPES.get(code);
  if (type === undefined) {
    const known = [...BLOCK_TYPES.values()].map((one) => one.name).join(', ');
    throw fault(`is of the type ${REFUSED_TYPES[code] ?? code}, which is not read; ${known} are.`);
  }
  const elements = sizes.reduce((product, size) => product * size, 1);
  const bytes = (elements / type.elements) * type.bytes;
  if (!Number.isSafeInteger(elements) || !(bytes <= Number.MAX_SAFE_INTEGER))
    throw fault(`has sizes [${sizes.join()}], whose product overflows; the file is damaged.`);
  if ((sizes[0] ?? 1) % type.elements !== 0)
    throw fault(`has rows of ${sizes[0]} values; ${type.name} holds them in blocks of ${type.elements}.`);
  return [name, { type, shape: sizes.reverse(), begin, bytes }];
}

function uniquely(tensors: readonly [string, GgufTensor][], who: string): ReadonlyMap<string, GgufTensor> {
  const table = new Map<string, GgufTensor>();
  for (const [name, tensor] of tensors) {
    if (table.has(name)) throw fail('checkpoint', who, `has tensor ${quote(name)} twice; the file is damaged.`);
    table.set(name, tensor);
  }
  return table;
}

/** Every tensor begins where the one before ends, up to alignment, and the last ends where the file does. */
function checkData(tensors: readonly [string, GgufTensor][], dataBytes: number, alignment: number, who: string): void {
  let end = 0;
  for (const [name, { begin, bytes }] of tensors.toSorted(([, a], [, b]) => a.begin - b.begin || a.bytes - b.bytes)) {
    if (begin !== aligned(end, alignment))
      throw fail(
        'checkpoint',
        who,
        `tensor ${quote(name)} begins at ${begin} of the data; it should begin at ${aligned(end, alignment)}, after the one before.`,
      );
    end = begin + bytes;
  }
  if (end > Math.max(0, dataBytes))
    throw fail('checkpoint', who, `describes ${end} bytes of data and has ${dataBytes}; the file is truncated.`);
  if (dataBytes > aligned(end, alignment))
    throw fail('checkpoint', who, `has ${dataBytes - end} bytes after its last tensor; the file is damaged.`);
}

function aligned(position: number, alignment: number): number {
  return Math.ceil(position / alignment) * alignment;
}

const [TYPE_STRING, TYPE_ARRAY] = [8, 9];
/** Scalars by code; 64-bit ones become numbers where these hold them. */
const SCALARS: Readonly<Record<number, (reader: HeadReader) => number | boolean>> = {
  0: (reader) => reader.take(1)[0],
  1: (reader) => (reader.take(1)[0] << 24) >> 24,
  2: (reader) => reader.view(2).getUint16(0, true),
  3: (reader) => reader.view(2).getInt16(0, true),
  4: (reader) => reader.u32(),
  5: (reader) => reader.view(4).getInt32(0, true),
  6: (reader) => reader.view(4).getFloat32(0, true),
  7: (reader) => reader.flag(),
  10: (reader) => reader.u64(),
  11: (reader) => reader.i64(),
  12: (reader) => reader.view(8).getFloat64(0, true),
};
/** Lists of numbers by the code of their items. 64-bit integers are read one by one. */
const LISTS: Readonly<Record<number, { BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer): GgufList }>> = {
  0: Uint8Array,
  1: Int8Array,
  2: Uint16Array,
  3: Int16Array,
  4: Uint32Array,
  5: Int32Array,
  6: Float32Array,
  7: Uint8Array,
  12: Float64Array,
};

function readValue(reader: HeadReader, key: string): GgufValue {
  const type = reader.u32();
  if (type === TYPE_STRING) return reader.text(HEADER_LIMIT, key);
  if (type !== TYPE_ARRAY) return readScalar(reader, type, key);
  const items = reader.u32();
  const length = reader.count(`items in ${quote(key)}`, LIST_LIMIT);
  if (items === TYPE_STRING) return Array.from({ length }, () => reader.text(HEADER_LIMIT, key));
  const List = Object.hasOwn(LISTS, items) ? LISTS[items] : undefined;
  if (List !== undefined) return new List(reader.take(length * List.BYTES_PER_ELEMENT).slice().buffer);
  return Float64Array.from({ length }, () => Number(readScalar(reader, items, key)));
}

function readScalar(reader: HeadReader, type: number, key: string): number | boolean {
  if (!Object.hasOwn(SCALARS, type))
    throw reader.fault(`gives ${quote(key)} the type ${type}, which GGUF does not have`);
  return SCALARS[type](reader);
}

/** Reads forward; throws END where the bytes at hand end. */
class HeadReader {
  at = 0;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  private readonly bytes: Uint8Array;
  private readonly data: DataView;
  private readonly who: string;

  constructor(bytes: Uint8Array, who: string) {
    this.bytes = bytes;
    this.who = who;
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fault(what: string): Error {
    return fail('checkpoint', this.who, `${what} (byte ${this.at}); the file is damaged.`);
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw END;
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  view(length: number): DataView {
    const { buffer, byteOffset } = this.take(length);
    return new DataView(buffer, byteOffset, length);
  }

  u32(): number {
    if (this.at + 4 > this.bytes.length) throw END;
    this.at += 4;
    return this.data.getUint32(this.at - 4, true);
  }

  u64(): number {
    const [low, high] = [this.u32(), this.u32()];
    if (high >= 2 ** 21) throw this.fault(`has the integer ${(BigInt(high) << 32n) + BigInt(low)}, above 2^53 - 1`);
    return high * 2 ** 32 + low;
  }

  i64(): number {
    const value = Number(this.view(8).getBigInt64(0, true));
    if (!Number.isSafeInteger(value)) throw this.fault(`has the integer ${value}, beyond 2^53`);
    return value;
  }

  flag(): boolean {
    const [byte] = this.take(1);
    if (byte > 1) throw this.fault(`has the boolean ${byte}`);
    return byte === 1;
  }

  count(what: string, limit: number): number {
    const count = this.u64();
    if (count > limit) throw this.fault(`announces ${count} ${what}, above the limit of ${limit}`);
    return count;
  }

  text(limit: number, what: string): string {
    const length = this.u64();
    if (length > limit) throw this.fault(`has a text of ${length} bytes for ${quote(what)}, above ${limit}`);
    const bytes = this.take(length);
    try {
      return this.decoder.decode(bytes);
    } catch {
      throw this.fault(`has a text for ${quote(what)} that is not UTF-8`);
    }
  }
}
