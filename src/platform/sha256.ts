/** SHA-256, piece by piece. */
import { createHash } from 'node:crypto';

export interface Sha256 {
  update(part: string | Uint8Array): void;
  hex(): string;
}

export function createSha256(): Sha256 {
  const hash = createHash('sha256');
  return { update: (part) => void hash.update(part), hex: () => hash.digest('hex') };
}
