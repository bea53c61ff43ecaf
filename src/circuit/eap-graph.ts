/**
 * Circuits and scores as EAP-IG and MIB write them: a graph of nodes (`input`, `a3.h5`, `m3`, `logits`) and edges
 * (`a0.h1->a3.h5<q>`) in JSON, each in the circuit or not, with a score.
 *
 * Hanna, Pezzelle, Belinkov, Have Faith in Faithfulness, arXiv 2403.17806 (their Graph.to_json); Mueller et al., MIB, arXiv
 * 2504.13151, whose circuit track takes the same files. A circuit of heads and MLPs has the edges between its nodes, and an edge
 * then has the score of its sender; a circuit of edges has those, and the nodes that one of them meets.
 */
import { z } from 'zod';
import { fail } from '../errors.ts';
import type { Player } from '../game.ts';
import type { EdgePlace } from '../place.ts';

/** The shape of a model, by TransformerLens's names. */
const shape = z.object({
  n_layers: z.int().min(1),
  n_heads: z.int().min(1),
  parallel_attn_mlp: z.boolean(),
  d_model: z.int().min(1),
  /** Ours; EAP-IG, which has an MLP in every layer, passes over it, and over the edges that are not there. */
  attn_only: z.boolean().optional(),
});
const number = z.number().nullable(); // not scored
const node = z.union([
  z.boolean().transform((in_graph) => ({ in_graph, score: undefined })), // of older versions
  z.object({ in_graph: z.boolean(), score: number.optional() }),
]);
const schema = z.object({
  cfg: shape,
  nodes: z.record(z.string(), node),
  edges: z.record(z.string(), z.object({ score: number, in_graph: z.boolean() })),
});

export type EapShape = z.infer<typeof shape>;
/** A circuit as EAP-IG and MIB write it: nodes and edges with scores, and which of them are in it. */
export interface EapGraph {
  readonly cfg: EapShape;
  readonly nodes: Readonly<Record<string, { readonly in_graph: boolean; readonly score?: number | null | undefined }>>;
  readonly edges: Readonly<Record<string, { readonly score: number | null; readonly in_graph: boolean }>>;
}

/** Nodes of a model in the order in which they write; `logits` last. */
export function eapNodes({ n_layers, n_heads, attn_only = false }: EapShape): string[] {
  const layers = Array.from({ length: n_layers }, (_, layer) => [
    ...Array.from({ length: n_heads }, (__, head) => `a${layer}.h${head}`),
    ...(attn_only ? [] : [`m${layer}`]),
  ]);
  return ['input', ...layers.flat(), 'logits'];
}

/** All edges of a model: from every node to q, k and v of later heads, to later MLPs and to the logits. */
export function eapEdges(cfg: EapShape): string[] {
  const nodes = eapNodes(cfg);
  const perLayer = cfg.n_heads + (cfg.attn_only === true ? 0 : 1);
  /** How many of `nodes` wrote before one of them reads. */
  const before = (at: number): number => {
    if (nodes[at] === 'logits') return at;
    const first = 1 + Math.floor((at - 1) / perLayer) * perLayer;
    return nodes[at].startsWith('m') && !cfg.parallel_attn_mlp ? at : first;
  };
  return nodes.flatMap((name, at) => {
    if (name === 'input') return [];
    const ends = name.startsWith('a') ? ['<q>', '<k>', '<v>'] : [''];
    return nodes.slice(0, before(at)).flatMap((from) => ends.map((end) => `${from}->${name}${end}`));
  });
}

/** Reads a graph. @throws 'input' naming the first field that is wrong, and nodes and edges that its model has not. */
export function parseEapGraph(json: unknown, who = 'graph'): EapGraph {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw fail('input', who, `${issue.path.map(String).join('.') || 'the graph'}: ${issue.message}.`);
  }
  const graph = parsed.data;
  for (const [what, known] of [
    ['nodes', eapNodes(graph.cfg)],
    ['edges', eapEdges(graph.cfg)],
  ] as const) {
    const names = new Set(known);
    const odd = Object.keys(graph[what]).find((name) => !names.has(name));
    if (odd !== undefined)
      throw fail(
        'input',
        who,
        `${what}: "${odd}" is none of a model of ${graph.cfg.n_layers} layers of ${graph.cfg.n_heads} heads.`,
      );
  }
  return graph;
}

/** The node that a player is; undefined for one that is no whole head, MLP or embedding. */
export function eapNodeOf({ place }: Player): string | undefined {
  if (place === undefined || 'position' in place) return undefined;
  if (place.kind === 'head') return `a${place.layer}.h${place.head}`;
  if (place.kind === 'mlp') return `m${place.layer}`;
  return place.kind === 'embed' ? 'input' : undefined;
}

export interface EapGraphOptions {
  /** Query heads that read one key/value head, where players are edges; default 1. */
  readonly shared?: number | undefined;
}

/**
 * The edges that a player over edges is, by name; keys and values that `shared` query heads read are an edge of each of them.
 * Undefined for another player. @throws 'input' for an edge at one position.
 */
export function eapEdgesOf({ name, place }: Player, { shared = 1 }: EapGraphOptions = {}): string[] | undefined {
  if (place?.kind !== 'edge' && place?.kind !== 'edges') return undefined;
  return (place.kind === 'edge' ? [place] : place.parts).flatMap((edge) => {
    if (edge.position === undefined) return edgeNames(edge, shared);
    throw fail('input', 'graph', `"${name}" is at one position; edges of a graph are of all of them.`);
  });
}

