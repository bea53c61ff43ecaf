/**
 * Where a player lives: what a report draws it by, and what a study writes down to make it again.
 *
 * A place is plain JSON. A lens knows its own kinds of place; everything right of the game asks only for the layer, or hands
 * the place on.
 */
import { z } from 'zod';

/** One part of a model, every position of the prompt or one. */
export type ModelPlace =
  | { readonly kind: 'head'; readonly layer: number; readonly head: number; readonly position?: number }
  | { readonly kind: 'neuron'; readonly layer: number; readonly neuron: number; readonly position?: number }
  | { readonly kind: 'mlp' | 'attn'; readonly layer: number; readonly position?: number }
  /** What a head reads with. */
  | {
      readonly kind: 'q' | 'k' | 'v' | 'pattern';
      readonly layer: number;
      readonly head: number;
      readonly position?: number;
    }
  /** The residual stream before, inside and behind a block. */
  | {
      readonly kind: 'resid_pre' | 'resid_mid' | 'resid_post';
      readonly layer: number;
      readonly position?: number;
    }
  | { readonly kind: 'embed'; readonly position?: number };

/** What writes to the residual stream. */
export type SenderPlace =
  | { readonly kind: 'embed' }
  | { readonly kind: 'head'; readonly layer: number; readonly head: number }
  | { readonly kind: 'mlp'; readonly layer: number };

/** What reads it; k and v of grouped heads by their key/value head. */
export type ReceiverPlace =
  | { readonly kind: 'q' | 'k' | 'v'; readonly layer: number; readonly head: number }
  | { readonly kind: 'mlp'; readonly layer: number }
  | { readonly kind: 'logits' };

/** What one part reads of another, at every position of the prompt or one. */
export interface EdgePlace {
  readonly kind: 'edge';
  readonly from: SenderPlace;
  readonly to: ReceiverPlace;
  readonly position?: number;
}

/** Where a player lives: in a model, in a text, or among training examples. */
export type Place =
  | ModelPlace
  /** Several parts that are kept or ablated together. */
  | { readonly kind: 'group'; readonly parts: readonly ModelPlace[] }
  | EdgePlace
  /** Several edges that are kept or ablated together. */
  | { readonly kind: 'edges'; readonly parts: readonly EdgePlace[] }
  /** Characters of a prompt's text, [start, end) each: one piece, or several of one name. */
  | { readonly kind: 'span'; readonly pieces: readonly { readonly start: number; readonly end: number }[] }
  /** Training examples, by their number. */
  | { readonly kind: 'examples'; readonly rows: readonly number[] };

/** The layer of a place, of an edge the one that reads (before the logits, that writes); undefined where it has none, or parts in several. */
export function layerOf(place: Place | undefined): number | undefined {
  switch (place?.kind) {
    case 'head':
    case 'neuron':
    case 'mlp':
    case 'attn':
    case 'q':
    case 'k':
    case 'v':
    case 'pattern':
    case 'resid_pre':
    case 'resid_mid':
    case 'resid_post':
      return place.layer;
    case 'edge':
      return layerOf(place.to.kind === 'logits' ? place.from : place.to);
    case 'group':
    case 'edges': {
      const layers = new Set(place.parts.map(layerOf));
      return layers.size === 1 ? [...layers][0] : undefined;
    }
    case 'embed':
    case 'span':
    case 'examples':
    case undefined:
      return undefined;
    default:
      return place satisfies never;
  }
}

/** Heads whose patterns belong to a place: itself, those of its parts, of an edge who writes and who asks. Grouped keys and values are of several heads, and count for none. */
export function headsOf(place: Place | undefined): { readonly layer: number; readonly head: number }[] {
  switch (place?.kind) {
    case 'head':
    case 'q':
    case 'pattern':
      return [{ layer: place.layer, head: place.head }];
    case 'group':
    case 'edges':
      return place.parts.flatMap(headsOf);
    case 'edge':
      return [place.from, place.to].flatMap((end) => (end.kind === 'head' || end.kind === 'q' ? headsOf(end) : []));
    default:
      return [];
  }
}

const count = z.int().min(0);
const position = z.exactOptional(count);
const modelPlace = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('head'), layer: count, head: count, position }),
  z.strictObject({ kind: z.literal('neuron'), layer: count, neuron: count, position }),
  z.strictObject({ kind: z.enum(['mlp', 'attn']), layer: count, position }),
  z.strictObject({ kind: z.enum(['q', 'k', 'v', 'pattern']), layer: count, head: count, position }),
  z.strictObject({ kind: z.enum(['resid_pre', 'resid_mid', 'resid_post']), layer: count, position }),
  z.strictObject({ kind: z.literal('embed'), position }),
]);
const edgePlace = z.strictObject({
  kind: z.literal('edge'),
  from: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('embed') }),
    z.strictObject({ kind: z.literal('head'), layer: count, head: count }),
    z.strictObject({ kind: z.literal('mlp'), layer: count }),
  ]),
  to: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.enum(['q', 'k', 'v']), layer: count, head: count }),
    z.strictObject({ kind: z.literal('mlp'), layer: count }),
    z.strictObject({ kind: z.literal('logits') }),
  ]),
  position,
});
/** A place as it stands in a study or a record. */
export const placeSchema = z.union([
  modelPlace,
  z.strictObject({ kind: z.literal('group'), parts: z.array(modelPlace) }),
  edgePlace,
  z.strictObject({ kind: z.literal('edges'), parts: z.array(edgePlace) }),
  z.strictObject({ kind: z.literal('span'), pieces: z.array(z.strictObject({ start: count, end: count })) }),
  z.strictObject({ kind: z.literal('examples'), rows: z.array(count) }),
]);
