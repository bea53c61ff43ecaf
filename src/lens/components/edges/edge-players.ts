/**
 * Edges as players, by name or by pattern.
 *
 * `edges` is each edge on its own, `edges:a0.*->*` each that matches, `edges@positions` each at each position. A pattern alone,
 * `a0.h1->*`, is one player of every edge that matches; `early=a0.*->*+m0->*` names such a group. `*` stands for any part of a name,
 * and a receiver without <q>, <k> or <v> for all three. Edges that no player holds are always kept.
 */
import { closest, fail } from '../../../errors.ts';
import type { Player } from '../../../game.ts';
import type { ModelConfig } from '../../../model/config.ts';
import type { EdgePlace } from '../../../place.ts';
import type { PlayerScope } from '../components.ts';
import { allEdges, edgeName, receiverName, senderName } from './edge.ts';

/** Edges that are kept or cut together. */
export interface EdgePlayer extends Player {
  readonly place: EdgePlace | { readonly kind: 'edges'; readonly parts: readonly EdgePlace[] };
  /** What is cut with it: `place`, edge by edge. */
  readonly edges: readonly EdgePlace[];
}

/** Whether a list of players, as the command takes it, names edges. */
export function namesEdges(text: string): boolean {
  return /->|(^|,)\s*edges\b/.test(text);
}

/** Whether players are edges. */
export function areEdges(players: readonly Player[]): players is readonly EdgePlayer[] {
  return players.length > 0 && players.every((player) => 'edges' in player);
}

/**
 * Players from a comma-separated list.
 * @throws 'input' for names and patterns that match no edge, positions out of range, and edges that two players hold; as edgeSites.
 */
export function parseEdges(text: string, config: ModelConfig, scope: PlayerScope = {}): EdgePlayer[] {
  const known = allEdges(config).map(
    (edge): Known => ({
      edge,
      from: senderName(edge.from),
      to: receiverName(edge.to, config),
    }),
  );
  const players = text.split(',').flatMap((part) => {
    const item = part.trim();
    const keyword = /^edges(@positions)?(?::(.+))?$/.exec(item);
    if (keyword === null) return [groupOf(item, known, config, scope)];
    const matched = keyword[2] === undefined ? known : matching(keyword[2].trim(), known);
    const edges = matched.map(({ edge }) => edge).filter(({ to }) => inLayers(to, config, scope));
    return edges
      .flatMap((edge) => (keyword[1] === undefined ? [edge] : atEveryPosition(edge, scope)))
      .map((edge) => single(edge, config));
  });
  if (players.length === 0) throw fail('input', 'players', `"${text}" names no edge of this model.`);
  requireDisjoint(players, config);
  return players;
}

/** The player of a place, as a study holds it. @throws 'input' where it is no edge. */
export function edgePlayerAt({ name, place }: Player): EdgePlayer {
  if (place?.kind === 'edge') return { name, place, edges: [place] };
  if (place?.kind === 'edges') return { name, place, edges: place.parts };
  throw fail(
    'input',
    'players',
    `"${name}" is at ${place?.kind ?? 'no place'}; edges are needed, or parts of a model alone.`,
  );
}

interface Known {
  readonly edge: EdgePlace;
  readonly from: string;
  readonly to: string;
}

function single(edge: EdgePlace, config: ModelConfig): EdgePlayer {
  return { name: edgeName(edge, config), place: edge, edges: [edge] };
}

/** The layers that a keyword covers are those of receivers; the logits read behind the last. */
function inLayers(to: EdgePlace['to'], config: ModelConfig, { layers }: PlayerScope): boolean {
  return layers === undefined || layers.includes(to.kind === 'logits' ? config.nLayers - 1 : to.layer);
}

function atEveryPosition(edge: EdgePlace, { length }: PlayerScope): EdgePlace[] {
  if (length === undefined) throw fail('input', 'players', 'edges@positions needs prompts of one and the same length.');
  return Array.from({ length }, (_, position) => ({ ...edge, position }));
}

/** One player of everything that a pattern, or several with + between, matches. */
function groupOf(item: string, known: readonly Known[], config: ModelConfig, scope: PlayerScope): EdgePlayer {
  const named = /^([^=]+)=(.+)$/.exec(item);
  const edges = (named?.[2] ?? item).split('+').flatMap((part) => {
    const [, pattern, at] = /^(.*?)(?:@(\d+))?$/.exec(part.trim()) ?? [];
    const found = matching(pattern, known).map(({ edge }) => edge);
    return at === undefined ? found : found.map((edge) => ({ ...edge, position: positionOf(part.trim(), at, scope) }));
  });
  const name = named?.[1].trim();
  if (edges.length > 1) return { name: name ?? item, place: { kind: 'edges', parts: edges }, edges };
  return name === undefined ? single(edges[0], config) : { name, place: edges[0], edges };
}

function positionOf(item: string, text: string, { length }: PlayerScope): number {
  const position = Number(text);
  if (length === undefined)
    throw fail('input', 'players', `"${item}": a position needs prompts of one and the same length.`);
  if (position >= length) throw fail('input', 'players', `"${item}": the prompt has positions 0..${length - 1}.`);
  return position;
}

/** @throws 'input' for a pattern that no edge matches, saying which end is unknown. */
function matching(pattern: string, known: readonly Known[]): Known[] {
  const [from, to, ...more] = pattern.split('->').map((end) => end.trim());
  if (to === undefined || more.length > 0)
    throw fail(
      'input',
      'players',
      `"${pattern}" is no edge; write e.g. a0.h1->a3.h2<q>, input->m0, m1->logits or a0.h1->*.`,
    );
  const [sender, receiver] = [regexOf(from, ''), regexOf(to, to.includes('<') ? '' : '(<[qkv]>)?')];
  const found = known.filter((each) => sender.test(each.from) && receiver.test(each.to));
  if (found.length > 0) return found;
  const ends = (key: 'from' | 'to'): string[] => [...new Set(known.map((each) => each[key]))];
  if (!ends('from').some((name) => sender.test(name)))
    throw fail(
      'input',
      'players',
      `"${from}" writes nothing here; did you mean ${closest(from, ends('from')).join(', ')}?`,
    );
  if (!ends('to').some((name) => receiver.test(name)))
    throw fail('input', 'players', `"${to}" reads nothing here; did you mean ${closest(to, ends('to')).join(', ')}?`);
  throw fail('input', 'players', `"${pattern}": nothing that ${to} reads was written by ${from}, which comes later.`);
}

function regexOf(pattern: string, ending: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${escaped}${ending}$`);
}

/** @throws 'input' for an edge, or a position of one, that two players hold, and for a name that comes twice. */
function requireDisjoint(players: readonly EdgePlayer[], config: ModelConfig): void {
  const names = new Set<string>();
  const owners = new Map<string, Map<number | undefined, string>>();
  for (const { name, edges } of players) {
    if (names.has(name)) throw fail('input', 'players', `"${name}" is there twice; players must be distinct.`);
    names.add(name);
    for (const { position, ...edge } of edges) {
      const key = edgeName(edge, config);
      const held = owners.get(key) ?? new Map<number | undefined, string>();
      const other = position === undefined ? [...held.values()][0] : (held.get(position) ?? held.get(undefined));
      if (other !== undefined)
        throw fail(
          'input',
          'players',
          `"${other}" and "${name}" both hold ${key}; an edge may belong to one player only.`,
        );
      held.set(position, name);
      owners.set(key, held);
    }
  }
}
