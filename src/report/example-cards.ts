/**
 * Training examples as what they are: the text or the picture of each player, ranked by what it does alone, and interacting pairs side
 * by side.
 *
 * No script and no file: a vector whose length is a square of 7 or more is drawn as one, a rectangle a number.
 */
import { markup, type Markup } from './markup.ts';
import type { Result } from './result.ts';
import { largest, numberFormat, oneLine, unitSuffix, whole } from './wording.ts';

type Group = NonNullable<Result['examples']>[number];
type Shown = Group['shown'][number];

/** Players and pairs that are shown. */
const PLAYERS = 12;
const PAIRS = 6;
const LEAST_SIDE = 7;
const CHARACTERS = 160;

/** The cards, or undefined for players that are no training examples. */
export function exampleCards(result: Result): Markup | undefined {
  const { examples, players, values } = result;
  if (examples === undefined) return undefined;
  const order = players
    .map((_, player) => player)
    .sort((a, b) => Math.abs(values[b].banzhaf) - Math.abs(values[a].banzhaf))
    .slice(0, PLAYERS);
  const more =
    players.length > PLAYERS
      ? markup`<p class="muted">The ${whole(PLAYERS)} largest of ${whole(players.length)}.</p>`
      : '';
  const pairs = result.interactions.filter(({ members }) => members.length === 2).slice(0, PAIRS);
  return markup`<section><h2>The examples</h2><div class="cards">${order.map((player) => card(result, player))}</div>${more}
${pairs.length > 0 && markup`<h3>Pairs, side by side</h3>${pairs.map((pair) => together(result, pair))}`}</section>`;
}

function together(result: Result, { members, value, meaning }: Result['interactions'][number]): Markup {
  const format = formatOf(result);
  return markup`<div class="couple"><div class="cards">${members.map((player) => card(result, player))}</div><p>together <b>${format(value)}${unitSuffix(result)}</b>, ${meaning}</p></div>`;
}

function card(result: Result, player: number): Markup {
  const { count, shown } = (result.examples as readonly Group[])[player];
  const { banzhaf } = result.values[player];
  const sign = banzhaf > 0 ? 'up' : banzhaf < 0 ? 'down' : 'none';
  const rest = count > shown.length ? markup`<li class="muted">and ${whole(count - shown.length)} more</li>` : '';
  return markup`<div class="card ${sign}" data-player="${player}"><p><b class="name">${result.players[player].name}</b> <span>${formatOf(result)(banzhaf)}</span></p><ul>${shown.map(item)}${rest}</ul></div>`;
}

function item({ label, text, vector }: Shown): Markup {
  const picture = vector === undefined ? undefined : pictureOf(vector);
  const content =
    text !== undefined
      ? markup`<bdi>${oneLine(text, CHARACTERS)}</bdi>`
      : (picture ?? markup`<span class="muted">${whole(vector?.length ?? 0)} numbers</span>`);
  return markup`<li>${content} <bdi class="token">${oneLine(label, 40)}</bdi></li>`;
}

/** A square of numbers, dark for large ones; undefined where it is none. */
function pictureOf(vector: readonly number[]): Markup | undefined {
  const side = Math.sqrt(vector.length);
  if (!Number.isInteger(side) || side < LEAST_SIDE) return undefined;
  const [low, high] = vector.reduce(
    ([least, most], x) => [Math.min(least, x), Math.max(most, x)],
    [Infinity, -Infinity],
  );
  if (!(high > low)) return undefined;
  const cells = vector.flatMap((x, i) => {
    const ink = Math.round((100 * (x - low)) / (high - low));
    return ink === 0
      ? []
      : [
          markup`<rect x="${String(i % side)}" y="${String(Math.floor(i / side))}" width="1" height="1" opacity="${String(ink / 100)}"/>`,
        ];
  });
  return markup`<svg class="picture" viewBox="0 0 ${String(side)} ${String(side)}" role="img" aria-label="${whole(side)} by ${whole(side)} numbers">${cells}</svg>`;
}

function formatOf({ values, interactions }: Result): (x: number) => string {
  return numberFormat(largest([...values.map(({ banzhaf }) => banzhaf), ...interactions.map(({ value }) => value)]), {
    signed: true,
  });
}
