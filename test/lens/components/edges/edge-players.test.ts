/** Edges by name and by pattern: EAP-IG's lists, groups, positions, and what is refused. */
import { describe, expect, it } from 'vitest';
import { eapEdges } from '../../../../src/circuit/eap-graph.ts';
import { allEdges, edgeName } from '../../../../src/lens/components/edges/edge.ts';
import { areEdges, edgePlayerAt, namesEdges, parseEdges } from '../../../../src/lens/components/edges/edge-players.ts';
import { modelPlayersAt, nameModelPlayers, parseModelPlayers } from '../../../../src/lens/components/model-game.ts';
import { layerOf, placeSchema } from '../../../../src/place.ts';
import { CONFIGS } from '../../../tensors.ts';

const GPT2 = CONFIGS['gpt2'];
const names = (text: string, config = GPT2, length = 4): string[] =>
  parseEdges(text, config, { length }).map(({ name }) => name);

describe('edges', () => {
  it.each(['gpt2', 'parallel, two norms, partial rotary', 'attention-only, no norm, no bias'])(
    'are those of a graph by name: %s',
    (title) => {
      const config = CONFIGS[title];
      const cfg = {
        n_layers: config.nLayers,
        n_heads: config.nHeads,
        d_model: config.dModel,
        parallel_attn_mlp: config.layout === 'parallel',
        attn_only: config.dMlp === 0,
      };
      const theirs = eapEdges(cfg);
      const ours = allEdges(config).map((edge) => edgeName(edge, config));
      expect(new Set(ours)).toEqual(new Set(theirs));
      expect(ours).toHaveLength(theirs.length);
    },
  );

  it('have no MLPs where a model has none, and keys and values by group where heads share them', () => {
    const attention = CONFIGS['attention-only, no norm, no bias'];
    expect(
      allEdges(attention)
        .map((edge) => edgeName(edge, attention))
        .filter((name) => name.includes('m')),
    ).toEqual([]);
    const grouped = CONFIGS['llama: rotary, gated, grouped heads'];
    const inLayer0 = names('edges:input->a0.*', grouped);
    expect(inLayer0).toEqual([
      ...[0, 1, 2, 3].map((head) => `input->a0.h${head}<q>`),
      ...['k', 'v'].flatMap((letter) => [0, 1].map((group) => `input->a0.kv${group}<${letter}>`)),
    ]);
    const alone = CONFIGS['ungrouped heads, all biases, llama3 and linear scaling'];
    expect(names('edges:input->a0.*<k>', alone)).toEqual([0, 1, 2, 3].map((head) => `input->a0.h${head}<k>`));
  });

  it('are players one by one, by pattern, by layer, by position, and in groups', () => {
    expect(names('edges')).toHaveLength(allEdges(GPT2).length);
    expect(names('edges:a0.h1->m*')).toEqual(['a0.h1->m0', 'a0.h1->m1', 'a0.h1->m2']);
    expect(names('a0.h1->m1')).toEqual(['a0.h1->m1']);
    expect(names('a0.h1->m1@3, a0.h1->m1@0')).toEqual(['a0.h1->m1@3', 'a0.h1->m1@0']);
    expect(names('edges@positions:m1->logits')).toEqual([0, 1, 2, 3].map((p) => `m1->logits@${p}`));
    expect(names('a0.h1->a2.h0<q>')).toEqual(['a0.h1->a2.h0<q>']);
    const [all, rest] = parseEdges('a0.h1->*,others=input->a1.h0+m0->logits', GPT2);
    expect(all).toMatchObject({ name: 'a0.h1->*', place: { kind: 'edges' } });
    expect(all.edges.map((edge) => edgeName(edge, GPT2)).slice(0, 4)).toEqual([
      'a0.h1->m0',
      'a0.h1->a1.h0<q>',
      'a0.h1->a1.h1<q>',
      'a0.h1->a1.h2<q>',
    ]);
    expect(rest.name).toBe('others');
    expect(rest.edges.map((edge) => edgeName(edge, GPT2))).toEqual([
      'input->a1.h0<q>',
      'input->a1.h0<k>',
      'input->a1.h0<v>',
      'm0->logits',
    ]);
    const last = parseEdges('edges', GPT2, { layers: [2] }).map(({ name }) => name);
    expect(last.every((name) => /->(a2\.|m2|logits)/.test(name))).toBe(true);
    expect(last).toContain('input->logits');
    expect(parseEdges('edges', GPT2, { layers: [0] }).map(({ name }) => name)).not.toContain('input->logits');
  });

  it('have places that a study holds and gives back, in the layer that reads', () => {
    const players = parseEdges('input->a1.h0<v>@2,a0.h1->*,m1->logits', GPT2, { length: 4 });
    for (const player of players) {
      expect(placeSchema.parse(player.place)).toEqual(player.place);
      expect(edgePlayerAt({ name: player.name, place: player.place })).toEqual(player);
    }
    expect(players.map(({ place }) => layerOf(place))).toEqual([1, undefined, 1]);
    expect(modelPlayersAt(players)).toEqual(players);
    expect(() => modelPlayersAt([...players, { name: 'L0H0', place: { kind: 'head', layer: 0, head: 0 } }])).toThrow(
      '"L0H0" is at head; edges are needed, or parts of a model alone.',
    );
  });

  it('are told from parts, and called by what they are', () => {
    expect(['edges', 'heads', 'a0.h1->m1', 'edges@positions', 'L0H0,edges', 'wedges=L0H0'].map(namesEdges)).toEqual([
      true,
      false,
      true,
      true,
      true,
      false,
    ]);
    const called = (text: string): string => nameModelPlayers(parseModelPlayers(text, GPT2, { length: 4 }));
    expect(['edges', 'edges@positions', 'a0.h1->*,m1->logits', 'heads'].map(called)).toEqual([
      'edges',
      'edges at single positions',
      'groups of edges',
      'heads',
    ]);
    expect(areEdges(parseModelPlayers('heads', GPT2))).toBe(false);
  });

  it.each([
    ['a0.h9->m1', /^players: "a0\.h9" writes nothing here; did you mean a0\.h0/],
    ['a0.h1->m9', /^players: "m9" reads nothing here; did you mean m0/],
    ['a2.h1->m0', /^players: "a2\.h1->m0": nothing that m0 reads was written by a2\.h1, which comes later\./],
    ['m1->m1', /which comes later/],
    ['L0H0->m1', /"L0H0" writes nothing here/],
    ['L0H0', /^players: "L0H0" is no edge; write e\.g\. a0\.h1->a3\.h2<q>/],
    ['edges,a0.h1->m1', /^players: "a0\.h1->m1" and "a0\.h1->m1" both hold|is there twice/],
    [
      'one=a0.h1->m1,a0.h1->*',
      /^players: "one" and "a0\.h1->\*" both hold a0\.h1->m1; an edge may belong to one player only\./,
    ],
    ['one=a0.h1->m1@2,a0.h1->m1', /"one" and "a0\.h1->m1" both hold a0\.h1->m1;/],
    ['a0.h1->m1@7', /the prompt has positions 0\.\.3\./],
  ])('refuses %s', (text, message) => {
    expect(() => parseEdges(text, GPT2, { length: 4 })).toThrow(message);
  });

  it('refuses positions of prompts of different lengths', () => {
    expect(() => parseEdges('edges@positions', GPT2)).toThrow(
      'edges@positions needs prompts of one and the same length.',
    );
    expect(() => parseEdges('a0.h1->m1@1', GPT2)).toThrow('a position needs prompts of one and the same length.');
  });
});
