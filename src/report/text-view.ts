/**
 * A text whose parts are players, as the text itself: words tinted by their value, numbered where they are in one of the largest
 * interactions, and on hover or focus with their partners outlined.
 *
 * No script: partners are CSS rules (:has). The sign is in the line under a word too (solid above zero, dashed below), so
 * that grey print and colour blindness lose nothing; a word to which the answer gives no effect of its own is plain, and one whose
 * value is within two standard errors of zero has a thin grey line and no tint.
 */
import { markup, trusted, type Markup } from './markup.ts';
import { color } from './palette.ts';
import type { Result } from './result.ts';
import { signedScale } from './signed-scale.ts';
import { joinNames, largest, numberFormat, readsAs, shareFormat, unitSuffix } from './wording.ts';

/** Interactions whose members are numbered, and whose partners are outlined. */
export const NUMBERED = 8;
const OUTLINED = 60;
/** The strongest tint, so that ink stays legible on it in both schemes. */
const STRONGEST = 45;

export interface TextPart {
  readonly text: string;
  /** undefined: always kept. */
  readonly player: number | undefined;
}

/** The first prompt's text in parts, in order; undefined where the players are not spans of it. */
export function textParts({ players, task }: Result): TextPart[] | undefined {
  const text = task.prompts[0]?.text as string | undefined;
  const pieces = players.flatMap(({ place }, player) =>
    place?.kind === 'span' ? place.pieces.map((piece) => ({ ...piece, player })) : [],
  );
  if (text === undefined || pieces.length === 0) return undefined;
  pieces.sort((a, b) => a.start - b.start);
  const parts: TextPart[] = [];
  let at = 0;
  for (const { start, end, player } of pieces) {
    if (start < at || end > text.length) return undefined; // a record of something else
    if (start > at) parts.push({ text: text.slice(at, start), player: undefined });
    parts.push({ text: text.slice(start, end), player });
    at = end;
  }
  if (at < text.length) parts.push({ text: text.slice(at), player: undefined });
  return parts;
}

/** Ranks, from 1, of the largest interactions that each player is in. */
export function ranksOf({ players, interactions }: Result, most = NUMBERED): number[][] {
  const ranks: number[][] = players.map(() => []);
  interactions.slice(0, most).forEach(({ members }, k) => members.forEach((player) => ranks[player].push(k + 1)));
  return ranks;
}

/** Standard errors within which a value may be nothing. */
const WITHIN = 2;

/** Whether a value is no larger than what chance gives it; not where its error is not known. */
export function isNoise({ banzhaf, standardError }: Result['values'][number]): boolean {
  return standardError !== undefined && Math.abs(banzhaf) <= WITHIN * standardError;
}

/**
 * The text and its ranked list, or undefined where the players are not spans of a text. `scope`: a class of its own, where other
 * texts may stand in the same document.
 */
export function textView(result: Result, scope?: string): Markup | undefined {
  const parts = textParts(result);
  if (parts === undefined) return undefined;
  const { players, values, interactions } = result;
  const scale = signedScale(values.map(({ banzhaf }) => banzhaf));
  const format = numberFormat(scale.most, { signed: true });
  const formatPair = numberFormat(largest(interactions.map(({ value }) => value)), { signed: true });
  const ranks = ranksOf(result);
  const share = shareFormat(interactions.slice(0, NUMBERED), result);
  const title = (player: number): string => {
    const { banzhaf } = values[player];
    const own =
      banzhaf === 0
        ? 'no effect alone in the answer'
        : `alone ${format(banzhaf)}${unitSuffix(result)}${isNoise(values[player]) ? ', which may be noise' : ''}`;
    const together = interactions
      .filter(({ members }) => members.includes(player))
      .slice(0, 5)
      .map((each) => `${joinNames(each.names)} ${formatPair(each.value)}`);
    return [`${players[player].name}: ${own}`, ...together].join('\n');
  };
  const word = ({ text, player }: TextPart): Markup => {
    if (player === undefined) return markup`<span class="kept">${text}</span>`;
    const { banzhaf } = values[player];
    const tint = Math.round(STRONGEST * Math.abs(scale.at(banzhaf)));
    const sign = banzhaf > 0 ? 'up' : banzhaf < 0 ? 'down' : 'none';
    const sure = isNoise(values[player]) ? ' noise' : '';
    const badges = ranks[player].map(
      (rank) => markup`<sup class="${interactions[rank - 1].value > 0 ? 'positive' : 'negative'}">${rank}</sup>`,
    );
    return markup`<span class="part ${sign}${sure} p${player}" data-player="${player}" tabindex="0" style="--tint:${tint}%" title="${title(player)}">${text}${badges}</span>`;
  };
  const list = interactions
    .slice(0, NUMBERED)
    .map(
      (each) =>
        markup`<li><bdi>${joinNames(each.names)}</bdi> ${share(each)} of the variance, <span class="${each.value > 0 ? 'positive' : 'negative'}">${formatPair(each.value)}</span> <span class="muted">${readsAs(each)}</span></li>`,
    );
  return markup`<style>${trusted(TEXT_STYLE + partnerRules(result, scope ?? 'played'))}</style><div class="played${scope !== undefined && ` ${scope}`}" role="region" aria-label="The text">${parts.map(word)}</div>${list.length > 0 && markup`<ol class="ranked">${list}</ol>`}`;
}

/** What is outlined when a part is under the pointer or has the focus: numbers only, so that no name can enter a style. */
function partnerRules({ players, interactions }: Result, scope: string): string {
  return players
    .map((_, player) => {
      const partners = new Set(
        interactions
          .slice(0, OUTLINED)
          .filter(({ members }) => members.includes(player))
          .flatMap(({ members }) => members)
          .filter((other) => other !== player),
      );
      if (partners.size === 0) return '';
      const others = [...partners].map((other) => `.p${other}`).join();
      return `.${scope}:has(.p${player}:is(:hover, :focus)) :is(${others}) { outline: 2px solid ${color('ink')}; }\n`;
    })
    .join('');
}

const TEXT_STYLE = `
.played { position: relative; font: 17px/2.1 Charter, "Bitstream Charter", Cambria, Georgia, serif; white-space: pre-wrap; overflow-wrap: anywhere; max-width: 74ch; margin: 14px 0; }
.played .kept { color: ${color('muted')}; }
.played .part { border-radius: 3px; padding: 1px 1px 2px; border-bottom: 2px solid transparent; -webkit-box-decoration-break: clone; box-decoration-break: clone; }
.played .part:is(:hover, :focus) { outline: 2px solid ${color('positive')}; }
.played .up { background: color-mix(in srgb, ${color('positive')} var(--tint), transparent); border-bottom-color: ${color('positive')}; }
.played .down { background: color-mix(in srgb, ${color('negative')} var(--tint), transparent); border-bottom: 2px dashed ${color('negative')}; }
.played .noise { background: none; border-bottom-width: 1px; border-bottom-color: ${color('muted')}; }
.played sup, .ranked { font-family: system-ui, sans-serif; font-variant-numeric: tabular-nums; }
.played sup { font-size: 10px; line-height: 0; padding-left: 4px; font-weight: 600; }
.played sup.positive, .ranked .positive { color: ${color('positive')}; }
.played sup.negative, .ranked .negative { color: ${color('negative')}; }
.ranked { font-size: 14px; margin: 8px 0 0; padding-left: 2.2em; }
@media print { .played { line-height: 1.8; font-size: 11pt; } .played .part { break-inside: avoid; } }
`;
