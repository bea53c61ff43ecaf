/**
 * How wide a label of a figure is, without a browser: advances of an 11 px sans serif, on the wide side.
 *
 * System fonts differ; the advances are those of a wide one (DejaVu Sans), so that a label that fits here
 * fits everywhere.
 */
import { columnsOf, graphemes, oneLine } from './wording.ts';

/** Estimated width in px at 11 px. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of graphemes(text)) width += advance(character);
  return width;
}

/** The text on one line, cut with an ellipsis where it would be wider than `width` px. */
export function fitText(text: string, width: number): string {
  const flat = oneLine(text, Infinity);
  if (textWidth(flat) <= width) return flat;
  let cut = '';
  for (const character of graphemes(flat)) {
    if (textWidth(`${cut}${character}…`) > width) break;
    cut += character;
  }
  return `${cut}…`;
}

function advance(character: string): number {
  if (columnsOf(character) > 1) return 12;
  if (/[WMmw@%—…]/.test(character)) return 11;
  if (/[ijlI.,:;|!'()[\]\s]/.test(character)) return 4.4;
  if (/\p{Lu}/u.test(character)) return 8;
  return 7;
}
