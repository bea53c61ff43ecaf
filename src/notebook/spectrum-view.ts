/** A sparse spectrum: its largest terms. */
import type { ScoredSolution } from '../solve/solve.ts';
import type { Spectrum } from '../spectrum/spectrum.ts';
import { markup } from '../report/markup.ts';
import { countOf, intervalText, whole } from '../report/wording.ts';
import { bars, namedText, type Named } from './bars.ts';
import type { View } from './view.ts';

const SHOWN = 16;

export function spectrumView({ basis, players, terms }: Spectrum): View {
  const sets: Named[] = terms
    .filter(({ members }) => members.length > 0)
    .slice(0, SHOWN)
    .map(({ members, value }) => ({ name: `{${members.join(', ')}}`, value }));
  const heading = `${basis} spectrum over ${countOf(players, 'players')}: ${countOf(terms.length, 'terms')}, the largest of sets`;
  return {
    text: [heading, namedText(sets)].join('\n'),
    figures: sets.length === 0 ? [] : [bars('The largest terms', sets)],
    above: markup`<p>${heading}</p>`,
  };
}

export function solutionView({ solution, heldOut }: ScoredSolution): View {
  const { text, figures, above } = spectrumView(solution.spectrum);
  const sure =
    heldOut === undefined
      ? 'exact'
      : `R² ${intervalText(heldOut)} on ${whole(heldOut.masks)} masks that were not fitted`;
  const heading = `${solution.solver}, ${whole(solution.masks)} masks; ${sure}`;
  return { text: [heading, text].join('\n'), figures, above: [markup`<p><b>${heading}</b></p>`, above] };
}
