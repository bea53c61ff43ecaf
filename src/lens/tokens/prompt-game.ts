/**
 * "What if these words were missing?" as a Game: masks in, how a model scores an answer after what is left out.
 *
 * Masks become rows of tokens (masked-rows.ts), equal rows are run once, rows of like length together; what stands before the
 * first player is run once for all (kept-prefix.ts), and only the logits that the value reads are made. A block that does
 * not fit into memory is run again by halves.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail, throwIfAborted } from '../../errors.ts';
import { checkPlayers, type Game } from '../../game.ts';
import { emptyMasks, masksFromMembers } from '../../masks.ts';
import type { Model } from '../../model/model.ts';
import { notFiniteIn } from '../../model/not-finite.ts';
import {
  bytesPerRow,
  GRADIENT_BYTES,
  gradientBytesPerRow,
  isOutOfMemory,
  mostRows,
  requireRoomForRows,
} from '../batch-size.ts';
import { requireRowNumbers } from '../metrics.ts';
import { turn } from '../turn.ts';
import type { StandIn } from './absences.ts';
import { canKeepPrefix, keepPrefix, type KeptPrefix } from './kept-prefix.ts';
import { embeddingOf, meanEmbedding } from './embeddings.ts';
import { longestRow, maskedRow, rowKey, type MaskedRow, type RowSource } from './masked-rows.ts';
import { otherEmbedding, staysInPlace, textGradients, type TextGradients } from './text-gradients.ts';
import type { TextPlayer } from './text-players.ts';
import { logitsOf, restrict, type TextRun } from './text-run.ts';
import type { Reading, TextValue } from './text-values.ts';

/** What is saved; each can be switched off, to measure it. No value changes by more than rounding. */
export const TEXT_SAVINGS = ['prefix', 'columns', 'sorting'] as const;
export type TextSaving = (typeof TEXT_SAVINGS)[number];

/** The parts of a prompt, what their absence means, and the answer that is read. */
export interface PromptGameOptions {
  readonly players: readonly TextPlayer[];
  readonly tokens: readonly number[];
  /** By token: its player's number, or -1 for one that is always kept. */
  readonly owners: readonly number[];
  /** Where a masked-LM model is asked; undefined for after the last token. */
  readonly position?: number | undefined;
  readonly standIn: StandIn;
  readonly value: TextValue;
  /** Tokens of the answer, and of the one it is compared with; empty where the value needs none. */
  readonly answer: readonly number[];
  readonly against: readonly number[];
  /** Masks per forward pass; from the byte estimate when absent. */
  readonly batchSize?: number | undefined;
  /** Bytes that one batch's activations may take by the estimate. Default 256 MiB. */
  readonly byteLimit?: number | undefined;
  readonly without?: readonly TextSaving[] | undefined;
}

/** The parts of a prompt as players. */
export interface PromptGame extends Game {
  readonly players: readonly TextPlayer[];
  /** As `gradients`, which both are there where absent parts stay in their places, at rows of m [rows · players] from 0 to 1. */
  readonly gradientsAt?: TextGradients['gradientsAt'] | undefined;
  /** Rows at most per forward pass; less than what was asked for once that did not fit into memory. */
  readonly batchSize: number;
  /** Tokens that are run once for all masks. */
  readonly prefixLength: number;
  [Symbol.dispose](): void;
}

/**
 * The game of a text; the caller disposes it (the model stays the caller's).
 * @throws 'input' for no players, a row that would be longer than the context or empty, answers that the value cannot score.
 */
