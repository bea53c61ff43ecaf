/** Layers x heads as buttons that switch heads off: one tab stop, arrows between them. */
import { button, h } from '../page/dom.ts';
import { rove } from '../page/roving.ts';
import { headName } from './run.ts';

export interface HeadGrid {
  readonly element: HTMLElement;
  readonly off: ReadonlySet<string>;
  /** Leaves on what `on` says. */
  readonly set: (on: (layer: number, head: number) => boolean) => void;
  /** Rings heads. */
  readonly ring: (names: ReadonlySet<string>) => void;
}

export interface Heads {
  readonly layers: number;
  readonly heads: number;
}

/** More columns than these have no names in the cells. */
const MOST_NAMED = 8;

/** Calls `changed` when a head is switched, `pointed` when one is pointed at or has the focus. */
export function createHeadGrid(
  { layers, heads }: Heads,
  changed: () => void,
  pointed: (layer: number, head: number) => void,
): HeadGrid {
  const off = new Set<string>();
  const cells = Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: heads }, (_, head) => {
      const name = headName(layer, head);
      const cell = button(name, () => turn([[layer, head]]), { class: 'head', 'aria-pressed': 'true' });
      cell.setAttribute('aria-label', name);
      for (const kind of ['pointerenter', 'focus']) cell.addEventListener(kind, () => pointed(layer, head));
      return cell;
    }),
  );
  const draw = (): void =>
    cells.forEach((row, layer) =>
      row.forEach((cell, head) => cell.setAttribute('aria-pressed', String(!off.has(headName(layer, head))))),
    );
  /** All of them off; on again where all are off. */
  const turn = (which: readonly (readonly [number, number])[]): void => {
    const names = which.map(([layer, head]) => headName(layer, head));
    const back = names.every((name) => off.has(name));
    for (const name of names)
      if (back) off.delete(name);
      else off.add(name);
    draw();
    changed();
  };
  const across = (layer: number): (readonly [number, number])[] =>
    Array.from({ length: heads }, (_, head) => [layer, head] as const);
  const rows = cells.flatMap((row, layer) => [
    button(`layer ${layer}`, () => turn(across(layer)), { class: 'axis', 'aria-label': `All heads of layer ${layer}` }),
    ...row,
  ]);
  const element = h('div', {
    class: `grid${heads > MOST_NAMED ? ' many' : ''}`,
    role: 'group',
    'aria-label': 'Heads; pressed is on',
  });
  element.style.gridTemplateColumns = `max-content repeat(${heads}, minmax(${heads > MOST_NAMED ? 18 : 56}px, 72px))`;
  element.append(...rows);
  rove(element, cells.flat());
  const set: HeadGrid['set'] = (on) => {
    off.clear();
    cells.forEach((row, layer) =>
      row.forEach((_, head) => {
        if (!on(layer, head)) off.add(headName(layer, head));
      }),
    );
    draw();
    changed();
  };
  const whole = h(
    'div',
    {},
    element,
    h(
      'div',
      { class: 'row' },
      button('All on', () => set(() => true)),
      button('All off', () => set(() => false)),
    ),
  );
  return {
    element: whole,
    off,
    set,
    ring: (names) =>
      cells.forEach((row, layer) =>
        row.forEach((cell, head) => cell.classList.toggle('circuit', names.has(headName(layer, head)))),
      ),
  };
}
