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
import { inBlocks } from './in-blocks.ts';
import { sharedLengths } from './prefix-tree.ts';
import type { SharedPast } from './shared-past.ts';
import { distinctRows, leavesOf, type RowWork, type TextLeaf } from './text-leaves.ts';
import { logitsIn, logitsOf, runBlock, type TextRun } from './text-run.ts';
import type { OpenedValue } from './text-values.ts';

export interface TextReaderOptions {
  readonly name: string;
  readonly model: Model;
  readonly source: RowSource;
  /** A run for each of the value's readings. */
  readonly runs: readonly TextRun[];
  readonly opened: OpenedValue;
  /** Whether rows that begin alike share that. */
  readonly shares: boolean;
  /** Whether rows of like length run together, where they share nothing. */
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

/** Numbers of leaves that were read in one way. */
interface Heard {
  readonly reading: number;
  readonly leaves: readonly TextLeaf[];
  readonly numbers: Numbers;
}

export function createTextReader(options: TextReaderOptions): TextReader {
  const { name, model, source, runs, opened, shares, sorts, byteLimit, check } = options;
  let most = options.batchSize ?? Infinity;
  const root = runs[0].prefix;
  const lessen = (size: number): void => void (most = size);
  const lengthOf = ({ work, reading }: TextLeaf): number =>
    work.row.tokens.length + runs[reading].reading.forced.length;
  const widths = runs.map(
    ({ reading: { columns, forced } }) => (columns?.length ?? model.config.dVocabOut) * (1 + forced.length),
  );
  /** What a row takes that shares its first tokens with others. */
  const bytesOf = (leaf: TextLeaf, shared: number): number =>
    bytesPerRow(model, lengthOf(leaf) - shared, 1, widths[leaf.reading], shared);
  /** Rows of a pass in which each of them runs `fresh` tokens. */
  const mostOf = (fresh: number): number =>
    Math.min(most, options.batchSize === undefined ? mostRows(model, fresh) : Infinity);

  /** In blocks of like length, all after what stands before the first player. */
  const readRows = async (leaves: readonly TextLeaf[], { pause, byToken, hear }: Listener): Promise<void> => {
    const past = root?.length ?? 0;
    for (const [reading, run] of runs.entries()) {
      const own = leaves.filter((leaf) => leaf.reading === reading);
      if (sorts) own.sort((a, b) => lengthOf(b) - lengthOf(a));
      const rowsOf = ([first]: readonly TextLeaf[]): number =>
        Math.max(1, Math.min(Math.floor(byteLimit / bytesOf(first, past)), mostOf(lengthOf(first) - past)));
      await inBlocks(own, rowsOf, lessen, {
        async run(block) {
          await pause();
          const rows = block.map(({ work }) => work.row);
          return numbersOf(name, run, rows.length, byToken, () => logitsOf(run, rows));
        },
        use: async (numbers, block) => hear({ reading, leaves: block, numbers }),
      });
    }
  };

  /** In blocks of neighbours, in which what rows begin with stands once; each goes on from where the one before ended. */
  const readTree = async (leaves: readonly TextLeaf[], { pause, byToken, hear }: Listener): Promise<void> => {
    const shared = sharedLengths(leaves);
    if (root !== undefined) shared[0] = root.length;
    const rowsOf = (left: readonly TextLeaf[]): number => {
      let [tokens, bytes] = [0, 0];
      for (const [k, leaf] of left.entries()) {
        const begun = shared[leaves.length - left.length + k];
        tokens += lengthOf(leaf) - begun;
        bytes += bytesOf(leaf, begun);
        if (k > 0 && (bytes > byteLimit || k + 1 > mostOf(Math.ceil(tokens / (k + 1))))) return k;
      }
      return left.length;
    };
    let at = 0;
    let past = root;
    const goOn = (next: SharedPast | undefined): void => {
      if (past !== root) past?.[Symbol.dispose]();
      past = next;
    };
    try {
      await inBlocks(leaves, rowsOf, lessen, {
        async run(block) {
          await pause();
          const end = at + block.length;
          const begins = end < leaves.length ? shared[end] : 0;
          const hold = begins > (root?.length ?? 0) ? begins : 0;
          const ran = runBlock(runs, { leaves: block, shared: shared.subarray(at, end), past, hold });
          try {
            const heard: Heard[] = [];
            for (const [reading, run] of runs.entries()) {
              const own = block.filter((leaf) => leaf.reading === reading);
              if (own.length === 0) continue;
              const logits = (): tf.Tensor3D => logitsIn(runs, reading, block, ran.logits);
              heard.push({ reading, leaves: own, numbers: await numbersOf(name, run, own.length, byToken, logits) });
            }
            return { heard, past: ran.past };
          } catch (error) {
            ran.past?.[Symbol.dispose]();
            throw error;
          } finally {
            ran.logits.dispose();
          }
        },
        async use(found, block) {
          at += block.length;
          goOn(found.past ?? root);
          for (const each of found.heard) await hear(each);
        },
      });
    } finally {
      goOn(undefined);
    }
  };

  return {
    get batchSize() {
      return Math.min(most, mostRows(model, longestRow(source)));
    },
    async read(masks, { signal, byToken, onRead }) {
      const answers = collect(opened, runs.length);
      await (shares ? readTree : readRows)(leavesOf(distinctRows(source, masks), runs.length), {
        byToken,
        async pause() {
          await turn(signal, name);
          await check();
        },
        async hear(heard) {
          const ready = answers(heard);
          if (ready.rows.length === 0) return;
          await check(ready.values);
          onRead(ready.rows, ready.values, ready.byToken);
        },
      });
      throwIfAborted(masks.count === 0 ? signal : undefined, name);
    },
  };
}

/** Who hears what was read. */
interface Listener {
  readonly byToken: boolean;
  /** Before every pass. */
  readonly pause: () => Promise<void>;
  readonly hear: (heard: Heard) => Promise<void>;
}

/** By leaf its number, then what each token of the answer has where that is wanted: [leaves][1 + tokens]. */
interface Numbers {
  readonly width: number;
  readonly values: Float32Array;
}

async function numbersOf(
  name: string,
  { reading, clean }: TextRun,
  count: number,
  byToken: boolean,
  logitsOfAll: () => tf.Tensor3D,
): Promise<Numbers> {
  const found = tf.tidy(() => {
    const logits = logitsOfAll();
    const value = requireRowNumbers(`value ${name}`, reading.reduce(logits, clean), count);
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
function collect(opened: OpenedValue, readings: number): (heard: Heard) => Ready {
  const waiting = new Map<RowWork, { readonly numbers: number[]; missing: number }>();
  return ({ reading, leaves, numbers: { width, values } }) => {
    const rows: number[] = [];
    const ready: number[] = [];
    const tokens: number[] = [];
    leaves.forEach(({ work }, k) => {
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
