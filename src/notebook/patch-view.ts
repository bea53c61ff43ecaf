/** A patching sweep: a map of its effects, and its largest by name. */
import { patchMaps } from '../report/patch-page.ts';
import type { PatchRecord } from '../report/patch-record.ts';
import { patchText } from '../report/patch-text.ts';
import { markup } from '../report/markup.ts';
import type { View } from './view.ts';

export function patchView(record: PatchRecord): View {
  const text = patchText([record], { color: false });
  const [heading] = text.split('\n');
  return { text, figures: patchMaps(record), above: markup`<p><b>${heading}</b></p>` };
}
