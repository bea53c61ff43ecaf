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
import { fail } from '../errors.ts';
import type { OpenFile } from '../platform/file-system.ts';
import { allocate, floats, readFully, readValues, withFile } from './file-bytes.ts';
import { HEADER_LIMIT, parseSafetensorsHeader, type SafetensorsEntry } from './safetensors-header.ts';
import { quote } from './strict-json.ts';
import { noSuchTensor, type TensorSource } from './tensor-source.ts';
import { toFloat32, toInt32, type Fault, type PieceConverter } from './tensor-values.ts';

const WHAT = 'a safetensors file';

/**
 * Opens a safetensors file: checks every rule of the format, reads no data.
 *
 * @throws 'checkpoint' when the file is missing, not a regular file, unreadable or breaks a rule.
 */
export async function openSafetensors(path: string): Promise<TensorSource> {
  const who = `safetensors ${path}`;
  const { header, dataStart, fileBytes } = await withFile(path, who, WHAT, undefined, (file, size) =>
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
    return withFile(path, who, WHAT, fileBytes, async (file) => {
      const values = allocate(make, entry.elements, who, tensor);
      const width = (entry.end - entry.begin) / Math.max(1, entry.elements);
      await readValues(file, dataStart + entry.begin, width, convertPiece, values, who);
      return values;
    });
  };

  return {
    path,
    tensors: header.entries,
    metadata: header.metadata,
    read: async (name, into) => load(name, floats(into), toFloat32),
    readIntegers: async (name) => load(name, (length) => new Int32Array(length), toInt32),
  };
}

type ArrayMaker<T> = (length: number) => T;
type ConverterOf<T> = (dtype: string, fault: Fault) => PieceConverter<T> | 'as is';

async function readHeader(file: OpenFile, fileBytes: number, who: string) {
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
