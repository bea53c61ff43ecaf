/**
 * Has a model read a text under masks: rows in an order in which they share what they begin with, in passes that fit into memory,
 * and values told of as soon as a pass has them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { throwIfAborted } from '../../errors.ts';
import type { Masks } from '../../masks.ts';
import type { Model } from '../../model/model.ts';
import { bytesPerRow, mostRows } from '../batch-size.ts';
import { requireRowNumbers } from '../metrics.ts';
import { turn } from '../turn.ts';
import { longestRow, type RowSource } from './masked-rows.ts';
import { chooseCuts, sharedLengths } from './prefix-tree.ts';
import { pastBytes, type SharedPast } from './shared-past.ts';
import { distinctRows, leavesOf, type RowWork, type TextLeaf } from './text-leaves.ts';
import { beginRows, logitsOf, type Restricted, type TextRun } from './text-run.ts';
import type { OpenedValue } from './text-values.ts';
import { inBlocks, walkTree, type Grafted } from './tree-walk.ts';

export interface TextReaderOptions {
  readonly name: string;
  readonly model: Model;
  readonly source: RowSource;
  /** A run for each of the value's readings. */
  readonly runs: readonly TextRun[];
  readonly opened: OpenedValue;
  /** An unembedding of few columns, for passes whose logits nobody reads; undefined where rows share nothing but the prefix. */
  readonly some: Restricted | undefined;
  /** Tokens that a level of shared beginnings has to save. */
  readonly levelCost: number;
  /** Whether rows of like length run together. */
  readonly sorts: boolean;
  /** Rows of a pass, where somebody said so, and bytes of its activations. */
  readonly batchSize: number | undefined;
  readonly byteLimit: number;
  /** Before every pass, and of all values before anybody is told. */
  readonly check: (values?: ArrayLike<number>) => Promise<void>;
}

/** Values as they come: of mask rows, and of each the log-probabilities of the answer's tokens where these are asked for. */
export type OnRead = (rows: number[], values: Float64Array, byToken: Float32Array | undefined) => void;

export interface ReadOptions {
  readonly signal: AbortSignal | undefined;
  /** Whether what each token of the answer has is wanted too. */
  readonly byToken: boolean;
  readonly onRead: OnRead;
}

export interface TextReader {
  /** Rows at most per forward pass; less than what was asked for once that did not fit into memory. */
  readonly batchSize: number;
  /** Tells of every mask once. */
  read(masks: Masks, options: ReadOptions): Promise<void>;
}

/** Share of the bytes that the beginnings of one level of the tree may take. */
const PAST_SHARE = 1 / 4;

export function createTextReader(options: TextReaderOptions): TextReader {
  const { name, model, source, runs, opened, some, levelCost, sorts, byteLimit, check } = options;
  let most = options.batchSize ?? Infinity;
  const root = runs[0].prefix;
  const lessen = (size: number): void => void (most = size);
  const widths = runs.map(
    ({ reading: { columns, forced } }) => (columns?.length ?? model.config.dVocabOut) * (1 + forced.length),
  );
  /** Rows of a pass of `fresh` tokens after `past`. */
  const rowsOf = (fresh: number, past: number, columns: number): number => {
    const held = Math.floor(byteLimit / bytesPerRow(model, fresh, 1, columns, past));
    return Math.max(1, Math.min(most, held, options.batchSize === undefined ? mostRows(model, fresh) : Infinity));
  };
  return {
    get batchSize() {
      return Math.min(most, mostRows(model, longestRow(source)));
    },
    async read(masks, { signal, byToken, onRead }) {
      const pause = async (): Promise<void> => {
        await turn(signal, name);
        await check();
      };
      const leaves = leavesOf(distinctRows(source, masks), runs.length);
      const shared = some === undefined ? new Int32Array(leaves.length) : sharedLengths(leaves);
      const answers = collect(opened, runs.length);
      await walkTree<TextLeaf, SharedPast>({
        leaves,
        shared,
        cuts: some === undefined ? [] : chooseCuts(shared, root?.length ?? 0, levelCost),
        root,
        lessen,
        most: (length, from) =>
          Math.min(
            rowsOf(length - (from?.length ?? 0), from?.length ?? 0, 1),
            Math.max(1, Math.floor((PAST_SHARE * byteLimit) / (length * pastBytes(model)))),
          ),
        async begin(block, length, from) {
          await pause();
          return beginRows(runs[0], rowsIn(block), length, { begun: begunBy(block, from), some });
        },
        async finish(ends, from) {
          for (const [r, run] of runs.entries()) {
            const own = ends.filter(({ leaf }) => leaf.reading === r);
            if (sorts) own.sort((a, b) => lengthOf(b) - lengthOf(a));
            const past = from?.length ?? 0;
            const longest = ([first]: readonly Grafted<TextLeaf>[]): number =>
              rowsOf(lengthOf(first) + run.reading.forced.length - past, past, widths[r]);
            await inBlocks(own, longest, lessen, {
              async run(block) {
                await pause();
                return readBlock(name, run, block, from, byToken);
              },
              async use(numbers, block) {
                const ready = answers(r, block, numbers);
                if (ready.rows.length === 0) return;
                await check(ready.values);
                onRead(ready.rows, ready.values, ready.byToken);
              },
            });
          }
        },
      });
      throwIfAborted(masks.count === 0 ? signal : undefined, name);
    },
  };
}

