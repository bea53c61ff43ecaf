/**
 * How the links of the interaction graph run, and where their badges sit.
 *
 * The largest interaction goes first and each sees the ones before it. A pair is a quadratic curve; among a few
 * bends the one is taken that passes no foreign pill, no badge, and little ink. A set of three or more is a star:
 * one curve per member to a joint near their centre. A badge takes a place that no pill or badge touches.
 */
import type { ResultInteraction } from './result.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Pill extends Point {
  readonly player: number;
  readonly label: string;
  readonly width: number;
  readonly height: number;
}

export interface Link {
  /** 1 = the largest. */
  readonly rank: number;
  readonly interaction: ResultInteraction;
  /** One curve for a pair, one per member for a star. */
  readonly curves: readonly Curve[];
  readonly badge: Point;
}

/** A quadratic Bézier curve. */
export interface Curve {
  readonly from: Point;
  readonly bend: Point;
  readonly to: Point;
}

export const BADGE_RADIUS = 8.5;

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const BENDS = [0, 12, -12, 26, -26, 42, -42, 60, -60, 84, -84, 112, -112];
const STEPS = 32;
/** Places tried for the joint of a star. */
const SPOTS = 60;
/** The cells under a badge. */
const AROUND: readonly Point[] = [-8, -4, 0, 4, 8].flatMap((x) => [-8, -4, 0, 4, 8].map((y) => ({ x, y })));
const ALONG = [0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68, 0.26, 0.74, 0.2, 0.8];

/** Curves and badges, the largest interaction first; each sees the ones before it. */
export function routeLinks(shown: readonly ResultInteraction[], pills: readonly Pill[], frame: Box): Link[] {
  const badges: Point[] = [];
  // Where links already run, in cells of 4 px: asked a million times.
  const columns = Math.ceil(frame.right / 4) + 1;
  const inked = new Uint8Array(columns * (Math.ceil(frame.bottom / 4) + 1));
  const cellOf = (point: Point): number => Math.floor(point.y / 4) * columns + Math.floor(point.x / 4);
  const links = shown.map((interaction, k): Link => {
    const ends = interaction.members.map((player) => pills.find((pill) => pill.player === player) as Pill);
    const foreign = pills.filter((pill) => !ends.includes(pill));
    const free = (place: Point): boolean =>
      place.x > frame.left + BADGE_RADIUS &&
      place.x < frame.right - BADGE_RADIUS &&
      place.y > frame.top + BADGE_RADIUS &&
      place.y < frame.bottom - BADGE_RADIUS &&
      !pills.some((pill) => covers(pill, place, BADGE_RADIUS + 3)) &&
      !badges.some((badge) => distance(badge, place) < 2 * BADGE_RADIUS + 3);
    /** No link runs under a badge here. */
    const clear = (place: Point): boolean =>
      AROUND.every(({ x, y }) => inked[cellOf({ x: place.x + x, y: place.y + y })] !== 1);
    const cost = (curve: Curve): number => {
      let sum = 0;
      for (const point of samples(curve)) {
        if (foreign.some((pill) => covers(pill, point, 3))) sum += 60;
        if (badges.some((badge) => distance(badge, point) < BADGE_RADIUS + 2)) sum += 20;
        if (point.x < frame.left || point.x > frame.right || point.y < frame.top || point.y > frame.bottom) sum += 60;
        else if (inked[cellOf(point)] === 1) sum += 3;
      }
      return sum;
    };
    const best = (from: Point, to: Point): { curve: Curve; cost: number } => {
      const { bend, cost: total } = cheapestBend((option) => cost(bentCurve(from, to, option)));
      return { curve: bentCurve(from, to, bend), cost: total };
    };
    let curves: Curve[];
    let badge: Point;
    if (ends.length === 2) {
      const [from, to] = ends;
      const placeOn = (curve: Curve): Point | undefined => {
        const places = ALONG.map((t) => pointOn(curve, t)).filter(free);
        return places.find(clear) ?? places[0];
      };
      const { bend } = cheapestBend((option) => {
        const curve = bentCurve(from, to, option);
        const place = placeOn(curve);
        return cost(curve) + (place === undefined ? 5000 : clear(place) ? 0 : 40);
      });
      const curve = bentCurve(from, to, bend);
      curves = [curve];
      badge = placeOn(curve) ?? nearestFree(pointOn(curve, 0.5), free, frame);
    } else {
      const centre = { x: mean(ends.map(({ x }) => x)), y: mean(ends.map(({ y }) => y)) };
      const spots = spiral(centre, 160).filter(free);
      badge = spots[0] ?? nearestFree(centre, free, frame);
      let least = Infinity;
      for (const spot of spots.slice(0, SPOTS)) {
        const detour = distance(spot, centre) * 0.6 + (clear(spot) ? 0 : 40);
        if (detour >= least) continue;
        const total = detour + ends.reduce((sum, end) => sum + best(end, spot).cost, 0);
        if (total < least) [least, badge] = [total, spot];
      }
      curves = ends.map((end) => best(end, badge).curve);
    }
    badges.push(badge);
    for (const curve of curves)
      for (const point of samples(curve))
        if (point.x >= 0 && point.y >= 0 && point.x <= frame.right && point.y <= frame.bottom) inked[cellOf(point)] = 1;
    return { rank: k + 1, interaction, curves, badge };
  });
  return links;
}

