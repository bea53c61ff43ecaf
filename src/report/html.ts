/**
 * The report as one offline page: a record in, the text of `report.html` out.
 *
 * No network, nothing but this file: the content security policy in its head forbids the rest (page.ts). The figures are inline
 * SVGs with their own scoped styles; every number in a figure is in a table too.
 */
import { attentionTable } from './attention-table.ts';
import { exampleCards } from './example-cards.ts';
import { energyBars } from './energy-bars.ts';
import { faithfulnessCurve } from './faithfulness-curve.ts';
import { headHeatmap } from './head-heatmap.ts';
import { GRAPH_LIMIT, interactionGraph } from './interaction-graph.ts';
import { interactionMatrix } from './interaction-matrix.ts';
import { intervalPlot } from './interval-plot.ts';
import { directedRemovalFigure } from './directed-removal-curve.ts';
import { removalFigure } from './removal-curve.ts';
import { markup, type Child, type Markup } from './markup.ts';
import type { Entries } from '../ledger.ts';
import { page } from './page.ts';
import { pageData } from './page-data.ts';
import { BARS_LIMIT, rankedBars } from './ranked-bars.ts';
import type { Result } from './result.ts';
import { meaningSentence, story } from './story.ts';
import { outputHeatMap, OUTPUTS_STYLE } from './output-heat-map.ts';
import { textParts, textView } from './text-view.ts';
import { circuitTable, facts, interactionTable, playerTable, promptList } from './tables.ts';
import {
  countOf,
  duration,
  isAnswer,
  isCircuit,
  isNarrowed,
  percent,
  showsCircuit,
  unitSuffix,
  whole,
} from './wording.ts';

/** The page. The same record, and the same `measured` values of its game (a run log's), give the same text, byte for byte. */
export function renderReport(result: Result, measured?: Iterable<Entries>): string {
  const figure = figures();
  return page({
    title: `What acts together in ${result.name}`,
    subtitle: markup`${countOf(result.players.length, result.task.players)}, ${result.task.ablation}${result.examples === undefined && ' ablation'}, ${result.task.metric}`,
    data: pageData(result, measured),
    ...(result.outputs === undefined ? {} : { style: OUTPUTS_STYLE }),
    body: markup`${findings(result)}
<section class="story" aria-label="Summary">${story(result)}</section>
${isAnswer(result) && [played(result), outputs(result, figure), exampleCards(result), alone(result, figure), together(result, figure)]}
${certainty(result, figure)}
${showsCircuit(result) && circuit(result, figure)}
${showsCircuit(result) && attended(result)}
${isAnswer(result) && [removed(result, figure), removedBothWays(result, figure)]}
${promptSection(result)}
${repeat(result)}
${conventions(result)}
${footer(result)}`,
  });
}

/** What the evidence does not carry, before anything that it might be taken for. */
function findings(result: Result): Markup | undefined {
  if (result.findings.length === 0) return undefined;
  return markup`<section class="findings" aria-label="Findings">${result.findings.map(({ kind, text }) => markup`<p><b>${kind}</b> ${text}</p>`)}</section>`;
}

/** The text itself, where the players are parts of one. */
function played(result: Result): Markup | undefined {
  const view = textView(result);
  return (
    view &&
    markup`<section id="text"><h2>The text</h2>${view}<p class="muted">Tint and line: the ${result.task.players.replace(/s$/, '')}'s Banzhaf value, solid and blue raises the ${result.task.metric}, dashed and orange lowers it; a thin grey line is within two standard errors of nothing; grey text is always kept. Numbers: the largest interactions, listed below the text; point at a part for all of its own.</p></section>`
  );
}

/** What each token of the answer owes to the parts, where that is known. */
function outputs(result: Result, figure: Figure): Markup | undefined {
  const map = outputHeatMap(result);
  return (
    map &&
    markup`<section id="outputs"><h2>Token by token of the answer</h2>${figure(map.table, map.caption)}</section>`
  );
}

