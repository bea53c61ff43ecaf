/**
 * The safetensors header: JSON text in, a checked table of tensors out.
 *
 * File layout: u64 little-endian N | N bytes of UTF-8 JSON | data. Each entry is
 * name -> {dtype, shape, data_offsets: [begin, end)} with offsets relative to the data. The rules
 * are those of the reference implementation (huggingface/safetensors, `SafeTensors::deserialize`
 * and `Metadata::validate`): what it refuses is refused here. Stricter in two places: the header
 * begins with "{" and not with a space, as the format's text demands, and sizes end at 2^53 - 1
 * instead of 2^64 - 1.
 */
import { fail } from '../errors.ts';
import { parseStrictJson, quote, type StrictJson } from './strict-json.ts';

/** Bits per element of every dtype the format knows. A file may hold them all; not all can be read. */
// prettier-ignore
const BITS = {
  BOOL: 8, U8: 8, I8: 8, U16: 16, I16: 16, F16: 16, BF16: 16, U32: 32, I32: 32, F32: 32, U64: 64, I64: 64, F64: 64, C64: 64,
  F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8, F6_E2M3: 6, F6_E3M2: 6, F4: 4,
} as const;

export type SafetensorsDtype = keyof typeof BITS;

export interface SafetensorsEntry {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** product(shape) */
  readonly elements: number;
  /** First byte, relative to the data. */
  readonly begin: number;
  /** One past the last byte, relative to the data. */
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In the order the data lies in the file. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  /** The free-form `__metadata__` strings; empty when there are none. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** The header may not exceed this, as in the reference implementation. */
export const HEADER_LIMIT = 100_000_000;

/**
 * Parses and validates the JSON text of a header against the `dataBytes` bytes that follow it.
 *
 * @param who what errors are attributed to, e.g. `safetensors model.safetensors`.
 * @throws 'checkpoint' at the first rule broken, naming the tensor and the numbers.
 */
export function parseSafetensorsHeader(json: string, dataBytes: number, who: string): SafetensorsHeader {
  if (json[0] !== '{')
    throw fail(
      'checkpoint',
      who,
      `the header begins with ${quote(json.slice(0, 1))}, not "{"; this is not a safetensors file.`,
    );
  const root = parseStrictJson(json, { who, depth: 3, numbers: 'unsigned' });
  if (!(root instanceof Map)) throw fail('checkpoint', who, 'the header is not a JSON object; the file is damaged.');

  let metadata: ReadonlyMap<string, string> = new Map();
  const entries: [string, SafetensorsEntry][] = [];
  for (const [name, value] of root) {
    if (name === '__metadata__') metadata = parseMetadata(value, who);
    else entries.push([name, parseEntry(name, value, who)]);
  }
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);

  let covered = 0;
  for (const [name, { begin, end }] of entries) {
    if (begin !== covered) {
      const fault =
        begin > covered
          ? `leaves ${begin - covered} bytes before it that belong to no tensor`
          : `overlaps the tensor before it by ${covered - begin} bytes`;
      throw fail(
        'checkpoint',
        who,
        `tensor ${quote(name)} has data_offsets [${begin},${end}) and ${fault}; it should begin at ${covered}.`,
      );
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    const fault =
      covered > dataBytes
        ? `${covered - dataBytes} bytes are missing; the file is truncated`
        : `${dataBytes - covered} bytes follow that belong to no tensor`;
    throw fail(
      'checkpoint',
      who,
      `the header describes ${covered} bytes of data and the file has ${dataBytes}: ${fault}.`,
    );
  }
  return { entries: new Map(entries), metadata };
}

function parseMetadata(value: StrictJson, who: string): ReadonlyMap<string, string> {
  if (!(value instanceof Map))
    throw fail('checkpoint', who, '__metadata__ is not an object of strings; the file is damaged.');
  const metadata = new Map<string, string>();
  for (const [key, text] of value) {
    if (typeof text !== 'string')
      throw fail('checkpoint', who, `__metadata__ ${quote(key)} is not a string; the file is damaged.`);
    metadata.set(key, text);
  }
  return metadata;
}

function parseEntry(name: string, value: StrictJson, who: string): SafetensorsEntry {
  const fault = (what: string): Error => fail('checkpoint', who, `tensor ${quote(name)} ${what}`);
  if (!(value instanceof Map)) throw fault('is not an object of dtype, shape and data_offsets; the file is damaged.');
  for (const key of value.keys()) {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets')
      throw fault(`has an unknown field ${quote(key)}; the fields are dtype, shape and data_offsets.`);
  }
  const dtype = value.get('dtype');
  if (typeof dtype !== 'string' || !isDtype(dtype)) {
    throw fault(`has dtype ${describe(dtype)}; the format knows ${Object.keys(BITS).join(', ')}.`);
  }
  const shape = value.get('shape');
  if (!isIntegers(shape)) throw fault(`has shape ${describe(shape)}; it should be an array of unsigned integers.`);
  const offsets = value.get('data_offsets');
  if (!isIntegers(offsets) || offsets.length !== 2)
    throw fault(`has data_offsets ${describe(offsets)}; they should be two unsigned integers.`);
  const [begin, end] = offsets;
  const range = `data_offsets [${begin},${end})`;
  if (begin > end) throw fault(`has ${range}, which end before they begin; the file is damaged.`);

  const sizes = `shape [${shape.slice(0, 16).join(',')}${shape.length > 16 ? ',...' : ''}] of ${dtype}`;
  let elements = 1;
  for (const size of shape) {
    elements *= size;
    if (elements * BITS[dtype] > Number.MAX_SAFE_INTEGER)
      throw fault(`has ${sizes}, whose size overflows; the file is damaged.`);
  }
  const bits = elements * BITS[dtype];
  if (bits % 8 !== 0)
    throw fault(`has ${sizes}, which is ${bits} bits and no whole number of bytes; the file is damaged.`);
  if (end - begin !== bits / 8)
    throw fault(`has ${range} = ${end - begin} bytes, but ${sizes} needs ${bits / 8}; the file is damaged.`);
  return { dtype, shape, elements, begin, end };
}

function isDtype(name: string): name is SafetensorsDtype {
  return Object.hasOwn(BITS, name);
}

function isIntegers(value: StrictJson | undefined): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number');
}

function describe(value: StrictJson | undefined): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return quote(value);
  if (value instanceof Map) return 'an object';
  return Array.isArray(value) ? `an array of ${value.length}` : String(value);
}
