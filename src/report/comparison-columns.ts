/** The columns of a comparison's table, which the terminal, the page and documents share. */
import { MIB_SHARES, mibSizes } from '../evaluation/areas.ts';
import type { ComparedMethod, ComparisonRecord } from './comparison-record.ts';
import { percent, whole } from './wording.ts';

export interface ComparisonColumn {
  readonly title: string;
  readonly cell: (method: ComparedMethod) => string;
  /** Whether the smallest or the largest is best; absent where neither is. */
  readonly best?: { readonly of: (method: ComparedMethod) => number; readonly sign: 1 | -1 } | undefined;
}

/** Shares at which faithfulness is a column; smaller ones where they are of some player. */
const SHOWN: readonly number[] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

/** Every column but the name. */
export function comparisonColumns({ players, truth }: Pick<ComparisonRecord, 'players' | 'truth'>): ComparisonColumn[] {
  const sizes = mibSizes(players.length);
  const shown = MIB_SHARES.flatMap((share, k) =>
    SHOWN.includes(share) && sizes[k] > 0 ? [{ share, size: sizes[k] }] : [],
  );
  return [
    number('CPR', 1, ({ cpr }) => cpr),
    number('CMD', -1, ({ cmd }) => cmd),
    ...(truth === null ? [] : [number('AUROC', 1, ({ auroc = Number.NaN }) => auroc)]),
    ...shown.map(({ share, size }) => ({
      title: percent(share).replace('.0', ''),
      cell: ({ curve }: ComparedMethod) => percent(curve.find((point) => point.size === size)?.mattering ?? Number.NaN),
    })),
    {
      title: 'size',
      cell: ({ circuit }) => whole(circuit.players.length),
      best: { of: ({ circuit }) => circuit.players.length, sign: -1 },
    },
    number('incomplete', -1, ({ circuit }) => circuit.completeness.mean),
    {
      title: 'needless',
      cell: ({ circuit: { minimality } }) => (minimality === undefined ? '–' : whole(minimality.needless)),
    },
    { title: 'forward', cell: ({ forward }) => whole(forward) },
    { title: 'backward', cell: ({ backward }) => whole(backward) },
    { title: 'seconds', cell: ({ seconds }) => seconds.toFixed(seconds < 9.95 ? 1 : 0) },
  ];
}

/** What the columns mean, for a reader who has not seen them before. */
export function columnsText({ target, task, knockOuts }: ComparisonRecord): string {
  return `CPR: area under faithfulness, more is better; CMD: area of |1 − faithfulness|, 0 is best. Percents: faithfulness with that share of the ${task.players} kept. size: ${task.players} of the smallest measured set that keeps ${percent(target)}; incomplete: how far it and the model part when the same parts of it are knocked out, the mean of ${knockOuts}; needless: members that no measurement needs. forward, backward: rows through the model.`;
}

/** The methods, best CMD first. */
export function ranked({ methods }: Pick<ComparisonRecord, 'methods'>): ComparedMethod[] {
  return methods.toSorted((a, b) => a.cmd - b.cmd);
}

/** Whether a method's cell is the best of its column. */
export function isBest({ best }: ComparisonColumn, method: ComparedMethod, all: readonly ComparedMethod[]): boolean {
  if (best === undefined || all.length < 2) return false;
  return all.every((other) => best.sign * best.of(method) >= best.sign * best.of(other));
}

function number(title: string, sign: 1 | -1, of: (method: ComparedMethod) => number): ComparisonColumn {
  return { title, cell: (method) => of(method).toFixed(3).replace('-', '−'), best: { of, sign } };
}