type Figure = (content: Markup, caption: Child) => Markup;

/** Numbers the figures of one page. */
function figures(): Figure {
  let number = 0;
  return (content, caption) => {
    number++;
    return markup`<figure><div class="scroll" role="region" aria-label="Figure ${number}" tabindex="0">${content}</div><figcaption><b>Figure ${number}.</b> ${caption}</figcaption></figure>`;
  };
}

function alone(result: Result, figure: Figure): Markup {
  const heatmap = headHeatmap(result);
  const rest = result.players.map((_, k) => k).filter((player) => heatmap?.covered.has(player) !== true);
  const meaning = markup`Banzhaf value: the mean change of the ${result.task.metric} by keeping a player, over uniform masks of the others${result.task.units !== '' && ` (${result.task.units})`}. Blue raises the metric, orange lowers it.`;
  const cut =
    rest.length > BARS_LIMIT ? ` The ${BARS_LIMIT} largest of ${whole(rest.length)}; the rest is in the table.` : '';
  return markup`<section id="alone"><h2>What each part does alone</h2>
${heatmap && figure(heatmap.svg, markup`${meaning}${heatmap.bend !== undefined && ' The colours are symlog: linear near 0, logarithmic where few parts outshine all others.'} ${result.circuit && markup`<span class="ring"></span> belongs to the circuit.`}`)}
${rest.length > 0 && figure(rankedBars(result, rest), markup`${heatmap ? 'Players outside the grid, by Banzhaf value.' : meaning}${cut}`)}
${playerTable(result)}</section>`;
}

function together(result: Result, figure: Figure): Markup {
  const count = result.interactions.length;
  if (count === 0) return markup`<section><h2>What acts together</h2><p>No interactions were found.</p></section>`;
  const graph = interactionGraph(result);
  const shown = Math.min(GRAPH_LIMIT, count);
  const all =
    shown < count
      ? `The first ${shown} of the ${whole(count)} interactions in the table`
      : shown === 1
        ? 'The one interaction of the table'
        : `The ${shown} interactions of the table`;
  const signs = markup`<span class="key above"></span> positive Banzhaf interaction (two helpful players: synergy), <span class="key below"></span> negative (redundancy).`;
  const caption = graph
    ? markup`${all}, drawn over the layers; numbers are ranks. ${signs} Width grows with the share of the variance; a solid number joins three players or more. Tint: Banzhaf value.${result.circuit && ' Ringed: in the circuit.'}`
    : markup`${all}: a column is a set of players, the bar its share of the variance. Up and blue: positive Banzhaf interaction (two helpful players: synergy), down and orange: negative (redundancy).${result.circuit && ' Bold: in the circuit.'}`;
  return markup`<section id="together"><h2>What acts together</h2>
${figure(graph ?? interactionMatrix(result, GRAPH_LIMIT), caption)}
${interactionTable(result)}</section>`;
}

function certainty(result: Result, figure: Figure): Markup {
  const intervals = intervalPlot(result);
  const energy = energyBars(result);
  const { heldOut, spectrum } = result;
  const omitted =
    spectrum.omitted > 0
      ? ` The record keeps ${whole(spectrum.terms.length)} terms with ${percent(spectrum.energyKept)} of the variance; ${whole(spectrum.omitted)} smaller ones are left out.`
      : '';
  const bars = (): Markup | undefined =>
    energy &&
    figure(
      energy,
      markup`Shares of the variance of the metric over uniform masks, Σ <var>F</var>(<var>S</var>)².${omitted}`,
    );
  return markup`<section><h2>How sure, and where the variance sits</h2>${
    intervals && heldOut
      ? markup`<div class="pair">${figure(intervals, markup`R² on ${whole(heldOut.masks)} fresh uniform masks that were not fitted, with ${percent(heldOut.level)} bootstrap intervals. 1 is perfect, 0 no better than the mean.`)}${bars()}</div>`
      : markup`<p>${result.solver.exact ? 'Every mask was measured; no estimate is involved.' : 'No masks were held out.'}</p>${bars()}`
  }${rounds(result)}${hierarchy(result)}${energy === undefined && markup`<p>The metric does not vary over the masks: there is no variance to share out.</p>`}</section>`;
}