export function createPromptGame(model: Model, options: PromptGameOptions): PromptGame {
  const { players, tokens, owners, position, standIn, value, without = [], byteLimit = 2 ** 28 } = options;
  const n = players.length;
  const name = `${model.name} ${value.name}`;
  const opened = value.open(options.answer, options.against);
  const source: RowSource = { tokens, owners, position, standIn };
  checkRows(model, source, n, opened.readings);
  const most = options.batchSize ?? mostRows(model, longestRow(source));
  if (!Number.isInteger(most) || most < 1) throw fail('input', 'batch size', `${most} is not a whole number >= 1.`);
  let batchSize = most;
  const none = maskedRow(source, emptyMasks(n, 1), 0);
  const longest = longestRow(source) + Math.max(...opened.readings.map(({ forced }) => forced.length));
  const first = owners.findIndex((owner) => owner >= 0);
  // The column that is read must be among the fresh ones, also when everything after the prefix is gone.
  const shared = without.includes('prefix') || position !== undefined ? 0 : Math.min(first, none.answerAt);
  const owned: { dispose(): void }[] = [];
  const own = <T extends { dispose(): void }>(thing: T): T => {
    owned.push(thing);
    return thing;
  };
  let prefix: KeptPrefix | undefined;
  let disposed = false;
  const dispose = (): void => {
    disposed = true;
    for (const thing of owned.splice(0)) thing.dispose();
    prefix?.[Symbol.dispose]();
  };
  try {
    if (canKeepPrefix(model, shared, longest)) prefix = keepPrefix(model, tokens.slice(0, shared));
    const mean = standIn.kind === 'embedding' ? own(meanEmbedding(model, standIn.data)) : undefined;
    const differentiable = opened.slopes !== undefined && staysInPlace(source);
    const other = differentiable ? otherEmbedding(model, source, mean) : undefined;
    if (other !== undefined) own(other);
    const embedded = mean === undefined && other === undefined ? undefined : own(embeddingOf(model, [tokens]));
    const runs = opened.readings.map((reading) => {
      const { columns } = reading;
      const restricted = columns !== undefined && !without.includes('columns') ? restrict(model, columns) : undefined;
      if (restricted !== undefined)
        own({ dispose: () => tf.dispose([restricted.W, ...(restricted.b ? [restricted.b] : [])]) });
      const run: TextRun = { model, reading, prefix, restricted, mean, embedded, hides: standIn.kind === 'attention' };
      if (!reading.needsClean) return run;
      const whole = maskedRow(source, allKept(n), 0);
      return { ...run, clean: own(tf.tidy(() => logitsOf(run, [whole]))) };
    });
    const widest = Math.max(
      ...runs.map(
        ({ reading: { columns, forced } }) => (columns?.length ?? model.config.dVocabOut) * (1 + forced.length),
      ),
    );
    const perGradient = gradientBytesPerRow(model, longest, 1, widest);
    if (options.batchSize !== undefined) requireRoomForRows(most, bytesPerRow(model, longest, 1, widest));
    const requireAlive = (): void => {
      if (disposed) throw fail('input', name, 'was disposed; make a new one.');
    };
    /** @throws 'checkpoint' where values that are not finite are the model's fault. */
    const blameModel = async (values: ArrayLike<number>): Promise<void> => {
      const cause = Array.prototype.every.call(values, Number.isFinite) ? undefined : await notFiniteIn(model, tokens);
      if (cause !== undefined) throw cause;
    };
    /** Rows that the byte limit holds at this length. */
    const room = (length: number): number => Math.max(1, Math.floor(byteLimit / bytesPerRow(model, length, 1, widest)));
    return {
      name,
      players,
      rowsPerMask: runs.length,
      prefixLength: prefix?.length ?? 0,
      get batchSize() {
        return batchSize;
      },
      async value(masks, { signal, onValues } = {}) {
        checkPlayers(name, n, masks);
        const values = new Float64Array(masks.count);
        const work = distinctRows(source, masks, !without.includes('sorting'));
        let done = 0;
        while (done < work.length) {
          throwIfAborted(signal, name);
          requireAlive();
          // Sorted by length, descending: the first row of a block is its longest.
          const size = Math.min(batchSize, room(work[done].row.tokens.length + longest - longestRow(source)));
          const block = work.slice(done, done + size);
          try {
            const numbers = await runBlock(
              value.name,
              runs,
              block.map(({ row }) => row),
              async () => {
                await turn(signal, name);
                requireAlive();
              },
            );
            const rows = block.flatMap(({ masks: own }) => own);
            const each = Float64Array.from(
              block.flatMap(({ masks: own }, k) => own.map(() => opened.combine(numbers.map((column) => column[k])))),
            );
            await blameModel(each);
            rows.forEach((row, k) => (values[row] = each[k]));
            done += block.length;
            onValues?.(rows, each);
          } catch (error) {
            if (block.length === 1 || !isOutOfMemory(error)) throw error;
            batchSize = Math.ceil(block.length / 2);
          }
          await turn(undefined, name);
        }
        throwIfAborted(done === 0 ? signal : undefined, name);
        return values;
      },
      ...(differentiable
        ? textGradients({
            name,
            source,
            players: n,
            runs,
            opened,
            embeddings: embedded === undefined || other === undefined ? undefined : { own: embedded, other },
            block: { size: Math.max(1, Math.min(MOST_GRADIENTS, most, Math.floor(GRADIENT_BYTES / perGradient))) },
            async check(values) {
              requireAlive();
              if (values !== undefined) await blameModel(values);
            },
          })
        : {}),
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Masks of a differentiated block, at most. */
const MOST_GRADIENTS = 32;

interface Work {
  readonly row: MaskedRow;
  /** Every mask of the request that is this row. */
  readonly masks: number[];
}

function distinctRows(source: RowSource, masks: Parameters<typeof maskedRow>[1], sorts: boolean): Work[] {
  const found = new Map<string, Work>();
  for (let k = 0; k < masks.count; k++) {
    const row = maskedRow(source, masks, k);
    const key = rowKey(row);
    const same = found.get(key);
    if (same === undefined) found.set(key, { row, masks: [k] });
    else same.masks.push(k);
  }
  const work = [...found.values()];
  return sorts ? work.sort((a, b) => b.row.tokens.length - a.row.tokens.length) : work;
}

/** One number for every row by reading. */
async function runBlock(
  who: string,
  runs: readonly TextRun[],
  rows: readonly MaskedRow[],
  pause: () => Promise<void>,
): Promise<Float32Array[]> {
  const numbers: Float32Array[] = [];
  for (const [r, run] of runs.entries()) {
    if (r > 0) await pause();
    const value = tf.tidy(() => {
      const logits = logitsOf(run, rows);
      return requireRowNumbers(`value ${who}`, run.reading.reduce(logits, run.clean), logits.shape[0]);
    });
    try {
      numbers.push((await value.data()) as Float32Array);
    } finally {
      value.dispose();
    }
  }
  return numbers;
}

function allKept(n: number): ReturnType<typeof emptyMasks> {
  return masksFromMembers(n, [Array.from({ length: n }, (_, i) => i)]);
}

/** @throws 'input' for what no row can be. */
function checkRows(model: Model, source: RowSource, n: number, readings: readonly Reading[]): void {
  if (n === 0) throw fail('input', 'prompt game', 'has no players; at least one part of the text is needed.');
  const { config } = model;
  const forced = Math.max(...readings.map((reading) => reading.forced.length));
  const longest = longestRow(source) + forced;
  if (longest > config.nCtx)
    throw fail(
      'input',
      'prompt',
      `takes up to ${longest} tokens${forced > 0 ? ' with its answer' : ''}; the context of ${model.name} holds ${config.nCtx}.`,
    );
  if (source.position !== undefined && forced > 0)
    throw fail('input', 'answer', `has ${forced + 1} tokens; a masked-LM model answers with the one at its mask.`);
  if (maskedRow(source, emptyMasks(n, 1), 0).tokens.length === 0)
    throw fail(
      'input',
      'remove',
      'leaves no token at all when every part is gone; keep some text (a pattern of it, a template, BOS) or use another absence.',
    );
}
