/**
 * GPT-2's alphabet of bytes: every byte as one printable character, so that byte-level BPE can work on text.
 *
 * Printable bytes of Latin-1 stand for themselves, the 68 others for U+0100 and on (a space is Ġ).
 */
import { toCodes } from './unicode.ts';
import type { Change } from './aligned-text.ts';

const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

const CODE_OF_BYTE: readonly number[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => (isPrintable(byte) ? byte : next++));
})();
const BYTE_OF_CODE: ReadonlyMap<number, number> = new Map(CODE_OF_BYTE.map((code, byte) => [code, byte]));

const encoder = new TextEncoder();

/** Bytes of UTF-8. */
export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Each character as its bytes in the alphabet; the bytes of one character share its source. */
export function byteChanges(codes: readonly number[]): Change[] {
  return codes.flatMap((code): Change[] => {
    if (code < 0x80) return [[CODE_OF_BYTE[code], 0]];
    return [...bytesOf(String.fromCodePoint(code))].map((byte, i) => [CODE_OF_BYTE[byte], i === 0 ? 0 : 1]);
  });
}

/** The bytes that a token of the alphabet stands for; the token's own UTF-8 when it has other characters. */
export function bytesOfToken(token: string): readonly number[] {
  const bytes: number[] = [];
  for (const code of toCodes(token)) {
    const byte = BYTE_OF_CODE.get(code);
    if (byte === undefined) return [...bytesOf(token)];
    bytes.push(byte);
  }
  return bytes;
}

/** Text of UTF-8 bytes, U+FFFD for what is none. */
export function textOfBytes(bytes: readonly number[]): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}
