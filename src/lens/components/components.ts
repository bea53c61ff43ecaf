/**
 * The players of the mechanistic lens: parts of a model, named the way the literature does.
 *
 * L1H2 head, L1N17 neuron, MLP1 layer, ATTN1 attention layer, EMBED token embedding; `@5` after a name
 * restricts it to one position. A player is one component or a group of them (`movers=L3H0+L3H1`).
 */
import { closest, fail } from '../../errors.ts';
import type { Player } from '../../game.ts';
import type { ModelPlace, Place } from '../../place.ts';
import type { ModelConfig } from '../../model/config.ts';
import { embeddingHook, type HookName } from '../../model/hook-points.ts';

export type ComponentKind = 'head' | 'neuron' | 'mlp' | 'attn' | 'embed';

export interface Component {
  readonly kind: ComponentKind;
  /** Absent for embed. */
  readonly layer?: number;
  /** The head or neuron; 0 for the others. */
  readonly element: number;
  /** One token position; every position when absent. */
  readonly position?: number;
}

export interface ComponentPlayer extends Player {
  readonly place: Place;
  /** The parts that are ablated with it: `place`, part by part. */
  readonly components: readonly Component[];
}

export interface PlayerScope {
  /** Layers that keywords such as `heads` cover; all when absent. */
  readonly layers?: readonly number[] | undefined;
  /** Tokens in the prompt; needed for `@` positions. */
  readonly length?: number | undefined;
}

const KEYWORDS: Readonly<Record<string, ComponentKind>> = {
  heads: 'head',
  neurons: 'neuron',
  mlps: 'mlp',
  attns: 'attn',
  embed: 'embed',
};

/** What players are called together: `heads`, `MLP layers`, `neurons at single positions`, `parts`. */
export function nameParts(players: readonly ComponentPlayer[]): string {
  const kinds = new Set(players.map(({ place }) => place.kind));
  const [kind] = kinds;
  if (kinds.size > 1) return 'parts';
  const plural = PLURALS[kind as ComponentKind | 'group'];
  return players.every(({ components }) => components[0].position !== undefined)
    ? `${plural} at single positions`
    : plural;
}

const PLURALS: Readonly<Record<ComponentKind | 'group', string>> = {
  head: 'heads',
  neuron: 'neurons',
  mlp: 'MLP layers',
  attn: 'attention layers',
  embed: 'embeddings',
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
    default:
      return component.kind satisfies never;
  }
}

/**
 * Players from a comma-separated list of keywords (`heads`, `mlps`, `attns`, `neurons`, `embed`, each with
 * `@positions` for one player per position) and of components or groups (`L1H2`, `MLP0@3`, `movers=L3H0+L3H1`).
 * @throws 'input' for unknown names, parts the model does not have, and parts that two players share.
 */
export function parsePlayers(text: string, config: ModelConfig, scope: PlayerScope = {}): ComponentPlayer[] {
  for (const layer of scope.layers ?? []) {
    if (!Number.isInteger(layer) || layer < 0 || layer >= config.nLayers)
      throw fail('input', 'layers', `there is no layer ${layer}; this model has 0..${config.nLayers - 1}.`);
  }
  const players: ComponentPlayer[] = [];
  for (const item of text.split(',').map((part) => part.trim())) {
    if (item === '')
      throw fail('input', 'players', `"${text}" has an empty item; write e.g. heads, mlps or L0H1,L1H0+L1H1.`);
    const [keyword, suffix] = item.split('@');
    if (Object.hasOwn(KEYWORDS, keyword) && (suffix === undefined || suffix === 'positions')) {
      players.push(...everyOne(KEYWORDS[keyword], config, scope, suffix !== undefined));
      continue;
    }
    const named = /^([^=]+)=(.+)$/.exec(item);
    const components = (named?.[2] ?? item).split('+').map((name) => parseComponent(name.trim(), config, scope));
    players.push(playerOf(components, named?.[1].trim()));
  }
  if (players.length === 0) throw fail('input', 'players', `"${text}" names no part of this model.`);
  checkDisjoint(players, config);
  return players;
}

/** `L1H2`, `L1N17`, `MLP0`, `ATTN0`, `EMBED`, with `@position`. */
export function componentName({ kind, layer, element, position }: Component): string {
  const part = {
    head: `L${layer}H${element}`,
    neuron: `L${layer}N${element}`,
    mlp: `MLP${layer}`,
    attn: `ATTN${layer}`,
    embed: 'EMBED',
  }[kind];
  return position === undefined ? part : `${part}@${position}`;
}

function playerOf(components: readonly Component[], name?: string): ComponentPlayer {
  const parts = components.map(placeOf);
  return {
    name: name ?? components.map(componentName).join('+'),
    place: parts.length === 1 ? parts[0] : { kind: 'group', parts },
    components,
  };
}

/** The player of a place, as a study holds it. @throws 'input' where it is no part of a model. */
export function playerAt({ name, place }: Player): ComponentPlayer {
  if (place === undefined || place.kind === 'span' || place.kind === 'examples')
    throw fail('input', 'players', `"${name}" is at ${place?.kind ?? 'no place'}; parts of a model are needed.`);
  return { name, place, components: (place.kind === 'group' ? place.parts : [place]).map(componentOf) };
}

