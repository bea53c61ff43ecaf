import { describe, expect, it } from 'vitest';
import { layoutGraph, type GraphLayout } from '../../src/report/graph-layout.ts';
import { BADGE_RADIUS } from '../../src/report/graph-routing.ts';
import { playerGrid } from '../../src/report/player-grid.ts';
import { heads, madeUpResult, neurons, tokens } from './made-up-result.ts';

/** Pairs of labels that touch: pills are boxes, badges are discs. */
function overlaps({ pills, links }: GraphLayout): string[] {
  const badges = links.map(({ rank, badge }) => ({ ...badge, label: `#${rank}` }));
  return [
    ...pairs(pills).filter(
      ([a, b]) => Math.abs(a.x - b.x) < (a.width + b.width) / 2 && Math.abs(a.y - b.y) < (a.height + b.height) / 2,
    ),
    ...pairs(badges).filter(([a, b]) => Math.hypot(a.x - b.x, a.y - b.y) < 2 * BADGE_RADIUS),
    ...pills
      .flatMap((pill) => badges.map((badge) => [pill, badge] as const))
      .filter(([pill, badge]) => {
        const dx = Math.max(0, Math.abs(pill.x - badge.x) - pill.width / 2);
        const dy = Math.max(0, Math.abs(pill.y - badge.y) - pill.height / 2);
        return Math.hypot(dx, dy) < BADGE_RADIUS;
      }),
  ].map(([a, b]) => `${a.label} on ${b.label}`);
}

function pairs<T>(items: readonly T[]): (readonly [T, T])[] {
  return items.flatMap((a, k) => items.slice(k + 1).map((b) => [a, b] as const));
}

const shapes = [
  { what: '4 x 4 heads', players: heads(4, 4) },
  { what: '12 x 12 heads', players: heads(12, 12) },
  { what: '4 x 4 heads and MLPs', players: heads(4, 4, true) },
  { what: '2 x 1 heads', players: heads(2, 1) },
  { what: '32 x 32 heads', players: heads(32, 32) },
  { what: 'neurons of four layers', players: [0, 1, 2, 3].flatMap((layer) => neurons(20, layer)) },
  { what: 'heads and tokens', players: [...heads(3, 3), ...tokens(['a', 'b', 'c', 'd', 'e', 'f'])] },
];

describe.each(shapes)('the interaction graph of $what', ({ players }) => {
  it('lets no label overlap another or leave the frame, whatever the interactions are', async () => {
    for (let seed = 0; seed < 6; seed++) {
      const layout = layoutGraph(await madeUpResult({ players, seed, circuit: false }));
      if (layout === undefined) continue;
      expect(overlaps(layout)).toEqual([]);
      const places = [
        ...layout.pills.map(({ x, y, width }) => ({ x, y, reach: width / 2 })),
        ...layout.links.map(({ badge }) => ({ ...badge, reach: BADGE_RADIUS })),
      ];
      for (const { x, y, reach } of places) {
        expect(x - reach).toBeGreaterThanOrEqual(0);
        expect(x + reach).toBeLessThanOrEqual(layout.width);
        expect(y).toBeGreaterThan(BADGE_RADIUS);
        expect(y).toBeLessThan(layout.height - BADGE_RADIUS);
      }
    }
  });
});

describe('the interaction graph', () => {
  it('puts a player in the lane of its layer and the row of its head', async () => {
    const result = await madeUpResult({ players: heads(4, 4), circuit: false });
    const layout = layoutGraph(result) as GraphLayout;
    for (const { player, x, y } of layout.pills) {
      const { layer, place } = result.players[player];
      const lane = layout.lanes[layer ?? -1];
      expect(x).toBeGreaterThan(lane.x);
      expect(x).toBeLessThan(lane.x + lane.width);
      expect(y).toBe(layout.rows[place?.kind === 'head' ? place.head : -1].y);
    }
    expect(layout.pills.length + layout.dots.length).toBe(16);
  });

  it('joins every member of every link on show to its badge', async () => {
    const result = await madeUpResult({ players: heads(4, 4), seed: 4, circuit: false });
    const { links, pills } = layoutGraph(result, 12) as GraphLayout;
    expect(links.map(({ rank }) => rank)).toEqual(Array.from({ length: 12 }, (_, k) => k + 1));
    for (const { interaction, curves } of links) {
      const ends = curves.flatMap(({ from, to }) => (curves.length === 1 ? [from, to] : [from]));
      expect(ends.map(({ x, y }) => `${x},${y}`)).toEqual(
        interaction.members
          .map((player) => pills.find((pill) => pill.player === player))
          .map((pill) => `${pill?.x},${pill?.y}`),
      );
    }
  });

  it('stays as wide as the page for 12 layers', async () => {
    for (let seed = 0; seed < 5; seed++)
      expect(
        (layoutGraph(await madeUpResult({ players: heads(12, 12), seed, circuit: false })) as GraphLayout).width,
      ).toBeLessThanOrEqual(864);
  });

  it('is left to the matrix of sets when no player has a layer', async () => {
    expect(layoutGraph(await madeUpResult({ players: tokens(['a', 'b', 'c']) }))).toBeUndefined();
  });
});

describe('the grid of players', () => {
  it('gives MLPs a column of their own, after the heads', () => {
    expect(playerGrid(heads(2, 3, true))).toMatchObject({ layers: [0, 1], slots: ['H0', 'H1', 'H2', 'MLP'], heads: 3 });
  });

  it('is none where two players would share a cell', () => {
    expect(playerGrid(neurons(3))).toBeUndefined();
    expect(
      playerGrid([
        { name: 'L0H0@1', layer: 0, place: { kind: 'head', layer: 0, head: 0, position: 1 } },
        { name: 'L0H0@2', layer: 0, place: { kind: 'head', layer: 0, head: 0, position: 2 } },
      ]),
    ).toBeUndefined();
    expect(playerGrid(tokens(['a']))).toBeUndefined();
  });
});
