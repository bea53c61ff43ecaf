/**
 * Arcs over the text between the words of the largest interactions: faint, and strong when one of their words is pointed at. They
 * say what the numbers at the words say, so they are hidden from readers aloud and from print.
 */
import type { ResultInteraction } from '../src/report/result.ts';
import { NUMBERED } from '../src/report/text-view.ts';

const SVG = 'http://www.w3.org/2000/svg';
/** Pixels that an arc rises above its words at least and at most, and of distance for each. */
const [LOWEST, HIGHEST, PER_PIXEL] = [6, 15, 1 / 30];

/** Pixels down, some two lines, beyond which an arc would cross what it is not about; it is drawn where its words are pointed at. */
const FAR = 80;

/** Draws the arcs of what is drawn now, again whenever the text is laid out anew. */
export function createArcs(drawn: () => readonly ResultInteraction[]): { readonly draw: () => void } {
  const played = document.querySelector<HTMLElement>('.played');
  if (played === null) return { draw: () => undefined };
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'arcs');
  svg.setAttribute('aria-hidden', 'true');
  played.append(svg);
  const draw = (): void => {
    svg.setAttribute('width', String(played.clientWidth));
    svg.setAttribute('height', String(played.clientHeight));
    svg.replaceChildren(
      ...drawn()
        .slice(0, NUMBERED)
        .flatMap(({ members, value }, k) => {
          const places = members.flatMap((player) => topOf(played, player)).sort((a, b) => a.y - b.y || a.x - b.x);
          return places.slice(1).map((to, j) => {
            const path = document.createElementNS(SVG, 'path');
            path.setAttribute('d', arc(places[j], to));
            const far = Math.abs(to.y - places[j].y) > FAR;
            path.setAttribute('class', `${value > 0 ? 'up' : 'down'}${far ? ' far' : ''}`);
            path.setAttribute('data-interaction', String(k));
            return path;
          });
        }),
    );
  };
  new ResizeObserver(draw).observe(played);
  return { draw };
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** The middle of the top of a word, in pixels of the text's box; none for a word that is not there. */
function topOf(played: HTMLElement, player: number): Point[] {
  const box = played.getBoundingClientRect();
  const first = played.querySelector(`.p${player}`)?.getClientRects()[0];
  return first === undefined ? [] : [{ x: first.left - box.left + first.width / 2, y: first.top - box.top }];
}

function arc(from: Point, to: Point): string {
  const rise = Math.min(HIGHEST, LOWEST + Math.abs(to.x - from.x) * PER_PIXEL);
  const [a, b] = [from, to].map(({ x, y }) => `${x.toFixed(1)} ${(y - rise).toFixed(1)}`);
  return `M${from.x.toFixed(1)} ${from.y.toFixed(1)} C${a} ${b} ${to.x.toFixed(1)} ${to.y.toFixed(1)}`;
}
