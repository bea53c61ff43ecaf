/**
 * safetensors, tensor by tensor from disk.
 *
 * Opening reads and validates the header only; `read` fetches one tensor with positioned reads
 * into memory we allocate, so data at odd offsets needs no care and the file is never held whole.
 * Dtypes other than F32 are converted in pieces of 4 MB. The file is reopened for each read and
 * must still have the size it had.
 *
 * Format: huggingface/safetensors, README "Format" and `tensor.rs`.
 */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { closest, fail } from '../errors.ts';
import { widenBfloat16, widenFloat16 } from './half-precision.ts';
import { HEADER_LIMIT, parseSafetensorsHeader, type SafetensorsEntry } from './safetensors-header.ts';
import { quote } from './strict-json.ts';
import type { TensorSource } from './tensor-source.ts';

const PIECE_BYTES = 4 << 20;

/**
 * Opens a safetensors file: checks every rule of the format, reads no data.
 *
 * @throws 'checkpoint' when the file is missing, not a regular file, unreadable or breaks a rule.
 */
export async function openSafetensors(path: string): Promise<TensorSource> {
  const who = `safetensors ${path}`;
  const { header, dataStart, fileBytes } = await withFile(path, who, undefined, (file, size) => readHeader(file, size, who));

  const entryOf = (name: string): SafetensorsEntry => {
    const entry = header.entries.get(name);
    if (entry !== undefined) return entry;
    const near = closest(name.slice(0, 120), header.entries.keys()).map(quote).join(', ');
    throw fail('checkpoint', who, `has no tensor ${quote(name)} among its ${header.entries.size}${near && `; the closest are ${near}`}.`);
  };
  const fetch = <T extends Float32Array | Int32Array>(name: string, make: ArrayMaker<T>, convert: ConverterOf<T>): Promise<T> => {
    const entry = entryOf(name);
    const tensor = `tensor ${quote(name)}`;
    const convertPiece = convert(entry.dtype, (what) => fail('checkpoint', who, `${tensor} ${what}`));
    return withFile(path, who, fileBytes, async (file) => {
      let values: T;
      try {
        values = make(entry.elements);
      } catch {
        throw fail('checkpoint', who, `${tensor} has ${entry.elements} values, more than this machine can allocate.`);
      }
      if (convertPiece === 'as is') await readFully(file, new Uint8Array(values.buffer), dataStart + entry.begin, who);
      else await readInPieces(file, dataStart, entry, who, (bytes, at) => convertPiece(bytes, values, at));
      return values;
    });
  };

  return {
    path,
    tensors: header.entries,
    metadata: header.metadata,
    read: async (name) => fetch(name, (length) => new Float32Array(length), toFloat32),
    readIntegers: async (name) => fetch(name, (length) => new Int32Array(length), toInt32),
  };
}

type ArrayMaker<T> = (length: number) => T;
type Fault = (what: string) => Error;
/** Converts the bytes of a piece (a multiple of 8 long but for the last) to values from index `at` on. */
type PieceConverter<T> = (bytes: Uint8Array<ArrayBuffer>, values: T, at: number) => void;
type ConverterOf<T> = (dtype: string, fault: Fault) => PieceConverter<T> | 'as is';

function toFloat32(dtype: string, fault: Fault): PieceConverter<Float32Array> | 'as is' {
  switch (dtype) {
    case 'F32':
      return 'as is';
    case 'F16':
      return (bytes, values, at) => widenFloat16(new Uint16Array(bytes.buffer, 0, bytes.length / 2), values, at);
    case 'BF16':
      return (bytes, values, at) => widenBfloat16(new Uint16Array(bytes.buffer, 0, bytes.length / 2), values, at);
    case 'F64':
      return (bytes, values, at) => {
        const wide = new Float64Array(bytes.buffer, 0, bytes.length / 8);
        for (let i = 0; i < wide.length; i++) {
          values[at + i] = wide[i];
          if (Math.abs(values[at + i]) === Infinity && Math.abs(wide[i]) !== Infinity) throw fault(`has the F64 value ${wide[i]} at ${at + i}, which float32 cannot hold.`);
        }
      };
    default: {
      const convert = integerPieces(dtype, fault, 2 ** 24, 'which float32 cannot hold exactly');
      if (convert === undefined) throw fault(`has dtype ${dtype}, which cannot be read; F32, F16, BF16, F64, I64, I32, U8 and BOOL can.`);
      return convert;
    }
  }
}