const lengthOf = ({ leaf }: Grafted<TextLeaf>): number => leaf.work.row.tokens.length;
const rowsIn = (block: readonly Grafted<TextLeaf>[]): RowWork['row'][] => block.map(({ leaf }) => leaf.work.row);
const begunBy = (
  block: readonly Grafted<TextLeaf>[],
  past: SharedPast | undefined,
): { readonly past: SharedPast; readonly parents: readonly number[] } | undefined =>
  past === undefined ? undefined : { past, parents: block.map(({ parent }) => parent) };

/** By leaf its number, then what each token of the answer has where that is wanted: [leaves][1 + tokens]. */
interface Numbers {
  readonly width: number;
  readonly values: Float32Array;
}

async function readBlock(
  name: string,
  run: TextRun,
  block: readonly Grafted<TextLeaf>[],
  from: SharedPast | undefined,
  byToken: boolean,
): Promise<Numbers> {
  const { reading, clean } = run;
  const found = tf.tidy(() => {
    const logits = logitsOf(run, rowsIn(block), begunBy(block, from));
    const value = requireRowNumbers(`value ${name}`, reading.reduce(logits, clean), block.length);
    const each = byToken ? reading.byToken?.(logits) : undefined;
    const column = tf.reshape(value, [-1, 1]);
    return each === undefined ? column : tf.concat([column, each], 1);
  });
  try {
    return { width: found.shape[1] as number, values: (await found.data()) as Float32Array };
  } finally {
    found.dispose();
  }
}

interface Ready {
  readonly rows: number[];
  readonly values: Float64Array;
  readonly byToken: Float32Array | undefined;
}

/** Puts the numbers of a row's readings together; what comes back are the masks of rows that now have all of them. */
function collect(
  opened: OpenedValue,
  readings: number,
): (reading: number, block: readonly Grafted<TextLeaf>[], numbers: Numbers) => Ready {
  const waiting = new Map<RowWork, { readonly numbers: number[]; missing: number }>();
  return (reading, block, { width, values }) => {
    const rows: number[] = [];
    const ready: number[] = [];
    const tokens: number[] = [];
    block.forEach(({ leaf: { work } }, k) => {
      const had = waiting.get(work) ?? { numbers: Array<number>(readings).fill(NaN), missing: readings };
      had.numbers[reading] = values[k * width];
      had.missing--;
      if (had.missing > 0) return void waiting.set(work, had);
      waiting.delete(work);
      const value = opened.combine(had.numbers);
      for (const mask of work.masks) {
        rows.push(mask);
        ready.push(value);
        for (let j = 1; j < width; j++) tokens.push(values[k * width + j]);
      }
    });
    return { rows, values: Float64Array.from(ready), byToken: width > 1 ? Float32Array.from(tokens) : undefined };
  };
}
