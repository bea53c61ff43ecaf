/** Which interactions are drawn and listed: by order, sign, layer, and how far they stand out of the noise. */
import type { ResultInteraction } from '../src/report/result.ts';
import { whole } from '../src/report/wording.ts';
import type { Asked } from './asked.ts';
import { h } from './dom.ts';

export interface Filters {
  readonly element: HTMLElement;
  readonly chosen: () => readonly ResultInteraction[];
  /** Says how many there are, of which `drawn` are in the figure. */
  readonly say: (drawn: number) => void;
}

const COUNTS = ['20', '50', '200'];

/** Controls that call `onChange`; at first they show what the page shows without them. */
export function createFilters(data: Asked, onChange: () => void): Filters {
  const all = [...data.interactions, ...data.more].sort((a, b) => Math.abs(b.fourier) - Math.abs(a.fourier));
  const orders = [...new Set(all.map(({ members }) => members.length))].sort((a, b) => a - b);
  const layers = [...new Set(data.players.flatMap(({ layer }) => layer ?? []))].sort((a, b) => a - b);
  const noisy = all.some(({ belowNoise }) => belowNoise === true);
  const errors = all.some(({ standardError }) => standardError !== undefined);
  const order = select('order', [['', 'every'], ...orders.map((d) => [String(d), String(d)] as const)]);
  const sign = select('sign', [
    ['', 'either'],
    ['1', 'positive'],
    ['-1', 'negative'],
  ]);
  const layer = select('layer', [['', 'every'], ...layers.map((l) => [String(l), String(l)] as const)]);
  const noise = select('noise', [
    ['', 'above it'],
    ...(errors ? ([['2', 'above 2 standard errors']] as const) : []),
    ...(noisy ? ([['all', 'below it too']] as const) : []),
  ]);
  const count = select(
    'list',
    COUNTS.map((most) => [most, most] as const),
  );
  const status = h('span', { class: 'muted', role: 'status' });
  const shown = [order, ...(layers.length > 1 ? [layer] : []), sign, ...(errors || noisy ? [noise] : []), count];
  const element = h(
    'form',
    { class: 'panel controls', 'aria-label': 'Which interactions are shown' },
    shown.map(({ label }) => label),
    status,
  );
  element.addEventListener('submit', (event) => event.preventDefault());
  element.addEventListener('change', onChange);
  const matches = (each: ResultInteraction): boolean =>
    (order.value() === '' || each.members.length === Number(order.value())) &&
    (sign.value() === '' || Math.sign(each.value) === Number(sign.value())) &&
    (layer.value() === '' || each.members.some((player) => data.players[player].layer === Number(layer.value()))) &&
    (noise.value() === 'all' || each.belowNoise !== true) &&
    (noise.value() !== '2' || each.standardError === undefined || Math.abs(each.value) > 2 * each.standardError);
  const found = (): ResultInteraction[] => all.filter(matches);
  return {
    element,
    chosen: () => found().slice(0, Number(count.value())),
    say: (drawn) => {
      const of = found().length;
      status.textContent = `${whole(of)} of ${whole(all.length)} match; the figure draws ${whole(drawn)}`;
    },
  };
}

function select(
  name: string,
  options: readonly (readonly [value: string, label: string])[],
): { readonly label: HTMLElement; readonly value: () => string } {
  const element = h(
    'select',
    {},
    options.map(([value, label]) => h('option', { value }, label)),
  );
  return { label: h('label', {}, `${name} `, element), value: () => element.value };
}
