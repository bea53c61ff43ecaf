import { describe, expect, it } from 'vitest';
import { parsePlayers, playerAt } from '../../../src/lens/components/components.ts';
import { layerOf } from '../../../src/place.ts';
import { CONFIGS } from '../../tensors.ts';

const config = CONFIGS['gpt2']; // 3 layers x 3 heads, d_mlp 64
const names = (text: string, scope = {}): string[] => parsePlayers(text, config, scope).map((player) => player.name);

describe('players', () => {
  it('are every head, layer by layer, with their layer and head', () => {
    expect(names('heads')).toEqual(['L0H0', 'L0H1', 'L0H2', 'L1H0', 'L1H1', 'L1H2', 'L2H0', 'L2H1', 'L2H2']);
    expect(parsePlayers('heads', config)[5].place).toEqual({ kind: 'head', layer: 1, head: 2 });
  });

  it('are what the keywords say, in the chosen layers', () => {
    expect(names('heads,mlps,attns,embed', { layers: [2] })).toEqual([
      'L2H0',
      'L2H1',
      'L2H2',
      'MLP2',
      'ATTN2',
      'EMBED',
    ]);
    expect(names('neurons', { layers: [1] })).toHaveLength(64);
    expect(names('heads@positions', { layers: [0], length: 2 })).toEqual([
      'L0H0@0',
      'L0H0@1',
      'L0H1@0',
      'L0H1@1',
      'L0H2@0',
      'L0H2@1',
    ]);
  });

  it('may be groups with a name; a group of one layer has that layer, a group of several has none', () => {
    const [movers, pair] = parsePlayers('movers=L1H0+L2H1, L0H0+L0H1', config);
    expect(movers.name).toBe('movers');
    expect(layerOf(movers.place)).toBeUndefined();
    expect(pair.name).toBe('L0H0+L0H1');
    expect(layerOf(pair.place)).toBe(0);
    expect(pair.place).toEqual({
      kind: 'group',
      parts: [
        { kind: 'head', layer: 0, head: 0 },
        { kind: 'head', layer: 0, head: 1 },
      ],
    });
  });

  it('have a place of their kind, with its layer and position', () => {
    const places = parsePlayers('L1N17@2,MLP0,ATTN2@0,EMBED,L0H1@3', config, { length: 4 }).map(({ place }) => place);
    expect(places).toEqual([
      { kind: 'neuron', layer: 1, neuron: 17, position: 2 },
      { kind: 'mlp', layer: 0 },
      { kind: 'attn', layer: 2, position: 0 },
      { kind: 'embed' },
      { kind: 'head', layer: 0, head: 1, position: 3 },
    ]);
    expect(places.map(layerOf)).toEqual([1, 0, 2, undefined, 0]);
  });

  it('are made again from their name and place alone', () => {
    const text = 'heads@positions,movers=L1N0+MLP2,L2N5@3,ATTN1@1,EMBED@0';
    for (const player of parsePlayers(text, config, { layers: [0], length: 4 })) {
      const { name, place } = JSON.parse(JSON.stringify(player)) as typeof player;
      expect(playerAt({ name, place })).toEqual(player);
    }
    expect(() => playerAt({ name: 'the', place: { kind: 'span', pieces: [] } })).toThrow(
      'players: "the" is at span; parts of a model are needed.',
    );
    expect(() => playerAt({ name: 'x0' })).toThrow('players: "x0" is at no place; parts of a model are needed.');
  });

  it.each([
    ['L0H0,,L0H1', {}, /empty item/],
    ['head', {}, /"head" is not a component; did you mean heads/],
    ['L3H0', {}, /there is no layer 3; this model has 0\.\.2/],
    ['L0H3', {}, /heads 0\.\.2/],
    ['L0N64', {}, /neurons 0\.\.63/],
    ['L0H0@1', {}, /a position needs prompts of one and the same length/],
    ['L0H0@4', { length: 4 }, /positions 0\.\.3/],
    ['heads@positions', {}, /one and the same length/],
    ['heads', { layers: [7] }, /there is no layer 7/],
    ['a=L0H0,b=L0H0', {}, /"a" and "b" both hold L0H0/],
    ['L0H0@1,a=L0H0', { length: 4 }, /"L0H0@1" and "a" both hold L0H0/],
    ['L0H0,L0H0', {}, /"L0H0" is there twice/],
  ])('refuses %s', (text, scope, message) => {
    expect(() => parsePlayers(text, config, scope)).toThrow(message);
  });

  it('accepts one head at different positions as different players', () => {
    expect(names('L0H0@1,L0H0@2', { length: 4 })).toEqual(['L0H0@1', 'L0H0@2']);
  });
});
