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
import { fail } from '../errors.ts';
import { HEADER_LIMIT, parseSafetensorsHeader, type SafetensorsEntry } from './safetensors-header.ts';
import { quote } from './strict-json.ts';
import { noSuchTensor, type TensorSource } from './tensor-source.ts';
import { toFloat32, toInt32, type Fault, type PieceConverter } from './tensor-values.ts';

const PIECE_BYTES = 4 << 20;

/**
 * Opens a safetensors file: checks every rule of the format, reads no data.
 *
 * @throws 'checkpoint' when the file is missing, not a regular file, unreadable or breaks a rule.
 */
export async function openSafetensors(path: string): Promise<TensorSource> {
  const who = `safetensors ${path}`;
  const { header, dataStart, fileBytes } = await withFile(path, who, undefined, (file, size) =>
    readHeader(file, size, who),
  );

  const entryOf = (name: string): SafetensorsEntry => {
    const entry = header.entries.get(name);
    if (entry !== undefined) return entry;
    throw noSuchTensor(who, name, header.entries.keys(), header.entries.size);
  };
  const load = <T extends Float32Array | Int32Array>(
    name: string,
    make: ArrayMaker<T>,
    convert: ConverterOf<T>,
  ): Promise<T> => {
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
    read: async (name) => load(name, (length) => new Float32Array(length), toFloat32),
    readIntegers: async (name) => load(name, (length) => new Int32Array(length), toInt32),
  };
}

type ArrayMaker<T> = (length: number) => T;
type ConverterOf<T> = (dtype: string, fault: Fault) => PieceConverter<T> | 'as is';

async function readHeader(file: FileHandle, fileBytes: number, who: string) {
  if (fileBytes < 8)
    throw fail('checkpoint', who, `is ${fileBytes} bytes; a safetensors file begins with an 8-byte header length.`);
  const prefix = await readFully(file, new Uint8Array(8), 0, who);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(HEADER_LIMIT)) {
    throw fail(
      'checkpoint',
      who,
      `announces a header of ${length} bytes, above the format's limit of ${HEADER_LIMIT}; this is not a safetensors file or it is damaged.`,
    );
  }
  const dataStart = 8 + Number(length);
  if (dataStart > fileBytes) {
    throw fail(
      'checkpoint',
      who,
      `announces a header of ${length} bytes, but the file has ${fileBytes - 8} after the length; the file is truncated.`,
    );
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
async function withFile<T>(
  path: string,
  who: string,
  expectedBytes: number | undefined,
  use: (file: FileHandle, fileBytes: number) => Promise<T>,
): Promise<T> {
  let file: FileHandle | undefined;
  try {
    // Asked before opening: opening a pipe would wait for a writer.
    if (!(await stat(path)).isFile()) {
      throw fail('checkpoint', who, 'is not a file; a safetensors file was looked for here.');
    }
    file = await open(path, 'r');
    const { size } = await file.stat();
    if (expectedBytes !== undefined && size !== expectedBytes) {
      throw fail('checkpoint', who, `was ${expectedBytes} bytes when opened and is ${size} now; open it again.`);
    }
    return await use(file, size);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    const what = error.code === 'ENOENT' ? 'there is no such file.' : `cannot be read (${String(error.code)}).`;
    throw fail('checkpoint', who, what);
  } finally {
    await file?.close();
  }
}

async function readInPieces(
  file: FileHandle,
  dataStart: number,
  entry: SafetensorsEntry,
  who: string,
  use: (bytes: Uint8Array<ArrayBuffer>, at: number) => void,
): Promise<void> {
  const total = entry.end - entry.begin;
  const width = total / entry.elements;
  const piece = new Uint8Array(Math.min(PIECE_BYTES, total));
  for (let done = 0; done < total; done += piece.length) {
    const bytes = piece.subarray(0, Math.min(piece.length, total - done));
    await readFully(file, bytes, dataStart + entry.begin + done, who);
    use(bytes, done / width);
  }
}

/** Fills `bytes` from `position` on; positioned reads may return less than asked, so it loops. */
async function readFully<T extends Uint8Array>(file: FileHandle, bytes: T, position: number, who: string): Promise<T> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, 1 << 30), position + done);
    if (bytesRead === 0)
      throw fail(
        'checkpoint',
        who,
        `ended at byte ${position + done} while ${bytes.length - done} more were expected; the file changed while it was read.`,
      );
    done += bytesRead;
  }
  return bytes;
}
