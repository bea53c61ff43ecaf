/**
 * A GGUF file on disk: its head, and the rows of its tensors as float32, read block by block.
 *
 * Nothing is held but the head; a tensor is read with positioned reads of 4 MB that are dequantized one after the
 * other. The file is opened again for each and must still have the size it had.
 */
import { fail } from '../../errors.ts';
import { allocate, floats, PIECE_BYTES, readFully, withFile } from '../file-bytes.ts';
import { quote } from '../strict-json.ts';
import { noSuchTensor } from '../tensor-source.ts';
import { HEADER_LIMIT, parseGgufHeader, type GgufHeader } from './header.ts';

const WHAT = 'a GGUF file';
/** Most heads are below this; a larger one is read again from the start, twice as far. */
const FIRST_READ = 8 << 20;

export interface GgufFile extends GgufHeader {
  readonly path: string;
  /**
   * Rows [from, to) of a tensor (the values along its first axis), default all, as float32 in C order.
   *
   * @param into where the values go when it is long enough.
   * @throws 'checkpoint' for an unknown tensor or a file that changed.
   */
  read(name: string, into?: Float32Array, rows?: readonly [from: number, to: number]): Promise<Float32Array>;
}

/** Opens a GGUF file: reads and checks its head. @throws 'checkpoint' when it is missing, unreadable or breaks a rule. */
export async function openGgufFile(path: string): Promise<GgufFile> {
  const who = `gguf ${path}`;
  const { header, fileBytes } = await withFile(path, who, WHAT, undefined, async (file, size) => {
    for (let length = FIRST_READ; ; length *= 2) {
      const bytes = new Uint8Array(Math.min(length, size, HEADER_LIMIT));
      const found = parseGgufHeader(await readFully(file, bytes, 0, who), size, who);
      if (found !== undefined) return { header: found, fileBytes: size };
    }
  });
  return {
    ...header,
    path,
    read: async (name, into, rows) => {
      const tensor = header.tensors.get(name);
      if (tensor === undefined) throw noSuchTensor(who, name, header.tensors.keys(), header.tensors.size);
      const { type, shape, begin } = tensor;
      const [from, to] = rows ?? [0, shape[0] ?? 1];
      const elements = shape.slice(1).reduce((product, size) => product * size, 1);
      const rowBytes = (elements / type.elements) * type.bytes;
      const total = (to - from) * rowBytes;
      if (!Number.isInteger(rowBytes) && rows !== undefined)
        throw fail('checkpoint', who, `tensor ${quote(name)} has rows that end inside a block of ${type.name}.`);
      return withFile(path, who, WHAT, fileBytes, async (file) => {
        const values = allocate(floats(into), (to - from) * elements, who, `tensor ${quote(name)}`);
        const position = header.dataStart + begin + from * rowBytes;
        const piece = new Uint8Array(Math.min(total, Math.floor(PIECE_BYTES / type.bytes) * type.bytes));
        for (let done = 0; done < total; done += piece.length) {
          const bytes = piece.subarray(0, Math.min(piece.length, total - done));
          await readFully(file, bytes, position + done, who);
          type.dequantize(bytes, values, (done / type.bytes) * type.elements);
        }
        return values;
      });
    },
  };
}
