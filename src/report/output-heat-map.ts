/**
 * What each token of an answer owes to the parts of the prompt: a table of tinted cells, parts down, tokens across.
 *
 * Cells have the sign as a character too, so that grey print loses nothing, and their number where there is room; all numbers are
 * in `outputs.csv` and in the cells' titles.
 */
import { markup, type Markup } from './markup.ts';
import { color } from './palette.ts';
import type { Result } from './result.ts';
import { signedScale } from './signed-scale.ts';
import { numberFormat, oneLine, whole } from './wording.ts';

/** Parts that have a row: those with the largest values. */
export const MOST_ROWS = 60;
/** Tokens up to which cells have their numbers. */
const NUMBERED_TOKENS = 8;
/** Ink from which a cell without a number has its sign. */
const SIGNED = 0.12;
const STRONGEST = 60;

/** The parts that are shown, in the order of the text. */
export function shownParts({ players, outputs }: Result, most: number): number[] {
  const size = (player: number): number =>
    Math.max(0, ...(outputs?.tokens ?? []).map(({ values }) => Math.abs(values[player])));
  return players
    .map((_, player) => player)
    .sort((a, b) => size(b) - size(a) || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
}

/** The table and what is to be said under it; undefined where no token has values of its own. */
export function outputHeatMap(result: Result): { readonly table: Markup; readonly caption: Markup } | undefined {
  const { outputs, players, task } = result;
  if (outputs === undefined || outputs.tokens.length === 0) return undefined;
  const { tokens } = outputs;
  const scale = signedScale(tokens.flatMap(({ values }) => values));
  const format = numberFormat(scale.most, { signed: true });
  const plain = numberFormat(Math.max(...tokens.map(({ clean }) => Math.abs(clean))), { signed: true });
  const rows = shownParts(result, MOST_ROWS);
  const numbers = tokens.length <= NUMBERED_TOKENS;
  const cell = (player: number, k: number): Markup => {
    const value = tokens[k].values[player];
    const place = scale.at(value);
    const ink = Math.abs(place);
    const sign = ink < SIGNED ? '' : value > 0 ? '+' : '−';
    const said = `${players[player].name} → ${tokens[k].text}: ${format(value)}`;
    return markup`<td class="${value > 0 ? 'up' : 'down'}" style="--tint:${Math.round(STRONGEST * ink)}%" title="${said}">${numbers ? format(value) : sign}</td>`;
  };
  const head = tokens.map(
    ({ text, clean }) =>
      markup`<th scope="col" title="${text}: ${plain(clean)}"><span>${visibleToken(text)}</span></th>`,
  );
  const sure = tokens.map(
    ({ r2 }) => markup`<td class="r2">${r2 === null ? '–' : r2.toFixed(2).replace(/^0\./, '.')}</td>`,
  );
  const table = markup`<table class="outputs"><thead><tr><th scope="col">${task.players.replace(/s$/, '')}</th>${head}</tr></thead><tbody>${rows.map((player) => markup`<tr data-player="${player}"><th scope="row"><bdi>${oneLine(players[player].name, 24)}</bdi></th>${tokens.map((_, k) => cell(player, k))}</tr>`)}</tbody><tfoot><tr><th scope="row">R²</th>${sure}</tr></tfoot></table>`;
  const fewer =
    rows.length < players.length ? ` The ${rows.length} largest of ${whole(players.length)} ${task.players}.` : '';
  const bend =
    scale.bend === undefined
      ? ''
      : ' Tints are symlog: linear near 0, logarithmic where few cells outshine all others.';
  return {
    table,
    caption: markup`What keeping a part adds to the log-probability of each token of the answer (Banzhaf value, ${task.units}), from one additive fit a token on ${whole(outputs.masks)} masks of the same run; R² says how much of a token such a fit says, on masks that it was not fitted to. Blue and +: raises it, orange and −: lowers it.${fewer}${bend}`,
  };
}

/** A token as it is written, white space made visible. */
export function visibleToken(text: string): string {
  return oneLine(text.replaceAll(' ', '␣').replaceAll('\n', '⏎'), 16);
}

export const OUTPUTS_STYLE = `
table.outputs { border-collapse: separate; border-spacing: 1px; font: 12px/1.2 system-ui, sans-serif; font-variant-numeric: tabular-nums; width: auto; }
table.outputs th, table.outputs td { padding: 2px 4px; border: 0; text-align: center; min-width: 18px; }
table.outputs th[scope=row] { text-align: right; font-weight: 400; white-space: nowrap; }
table.outputs thead th { vertical-align: bottom; font-weight: 400; }
table.outputs thead th span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; }
table.outputs .up { background: color-mix(in srgb, ${color('positive')} var(--tint), ${color('paper')}); }
table.outputs .down { background: color-mix(in srgb, ${color('negative')} var(--tint), ${color('paper')}); }
table.outputs tfoot { color: ${color('muted')}; }
`;