function circuit(result: Result, figure: Figure): Markup {
  const found = result.circuit;
  if (found === undefined)
    return markup`<section><h2>The circuit</h2><p>No circuit was looked for, or none could be: a metric that is the same with everything kept and with everything ablated has no range to keep a share of.</p></section>`;
  if (!isCircuit(found))
    return markup`<section><h2>The circuit</h2><p>No set of ${result.task.players} is called a circuit here (${found.verdict?.kind}): ${found.verdict?.why}.</p>${inserted(result, found, figure)}</section>`;
  const curve = faithfulnessCurve(result, found);
  const players = result.task.players;
  const narrowed = isNarrowed(found);
  const bySpectrum = found.optimal
    ? 'the best set of each size by the spectrum'
    : 'a good set of each size by the spectrum (no proof that it is the best)';
  const chosen = narrowed ? 'the players that were left last by narrowing' : bySpectrum;
  return markup`<section id="circuit"><h2>The circuit</h2>
${curve && figure(curve, markup`Share of the metric's range that a set of ${players} keeps, over its size. <span class="key measured"></span> ${chosen}, measured; <span class="key predicted"></span> as ${narrowed ? 'its rounds measured, never falling' : 'the spectrum predicted'}; ${rivalKey(found.chosen.rivals)}<span class="key random"></span> random sets, mean and 5–95 % band. Open circle: the circuit. Dotted: the target, ${percent(found.target)}.`)}
${circuitTable(result, found)}
<p class="muted">Only the circuit kept: ${percent(found.chosen.kept.faithfulness)} (faithfulness). Circuit ablated, the rest kept: ${percent(found.chosen.removed.faithfulness)} (completeness; 0 % means nothing else carries the metric). ${percent(found.energyInside)} of the variance is in terms among its members only.${found.smallestMeasuredSize < found.chosen.size && ` On the measured curve ${whole(found.smallestMeasuredSize)} already reach the target.`}</p></section>`;
}

/** What heads of the circuit and of the interactions attend to. */
function attended(result: Result): Markup | undefined {
  const table = attentionTable(result);
  return table && markup`<section id="attention"><h2>What its heads attend to</h2>\n${table}</section>`;
}

/** Of a text, what its parts do alone where no set of them is called a circuit: the curve of insertion. */
function inserted(result: Result, found: NonNullable<Result['circuit']>, figure: Figure): Markup | undefined {
  const curve = textParts(result) && faithfulnessCurve(result, found);
  return (
    curve &&
    figure(
      curve,
      markup`Insertion: share of the metric's range that some ${result.task.players} have when all others are absent, over how many there are. <span class="key measured"></span> those that the spectrum proposes, measured; <span class="key predicted"></span> as it predicted; ${rivalKey(found.chosen.rivals)}<span class="key random"></span> random ones, mean and 5–95 % band. Open circle: the set that was looked at.`,
    )
  );
}

/** The dotted line of the figures' captions. */
function rivalKey(rivals: Readonly<Record<string, unknown>>): Markup | undefined {
  const names = Object.keys(rivals);
  return names.length === 0
    ? undefined
    : markup`<span class="key rival"></span> the sets of the ${names.join(', ')} fit; `;
}

