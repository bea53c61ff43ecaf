/**
 * The lines of a run log, written and read: every line ends with a checksum of what stands before it.
 *
 * CRC-32 (ISO 3309, the one of zip): it finds every flip of up to three bits and every burst of up to 32 in lines of this
 * length, and the runtime computes it natively. A line is strict: the fields in this order, nothing else, so that what a
 * flipped bit makes of it is no line. An entry is {"mask":hex,"value":number}, with the gradient where it was measured as
 * base64 of little-endian float32.
 */
import { crc32 } from 'node:zlib';
import { maskHex, type Masks } from '../masks.ts';

/** A parsed entry; `mask` in hex, not yet checked against a number of players. */
export interface Entry {
  readonly mask: string;
  readonly value: number;
  readonly gradient: string | undefined;
}

/** `{...}` as a line with its checksum. */
export function sealLine(json: string): string {
  const body = json.slice(0, -1);
  return `${body},"crc":"${checksum(body)}"}\n`;
}

/** A line without its newline, and without its checksum; undefined where the checksum is another or missing. */
export function unsealLine(line: string): string | undefined {
  const match = /^(\{.*),"crc":"([0-9a-f]{8})"\}$/s.exec(line);
  return match !== null && checksum(match[1]) === match[2] ? `${match[1]}}` : undefined;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/** The line of mask `row` and its value. */
export function entryLine(masks: Masks, row: number, value: number, gradient: Float32Array | undefined): string {
  const slopes = gradient === undefined ? '' : `,"gradient":"${base64Of(gradient)}"`;
  return sealLine(`{"mask":"${maskHex(masks, row)}","value":${value}${slopes}}`);
}

const ENTRY =
  /^\{"mask":"([0-9a-f]*)","value":(-?\d+(?:\.\d+)?(?:e[+-]\d+)?)(?:,"gradient":"([A-Za-z0-9+/]*={0,2})")?\}$/;

/** The entry in an unsealed line, or what is wrong with it. */
export function parseEntry(line: string): Entry | string {
  const match = ENTRY.exec(line);
  if (match === null) return 'is not {"mask", "value"}';
  const value = Number(match[2]);
  return Number.isFinite(value) ? { mask: match[1], value, gradient: match[3] } : `has the value ${match[2]}`;
}

function base64Of(gradient: Float32Array): string {
  return Buffer.from(gradient.buffer, gradient.byteOffset, gradient.byteLength).toString('base64');
}

/** The gradient of `players` numbers in a base64 text; undefined where it has another length. */
export function gradientOf(base64: string, players: number): Float32Array | undefined {
  const bytes = Buffer.from(base64, 'base64');
  return bytes.length === 4 * players ? new Float32Array(Uint8Array.from(bytes).buffer) : undefined;
}
