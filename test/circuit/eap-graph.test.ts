/** EAP-IG's and MIB's graphs: the names of a small model by hand, counts of a real one, there and back. */
import { describe, expect, it } from 'vitest';
import { eapEdges, eapGraphOf, eapNodes, importancesOf, parseEapGraph } from '../../src/circuit/eap-graph.ts';
import type { Player } from '../../src/game.ts';

const cfg = { n_layers: 2, n_heads: 1, parallel_attn_mlp: false, d_model: 8 };
const PLAYERS: Player[] = [
  { name: 'L0H0', place: { kind: 'head', layer: 0, head: 0 } },
  { name: 'L1H0', place: { kind: 'head', layer: 1, head: 0 } },
  { name: 'MLP0', place: { kind: 'mlp', layer: 0 } },
];

describe("EAP-IG's graph", () => {
  it('has its names, in its order', () => {
    expect(eapNodes(cfg)).toEqual(['input', 'a0.h0', 'm0', 'a1.h0', 'm1', 'logits']);
    expect(eapEdges(cfg)).toEqual([
      ...['q', 'k', 'v'].map((letter) => `input->a0.h0<${letter}>`),
      ...['input', 'a0.h0'].map((from) => `${from}->m0`),
      ...['input', 'a0.h0', 'm0'].flatMap((from) => ['q', 'k', 'v'].map((letter) => `${from}->a1.h0<${letter}>`)),
      ...['input', 'a0.h0', 'm0', 'a1.h0'].map((from) => `${from}->m1`),
      ...['input', 'a0.h0', 'm0', 'a1.h0', 'm1'].map((from) => `${from}->logits`),
    ]);
  });

  it('has no MLPs of a model without', () => {
    const alone = { ...cfg, attn_only: true };
    expect(eapNodes(alone)).toEqual(['input', 'a0.h0', 'a1.h0', 'logits']);
    expect(eapEdges(alone)).toEqual(eapEdges(cfg).filter((edge) => !/m\d/.test(edge)));
    const graph = eapGraphOf(alone, PLAYERS.slice(0, 2), [0.5, -2], [0, 1]);
    expect(parseEapGraph(JSON.parse(JSON.stringify(graph)))).toEqual(graph);
  });

  it("has GPT-2 small's 32,491 edges, and fewer where MLPs stand beside attention", () => {
    const small = { n_layers: 12, n_heads: 12, parallel_attn_mlp: false, d_model: 768 };
    expect(eapEdges(small).length).toBe(32_491);
    expect(eapEdges({ ...small, parallel_attn_mlp: true }).length).toBe(32_491 - 144);
    expect(new Set(eapEdges(small)).size).toBe(32_491);
  });

  it('of a circuit of heads and MLPs has the edges between its nodes, and comes back from JSON', () => {
    const graph = eapGraphOf(cfg, PLAYERS, [0.5, -2, 0.25], [0, 1]);
    expect(graph.nodes['m0']).toEqual({ in_graph: false, score: 0.25 });
    expect(graph.nodes['m1']).toEqual({ in_graph: true });
    expect(graph.edges['a0.h0->a1.h0<k>']).toEqual({ in_graph: true, score: 0.5 });
    expect(graph.edges['a0.h0->m0']).toEqual({ in_graph: false, score: 0.5 });
    const back = parseEapGraph(JSON.parse(JSON.stringify(graph)));
    expect(back).toEqual(graph);
    expect(Array.from(importancesOf(back, PLAYERS))).toEqual([0.5, 2, 0.25]);
  });

  it('of edges alone ranks a node by the strongest that leaves it; older files say of a node only whether it is in', () => {
    const nodes = Object.fromEntries(eapNodes(cfg).map((name) => [name, name !== 'm0']));
    const edges = Object.fromEntries(eapEdges(cfg).map((name) => [name, { score: 0, in_graph: false }]));
    edges['a0.h0->m1'] = { score: -3, in_graph: true };
    edges['a0.h0->logits'] = { score: 1, in_graph: true };
    const graph = parseEapGraph({ cfg, nodes, edges });
    expect(graph.nodes['m0'].in_graph).toBe(false);
    expect(Array.from(importancesOf(graph, PLAYERS))).toEqual([3, 0, 0]);
  });

  it('of a circuit of edges has those, the nodes that they meet, and every edge that is no player', () => {
    const head = { kind: 'head', layer: 0, head: 0 } as const;
    const players: Player[] = [
      { name: 'one', place: { kind: 'edge', from: { kind: 'embed' }, to: { kind: 'k', layer: 1, head: 0 } } },
      { name: 'two', place: { kind: 'edge', from: head, to: { kind: 'logits' } } },
      {
        name: 'group',
        place: {
          kind: 'edges',
          parts: [
            { kind: 'edge', from: { kind: 'mlp', layer: 0 }, to: { kind: 'mlp', layer: 1 } },
            { kind: 'edge', from: { kind: 'mlp', layer: 0 }, to: { kind: 'q', layer: 1, head: 0 } },
          ],
        },
      },
    ];
    const graph = eapGraphOf(cfg, players, [0.5, -2, 0.25], [1]);
    expect(graph.edges['input->a1.h0<k>']).toEqual({ in_graph: false, score: 0.5 });
    expect(graph.edges['a0.h0->logits']).toEqual({ in_graph: true, score: -2 });
    expect(graph.edges['m0->m1']).toEqual(graph.edges['m0->a1.h0<q>']);
    expect(graph.edges['input->m0']).toEqual({ in_graph: true, score: 0 });
    expect(Object.keys(graph.edges)).toEqual(eapEdges(cfg));
    expect(Object.values(graph.nodes).every(({ in_graph }) => in_graph)).toBe(true);
    const back = parseEapGraph(JSON.parse(JSON.stringify(graph)));
    expect(Array.from(importancesOf(back, players))).toEqual([0.5, 2, 0.25]);
  });

  it('has keys and values of every query head that reads those of a group', () => {
    const wide = { ...cfg, n_heads: 4 };
    const players: Player[] = [
      { name: 'k', place: { kind: 'edge', from: { kind: 'embed' }, to: { kind: 'k', layer: 1, head: 1 } } },
      { name: 'q', place: { kind: 'edge', from: { kind: 'embed' }, to: { kind: 'q', layer: 1, head: 1 } } },
    ];
    const graph = eapGraphOf(wide, players, [3, 4], [], { shared: 2 });
    const scored = Object.entries(graph.edges).filter(([, { score }]) => score !== 0);
    expect(scored.map(([name, { score }]) => [name, score])).toEqual([
      ['input->a1.h1<q>', 4],
      ['input->a1.h2<k>', 3],
      ['input->a1.h3<k>', 3],
    ]);
    expect(Array.from(importancesOf(graph, players, { shared: 2 }))).toEqual([3, 4]);
  });

  it.each([
    [{ cfg, nodes: { a0: true }, edges: {} }, /graph: nodes: "a0" is none of a model of 2 layers of 1 heads/],
    [{ cfg, nodes: {}, edges: { 'm1->m0': { score: 1, in_graph: true } } }, /edges: "m1->m0" is none/],
    [{ nodes: {}, edges: {} }, /graph: cfg: /],
    [{ cfg, nodes: {}, edges: { 'input->m0': { in_graph: true } } }, /edges\.input->m0\.score: /],
  ])('refuses %j', (json, message) => {
    expect(() => parseEapGraph(json)).toThrow(message);
  });

  it('refuses players that are no nodes', () => {
    const neuron: Player = { name: 'L0N1', place: { kind: 'neuron', layer: 0, neuron: 1 } };
    expect(() => eapGraphOf(cfg, [neuron], [1], [])).toThrow(/"L0N1" is no node/);
    const edge = { kind: 'edge', from: { kind: 'embed' }, to: { kind: 'logits' } } as const;
    const there: Player = { name: 'there', place: { ...edge, position: 2 } };
    expect(() => eapGraphOf(cfg, [there], [1], [])).toThrow(
      '"there" is at one position; edges of a graph are of all of them.',
    );
    expect(() => eapGraphOf(cfg, [{ name: 'e', place: edge }, neuron], [1, 1], [])).toThrow(/"L0N1" is no edge/);
    const late: Player = { name: 'L5H0', place: { kind: 'head', layer: 5, head: 0 } };
    expect(() => importancesOf(eapGraphOf(cfg, PLAYERS, [1, 1, 1], []), [late])).toThrow(/"L5H0" is no node of it/);
  });
});
