/** What a run found, as its page shows it, in the length of a cell: the story, what parts do alone and together, the circuit. */
import type { Explanation } from '../explain.ts';
import { faithfulnessCurve } from '../report/faithfulness-curve.ts';
import { headHeatmap } from '../report/head-heatmap.ts';
import { GRAPH_LIMIT, interactionGraph } from '../report/interaction-graph.ts';
import { interactionMatrix } from '../report/interaction-matrix.ts';
import { markup, type Markup } from '../report/markup.ts';
import { rankedBars } from '../report/ranked-bars.ts';
import { recordOf } from '../report/record.ts';
import type { Result } from '../report/result.ts';
import { story } from '../report/story.ts';
import { textView } from '../report/text-view.ts';
import { terminalReport } from '../report/terminal.ts';
import { isAnswer, isCircuit, showsCircuit } from '../report/wording.ts';
import type { View } from './view.ts';

/** Texts shown so far: all cells of a notebook are one document. */
let texts = 0;

export function resultView(result: Result): View {
  return {
    text: terminalReport(result, { color: false }),
    figures: figuresOf(result),
    above: [
      markup`<b>What acts together in ${result.name}</b>`,
      result.findings.map(({ kind, text }) => markup`<p><b>${kind}</b> ${text}</p>`),
      story(result),
      isAnswer(result) && textView(result, `text-${++texts}`),
    ],
  };
}

/** An explanation has everything that a result has but the names of what was asked. */
export function explanationView(explanation: Explanation): View {
  return resultView(recordOf(explanation));
}

function figuresOf(result: Result): Markup[] {
  const { circuit } = result;
  const figures: (Markup | undefined)[] = [];
  if (isAnswer(result)) {
    figures.push(headHeatmap(result)?.svg ?? rankedBars(result, [...result.players.keys()]));
    if (result.interactions.length > 0)
      figures.push(interactionGraph(result) ?? interactionMatrix(result, GRAPH_LIMIT));
  }
  if (circuit !== undefined && showsCircuit(result) && isCircuit(circuit))
    figures.push(faithfulnessCurve(result, circuit));
  return figures.filter((figure) => figure !== undefined);
}
