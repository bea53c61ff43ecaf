/**
 * One part of a model that can be ablated or patched: its name, its place, and the hook it is changed at.
 *
 * Heads, neurons, layers and embeddings are parts that write; q, k, v and pattern are what a head reads with; resid_pre, resid_mid
 * and resid_post the residual stream at a layer.
 */
import { fail } from '../../errors.ts';
import type { ModelPlace } from '../../place.ts';
import { kvHeads, type ModelConfig } from '../../model/config.ts';
import { embeddingHook, whyAbsent, type HookName } from '../../model/hook-points.ts';

/** Streams and what a head reads with; the rest are parts that write. */
const STREAMS = ['resid_pre', 'resid_mid', 'resid_post'] as const;
const READERS = ['q', 'k', 'v', 'pattern'] as const;
export type ComponentKind =
  | 'head'
  | 'neuron'
  | 'mlp'
  | 'attn'
  | 'embed'
  | (typeof STREAMS)[number]
  | (typeof READERS)[number];

export interface Component {
  readonly kind: ComponentKind;
  /** Absent for embed. */
  readonly layer?: number;
  /** The head or neuron; 0 for the others. */
  readonly element: number;
  /** One token position; every position when absent. */
  readonly position?: number;
}

/** What several of a kind are called. */
export const PLURALS: Readonly<Record<ComponentKind | 'group', string>> = {
  head: 'heads',
  neuron: 'neurons',
  mlp: 'MLP layers',
  attn: 'attention layers',
  embed: 'embeddings',
  resid_pre: 'residual streams',
  resid_mid: 'residual streams',
  resid_post: 'residual streams',
  q: 'queries',
  k: 'keys',
  v: 'values',
  pattern: 'attention patterns',
  group: 'groups',
};

/** The hook a component is ablated at, and how many elements stand side by side there. */
export function siteOf(
  component: Pick<Component, 'kind' | 'layer'>,
  config: ModelConfig,
): { readonly hook: HookName; readonly elements: number } {
  const b: `blocks.${number}` = `blocks.${component.layer ?? 0}`;
  switch (component.kind) {
    case 'head':
      return { hook: `${b}.attn.hook_z`, elements: config.nHeads };
    case 'neuron':
      return { hook: `${b}.mlp.hook_post`, elements: config.dMlp };
    case 'mlp':
      return { hook: `${b}.hook_mlp_out`, elements: 1 };
    case 'attn':
      return { hook: `${b}.hook_attn_out`, elements: 1 };
    case 'embed':
      return { hook: embeddingHook(config, 'hook_embed'), elements: 1 };
    case 'resid_pre':
    case 'resid_mid':
    case 'resid_post':
      return { hook: `${b}.hook_${component.kind}`, elements: 1 };
    case 'q':
    case 'pattern':
      return { hook: `${b}.attn.hook_${component.kind}`, elements: config.nHeads };
    case 'k':
    case 'v': {
      const elements = config.attention.ungrouped === true ? config.nHeads : kvHeads(config);
      return { hook: `${b}.attn.hook_${component.kind}`, elements };
    }
    default:
      return component.kind satisfies never;
  }
}

/** @throws 'input' for a part that the model has not: neurons without MLPs, a stream between parallel parts. */
export function requirePart(
  { kind, layer }: Pick<Component, 'kind' | 'layer'>,
  config: ModelConfig,
  who: string,
): void {
  if ((kind === 'mlp' || kind === 'neuron') && config.dMlp === 0)
    throw fail('input', 'players', `${who} is attention-only; it has no ${kind === 'mlp' ? 'MLP layers' : 'neurons'}.`);
  if (kind !== 'resid_mid') return;
  const why = whyAbsent(`blocks.${layer ?? 0}.hook_resid_mid`, config);
  if (why !== undefined) throw fail('input', 'players', `${who} has no resid_mid: ${why}.`);
}

/** `L1H2`, `L1N17`, `MLP0`, `ATTN0`, `EMBED`, with `@position`. */
export function componentName({ kind, layer, element, position }: Component): string {
  const part = {
    head: `L${layer}H${element}`,
    neuron: `L${layer}N${element}`,
    mlp: `MLP${layer}`,
    attn: `ATTN${layer}`,
    embed: 'EMBED',
    resid_pre: `RESID_PRE${layer}`,
    resid_mid: `RESID_MID${layer}`,
    resid_post: `RESID_POST${layer}`,
    q: `L${layer}H${element}.q`,
    k: `L${layer}H${element}.k`,
    v: `L${layer}H${element}.v`,
    pattern: `L${layer}H${element}.pattern`,
  }[kind];
  return position === undefined ? part : `${part}@${position}`;
}

export function placeOf({ kind, layer = 0, element, position }: Component): ModelPlace {
  const at = position === undefined ? {} : { position };
  switch (kind) {
    case 'head':
    case 'q':
    case 'k':
    case 'v':
    case 'pattern':
      return { kind, layer, head: element, ...at };
    case 'neuron':
      return { kind, layer, neuron: element, ...at };
    case 'mlp':
    case 'attn':
    case 'resid_pre':
    case 'resid_mid':
    case 'resid_post':
      return { kind, layer, ...at };
    case 'embed':
      return { kind, ...at };
    default:
      return kind satisfies never;
  }
}

export function componentOf(place: ModelPlace): Component {
  const element = 'head' in place ? place.head : place.kind === 'neuron' ? place.neuron : 0;
  const layer = place.kind === 'embed' ? {} : { layer: place.layer };
  return { kind: place.kind, ...layer, element, ...(place.position === undefined ? {} : { position: place.position }) };
}
