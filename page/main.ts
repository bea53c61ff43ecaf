/**
 * The page's script: what makes a report answer. It draws with the report's own code, so that a figure redrawn here is the one
 * that the program draws.
 *
 * Compiled into src/report/page-script.ts by scripts/build-page.ts.
 */
import { headHeatmap } from '../src/report/head-heatmap.ts';
import { GRAPH_LIMIT, interactionGraph } from '../src/report/interaction-graph.ts';
import { interactionMatrix } from '../src/report/interaction-matrix.ts';
import { interactionCsv, playerCsv } from '../src/report/csv.ts';
import type { ResultInteraction } from '../src/report/result.ts';
import { interactionTable } from '../src/report/tables.ts';
import { createArcs } from './arcs.ts';
import { readData, type Asked } from './asked.ts';
import { createAttentionView } from './attention-view.ts';
import { createCard } from './card.ts';
import { addCopyButtons } from './copy.ts';
import { createFilters } from './filters.ts';
import { createPicks } from './picks.ts';
import { listen, markPicked, prepare, type Pointed } from './pointing.ts';
import { createSizes } from './sizes.ts';

function begin(): void {
  const data = readData();
  const card = createCard();
  if (data === undefined) {
    listen(card, undefined);
    prepare(document, undefined);
    addCopyButtons(document, () => undefined);
    return;
  }
  ask(data, card);
}

function ask(data: Asked, card: ReturnType<typeof createCard>): void {
  let now = data;
  let drawn: readonly ResultInteraction[] = data.interactions;
  const picks = createPicks(data, () => markPicked(pointed));
  const pointed: Pointed = { data: () => now, drawn: () => drawn, toggle: picks.toggle, picked: picks.picked };
  const arcs = createArcs(() => drawn);
  const together = document.getElementById('together');
  const filters = createFilters(data, () => {
    drawn = filters.chosen();
    drawInteractions();
  });
  const drawInteractions = (): void => {
    arcs.draw();
    const box = together?.querySelector('figure > .scroll');
    const table = together?.querySelector('.scroll:has(> table)');
    if (together === null || box === null || box === undefined) return;
    const room = Math.max(320, together.clientWidth);
    const shown = { ...now, interactions: drawn };
    const figure = interactionGraph(shown, { room }) ?? interactionMatrix(shown, GRAPH_LIMIT);
    box.innerHTML = drawn.length === 0 ? '' : figure.html;
    if (table !== null && table !== undefined) table.outerHTML = interactionTable(shown).html;
    filters.say(Math.min(GRAPH_LIMIT, drawn.length));
    prepare(together, pointed);
    addCopyButtons(together, csvOf);
  };
  const drawCircuit = (players: readonly number[]): void => {
    now = { ...data, circuit: { chosen: { players } } };
    const grid = document.querySelector('#alone .scroll:has(> .spex-heatmap)');
    const heatmap = headHeatmap(now);
    if (grid !== null && heatmap !== undefined) {
      grid.innerHTML = heatmap.svg.html;
      prepare(grid.parentElement as Element, pointed);
    }
    drawInteractions();
  };
  const csvOf = (table: HTMLTableElement): string | undefined => {
    const row = table.tBodies[0]?.rows[0];
    if (row?.hasAttribute('data-interaction')) return interactionCsv({ interactions: drawn });
    return row?.hasAttribute('data-player') && table.closest('#alone') !== null ? playerCsv(data) : undefined;
  };

  document.getElementById('alone')?.querySelector('figure')?.after(picks.element);
  if (data.more.length > 0 || data.interactions.length > 1) {
    together?.querySelector('h2')?.after(filters.element);
    filters.say(Math.min(GRAPH_LIMIT, drawn.length));
  }
  const curve = document.querySelector('#circuit figure');
  const sizes =
    curve &&
    createSizes(data, curve, {
      onChoose: drawCircuit,
      onPick: (players) => {
        picks.set(players);
        picks.element.scrollIntoView({ block: 'center' });
      },
    });
  if (sizes) curve.after(sizes);
  const attended = createAttentionView(data);
  if (attended) document.querySelector('#attention h2')?.after(attended);
  prepare(document, pointed);
  addCopyButtons(document, csvOf);
  listen(card, pointed);
  // A figure that was drawn for a wider page is drawn for this one.
  const wide = together?.querySelector('.spex-graph');
  if (wide && Number(wide.getAttribute('width')) > (together?.clientWidth ?? 0)) drawInteractions();
}

begin();
