/** A list of prompts as one page: an index of their own pages, and which kinds of parts act together. No network. */
import { markup, type Markup } from './markup.ts';
import { page } from './page.ts';
import type { PromptsRecord } from './prompts-record.ts';
import { table } from './tables.ts';
import { joinNames, largest, numberFormat, oneLine, percent, whole } from './wording.ts';

/** Characters of a prompt's text that are shown. */
const SHOWN = 160;

/** The text of `index.html`. */
export function promptsPage(record: PromptsRecord): string {
  return page({
    title: `What acts together in ${whole(record.prompts.length)} prompts`,
    subtitle: markup`<bdi>${record.name}</bdi>`,
    body: markup`${kinds(record)}
<section><h2>The prompts</h2>${index(record)}</section>
<section><h2>How to repeat this run</h2><pre><code>${record.command}</code></pre><p class="muted">${record.software.name} ${record.software.version}, ${record.schema}</p></section>`,
  });
}

function kinds({ kinds: pairs }: PromptsRecord): Markup | undefined {
  if (pairs.length === 0) return undefined;
  const format = numberFormat(largest(pairs.map(({ value }) => value)), { signed: true });
  return markup`<section><h2>Which kinds act together</h2>${table(
    'Kinds of parts',
    ['kinds', 'prompts', 'pairs', 'share of variance', 'times an even share', 'mean interaction', 'above 0', 'below 0'],
    pairs.map(({ kinds: [a, b], prompts, pairs: count, share, times, value, above, below }) => [
      markup`<bdi>${a} × ${b}</bdi>`,
      whole(prompts),
      whole(count),
      percent(share),
      times === null ? '–' : times.toFixed(1),
      format(value),
      whole(above),
      whole(below),
    ]),
    [1, 2, 3, 4, 5, 6, 7],
  )}<p class="muted">Pairs of parts by their labels (other: without one). The share of the variance is a mean over the prompts that have such pairs; an even share is what it were if all pairs of a prompt carried alike.</p></section>`;
}

function index({ prompts }: PromptsRecord): Markup {
  const format = numberFormat(largest(prompts.flatMap(({ clean, ablated }) => [clean, ablated])));
  const formatPair = numberFormat(largest(prompts.map((each) => each.largest?.value ?? 0)), { signed: true });
  const fixed = (r2: number | undefined): string => (r2 === undefined ? '–' : r2.toFixed(3));
  return table(
    'Prompts',
    [
      'prompt',
      'text',
      'parts',
      'metric',
      'all kept',
      'all absent',
      'R²',
      'first order',
      'together',
      'largest interaction',
    ],
    prompts.map((each) => [
      markup`<a href="${encodeURI(each.folder)}/report.html">${each.name}</a>`,
      markup`<bdi>${oneLine(each.text, SHOWN)}</bdi>${each.findings.length > 0 && markup` <span class="muted">(${each.findings.join(', ')})</span>`}`,
      whole(each.players),
      each.metric,
      format(each.clean),
      format(each.ablated),
      fixed(each.r2),
      fixed(each.firstOrderR2),
      percent(each.together),
      each.largest === undefined
        ? '–'
        : markup`<bdi>${joinNames(each.largest.players)}</bdi> ${formatPair(each.largest.value)}`,
    ]),
    [2, 4, 5, 6, 7, 8],
  );
}
