/**
 * The order in which ACDC looks at players: from the output to the input.
 *
 * A part is as deep as the place in the forward pass at which it reads, an edge as its receiver; what reads later comes first. Players without a place in a
 * model (words, examples) are taken from the last to the first.
 */
import type { Player } from '../game.ts';
import type { Place } from '../place.ts';

/** All players, reverse topological: by depth, deepest first, then from the last to the first. */
export function receiverOrder(players: readonly Player[]): number[] {
  const depths = players.map(({ place }) => depthOf(place));
  return Array.from({ length: players.length }, (_, i) => i).sort((a, b) => depths[b] - depths[a] || b - a);
}

/** Steps of a block: what is before its attention, its attention, what is before its MLP, its MLP, what is behind. */
const STEPS = 5;

/** Where in the forward pass a place acts; of several parts the last. */
function depthOf(place: Place | undefined): number {
  switch (place?.kind) {
    case 'resid_pre':
      return STEPS * place.layer;
    case 'head':
    case 'attn':
    case 'q':
    case 'k':
    case 'v':
    case 'pattern':
      return STEPS * place.layer + 1;
    case 'resid_mid':
      return STEPS * place.layer + 2;
    case 'mlp':
    case 'neuron':
      return STEPS * place.layer + 3;
    case 'resid_post':
      return STEPS * place.layer + 4;
    case 'edge':
      return place.to.kind === 'logits' ? Number.MAX_SAFE_INTEGER : depthOf(place.to);
    case 'group':
    case 'edges':
      return place.parts.reduce((deepest, part) => Math.max(deepest, depthOf(part)), -1);
    case 'embed':
      return -1;
    case 'span':
    case 'examples':
    case undefined:
      return 0;
    default:
      return place satisfies never;
  }
}
