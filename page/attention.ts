/**
 * What a head attends to: a prompt's tokens, tinted by the weight that one of them, the query, gives to each; and the whole
 * pattern as a small map. Pointing at a token makes it the query.
 */
import { attendedText, tokenText } from '../src/report/attention-words.ts';
import { around, h } from './dom.ts';
import type { Asked } from './asked.ts';

type Attention = Asked['attention'][number];
/** What panels are drawn from: a page's data, or patterns of one's own. */
type Attended = Pick<Asked, 'attention' | 'prompts'>;

/** Keys that are named beside the tint, and the least weight of one. */
const [NAMED, LEAST] = [3, 0.01];
/** Longer prompts have no map. */
const MOST_MAPPED = 64;
/** The strongest tint, in percent, on which ink stays legible. */
const STRONGEST = 55;

/** A head on a prompt. */
export interface AttentionPanel {
  readonly element: HTMLElement;
  /** Tokens of its prompt. */
  readonly length: number;
  /** Makes a token the query, and does not read it out; one that is not there changes nothing. */
  readonly show: (query: number) => void;
}

/** One panel a prompt; none where the head's patterns are not in the page. */
export function attentionPanels(data: Attended, layer: number, head: number): HTMLElement[] {
  return data.attention
    .filter((each) => each.layer === layer && each.head === head)
    .map((each) => attentionPanel(data, each).element);
}

/** `onQuery` hears which token was made the query here. */
export function attentionPanel(
  data: Attended,
  attention: Attention,
  onQuery: (query: number) => void = () => undefined,
): AttentionPanel {
  const { from, weights } = attention;
  const prompt = data.prompts.find(({ number }) => number === attention.prompt);
  const tokens = prompt?.tokens ?? [];
  const words = tokens.map((token, k) =>
    h(
      'span',
      { class: 'word', 'data-token': String(k), tabindex: k === tokens.length - 1 ? '0' : '-1' },
      tokenText(token),
    ),
  );
  const said = h('p', { class: 'said', role: 'status' });
  const map = from === 0 && tokens.length <= MOST_MAPPED ? patternMap(weights, tokens.length) : undefined;
  const draw = (query: number): void => {
    const row = query < from ? [] : (weights.at(query - from) ?? []);
    words.forEach((word, k) => {
      word.style.setProperty('--weight', `${Math.round(STRONGEST * (row[k] ?? 0))}%`);
      word.classList.toggle('query', k === query);
      word.tabIndex = k === query ? 0 : -1;
    });
    map?.mark(query);
    said.replaceChildren(
      h('b', {}, tokenText(tokens[query])),
      query < from
        ? ' is not among the recorded queries'
        : ` attends to ${attendedText(tokens, row, { most: NAMED, least: LEAST })}`,
    );
  };
  const show = (query: number): void => {
    if (query < 0 || query >= tokens.length) return;
    said.setAttribute('aria-live', 'off');
    draw(query);
  };
  const text = h('div', { class: 'words', role: 'group', 'aria-label': 'Tokens; arrow keys choose the query' }, words);
  const queryOf = (event: Event): number =>
    Number(around(event.target, '[data-token]')?.getAttribute('data-token') ?? -1);
  for (const kind of ['pointerover', 'focusin'])
    text.addEventListener(kind, (event) => {
      const query = queryOf(event);
      if (query < 0) return;
      said.setAttribute('aria-live', 'polite');
      draw(query);
      onQuery(query);
    });
  text.addEventListener('keydown', (event) => {
    const step = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (step === 0) return;
    event.preventDefault();
    words[queryOf(event) + step]?.focus();
  });
  draw(tokens.length - 1);
  const element = h(
    'div',
    { class: 'prompt' },
    h('p', { class: 'muted' }, `prompt ${attention.prompt + 1}${answerOf(prompt)}`),
    text,
    said,
    map?.svg,
  );
  return { element, length: tokens.length, show };
}

/** ` → ␣Mary`, of a prompt that has an answer. */
export function answerOf(prompt: Asked['prompts'][number] | undefined): string {
  return prompt?.correct === undefined ? '' : ` → ${tokenText(prompt.correct)}`;
}

const SVG = 'http://www.w3.org/2000/svg';

/** Queries downwards, keys to the right. */
function patternMap(
  weights: Attention['weights'],
  length: number,
): { readonly svg: SVGElement; readonly mark: (query: number) => void } {
  const svg = document.createElementNS(SVG, 'svg');
  const set = (element: SVGElement, attributes: Readonly<Record<string, string | number>>): SVGElement => {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    return element;
  };
  set(svg, {
    class: 'pattern',
    viewBox: `0 0 ${length} ${length}`,
    role: 'img',
    'aria-label': 'Attention pattern: queries downwards, keys to the right',
  });
  const rect = (attributes: Readonly<Record<string, string | number>>): SVGElement =>
    set(document.createElementNS(SVG, 'rect'), { height: 1, ...attributes });
  weights.forEach((row, y) =>
    row.forEach((weight, x) => {
      if (weight >= 0.005) svg.append(rect({ class: 'weight', x, y, width: 1, opacity: weight }));
    }),
  );
  const line = rect({ class: 'row', x: 0, width: length });
  svg.append(line);
  return { svg, mark: (query) => line.setAttribute('y', String(query)) };
}
