/** Elements by one call each; text is always text. */
export type Content = Node | string | undefined | false | readonly Content[];

/** `h('p', { class: 'muted' }, 'text')`; an attribute that is undefined is left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...content: readonly Content[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  element.append(...flat(content));
  return element;
}

/** A button that does `run`. */
export function button(label: string, run: () => void, attributes: Readonly<Record<string, string>> = {}): HTMLElement {
  const element = h('button', { type: 'button', ...attributes }, label);
  element.addEventListener('click', run);
  return element;
}

/** The element that `target` lies in and that matches. */
export function around(target: EventTarget | null, selector: string): Element | undefined {
  return target instanceof Element ? (target.closest(selector) ?? undefined) : undefined;
}

function flat(content: readonly Content[]): (Node | string)[] {
  return content.flatMap((each) => {
    if (each === undefined || each === false) return [];
    return typeof each === 'string' || each instanceof Node ? [each] : flat(each);
  });
}
