/** A cache: what it holds, and the attention that is in it. */
import type * as tf from '@tensorflow/tfjs-core';
import type { ActivationCache } from '../hooks/cache.ts';
import type { Attention } from '../hooks/heads/attention.ts';
import { markup } from '../report/markup.ts';
import { countOf } from '../report/wording.ts';
import { attentionView } from './attention-view.ts';
import { code, tableOf, type View } from './view.ts';

/** Heads and positions of the attention that is drawn. */
const [HEADS, POSITIONS] = [8, 64];

export async function cacheView(cache: ActivationCache): Promise<View> {
  const heading = `cache of ${countOf(cache.names.length, 'activations')}, ${(cache.bytes / 1e6).toPrecision(3)} MB`;
  // names within a layer together: `blocks.0.hook_z`, `blocks.1.hook_z` are one row
  const rows = new Map<string, { readonly shape: string; readonly layers: string[] }>();
  for (const name of cache.names) {
    const layer = /^blocks\.(\d+)\./.exec(name)?.[1];
    const hook = name.replace(/^blocks\.\d+\./, 'blocks.{l}.');
    const row = rows.get(hook) ?? { shape: `[${cache.get(name).shape.join(', ')}]`, layers: [] };
    if (layer !== undefined) row.layers.push(layer);
    rows.set(hook, row);
  }
  const table = [...rows].map(([hook, { shape, layers }]) => ({ hook, shape, layers: layers.join(' ') }));
  const wide = Math.max(...table.map(({ hook }) => hook.length));
  const found = await attentionOf(cache);
  const lines = table.map(({ hook, shape, layers }) =>
    `${hook.padEnd(wide)}  ${shape.padEnd(20)}  ${layers}`.trimEnd(),
  );
  return {
    text: [heading, ...lines].join('\n'),
    figures: found && attentionView(found).figures,
    above: [
      markup`<p><b>${heading}</b></p>`,
      tableOf(
        ['hook', 'shape', 'layers'],
        table.map(({ hook, shape, layers }) => [code(hook), shape, layers]),
      ),
    ],
  };
}

/** The first patterns of the first text, where queries and keys are all there. */
async function attentionOf(cache: ActivationCache): Promise<Attention | undefined> {
  const names = cache.names.filter((name) => name.endsWith('attn.hook_pattern'));
  const heads: Attention['heads'][number][] = [];
  let size = 0;
  for (const name of names) {
    if (heads.length >= HEADS) break;
    const tensor = cache.get(name) as tf.Tensor4D;
    const [, count, queries, keys] = tensor.shape;
    if (queries !== keys || keys > POSITIONS) return undefined;
    size = keys;
    const layer = Number(/^blocks\.(\d+)/.exec(name)?.[1]);
    const [values] = (await tensor.array()) as number[][][][];
    for (let head = 0; head < Math.min(count, HEADS - heads.length); head++)
      heads.push({ name: `L${layer}H${head}`, layer, head, pattern: values[head] });
  }
  return heads.length === 0 ? undefined : { tokens: Array.from({ length: size }, (_, p) => String(p)), heads };
}