function removed(result: Result, figure: Figure): Markup | undefined {
  const { removal } = result;
  const chart = removal && removalFigure(result, removal);
  if (removal === undefined || chart === undefined || result.energy.total === 0) return undefined;
  return markup`<section><h2>What it misses most</h2>
${figure(chart, markup`|<var>f</var>(all) − <var>f</var>(the rest)| / |<var>f</var>(all)| when players are ablated: for every number of them those that change the metric most according to the spectrum, measured. <span class="key measured"></span> the spectrum's choice; ${rivalKey(removal.points[0].rivals)}<span class="key random"></span> random sets, mean and 5–95 % band. Mean over the sizes: ${percent(removal.area.ours)}${Object.entries(removal.area.rivals).map(([name, area]) => `, ${name} ${percent(area)}`)}, random ${percent(removal.area.random)}.`)}</section>`;
}

function removedBothWays(result: Result, figure: Figure): Markup | undefined {
  const { directedRemoval: points } = result;
  const chart = points && directedRemovalFigure(result, points);
  if (chart === undefined || result.energy.total === 0) return undefined;
  return markup`<section id="both-ways"><h2>Without those that help, and without those that harm</h2>
${figure(chart, markup`The ${result.task.metric} when players are taken away, measured: for every number of them <span class="key measured"></span> those without whom it is worst according to the spectrum, <span class="key below"></span> those without whom it is best. The line across is what it is with all of them.`)}</section>`;
}

function hierarchy(result: Result): Markup | undefined {
  const { terms, directSubsetRate, staircaseRate } = result.hierarchy;
  if (result.energy.total === 0) return undefined;
  return markup`<p class="muted">Hierarchy of the ${whole(Math.min(terms, result.spectrum.terms.length))} largest terms: direct subset rate ${percent(directSubsetRate)} (how many of the sets one player smaller are among them too), staircase rate ${percent(staircaseRate)} (sets that can be built up player by player within them).</p>`;
}

/** The rounds of a run that measured until a target was passed. */
function rounds(result: Result): Markup | undefined {
  const { adaptive } = result;
  if (adaptive === undefined) return undefined;
  return markup`<p>Masks were measured in rounds until the lower bound of R² passed ${adaptive.target}: ${adaptive.why}.</p>
<div class="scroll" role="region" aria-label="Rounds" tabindex="0"><table><thead><tr><th>masks fitted</th><th>solver</th><th>R²</th><th>interval</th></tr></thead><tbody>${adaptive.rounds.map((round) => markup`<tr><td>${whole(round.fitted)}</td><td>${round.solver}</td><td>${round.r2.toFixed(3)}</td><td>${round.low.toFixed(3)} to ${round.high.toFixed(3)}</td></tr>`)}</tbody></table></div>`;
}

function promptSection(result: Result): Markup | undefined {
  const { prompts } = result.task;
  if (prompts.length === 0) return undefined;
  return markup`<section><h2>${prompts.length === 1 ? 'The prompt' : `The ${whole(prompts.length)} prompts`}</h2>${promptList(result)}</section>`;
}

