/**
 * Text that is not ours, made safe to show: what moves a cursor, colours, hides or turns round what follows becomes a space.
 *
 * Names and values of files reach terminals, pages and logs; everything that prints one goes through here.
 */

/** Control characters (C0, C1: ESC, CSI), line and paragraph separators, directional overrides, embeddings and isolates. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]+/gu;

/** `text` on one line, without characters that a terminal acts on. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, ' ');
}

/** Several lines of `text`, each printable. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** JSON in which such characters stand as \uXXXX: the same value, and harmless on a terminal. */
export function printableJson(json: string): string {
  return json.replace(/[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