function toInt32(dtype: string, fault: Fault): PieceConverter<Int32Array> | 'as is' {
  if (dtype === 'I32') return 'as is';
  const convert = integerPieces(dtype, fault, 2 ** 31 - 1, 'which is outside int32');
  if (convert === undefined) throw fault(`has dtype ${dtype}, which cannot be read as integers; I64, I32, U8 and BOOL can.`);
  return convert;
}

function integerPieces(dtype: string, fault: Fault, limit: number, why: string): PieceConverter<Float32Array | Int32Array> | undefined {
  const store = (values: Float32Array | Int32Array, at: number, value: number | bigint): void => {
    if (value > limit || value < -limit) throw fault(`has the ${dtype} value ${value} at ${at}, ${why}.`);
    values[at] = Number(value);
  };
  switch (dtype) {
    case 'I64':
      return (bytes, values, at) => new BigInt64Array(bytes.buffer, 0, bytes.length / 8).forEach((value, i) => store(values, at + i, value));
    case 'I32':
      return (bytes, values, at) => new Int32Array(bytes.buffer, 0, bytes.length / 4).forEach((value, i) => store(values, at + i, value));
    case 'U8':
      return (bytes, values, at) => values.set(bytes, at);
    case 'BOOL':
      return (bytes, values, at) => {
        const odd = bytes.findIndex((byte) => byte > 1);
        if (odd >= 0) throw fault(`has the BOOL byte ${bytes[odd]} at ${at + odd}; it should be 0 or 1.`);
        values.set(bytes, at);
      };
    default:
      return undefined;
  }
}

async function readHeader(file: FileHandle, fileBytes: number, who: string) {
  if (fileBytes < 8) throw fail('checkpoint', who, `is ${fileBytes} bytes; a safetensors file begins with an 8-byte header length.`);
  const prefix = await readFully(file, new Uint8Array(8), 0, who);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(HEADER_LIMIT)) {
    throw fail('checkpoint', who, `announces a header of ${length} bytes, above the format's limit of ${HEADER_LIMIT}; this is not a safetensors file or it is damaged.`);
  }
  const dataStart = 8 + Number(length);
  if (dataStart > fileBytes) {
    throw fail('checkpoint', who, `announces a header of ${length} bytes, but the file has ${fileBytes - 8} after the length; the file is truncated.`);
  }
  const bytes = await readFully(file, new Uint8Array(Number(length)), 8, who);
  let json: string;
  try {
    json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw fail('checkpoint', who, `the ${length}-byte header is not valid UTF-8; the file is damaged.`);
  }
  return { header: parseSafetensorsHeader(json, fileBytes - dataStart, who), dataStart, fileBytes };
}

/** Runs `use` on the open file and closes it; checks that it is a regular file of `expectedBytes`, if given. */
async function withFile<T>(path: string, who: string, expectedBytes: number | undefined, use: (file: FileHandle, size: number) => Promise<T>): Promise<T> {
  let file: FileHandle;
  try {
    // Asked before opening: opening a pipe would wait for a writer.
    if (!(await stat(path)).isFile()) throw fail('checkpoint', who, 'is not a file; a safetensors file was looked for here.');
    file = await open(path, 'r');
  } catch (error) {
    throw describeOpenError(error, who);
  }
  try {
    const { size } = await file.stat();
    if (expectedBytes !== undefined && size !== expectedBytes) {
      throw fail('checkpoint', who, `was ${expectedBytes} bytes when opened and is ${size} now; open it again.`);
    }
    return await use(file, size);
  } finally {
    await file.close();
  }
}

function describeOpenError(error: unknown, who: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  if (error.code === 'ENOENT') return fail('checkpoint', who, 'there is no such file.');
  return fail('checkpoint', who, `cannot be opened (${String(error.code)}).`);
}

async function readInPieces(file: FileHandle, dataStart: number, entry: SafetensorsEntry, who: string, use: (bytes: Uint8Array<ArrayBuffer>, at: number) => void): Promise<void> {
  const total = entry.end - entry.begin;
  const piece = new Uint8Array(Math.min(PIECE_BYTES, total));
  for (let done = 0; done < total; done += piece.length) {
    const bytes = piece.subarray(0, Math.min(piece.length, total - done));
    await readFully(file, bytes, dataStart + entry.begin + done, who);
    use(bytes, (done / total) * entry.elements);
  }
}

/** Fills `bytes` from `position` on; positioned reads may return less than asked, so it loops. */
async function readFully<T extends Uint8Array>(file: FileHandle, bytes: T, position: number, who: string): Promise<T> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, 1 << 30), position + done);
    if (bytesRead === 0) throw fail('checkpoint', who, `ended at byte ${position + done} while ${bytes.length - done} more were expected; the file changed while it was read.`);
    done += bytesRead;
  }
  return bytes;
}