function repeat(result: Result): Markup {
  const { run, model, backend, masks, solver, software, files } = result;
  const noted = [...(backend?.notes ?? []), ...(backend?.passedOver ?? [])];
  return markup`<section><h2>How to repeat this run</h2>
<pre><code>${run.command.split(' ').map((word, k) => [k > 0 && ' ', word.startsWith('-') ? markup`<span class="option">${word}</span>` : word])}</code></pre>
${facts([
  ['seed', String(run.seed)],
  ...(model === undefined
    ? [['game', result.name] as const]
    : ([
        ['model', `${result.name}, ${model.family}, ${whole(model.parameters)} parameters`],
        ['weights', model.weightsHash],
      ] as const)),
  [
    'backend',
    backend &&
      markup`${backend.name}: ${backend.reason}${backend.selfCheckError !== undefined && `; largest error of the self-check ${backend.selfCheckError.toExponential(1)}`}${noted.length > 0 && markup`<ul>${noted.map((note) => markup`<li class="muted">${note}</li>`)}</ul>`}`,
  ],
  ['solver', solver.exact && solver.name !== 'exact' ? `${solver.name}, exact` : solver.name],
  [
    'masks',
    `${whole(masks.measured)} measured, ${whole(masks.resumed)} from the run log, ${whole(masks.heldOut)} of them held out; budget ${whole(masks.budget)}`,
  ],
  [
    'forward rows',
    `${whole(masks.forwardRows)} in ${duration(masks.seconds)}, ${whole(masks.rowsPerSecond)} rows/s${masks.threads === undefined ? '' : ` on ${whole(masks.threads)} threads`}`,
  ],
  [
    'software',
    [software.name, software.version, software.node !== undefined && `Node ${software.node}`, software.platform]
      .filter(Boolean)
      .join(', '),
  ],
  ['started', result.startedAt],
  [
    'files',
    files.length > 0 &&
      markup`<ul>${files.map(({ path, what }) => markup`<li><code>${path}</code> <span class="muted">${what}</span></li>`)}</ul>`,
  ],
])}
<details><summary>All options</summary>${facts(Object.entries(run.options).map(([name, value]) => [name, typeof value === 'string' ? value : (JSON.stringify(value) ?? '')]))}</details>
<details><summary>What the solver did</summary><pre><code>${JSON.stringify(solver.details, null, 1)}</code></pre></details></section>`;
}

function conventions(result: Result): Markup {
  const [S, m, F, f] = ['S', 'm', 'F', 'f'].map((letter) => markup`<var>${letter}</var>`);
  const pair = result.interactions.find(({ members }) => members.length === 2);
  return markup`<section><h2>Conventions</h2><div class="conventions"><ul>
<li>A mask ${m} has one bit per player: <b>1 = kept, 0 = ablated</b>. ${f}(${m}) is the ${result.task.metric} under that mask${result.task.units !== '' && `, in ${unitSuffix(result).trim()}`}.</li>
<li>Fourier terms: ${f}(${m}) = Σ<sub>${S}</sub> ${F}(${S}) (−1)<sup>|${S} ∩ ${m}|</sup>. ${F}(∅) is the mean of ${f} over uniform masks, and the ${F}(${S})² of the other sets add up to its variance. A player that <b>raises</b> ${f} when kept has a <b>negative</b> ${F}({<var>i</var>}).</li>
<li>So that signs read as effects, the report shows (−2)<sup>|${S}|</sup> ${F}(${S}). For one player this is its <b>Banzhaf value</b>, the mean of ${f}(with it) − ${f}(without it).</li>
<li>For two it is the <b>Banzhaf interaction</b>: ${f}(both) − ${f}(a) − ${f}(b) + ${f}(neither), averaged over all masks of the rest. If both help on their own, above 0 is <b>synergy</b> and below 0 <b>redundancy</b>; if one of them does harm the words would mislead, and the tables say above or below its parts.${pair && ` Here ${pair.names.join(' × ')}: ${meaningSentence(pair)}.`}</li>
<li>For three or more it is the same alternating difference: what keeping all of ${S} gives beyond the inclusion–exclusion sum of its smaller parts. A set of <var>d</var> players has 2<sup><var>d</var></sup> times its ${F}(${S}), so sets are ranked and drawn by |${F}(${S})|, that is by the share of the variance, which stands beside them.</li>
<li><b>Faithfulness</b> of a set is (${f}(set) − ${f}(∅)) / (${f}(all) − ${f}(∅)): 0 like everything ablated, 1 like the whole model; it can leave that range. <b>Completeness</b> is the same number with the circuit ablated and everything else kept.</li>
</ul></div></section>`;
}

function footer(result: Result): Markup {
  return markup`<footer><p>${result.software.name} ${result.software.version}, ${result.schema}. This page needs no network; without its script it says the same, and answers less.</p>
<p>Methods: Kang et al., SPEX, arXiv 2502.13870; Butler et al., ProxySPEX, arXiv 2505.17495.</p></footer>`;
}
