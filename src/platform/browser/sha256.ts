/** SHA-256 in a page, where crypto.subtle takes a whole message, and takes its time. */
import { sha256 } from '@noble/hashes/sha2.js';
import type { Sha256 } from '../sha256.ts';

export type { Sha256 } from '../sha256.ts';

export function createSha256(): Sha256 {
  const hash = sha256.create();
  const text = new TextEncoder();
  return {
    update: (part) => void hash.update(typeof part === 'string' ? text.encode(part) : part),
    hex: () => Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, '0')).join(''),
  };
}
