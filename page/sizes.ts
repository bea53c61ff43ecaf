/** The faithfulness curve as a control: a size is chosen on it, and its circuit is ringed in the figures above. */
import { percent, whole } from '../src/report/wording.ts';
import type { Asked } from './asked.ts';
import { button, h } from './dom.ts';

const SVG = 'http://www.w3.org/2000/svg';
const NAMED = 40;

export interface SizeChoice {
  readonly players: readonly number[];
}

/**
 * A slider under the curve of `figure`; clicking on the curve takes the nearest size. `onChoose` hears of the set, `onPick` when it
 * is to be asked about. Undefined where the page has no curve.
 */
export function createSizes(
  data: Asked,
  figure: Element,
  {
    onChoose,
    onPick,
  }: { readonly onChoose: (players: readonly number[]) => void; readonly onPick: (players: readonly number[]) => void },
): HTMLElement | undefined {
  const svg = figure.querySelector<SVGSVGElement>('svg.spex-curve');
  const { sizes, players, task } = data;
  const [x, y] = [scaleOf(svg, 'data-x'), scaleOf(svg, 'data-y')];
  if (svg === null || x === undefined || y === undefined || sizes.length < 2) return undefined;
  const first = sizes.findIndex(({ size }) => size === data.circuit?.chosen.players.length);
  const marker = document.createElementNS(SVG, 'circle');
  marker.setAttribute('class', 'chosen-size');
  marker.setAttribute('r', '8');
  svg.append(marker);
  const slider = h('input', {
    type: 'range',
    min: '0',
    max: String(sizes.length - 1),
    step: '1',
    'aria-label': `${task.players} kept`,
  });
  const said = h('p', { role: 'status' });
  const show = (): number[] => {
    const { size, players: set, kept, removed } = sizes[Number(slider.value)];
    marker.setAttribute('cx', String(x(size)));
    marker.setAttribute('cy', String(y(kept)));
    slider.setAttribute('aria-valuetext', `${size} ${task.players}, ${percent(kept)} kept`);
    const names = set.slice(0, NAMED).map((player) => players[player].name);
    said.replaceChildren(
      h('b', {}, `${whole(size)} of ${whole(players.length)} ${task.players}`),
      ` keep ${percent(kept)}, ${percent(removed)} is left without them`,
      names.length > 0 && set.length < players.length
        ? `: ${names.join(', ')}${set.length > NAMED ? ` and ${whole(set.length - NAMED)} more` : ''}.`
        : '.',
    );
    return [...set];
  };
  const choose = (): void => onChoose(show());
  slider.value = String(Math.max(0, first));
  slider.addEventListener('input', choose);
  svg.addEventListener('click', (event) => {
    const { left, width } = svg.getBoundingClientRect();
    const at = ((event.clientX - left) / width) * svg.viewBox.baseVal.width;
    const distance = (k: number): number => Math.abs(x(sizes[k].size) - at);
    slider.value = String(sizes.reduce((best, _, k) => (distance(k) < distance(best) ? k : best), 0));
    choose();
  });
  show();
  return h(
    'div',
    { class: 'panel sizes' },
    h(
      'label',
      { class: 'controls' },
      'size ',
      slider,
      first >= 0 &&
        button('the circuit', () => {
          slider.value = String(first);
          choose();
        }),
      button('what if only these?', () => onPick(sizes[Number(slider.value)].players)),
    ),
    said,
  );
}

/** A linear scale from an attribute of chart.ts: range, then domain. */
function scaleOf(svg: Element | null, attribute: string): ((value: number) => number) | undefined {
  const text = svg?.getAttribute(attribute);
  if (text === null || text === undefined) return undefined;
  const [from, to, low, high] = text.split(' ').map(Number);
  return (value) => from + ((value - low) / (high - low || 1)) * (to - from);
}