function edgeNames({ from, to }: EdgePlace, shared: number): string[] {
  const sender = eapNodeOf({ name: '', place: from }) as string;
  if (to.kind === 'logits') return [`${sender}->logits`];
  if (to.kind === 'mlp') return [`${sender}->m${to.layer}`];
  const copies = to.kind === 'q' ? 1 : shared;
  return Array.from({ length: copies }, (_, c) => `${sender}->a${to.layer}.h${to.head * copies + c}<${to.kind}>`);
}

/**
 * The graph of a circuit over heads and MLPs, or over edges: nodes, or edges, that are no players are in it.
 * @throws 'input' for a player that is neither.
 */
export function eapGraphOf(
  cfg: EapShape,
  players: readonly Player[],
  scores: ArrayLike<number>,
  circuit: readonly number[],
  options: EapGraphOptions = {},
): EapGraph {
  const chosen = new Set(circuit);
  if (players.some((player) => eapEdgesOf(player, options) !== undefined))
    return graphOfEdges(cfg, players, scores, chosen, options);
  const given = new Map<string, { readonly in_graph: boolean; readonly score: number }>();
  players.forEach((player, i) => {
    const name = eapNodeOf(player);
    if (name === undefined)
      throw fail(
        'input',
        'graph',
        `"${player.name}" is no node: whole heads, MLPs and the embedding are; edges are edges.`,
      );
    given.set(name, { in_graph: chosen.has(i), score: scores[i] });
  });
  const of = (name: string): { readonly in_graph: boolean; readonly score: number | null } =>
    given.get(name) ?? { in_graph: true, score: null };
  const edges = eapEdges(cfg).map((edge) => {
    const [from, to] = edge.split('->');
    const [sender, receiver] = [of(from), of(to.replace(/<.>$/, ''))];
    return [edge, { score: sender.score ?? 0, in_graph: sender.in_graph && receiver.in_graph }] as const;
  });
  const node = ({ in_graph, score }: ReturnType<typeof of>) => ({ in_graph, ...(score === null ? {} : { score }) });
  return {
    cfg,
    nodes: Object.fromEntries(eapNodes(cfg).map((name) => [name, node(of(name))])),
    edges: Object.fromEntries(edges),
  };
}

function graphOfEdges(
  cfg: EapShape,
  players: readonly Player[],
  scores: ArrayLike<number>,
  chosen: ReadonlySet<number>,
  options: EapGraphOptions,
): EapGraph {
  const given = new Map<string, { readonly score: number; readonly in_graph: boolean }>();
  players.forEach((player, i) => {
    const own = eapEdgesOf(player, options);
    if (own === undefined)
      throw fail('input', 'graph', `"${player.name}" is no edge; a graph is of nodes or of edges.`);
    for (const edge of own) given.set(edge, { score: scores[i], in_graph: chosen.has(i) });
  });
  const edges = eapEdges(cfg).map((edge) => [edge, given.get(edge) ?? { score: 0, in_graph: true }] as const);
  const met = new Set(edges.flatMap(([edge, { in_graph }]) => (in_graph ? edge.replace(/<.>$/, '').split('->') : [])));
  return {
    cfg,
    nodes: Object.fromEntries(eapNodes(cfg).map((name) => [name, { in_graph: name === 'logits' || met.has(name) }])),
    edges: Object.fromEntries(edges),
  };
}

/**
 * What a graph makes of each player: its node's score or, in a graph of scored edges, the score of largest magnitude of those that
 * leave it; of an edge its score, of several the one of largest magnitude.
 * @throws 'input' for a player that is no node of it, and no edge.
 */
export function scoresOfGraph(
  { cfg, nodes, edges }: EapGraph,
  players: readonly Player[],
  options: EapGraphOptions = {},
): Float64Array {
  const leaving = new Map<string, number>();
  for (const [edge, { score }] of Object.entries(edges)) {
    const [from] = edge.split('->');
    if (Math.abs(score ?? 0) > Math.abs(leaving.get(from) ?? 0)) leaving.set(from, score ?? 0);
  }
  const larger = (a: number, b: number): number => (Math.abs(b) > Math.abs(a) ? b : a);
  return Float64Array.from(partsOf(cfg, players, options), (part) =>
    typeof part === 'string'
      ? (nodes[part]?.score ?? leaving.get(part) ?? 0)
      : part.reduce((most, edge) => larger(most, edges[edge]?.score ?? 0), 0),
  );
}

/** How much a graph makes of each player, as its authors rank: magnitudes of scoresOfGraph. */
export function importancesOf(
  graph: EapGraph,
  players: readonly Player[],
  options: EapGraphOptions = {},
): Float64Array {
  return scoresOfGraph(graph, players, options).map(Math.abs);
}

/** The players that are, with all their edges, in the circuit of a graph, by number. @throws 'input' as scoresOfGraph. */
export function circuitOfGraph(
  { cfg, nodes, edges }: EapGraph,
  players: readonly Player[],
  options: EapGraphOptions = {},
): number[] {
  return partsOf(cfg, players, options).flatMap((part, player) => {
    const inside =
      typeof part === 'string' ? nodes[part]?.in_graph === true : part.every((edge) => edges[edge]?.in_graph === true);
    return inside ? [player] : [];
  });
}

/** The node of every player, or its edges. @throws 'input' for one that has neither. */
function partsOf(cfg: EapShape, players: readonly Player[], options: EapGraphOptions): (string | readonly string[])[] {
  const known = new Set(eapNodes(cfg));
  return players.map((player) => {
    const own = eapEdgesOf(player, options);
    if (own !== undefined) return own;
    const name = eapNodeOf(player);
    if (name !== undefined && known.has(name)) return name;
    throw fail(
      'input',
      'graph',
      `"${player.name}" is no node of it: it has whole heads and MLPs of ${cfg.n_layers} layers of ${cfg.n_heads} heads.`,
    );
  });
}
