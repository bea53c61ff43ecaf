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

/** Colours as we write them, and what sets lines and columns. */
const OURS = /(\p{Cc}\[[\d;]*m|[\t\n])/u;

/** What a terminal is given: lines, tabs and, where there is `color`, colours; nothing else that it acts on. */
export function terminalText(text: string, { color }: { readonly color: boolean }): string {
  const kept = (part: string): boolean => /^[\t\n]$/.test(part) || (color && part.startsWith('\u001B'));
  return text
    .split(OURS)
    .map((part) => (kept(part) && OURS.test(part) ? part : printable(part)))
    .join('');
}

/** JSON in which such characters stand as \uXXXX: the same value, and harmless on a terminal. */
export function printableJson(json: string): string {
  return json.replace(/[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069\uFEFF]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
