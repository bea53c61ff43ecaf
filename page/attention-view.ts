/**
 * What heads attend to on several prompts, side by side: a row for each chosen head, a column for each chosen prompt. A token that
 * is pointed at becomes the query of every panel, counted from the end, where prompts that ask alike are alike.
 */
import { answerOf, attentionPanel, type AttentionPanel } from './attention.ts';
import type { Asked } from './asked.ts';
import { button, h } from './dom.ts';

/** Heads that are shown at first: the last ones, which are nearest to the answer. */
const FIRST = 3;

/** The view of the patterns in the page; undefined where there are none. */
export function createAttentionView(data: Asked): HTMLElement | undefined {
  const inside = new Set(data.circuitHeads);
  const heads = distinct(data.attention.map(({ layer, head }) => `L${layer}H${head}`));
  const prompts = distinct(data.attention.map(({ prompt }) => String(prompt)));
  if (heads.length === 0) return undefined;
  const members = heads.filter((head) => inside.has(head));
  const grid = h('div', { class: 'attended' });
  const draw = (): void => {
    const panels: AttentionPanel[] = [];
    const follow = (own: AttentionPanel, query: number): void => {
      for (const panel of panels) if (panel !== own) panel.show(panel.length - (own.length - query));
    };
    const rows = heads.filter(headChoice.has).map((head) => {
      const cells = data.attention.filter(
        ({ layer, head: number, prompt }) => `L${layer}H${number}` === head && promptChoice.has(String(prompt)),
      );
      return h(
        'section',
        { 'aria-label': head },
        h('h3', {}, head, inside.has(head) && h('span', { class: 'muted' }, ' in the circuit')),
        h(
          'div',
          { class: 'prompts' },
          cells.map((each) => {
            const panel: AttentionPanel = attentionPanel(data, each, (query) => follow(panel, query));
            panels.push(panel);
            return panel.element;
          }),
        ),
      );
    });
    grid.replaceChildren(...(panels.length === 0 ? [h('p', { class: 'muted' }, 'Choose a head and a prompt.')] : rows));
  };
  const headChoice = createChoice(
    'heads',
    heads.map((head) => ({ key: head, label: head })),
    (members.length > 0 ? members : heads).slice(-FIRST),
    draw,
  );
  const promptChoice = createChoice(
    'prompts',
    prompts.map((key) => {
      const prompt = data.prompts.find(({ number }) => String(number) === key);
      return { key, label: `${Number(key) + 1}${answerOf(prompt)}` };
    }),
    prompts,
    draw,
  );
  draw();
  return h(
    'div',
    { class: 'panel attention' },
    h('h3', {}, 'Heads and prompts side by side'),
    h(
      'div',
      { class: 'controls' },
      headChoice.element,
      members.length > 0 && button('the circuit', () => headChoice.set(members)),
      heads.length > members.length && button('all', () => headChoice.set(heads)),
      button('none', () => headChoice.set([])),
    ),
    prompts.length > 1 && h('div', { class: 'controls' }, promptChoice.element),
    grid,
    h(
      'p',
      { class: 'muted' },
      'Point at a token, or go to it with the arrow keys: it becomes the query of all panels.',
    ),
  );
}

interface Choice {
  readonly element: HTMLElement;
  readonly has: (key: string) => boolean;
  readonly set: (keys: readonly string[]) => void;
}

/** Buttons that are pressed or not. */
function createChoice(
  name: string,
  options: readonly { readonly key: string; readonly label: string }[],
  first: readonly string[],
  onChange: () => void,
): Choice {
  let chosen = new Set(first);
  const set = (keys: Iterable<string>): void => {
    chosen = new Set(keys);
    buttons.forEach((each, k) => each.setAttribute('aria-pressed', String(chosen.has(options[k].key))));
    onChange();
  };
  const buttons = options.map(({ key, label }) =>
    button(label, () => set(chosen.has(key) ? [...chosen].filter((other) => other !== key) : [...chosen, key]), {
      'aria-pressed': String(chosen.has(key)),
    }),
  );
  const element = h('span', { class: 'toggles', role: 'group', 'aria-label': name }, `${name} `, buttons);
  return { element, has: (key) => chosen.has(key), set };
}

function distinct(list: readonly string[]): string[] {
  return [...new Set(list)];
}
