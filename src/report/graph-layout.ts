/**
 * Where everything of the interaction graph goes: players on a grid of layers and heads.
 *
 * Players that interact are labelled pills, the others dots; every link carries a badge with its rank. Pills and
 * badges never overlap, and the tests hold that. Pure geometry: no colours, no browser to measure text with.
 */
import { routeLinks, type Link, type Pill, type Point } from './graph-routing.ts';
import { distinct, playerGrid } from './player-grid.ts';
import type { Drawn } from './drawn.ts';
import type { ResultPlayer } from './result.ts';
import { fitText, textWidth } from './text-width.ts';

export interface GraphLayout {
  readonly width: number;
  readonly height: number;
  readonly lanes: readonly { readonly label: string; readonly x: number; readonly width: number }[];
  readonly rows: readonly { readonly label: string; readonly y: number }[];
  readonly pills: readonly Pill[];
  /** Players without an interaction on show. */
  readonly dots: readonly (Point & { readonly player: number })[];
  readonly links: readonly Link[];
}

const PILL_HEIGHT = 21;
const HEADER = 34;
const MOST_ROWS = 16;
const MOST_LANES = 16;
/** Rows of packed lanes beyond which a graph is no picture any more. */
const MOST_PACKED = 14;

/** The layout of the first `limit` interactions, `room` px wide where lanes can be as narrow; undefined when no player of them has a layer, or all crowd one lane. */
export function layoutGraph(result: Drawn, limit = 12, room = 850): GraphLayout | undefined {
  const shown = result.interactions.slice(0, limit);
  const active = new Set(shown.flatMap(({ members }) => members));
  if (![...active].some((player) => result.players[player].layer !== undefined)) return undefined;
  const places = placePlayers(result.players, active);
  if (places.rows.length === 0 && (places.lanes.length === 1 || places.rowCount > MOST_PACKED)) return undefined;

  const labels = new Map([...active].map((player) => [player, fitText(result.players[player].name, 100)]));
  const widest = Math.max(...[...labels.values()].map(pillWidth));
  const left = places.rows.length > 0 ? 40 : 8;
  const laneWidth = Math.max(widest + 14, Math.min(210, (room - left - 8) / places.lanes.length));
  const rowHeight = places.rowCount <= 6 ? 60 : places.rowCount <= 9 ? 50 : 44;
  // Neighbouring rows step aside in turn where lanes are wide, so that links within a layer have room.
  const step = laneWidth > 2.4 * widest ? Math.min(56, (laneWidth - widest) / 2 - 12) : 0;
  const at = (lane: number, row: number): Point => ({
    x: left + (lane + 0.5) * laneWidth + (Math.round(row) % 2 === 0 ? -step : step),
    y: HEADER + (row + 0.5) * rowHeight,
  });
  const width = left + places.lanes.length * laneWidth + 8;
  const height = HEADER + places.rowCount * rowHeight + 8;

  const pills = [...active]
    .sort((a, b) => a - b)
    .map((player): Pill => {
      const { lane, row } = places.cells.get(player) as Cell;
      const label = labels.get(player) as string;
      return { ...at(lane, row), player, label, width: pillWidth(label), height: PILL_HEIGHT };
    });
  const dots = [...places.cells]
    .filter(([player]) => !active.has(player))
    .map(([player, { lane, row }]) => ({ ...at(lane, row), player }));
  return {
    width,
    height,
    lanes: places.lanes.map((label, lane) => ({ label, x: left + lane * laneWidth, width: laneWidth })),
    rows: places.rows.map((label, row) => ({ label, y: at(0, row).y })),
    pills,
    dots,
    links: routeLinks(shown, pills, { left, top: HEADER, right: width - 8, bottom: height - 8 }),
  };
}

interface Cell {
  readonly lane: number;
  readonly row: number;
}

interface Places {
  readonly lanes: readonly string[];
  /** Labels of the rows; none when rows have no meaning. */
  readonly rows: readonly string[];
  readonly rowCount: number;
  readonly cells: ReadonlyMap<number, Cell>;
}

/** Lane = layer, row = head or kind. Where the grid has clashes or is too large, lanes hold the active players only, packed. */
function placePlayers(players: readonly ResultPlayer[], active: ReadonlySet<number>): Places {
  const outside = [...active].filter((player) => players[player].layer === undefined).sort((a, b) => a - b);
  const shift = outside.length > 0 ? 1 : 0;
  const lanesOf = (layers: readonly number[]): string[] => [
    ...(shift ? ['no layer'] : []),
    ...layers.map((layer) => `layer ${layer}`),
  ];
  const grid = playerGrid(players);
  if (grid && grid.slots.length <= MOST_ROWS && grid.layers.length <= MOST_LANES) {
    const cells = new Map<number, Cell>();
    for (const [player, { layer, slot }] of grid.cells) cells.set(player, { lane: layer + shift, row: slot });
    outside.forEach((player, row) => cells.set(player, { lane: 0, row }));
    return {
      lanes: lanesOf(grid.layers),
      rows: grid.slots,
      rowCount: Math.max(grid.slots.length, outside.length),
      cells,
    };
  }
  const layers = distinct([...active].map((player) => players[player].layer));
  const lanes: number[][] = [
    ...(shift ? [outside] : []),
    ...layers.map((layer) => [...active].filter((player) => players[player].layer === layer).sort((a, b) => a - b)),
  ];
  const rowCount = Math.max(...lanes.map((lane) => lane.length));
  const cells = new Map<number, Cell>();
  lanes.forEach((lane, l) =>
    lane.forEach((player, k) => cells.set(player, { lane: l, row: k + (rowCount - lane.length) / 2 })),
  );
  return { lanes: lanesOf(layers), rows: [], rowCount, cells };
}

function pillWidth(label: string): number {
  return Math.max(36, textWidth(label) + 10);
}
