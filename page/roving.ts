/**
 * One tab stop for many things to point at: the arrow keys go to the nearest one in their direction, Home and End to the first
 * and the last. Source of the pattern: WAI-ARIA Authoring Practices, roving tabindex.
 */
const STEPS: Readonly<Record<string, readonly [x: number, y: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Makes `items` of `container` one tab stop. */
export function rove(container: Element, items: readonly (HTMLElement | SVGElement)[]): void {
  items.forEach((item, k) => item.setAttribute('tabindex', k === 0 ? '0' : '-1'));
  const focus = (item: HTMLElement | SVGElement): void => {
    items.forEach((each) => each.setAttribute('tabindex', each === item ? '0' : '-1'));
    item.focus();
  };
  container.addEventListener('keydown', (event) => {
    const { key, target } = event as KeyboardEvent;
    const from = items.find((item) => item === target);
    if (from === undefined) return;
    const step = STEPS[key];
    const next = key === 'Home' ? items[0] : key === 'End' ? items.at(-1) : step && nearest(from, items, step);
    if (next === undefined) return;
    event.preventDefault();
    focus(next);
  });
}

/** The item whose centre lies in the direction, the distance across it counted three times. */
function nearest(
  from: Element,
  items: readonly (HTMLElement | SVGElement)[],
  [dx, dy]: readonly [number, number],
): HTMLElement | SVGElement | undefined {
  const [x, y] = centre(from);
  let best: { readonly item: HTMLElement | SVGElement; readonly cost: number } | undefined;
  for (const item of items) {
    const [u, v] = centre(item);
    const along = (u - x) * dx + (v - y) * dy;
    const across = Math.abs((u - x) * dy) + Math.abs((v - y) * dx);
    const cost = along + 3 * across;
    if (item !== from && along > 1 && (best === undefined || cost < best.cost)) best = { item, cost };
  }
  return best?.item;
}

function centre(element: Element): [number, number] {
  const { left, top, width, height } = element.getBoundingClientRect();
  return [left + width / 2, top + height / 2];
}
