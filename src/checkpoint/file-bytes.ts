/**
 * Bytes of a weight file, by position and never all at once: what the checkpoint formats share.
 *
 * A file is opened for each tensor and closed again, so a source holds nothing between reads. Data is read
 * straight into the array that will hold it, or in pieces of 4 MB that are converted one after the other.
 */
import { fail } from '../errors.ts';
import { open, stat, type OpenFile } from '../platform/file-system.ts';
import type { PieceConverter } from './tensor-values.ts';

export const PIECE_BYTES = 4 << 20;

/**
 * Runs `use` on the open file and closes it; checks that it is a regular file of `expectedBytes`, if given.
 *
 * @param what what should be at `path`, e.g. `a safetensors file`.
 * @throws 'checkpoint' when the file is missing, not a regular file, unreadable or of another size.
 */
export async function withFile<T>(
  path: string,
  who: string,
  what: string,
  expectedBytes: number | undefined,
  use: (file: OpenFile, fileBytes: number) => Promise<T>,
): Promise<T> {
  let file: OpenFile | undefined;
  try {
    // Asked before opening: opening a pipe would wait for a writer.
    if (!(await stat(path)).isFile()) {
      throw fail('checkpoint', who, `is not a file; ${what} was looked for here.`);
    }
    file = await open(path);
    const { size } = await file.stat();
    if (expectedBytes !== undefined && size !== expectedBytes) {
      throw fail('checkpoint', who, `was ${expectedBytes} bytes when opened and is ${size} now; open it again.`);
    }
    return await use(file, size);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    const fault = error.code === 'ENOENT' ? 'there is no such file.' : `cannot be read (${String(error.code)}).`;
    throw fail('checkpoint', who, fault);
  } finally {
    await file?.close();
  }
}

/** Fills `bytes` from `position` on; positioned reads may return less than asked, so it loops. */
export async function readFully<T extends Uint8Array>(
  file: OpenFile,
  bytes: T,
  position: number,
  who: string,
): Promise<T> {
  for (let done = 0; done < bytes.length; ) {
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

/** Fills `values` with the elements of `width` bytes each that lie one after the other from `position` on. */
export async function readValues<T extends Float32Array | Int32Array>(
  file: OpenFile,
  position: number,
  width: number,
  convert: PieceConverter<T> | 'as is',
  values: T,
  who: string,
): Promise<void> {
  if (convert === 'as is') {
    await readFully(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), position, who);
    return;
  }
  const total = values.length * width;
  const piece = new Uint8Array(Math.min(PIECE_BYTES, total));
  for (let done = 0; done < total; done += piece.length) {
    const bytes = piece.subarray(0, Math.min(piece.length, total - done));
    await readFully(file, bytes, position + done, who);
    convert(bytes, values, done / width);
  }
}

/** An array of `elements` from `make`. @throws 'checkpoint' when this machine cannot allocate it. */
export function allocate<T>(make: (length: number) => T, elements: number, who: string, tensor: string): T {
  try {
    return make(elements);
  } catch {
    throw fail('checkpoint', who, `${tensor} has ${elements} values, more than this machine can allocate.`);
  }
}

/** Makes float32 arrays: the beginning of `into` when it is long enough, else fresh ones. */
export function floats(into: Float32Array | undefined): (length: number) => Float32Array {
  return (length) =>
    into !== undefined && length <= into.length ? into.subarray(0, length) : new Float32Array(length);
}
