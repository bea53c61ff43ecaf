/**
 * Writes safetensors files, for our training scripts and tests.
 *
 * Deterministic: the same tensors and metadata give the same bytes. Tensors are laid out by
 * element size, largest first, then by name, and the header is padded with spaces to a multiple
 * of 8, so every tensor is aligned to its element size, as the reference writer does. The bytes go
 * to a temporary file beside the target, which is renamed when complete: no half-written file is
 * ever seen under the final name.
 */
import { fail, SpexlensError } from '../errors.ts';
import { processNumber } from '../platform/about.ts';
import { openToWrite, remove, rename } from '../platform/file-system.ts';
import { quote } from './strict-json.ts';

/** One tensor to write. Arrays of unsigned 16 bits say what they hold: a half format or integers. A function is called when the tensor's turn comes, so that a file may be larger than memory. */
export type TensorToWrite = { readonly shape: readonly number[] } & (
  | {
      readonly data:
        | Float32Array
        | Float64Array
        | Int8Array
        | Int16Array
        | Int32Array
        | Uint32Array
        | BigInt64Array
        | BigUint64Array
        | Uint8Array;
      readonly dtype?: undefined;
    }
  | { readonly data: Uint16Array; readonly dtype: 'F16' | 'BF16' | 'U16' }
  | { readonly data: Uint8Array; readonly dtype: 'BOOL' }
  | { readonly data: () => Float32Array; readonly dtype: 'F32' }
);

/**
 * Writes `tensors` to `path`, replacing what is there.
 *
 * @param metadata strings kept under `__metadata__`.
 * @throws 'input' when a shape does not match its data or a name is `__metadata__`; 'checkpoint' when writing fails.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const who = `writeSafetensors ${path}`;
  const order = Object.entries(tensors).sort(([a, x], [b, y]) => elementBytes(y) - elementBytes(x) || compare(a, b));

  const header = new Map<string, unknown>();
  const metadataKeys = Object.keys(metadata).sort(compare);
  if (metadataKeys.length > 0) header.set('__metadata__', objectOf(metadataKeys.map((key) => [key, metadata[key]])));
  let begin = 0;
  for (const [name, tensor] of order) {
    if (name === '__metadata__')
      throw fail('input', who, 'a tensor may not be called "__metadata__"; the format reserves the name.');
    const elements = tensor.shape.reduce((product, size) => product * size, 1);
    if (typeof tensor.data !== 'function') requireLength(who, name, tensor.shape, tensor.data.length);
    const end = begin + elements * elementBytes(tensor);
    header.set(name, { dtype: dtypeOf(tensor), shape: tensor.shape, data_offsets: [begin, end] });
    begin = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(objectOf(header)));
  const prefix = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(prefix.length - 8), true);
  prefix.set(json, 8);

  const partial = `${path}.${processNumber()}.partial`;
  try {
    const file = await openToWrite(partial);
    try {
      await file.writeFile(prefix);
      for (const [name, { shape, data: given }] of order) {
        const data = typeof given === 'function' ? given() : given;
        requireLength(who, name, shape, data.length);
        await file.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (error) {
    await remove(partial);
    throw error instanceof SpexlensError
      ? error
      : fail('checkpoint', who, `could not be written (${error instanceof Error ? error.message : String(error)}).`);
  }
}

function requireLength(who: string, name: string, shape: readonly number[], length: number): void {
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements !== length)
    throw fail(
      'input',
      who,
      `tensor ${quote(name)} of shape [${shape.join(',')}] needs ${elements} values and has ${length}.`,
    );
}

function elementBytes({ data }: TensorToWrite): number {
  return typeof data === 'function' ? 4 : data.BYTES_PER_ELEMENT;
}

function dtypeOf(tensor: TensorToWrite): string {
  if (tensor.dtype !== undefined) return tensor.dtype;
  if (tensor.data instanceof Float32Array) return 'F32';
  if (tensor.data instanceof Float64Array) return 'F64';
  if (tensor.data instanceof Int8Array) return 'I8';
  if (tensor.data instanceof Int16Array) return 'I16';
  if (tensor.data instanceof Int32Array) return 'I32';
  if (tensor.data instanceof Uint32Array) return 'U32';
  if (tensor.data instanceof BigInt64Array) return 'I64';
  if (tensor.data instanceof BigUint64Array) return 'U64';
  tensor.data satisfies Uint8Array;
  return 'U8';
}

/** An object without a prototype: a tensor may be called `__proto__`. */
function objectOf(entries: Iterable<readonly [string, unknown]>): object {
  const object = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of entries) object[key] = value;
  return object;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
