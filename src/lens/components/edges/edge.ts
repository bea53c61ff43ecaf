/**
 * The edges of a model: what one part reads of what another wrote, by EAP-IG's names.
 *
 * Senders write to the residual stream: `input` (the token embedding), heads `a0.h1`, MLPs `m0`. Receivers read it: queries, keys
 * and values of heads `a3.h5<q>`, MLPs, `logits`. Where heads share keys and values these are read once for each key/value head, so
 * theirs are `a3.kv1<k>`. The stream a receiver reads is the sum of what every sender before it wrote and of constants (position
 * table, attention's output biases), which belong to no edge.
 * Source: Syed, Rager, Conmy, arXiv 2310.10348; Hanna, Pezzelle, Belinkov, arXiv 2403.17806.
 */
import { fail } from '../../../errors.ts';
import { kvHeads, type ModelConfig } from '../../../model/config.ts';
import { embeddingHook, type HookName } from '../../../model/hook-points.ts';
import { layoutOf } from '../../../model/layout.ts';
import type { EdgePlace, ReceiverPlace, SenderPlace } from '../../../place.ts';

/** A hook point that shows what senders write, [B, S, elements, d] or, of one, [B, S, d]. */
export interface SenderSite {
  readonly hook: HookName;
  /** -1 for the embedding. */
  readonly layer: number;
  readonly senders: readonly SenderPlace[];
}

/** A hook point that shows what receivers read, [B, S, elements, d] or, of one, [B, S, d]. */
export interface ReceiverSite {
  readonly hook: HookName;
  readonly layer: number;
  readonly receivers: readonly ReceiverPlace[];
  /** Sender sites that wrote before, the first so many. */
  readonly reads: number;
}

export interface EdgeSites {
  readonly senders: readonly SenderSite[];
  readonly receivers: readonly ReceiverSite[];
}

/**
 * The sites of a model in forward order.
 * @throws 'input' for a layout whose stream is no sum of what its parts write.
 */
export function edgeSites(config: ModelConfig): EdgeSites {
  const { parallel } = requireSummedStream(config);
  const readers = config.attention.ungrouped === true ? config.nHeads : kvHeads(config);
  const senders: SenderSite[] = [
    { hook: embeddingHook(config, 'hook_embed'), layer: -1, senders: [{ kind: 'embed' }] },
  ];
  const receivers: ReceiverSite[] = [];
  for (let layer = 0; layer < config.nLayers; layer++) {
    const b: `blocks.${number}` = `blocks.${layer}`;
    const before = senders.length;
    for (const kind of ['q', 'k', 'v'] as const) {
      const heads = kind === 'q' ? config.nHeads : readers;
      receivers.push({
        hook: `${b}.hook_${kind}_input`,
        layer,
        receivers: Array.from({ length: heads }, (_, head) => ({ kind, layer, head })),
        reads: before,
      });
    }
    senders.push({
      hook: `${b}.attn.hook_result`,
      layer,
      senders: Array.from({ length: config.nHeads }, (_, head) => ({ kind: 'head', layer, head })),
    });
    if (config.dMlp === 0) continue;
    const reads = parallel ? before : senders.length;
    receivers.push({ hook: `${b}.hook_mlp_in`, layer, receivers: [{ kind: 'mlp', layer }], reads });
    senders.push({ hook: `${b}.hook_mlp_out`, layer, senders: [{ kind: 'mlp', layer }] });
  }
  const last = config.nLayers - 1;
  receivers.push({
    hook: `blocks.${last}.hook_resid_post`,
    layer: last,
    receivers: [{ kind: 'logits' }],
    reads: senders.length,
  });
  return { senders, receivers };
}

function requireSummedStream(config: ModelConfig): { readonly parallel: boolean } {
  if (config.nLayers === 0) throw fail('input', 'edges', 'this model has no layers, so nothing writes that is read.');
  const { attn, mlp, parallel, text } = layoutOf(config);
  const normed = attn.output ?? mlp.output ?? attn.stream ?? mlp.stream;
  if (normed !== undefined)
    throw fail(
      'input',
      'edges',
      `${config.family} models have ${text}: ${normed} stands between what a head writes and what is read of it, so a stream is no sum over senders. Use heads and MLPs as players.`,
    );
  return { parallel };
}

/** Every edge of a model, by receiver in forward order, then by sender. @throws as edgeSites. */
export function allEdges(config: ModelConfig): EdgePlace[] {
  const { senders, receivers } = edgeSites(config);
  return receivers.flatMap((site) =>
    site.receivers.flatMap((to) =>
      senders
        .slice(0, site.reads)
        .flatMap((from) => from.senders.map((each): EdgePlace => ({ kind: 'edge', from: each, to }))),
    ),
  );
}

/** `input`, `a0.h1`, `m0`. */
export function senderName(place: SenderPlace): string {
  switch (place.kind) {
    case 'embed':
      return 'input';
    case 'head':
      return `a${place.layer}.h${place.head}`;
    case 'mlp':
      return `m${place.layer}`;
    default:
      return place satisfies never;
  }
}

/** `a3.h5<q>`, `a3.kv1<k>` where heads share keys and values, `m1`, `logits`. */
export function receiverName(place: ReceiverPlace, config: ModelConfig): string {
  switch (place.kind) {
    case 'q':
      return `a${place.layer}.h${place.head}<q>`;
    case 'k':
    case 'v':
      return `a${place.layer}.${sharesReaders(config) ? 'kv' : 'h'}${place.head}<${place.kind}>`;
    case 'mlp':
      return `m${place.layer}`;
    case 'logits':
      return 'logits';
    default:
      return place satisfies never;
  }
}

/** `a0.h1->a3.h5<q>`, with `@position`. */
export function edgeName({ from, to, position }: EdgePlace, config: ModelConfig): string {
  return `${senderName(from)}->${receiverName(to, config)}${position === undefined ? '' : `@${position}`}`;
}

/** Whether several query heads read one key/value head. */
export function sharesReaders(config: ModelConfig): boolean {
  return config.attention.ungrouped !== true && kvHeads(config) < config.nHeads;
}
