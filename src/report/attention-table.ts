/**
 * What heads attend to where the answer is read, as a table: a row a head, a column a prompt. What the page's script shows of every
 * other query, it makes from the same patterns (page/attention-view.ts).
 */
import { headsOf } from '../place.ts';
import { attendedText } from './attention-words.ts';
import { markup, type Markup } from './markup.ts';
import type { Result } from './result.ts';
import { visible } from './story.ts';
import { table } from './tables.ts';

/** Keys that a cell names, and the least weight of one. */
const [NAMED, LEAST] = [2, 0.05];

/** The table; undefined where no patterns are recorded. */
export function attentionTable({
  attention = [],
  task,
  players,
  circuit,
}: Pick<Result, 'attention' | 'task' | 'players' | 'circuit'>): Markup | undefined {
  if (attention.length === 0) return undefined;
  const heads = [...new Set(attention.map(headName))];
  const prompts = [...new Set(attention.map(({ prompt }) => prompt))];
  const inside = circuitHeads({ players, circuit });
  const numbers = new Map(players.map(({ name }, player) => [name, player]));
  const cell = (head: string, prompt: number): string => {
    const weights = attention.find((each) => each.prompt === prompt && headName(each) === head)?.weights.at(-1) ?? [];
    return attendedText(task.prompts[prompt].tokens, weights, { most: NAMED, least: LEAST }) || 'nothing above 5 %';
  };
  const title = (prompt: number): string => {
    const { correct } = task.prompts[prompt];
    return `prompt ${prompt + 1}${correct === undefined ? '' : ` → ${visible(correct)}`}`;
  };
  return table(
    'What the last token attends to',
    ['head', ...(inside.size > 0 ? ['in the circuit'] : []), ...prompts.map(title)],
    heads.map((head) => [
      markup`<bdi>${head}</bdi>`,
      ...(inside.size > 0 ? [inside.has(head) ? 'yes' : ''] : []),
      ...prompts.map((prompt) => markup`<bdi>${cell(head, prompt)}</bdi>`),
    ]),
    [],
    (row) => {
      const player = numbers.get(heads[row]);
      return player === undefined ? undefined : markup` data-player="${player}"`;
    },
  );
}

/** Names of the heads that belong to the circuit, or have parts or ends in it. */
export function circuitHeads({ players, circuit }: Pick<Result, 'players' | 'circuit'>): Set<string> {
  return new Set((circuit?.chosen.players ?? []).flatMap((player) => headsOf(players[player].place).map(headName)));
}

function headName({ layer, head }: { readonly layer: number; readonly head: number }): string {
  return `L${layer}H${head}`;
}
