/**
 * The lines of a run log, written and read: every line ends with a checksum of what stands before it.
 *
 * CRC-32 (ISO 3309, the one of zip, gzip and PNG): native in the runtime, and built for this. It finds every one or two flipped
 * bits and every damaged stretch of up to 32 bits in a line of any length that occurs here, and every three flipped bits in one
 * of up to 11 kB (Koopman, "32-bit cyclic redundancy codes for internet applications", 2002); of anything worse it misses one
 * in 2^32. A line is strict besides: these fields in this order, numbers as they are written, nothing else. An entry is
 * {"mask":hex,"value":number}, with the gradient where it was measured as base64 of little-endian float32.
 */
import { crc32 } from 'node:zlib';
import { maskHex, type Masks } from '../masks.ts';

/** A parsed entry, not yet checked against a number of players. */
export interface Entry {
  readonly mask: string;
  readonly value: number;
  /** Base64. */
  readonly gradient: string | undefined;
}

const SEAL = /^,"crc":"[0-9a-f]{8}"\}$/;
const SEAL_LENGTH = 18;

/** `{...}` as a line with its checksum. */
export function sealLine(json: string): string {
  const body = json.slice(0, -1);
  return `${body},"crc":"${checksum(body)}"}\n`;
}

/** `{...` of a line without its newline, its checksum and its last brace; undefined where the checksum is another or missing. */
export function unsealLine(line: Buffer): string | undefined {
  const end = line.length - SEAL_LENGTH;
  if (end < 1) return undefined;
  const seal = line.toString('latin1', end);
  if (!SEAL.test(seal)) return undefined;
  const body = line.subarray(0, end);
  return crc32(body) === Number.parseInt(seal.slice(8, 16), 16) ? body.toString() : undefined;
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0');
}

/** The line of mask `row` and its value. */
export function entryLine(masks: Masks, row: number, value: number, gradient: Float32Array | undefined): string {
  const slopes = gradient === undefined ? '' : `,"gradient":"${base64Of(gradient)}"`;
  return sealLine(`{"mask":"${maskHex(masks, row)}","value":${numberText(value)}${slopes}}`);
}

const ENTRY =
  /^\{"mask":"([0-9a-f]*)","value":(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?:,"gradient":"([A-Za-z0-9+/]*={0,2})")?$/;

/** The entry in an unsealed line, or what is wrong with it. */
export function parseEntry(body: string): Entry | string {
  const match = ENTRY.exec(body);
  if (match === null) return 'is not {"mask", "value"} with a number for its value';
  const value = Number(match[2]);
  const isLost = value === 0 && match[2] !== '0' && match[2] !== '-0'; // a number that is too small to be another than 0
  if (isLost || !Number.isFinite(value)) return `has the value ${match[2]}, which no number of 64 bits has`;
  return { mask: match[1], value, gradient: match[3] };
}

/** The shortest text that is this number again; of the two zeros too. */
function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function base64Of(gradient: Float32Array): string {
  return Buffer.from(gradient.buffer, gradient.byteOffset, gradient.byteLength).toString('base64');
}

/** The gradient of `players` finite numbers in a base64 text; undefined where it is not that. */
export function gradientOf(base64: string, players: number): Float32Array | undefined {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length !== 4 * players) return undefined;
  const gradient = new Float32Array(Uint8Array.from(bytes).buffer);
  return gradient.every(Number.isFinite) ? gradient : undefined;
}
