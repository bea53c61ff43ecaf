/**
 * The players of the mechanistic lens: parts of a model, named the way the literature does.
 *
 * L1H2 head, L1N17 neuron, MLP1 layer, ATTN1 attention layer, EMBED token embedding, L1H2.q (k, v, pattern) what a head reads
 * with, RESID_PRE1 (MID, POST) the residual stream at a layer; `@5` after a name restricts it to one position. A player is one component or a group of them (`movers=L3H0+L3H1`).
 */
import { closest, fail } from '../../errors.ts';
import type { Player } from '../../game.ts';
import type { Place } from '../../place.ts';
import type { ModelConfig } from '../../model/config.ts';
import {
  componentName,
  componentOf,
  placeOf,
  PLURALS,
  requirePart,
  siteOf,
  type Component,
  type ComponentKind,
} from './component.ts';

/** Parts of a model that are kept or absent together. */
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
  resid_pre: 'resid_pre',
  resid_mid: 'resid_mid',
  resid_post: 'resid_post',
  q: 'q',
  k: 'k',
  v: 'v',
  patterns: 'pattern',
};

/** What parts are called together: `heads`, `MLP layers`, `neurons at single positions`, `parts`. */
export function nameParts(players: readonly ComponentPlayer[]): string {
  const kinds = new Set(players.map(({ place }) => place.kind));
  const [kind] = kinds;
  if (kinds.size > 1) return 'parts';
  const plural = PLURALS[kind as ComponentKind | 'group'];
  return players.every(({ components }) => components[0].position !== undefined)
    ? `${plural} at single positions`
    : plural;
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
  if (
    place === undefined ||
    place.kind === 'span' ||
    place.kind === 'examples' ||
    place.kind === 'edge' ||
    place.kind === 'edges'
  )
    throw fail('input', 'players', `"${name}" is at ${place?.kind ?? 'no place'}; parts of a model are needed.`);
  return { name, place, components: (place.kind === 'group' ? place.parts : [place]).map(componentOf) };
}

function everyOne(
  kind: ComponentKind,
  config: ModelConfig,
  scope: PlayerScope,
  perPosition: boolean,
): ComponentPlayer[] {
  requirePart({ kind, layer: 0 }, config, 'this model');
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
  const match =
    /^(?:(EMBED)|(MLP|ATTN|RESID_PRE|RESID_MID|RESID_POST)(\d+)|L(\d+)([HN])(\d+)(?:(?<=H\d+)\.(q|k|v|pattern))?)(?:@(\d+))?$/.exec(
      name,
    );
  if (match === null) {
    const examples = ['L0H0', 'L0N0', 'MLP0', 'ATTN0', 'EMBED', ...Object.keys(KEYWORDS)];
    throw fail(
      'input',
      'players',
      `"${name}" is not a component; did you mean ${closest(name, examples).join(', ')}? Names are L1H2, L1N17, MLP0, ATTN0, EMBED, L1H2.q, RESID_PRE0, with @position.`,
    );
  }
  const [, embed, whole, wholeLayer, partLayer, letter, index, reader, at] = match;
  const kind = (embed ?? whole ?? reader ?? (letter === 'H' ? 'head' : 'neuron')).toLowerCase() as ComponentKind;
  const layer = kind === 'embed' ? undefined : Number(wholeLayer ?? partLayer);
  const element = Number(index ?? 0);
  if (layer !== undefined && layer >= config.nLayers)
    throw fail('input', 'players', `"${name}": there is no layer ${layer}; this model has 0..${config.nLayers - 1}.`);
  requirePart({ kind, layer: layer ?? 0 }, config, `"${name}": this model`);
  const { elements } = siteOf(layer === undefined ? { kind } : { kind, layer }, config);
  if (element >= elements)
    throw fail('input', 'players', `"${name}": a layer of this model has ${PLURALS[kind]} 0..${elements - 1}.`);
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