function placeOf({ kind, layer = 0, element, position }: Component): ModelPlace {
  const at = position === undefined ? {} : { position };
  switch (kind) {
    case 'head':
      return { kind, layer, head: element, ...at };
    case 'neuron':
      return { kind, layer, neuron: element, ...at };
    case 'mlp':
    case 'attn':
      return { kind, layer, ...at };
    case 'embed':
      return { kind, ...at };
    default:
      return kind satisfies never;
  }
}

function componentOf(place: ModelPlace): Component {
  const element = place.kind === 'head' ? place.head : place.kind === 'neuron' ? place.neuron : 0;
  const layer = place.kind === 'embed' ? {} : { layer: place.layer };
  return { kind: place.kind, ...layer, element, ...(place.position === undefined ? {} : { position: place.position }) };
}

function everyOne(
  kind: ComponentKind,
  config: ModelConfig,
  scope: PlayerScope,
  perPosition: boolean,
): ComponentPlayer[] {
  if ((kind === 'mlp' || kind === 'neuron') && config.dMlp === 0)
    throw fail(
      'input',
      'players',
      `this model is attention-only; it has no ${kind === 'mlp' ? 'MLP layers' : 'neurons'}.`,
    );
  if (perPosition && scope.length === undefined)
    throw fail('input', 'players', '@positions needs prompts of one and the same length.');
  const layers = kind === 'embed' ? [undefined] : (scope.layers ?? Array.from({ length: config.nLayers }, (_, l) => l));
  const positions = perPosition ? Array.from({ length: scope.length ?? 0 }, (_, p) => p) : [undefined];
  const players: ComponentPlayer[] = [];
  for (const layer of layers) {
    const at = layer === undefined ? { kind } : { kind, layer };
    for (let element = 0; element < siteOf(at, config).elements; element++) {
      for (const position of positions)
        players.push(playerOf([{ ...at, element, ...(position === undefined ? {} : { position }) }]));
    }
  }
  return players;
}

function parseComponent(name: string, config: ModelConfig, scope: PlayerScope): Component {
  const match = /^(?:(EMBED)|(MLP|ATTN)(\d+)|L(\d+)([HN])(\d+))(?:@(\d+))?$/.exec(name);
  if (match === null) {
    const examples = ['L0H0', 'L0N0', 'MLP0', 'ATTN0', 'EMBED', ...Object.keys(KEYWORDS)];
    throw fail(
      'input',
      'players',
      `"${name}" is not a component; did you mean ${closest(name, examples).join(', ')}? Names are L1H2, L1N17, MLP0, ATTN0, EMBED, with @position.`,
    );
  }
  const [, embed, whole, wholeLayer, partLayer, letter, index, at] = match;
  const kind: ComponentKind =
    embed !== undefined
      ? 'embed'
      : whole === 'MLP'
        ? 'mlp'
        : whole === 'ATTN'
          ? 'attn'
          : letter === 'H'
            ? 'head'
            : 'neuron';
  const layer = kind === 'embed' ? undefined : Number(wholeLayer ?? partLayer);
  const element = Number(index ?? 0);
  if (layer !== undefined && layer >= config.nLayers)
    throw fail('input', 'players', `"${name}": there is no layer ${layer}; this model has 0..${config.nLayers - 1}.`);
  if ((kind === 'mlp' || kind === 'neuron') && config.dMlp === 0)
    throw fail('input', 'players', `"${name}": this model is attention-only; it has no MLP.`);
  const { elements } = siteOf(layer === undefined ? { kind } : { kind, layer }, config);
  if (element >= elements)
    throw fail(
      'input',
      'players',
      `"${name}": a layer of this model has ${kind === 'head' ? 'heads' : 'neurons'} 0..${elements - 1}.`,
    );
  const position = at === undefined ? undefined : Number(at);
  if (position !== undefined && scope.length === undefined)
    throw fail('input', 'players', `"${name}": a position needs prompts of one and the same length.`);
  if (position !== undefined && position >= (scope.length ?? 0))
    throw fail('input', 'players', `"${name}": the prompt has positions 0..${(scope.length ?? 0) - 1}.`);
  return { kind, element, ...(layer === undefined ? {} : { layer }), ...(position === undefined ? {} : { position }) };
}

/** Two players that ablate the same activation would not be independent bits. */
function checkDisjoint(players: readonly ComponentPlayer[], config: ModelConfig): void {
  const owners = new Map<string, Map<number | undefined, string>>();
  const names = new Set<string>();
  for (const player of players) {
    if (names.has(player.name))
      throw fail('input', 'players', `"${player.name}" is there twice; players must be distinct.`);
    names.add(player.name);
    for (const component of player.components) {
      const key = `${siteOf(component, config).hook}:${component.element}`;
      const cells = owners.get(key) ?? new Map<number | undefined, string>();
      const other =
        component.position === undefined
          ? [...cells.values()][0]
          : (cells.get(component.position) ?? cells.get(undefined));
      if (other !== undefined)
        throw fail(
          'input',
          'players',
          `"${other}" and "${player.name}" both hold ${componentName(component)}; a part may belong to one player only.`,
        );
      cells.set(component.position, player.name);
      owners.set(key, cells);
    }
  }
}
