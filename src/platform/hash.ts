/** SHA-256, of texts and of files. */
import { open } from './file-system.ts';
import { createSha256 } from './sha256.ts';

const PIECE_BYTES = 1 << 20;

/** SHA-256 of texts and bytes, one after the other, as hex. */
export function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createSha256();
  for (const part of parts) hash.update(part);
  return hash.hex();
}

/** SHA-256 over the bytes of files, in the order given, as hex. */
export async function sha256OfFiles(paths: readonly string[]): Promise<string> {
  const hash = createSha256();
  const piece = new Uint8Array(PIECE_BYTES);
  for (const path of paths) {
    const file = await open(path);
    try {
      for (let position = 0; ; ) {
        const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, position);
        if (bytesRead === 0) break;
        hash.update(piece.subarray(0, bytesRead));
        position += bytesRead;
      }
    } finally {
      await file.close();
    }
  }
  return hash.hex();
}
