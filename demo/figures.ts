/** A result as the report draws it: its story, its figures, and the way to the whole page. */
import { button, h } from '../page/dom.ts';
import { faithfulnessCurve } from '../src/report/faithfulness-curve.ts';
import { headHeatmap } from '../src/report/head-heatmap.ts';
import { renderReport } from '../src/report/html.ts';
import { interactionGraph } from '../src/report/interaction-graph.ts';
import type { Markup } from '../src/report/markup.ts';
import type { Result } from '../src/report/result.ts';
import { story } from '../src/report/story.ts';
import { isCircuit } from '../src/report/wording.ts';

/** Markup of the report's as an element. */
function drawn(tag: 'div' | 'section', markup: Markup, attributes: Readonly<Record<string, string>> = {}): HTMLElement {
  const element = h(tag, attributes);
  element.innerHTML = markup.html;
  return element;
}

function figure(markup: Markup | undefined, caption: string): HTMLElement | undefined {
  if (markup === undefined) return undefined;
  const scroll = drawn('div', markup, { class: 'scroll', role: 'region', tabindex: '0', 'aria-label': caption });
  return h('figure', {}, scroll, h('figcaption', {}, caption));
}

/** `room`: the pixels across that figures may take. */
export function figuresOf(result: Result, room: number): HTMLElement {
  const { circuit, task, findings } = result;
  const told = h('section', { class: 'story', 'aria-label': 'Summary' });
  told.innerHTML = story(result)
    .map(({ html }) => html)
    .join('');
  const curve = circuit !== undefined && isCircuit(circuit) ? faithfulnessCurve(result, circuit) : undefined;
  return h(
    'div',
    {},
    findings.length > 0 &&
      h(
        'section',
        { class: 'findings', 'aria-label': 'Findings' },
        findings.map(({ kind, text }) => h('p', {}, h('b', {}, kind), ` ${text}`)),
      ),
    told,
    figure(
      headHeatmap(result)?.svg,
      `What each head does alone: the mean change of the ${task.metric} by keeping it, in ${task.units}. Blue raises it, orange lowers it; ringed: the circuit.`,
    ),
    result.interactions.length > 0 &&
      figure(
        interactionGraph(result, { room }),
        'What acts together, the largest first: solid and blue more than the sum of the two, dashed and orange less.',
      ),
    figure(curve, `How much of the ${task.metric} sets of heads keep, and the smallest that keeps enough.`),
    h(
      'div',
      { class: 'row' },
      button('Open the whole report', () => openPage(renderReport(result))),
    ),
  );
}

/** A page of its own in a tab, whose address lasts as long as this page. */
function openPage(text: string): void {
  window.open(URL.createObjectURL(new Blob([text], { type: 'text/html' })), '_blank');
}
