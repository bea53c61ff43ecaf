/**
 * How a request is dealt out to threads: its masks sorted once, each thread taking the next run of neighbours when it is done with
 * one, some batches at first, fewer towards the end so that all end together.
 */
import { throwIfAborted } from '../errors.ts';
import type { ValueOptions } from '../game.ts';
import { reporter, type Reporter } from '../lens/components/masked-game.ts';
import { selectRows, type Masks } from '../masks.ts';
import type { Model } from '../model/model.ts';
import type { AskedGame, MaskThreads, TakePart, WantedHere } from './mask-threads.ts';

/** A game whose masks threads may share: what a run is made of. */
export interface SharedGame extends AskedGame {
  readonly batchSize: number;
  readonly gradientBatchSize: number;
  /** Numbers beside the value that `byToken` has of a mask. */
  readonly outputs?: number | undefined;
  /** Masks in the order in which they are measured, equal ones once, and the rows that each answers. */
  readonly ordered: (masks: Masks) => {
    readonly masks: Masks;
    readonly origins: Int32Array;
    readonly from: Int32Array;
  };
  [Symbol.dispose](): void;
}

/** Batches of a run, at most. */
const RUN_BATCHES = 16;
/** Masks of a run, at least; half of it for a model of more than so many parameters. */
const RUN_MASKS = 32;
const LARGE_PARAMETERS = 2 ** 24;
/** A run is at most this share of what is left for a thread, so that all end together. */
const SHARE = 1 / 2;
/** Has the threads measure what is left. When one fails all stop, and the first failure is thrown. */
export async function measureOnThreads(
  pool: MaskThreads,
  { name, players, ordered, outputs = 0, ...sizes }: SharedGame,
  all: Masks,
  wanted: WantedHere,
  into: Gathered,
  least: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const open = into.open();
  const width = wanted === 'gradients' ? players.length : outputs;
  const batchSize = wanted === 'gradients' ? sizes.gradientBatchSize : sizes.batchSize;
  const { masks, origins, from } = ordered(open.length === all.count ? all : selectRows(all, open));
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal?.addEventListener('abort', onAbort, { once: true });
  let next = 0;
  let failure: unknown;
  const lane = async (): Promise<void> => {
    while (next < masks.count && !stop.signal.aborted) {
      const start = next;
      next += runLength(masks.count - start, pool.count, batchSize, least);
      const run = selectRows(
        masks,
        Array.from({ length: next - start }, (_, k) => start + k),
      );
      const take: TakePart = (rows, values, more) => {
        const answered = Array.from(rows, (row) => origins.subarray(from[start + row], from[start + row + 1])); // equal masks are one
        const places = answered.flatMap((originals, k) => Array.from(originals, () => k));
        into.accept(
          Int32Array.from(answered.flatMap((originals) => Array.from(originals, (row) => open[row]))),
          Float64Array.from(places, (k) => values[k]),
          more && repeated(more, places, width),
        );
      };
      await pool.answer(run, wanted, take, stop.signal);
    }
  };
  try {
    const lanes = Array.from(
      { length: Math.min(pool.count, Math.ceil(masks.count / Math.min(least, batchSize))) },
      () =>
        lane().catch((error: unknown) => {
          failure ??= error;
          stop.abort();
        }),
    );
    await Promise.all(lanes);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
  throwIfAborted(signal, name);
  if (failure !== undefined) throw failure as Error;
}

/** Rows of a matrix [.., width], by place. */
function repeated(matrix: Float32Array, places: readonly number[], width: number): Float32Array {
  const rows = new Float32Array(places.length * width);
  places.forEach((place, k) => rows.set(matrix.subarray(place * width, (place + 1) * width), k * width));
  return rows;
}

/** Masks of a run, at least: of a large model few take as long as many of a small one, and threads should end together. */
export function leastRun(model: Model | undefined): number {
  return model !== undefined && model.parameterCount > LARGE_PARAMETERS ? RUN_MASKS / 2 : RUN_MASKS;
}

/** Masks of the next run when `left` are: whole batches while there is much, a share of a batch at the end. */
function runLength(left: number, threads: number, batchSize: number, least: number): number {
  const wanted = Math.min(RUN_BATCHES * batchSize, threads === 1 ? left : Math.ceil((left / threads) * SHARE));
  return Math.min(
    left,
    wanted >= batchSize ? wanted - (wanted % batchSize) : Math.min(batchSize, Math.max(least, wanted)),
  );
}

/** A reporter that knows what is missing. */
export interface Gathered extends Omit<Reporter, 'accept'> {
  readonly accept: TakePart;
  readonly left: number;
  /** The masks without a value, increasing. */
  open(): Int32Array;
}

export function gather(count: number, options: ValueOptions, told: TakePart = () => {}): Gathered {
  const inner = reporter(count, options);
  let left = count;
  return {
    values: inner.values,
    there: inner.there,
    get left() {
      return left;
    },
    accept(rows, values, more) {
      left -= rows.length;
      inner.accept(rows, values);
      told(rows, values, more);
    },
    open() {
      const rows = new Int32Array(left);
      let at = 0;
      inner.there.forEach((is, row) => {
        if (is === 0) rows[at++] = row;
      });
      return rows;
    },
  };
}