/** The curve from one point to another whose middle is `bend` to the side. */
function bentCurve(from: Point, to: Point, bend: number): Curve {
  const length = distance(from, to) || 1;
  const normal = { x: -(to.y - from.y) / length, y: (to.x - from.x) / length };
  return {
    from,
    to,
    bend: { x: (from.x + to.x) / 2 + 2 * bend * normal.x, y: (from.y + to.y) / 2 + 2 * bend * normal.y },
  };
}

export function pointOn({ from, bend, to }: Curve, t: number): Point {
  const [a, b, c] = [(1 - t) ** 2, 2 * t * (1 - t), t ** 2];
  return { x: a * from.x + b * bend.x + c * to.x, y: a * from.y + b * bend.y + c * to.y };
}

function samples(curve: Curve): Point[] {
  return Array.from({ length: STEPS - 1 }, (_, k) => pointOn(curve, (k + 1) / STEPS));
}

function covers(pill: Pill, point: Point, margin: number): boolean {
  return Math.abs(pill.x - point.x) < pill.width / 2 + margin && Math.abs(pill.y - point.y) < pill.height / 2 + margin;
}

/** Points around `centre`, nearest first, up to `radius` away. */
function spiral(centre: Point, radius: number): Point[] {
  const points = [centre];
  for (let r = 8; r <= radius; r += 8) {
    const count = Math.max(8, Math.round(r / 3));
    for (let k = 0; k < count; k++) {
      const angle = (2 * Math.PI * k) / count;
      points.push({ x: centre.x + r * Math.cos(angle), y: centre.y + r * Math.sin(angle) });
    }
  }
  return points;
}

/** The free place nearest to `from`; the frame always has one, as its rows are far taller than a badge. */
function nearestFree(from: Point, free: (place: Point) => boolean, frame: Box): Point {
  return spiral(from, Math.hypot(frame.right - frame.left, frame.bottom - frame.top)).find(free) ?? from;
}

/** The bend of least cost, its own size counted; no larger bend is tried than could still win. */
function cheapestBend(cost: (bend: number) => number): { bend: number; cost: number } {
  let best = { bend: 0, cost: Infinity };
  for (const bend of BENDS) {
    if (0.5 * Math.abs(bend) >= best.cost) break;
    const total = cost(bend) + 0.5 * Math.abs(bend);
    if (total < best.cost) best = { bend, cost: total };
  }
  return best;
}

function distance(a: Point, b: Point): number {
  return Math.sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
