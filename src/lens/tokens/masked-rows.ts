/**
 * Masks as rows of tokens: what a model reads when some parts of a text are absent, laid out so that rows of different
 * lengths make one batch.
 *
 * Rows are lined up at the token where the answer is read, and padded before and after: the answer then stands in the same
 * columns of every row, in causal models and masked ones. Padding is hidden by the attention mask and has no position.
 */
import { isKept, type Masks } from '../../masks.ts';
import type { StandIn } from './absences.ts';

export interface MaskedRow {
  readonly tokens: readonly number[];
  /** The token after which (causal) or at which (masked LM) the answer is read. */
  readonly answerAt: number;
  /** By token, 1 for one that is absent in its place; undefined where absence is in the tokens themselves. */
  readonly absent: Uint8Array | undefined;
}

export interface RowSource {
  readonly tokens: readonly number[];
  readonly owners: readonly number[];
  /** Where a masked model is asked; undefined for the last token. */
  readonly position: number | undefined;
  readonly standIn: StandIn;
}

/** The row of mask `row`. */
export function maskedRow({ tokens, owners, position, standIn }: RowSource, masks: Masks, row: number): MaskedRow {
  const gone = (i: number): boolean => owners[i] >= 0 && !isKept(masks, row, owners[i]);
  if (standIn.kind !== 'tokens') {
    const absent = Uint8Array.from(tokens, (_, i) => Number(gone(i)));
    return { tokens, answerAt: position ?? tokens.length - 1, absent };
  }
  const kept: number[] = [];
  let answerAt = -1;
  tokens.forEach((id, i) => {
    if (i === position) answerAt = kept.length;
    if (gone(i)) kept.push(...standIn.tokens[i]);
    else kept.push(id);
  });
  return { tokens: kept, answerAt: position === undefined ? kept.length - 1 : answerAt, absent: undefined };
}

/** What makes two rows the same work. */
export function rowKey({ tokens, absent }: MaskedRow): string {
  return absent === undefined ? tokens.join() : absent.join('');
}

export interface Layout {
  /** [B][columns] */
  readonly tokens: number[][];
  /** 1 = token, 0 = padding; undefined where nothing is padded. */
  readonly padding: number[][] | undefined;
  /** As the rows' `absent`, [B][columns]; undefined where they have none. */
  readonly absent: number[][] | undefined;
  /** The column where the answer is read. */
  readonly answerAt: number;
}

/** Rows with `forced` tokens after them, lined up at the answer. */
export function layOut(rows: readonly MaskedRow[], forced: readonly number[]): Layout {
  const before = Math.max(...rows.map(({ answerAt }) => answerAt));
  const after = Math.max(...rows.map(({ tokens, answerAt }) => tokens.length - answerAt));
  const lined = <T>({ answerAt, tokens }: MaskedRow, values: ArrayLike<T>, end: readonly T[], fill: T): T[] => [
    ...Array<T>(before - answerAt).fill(fill),
    ...Array.from(values),
    ...end,
    ...Array<T>(after - (tokens.length - answerAt)).fill(fill),
  ];
  const padded = rows.some(({ answerAt, tokens }) => answerAt < before || tokens.length - answerAt < after);
  const ones = (count: number): number[] => Array<number>(count).fill(1);
  return {
    tokens: rows.map((row) => lined(row, row.tokens, forced, 0)),
    padding: padded ? rows.map((row) => lined(row, ones(row.tokens.length), ones(forced.length), 0)) : undefined,
    absent: rows.every(({ absent }) => absent === undefined)
      ? undefined
      : rows.map((row) =>
          lined<number>(
            row,
            row.absent as Uint8Array,
            forced.map(() => 0),
            0,
          ),
        ),
    answerAt: before,
  };
}

/** Tokens of the longest row that any mask makes. */
export function longestRow({ tokens, owners, standIn }: RowSource): number {
  if (standIn.kind !== 'tokens') return tokens.length;
  const more = new Map<number, number>(); // by player
  owners.forEach((owner, i) => {
    if (owner >= 0) more.set(owner, (more.get(owner) ?? 0) + standIn.tokens[i].length - 1);
  });
  return [...more.values()].reduce((sum, each) => sum + Math.max(0, each), tokens.length);
}
