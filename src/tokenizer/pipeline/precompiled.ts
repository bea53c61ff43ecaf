/**
 * SentencePiece's compiled character map: replacements of a text, looked up in a double-array trie.
 *
 * The map is base64 of: the trie's size in bytes (u32, little endian), the trie, and the replacements, each ended by a
 * zero byte. A grapheme of fewer than six bytes is replaced whole where the trie has a prefix of it, else each of its
 * characters on its own; as in Hugging Face's tokenizers, the shortest entry found counts. Unlike there a damaged map
 * is refused when it is read.
 */
import { transform, type AlignedText, type Change } from './aligned-text.ts';
import { bytesOf } from './bytes.ts';
import { toCodes, toText } from './unicode.ts';

/** @throws Error for a map that is cut short. */
export function precompiled(base64: string): (text: AlignedText) => AlignedText {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw new Error('the character map is not base64');
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const size = bytes.length < 4 ? NaN : view.getUint32(0, true);
  if (!(size % 4 === 0 && size > 0 && 4 + size <= bytes.length)) throw new Error('the character map is cut short');
  const trie = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const blob = bytes.subarray(4 + size);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  decoder.decode(blob);

  const offset = (unit: number): number => (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
  /** The replacement of the shortest entry that `chunk` begins with. */
  const lookUp = (chunk: string): readonly number[] | undefined => {
    let at = offset(trie[0]);
    for (const byte of bytesOf(chunk)) {
      if (byte === 0) return undefined;
      at ^= byte;
      const unit = trie[at] ?? 0;
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
      at ^= offset(unit);
      if (((unit >>> 8) & 1) === 0) continue;
      const start = (trie[at] ?? 0) & 0x7fffffff;
      let end = start;
      while (end < blob.length && blob[end] !== 0) end++;
      return toCodes(decoder.decode(blob.subarray(start, end)));
    }
    return undefined;
  };

  const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
  return (text) => {
    const changes: [number, number][] = [];
    let modified = false;
    const put = (old: number, fresh: readonly number[]): void => {
      modified = true;
      const added = fresh.length - old;
      fresh.forEach((code, i) => changes.push([code, added > 0 && i >= old ? 1 : 0]));
      // What is dropped is dropped after the character before it, even one that was not replaced.
      const last = changes.at(-1);
      if (added < 0 && last !== undefined) last[1] += added;
    };
    for (const { segment } of graphemes.segment(toText(text.codes))) {
      const whole = bytesOf(segment).length < 6 ? lookUp(segment) : undefined;
      if (whole !== undefined) {
        put(toCodes(segment).length, whole);
        continue;
      }
      for (const char of segment) {
        const fresh = lookUp(char);
        if (fresh === undefined) changes.push([char.codePointAt(0)!, 0]);
        else put(1, fresh);
      }
    }
    return modified ? transform(text, changes as readonly Change[]) : text;
  };
}
