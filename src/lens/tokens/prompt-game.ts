/**
 * "What if these words were missing?" as a Game: masks in, how a model scores an answer after what is left out.
 *
 * Masks become rows of tokens (masked-rows.ts), equal rows are run once, and rows that begin alike share those keys and values
 * (prefix-tree.ts), down from what stands before the first player; only the logits that the value reads are made. A block that
 * does not fit into memory is run again by halves.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { checkPlayers, type Game } from '../../game.ts';
import { emptyMasks, masksFromMembers, selectRows, type Masks } from '../../masks.ts';
import type { Model } from '../../model/model.ts';
import { notFiniteIn } from '../../model/not-finite.ts';
import {
  bytesPerRow,
  GRADIENT_BYTES,
  gradientBytesPerRow,
  mostRows,
  requireRoomForRows,
  usualByteLimit,
} from '../batch-size.ts';
import type { OrderedMasks } from '../components/mask-order.ts';
import type { StandIn } from './absences.ts';
import { embeddingOf, meanEmbedding } from './embeddings.ts';
import { longestRow, maskedRow, type RowSource } from './masked-rows.ts';
import { canGoOn } from './shared-past.ts';
import { otherEmbedding, staysInPlace, textGradients, type TextGradients } from './text-gradients.ts';
import { distinctRows, leavesOf } from './text-leaves.ts';
import type { TextPlayer } from './text-players.ts';
import { createTextReader } from './text-reader.ts';
import { beginRow, logitsOf, restrict, type Restricted, type RowReader, type TextRun } from './text-run.ts';
import type { Reading, TextValue } from './text-values.ts';

/**
 * What is saved; each can be switched off, to measure it. No value changes by more than rounding. prefix: what stands before the
 * first player runs once. tree: rows that begin alike share that beginning. columns: only the logits that are read. sorting: rows
 * of like length run together.
 */
export const TEXT_SAVINGS = ['prefix', 'tree', 'columns', 'sorting'] as const;
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
  /** Bytes that one batch's activations may take by the estimate. Default 256 MiB, on webgpu 1 GiB. */
  readonly byteLimit?: number | undefined;
  readonly without?: readonly TextSaving[] | undefined;
}

/** Values of masks, and what each token of the answer has of them. */
export interface ByToken {
  /** [count] */
  readonly values: Float64Array;
  /** log p(token j | the prompt, the tokens before it), [count · outputs]; a value is their sum. */
  readonly outputs: Float32Array;
}

export interface ByTokenOptions {
  readonly signal?: AbortSignal | undefined;
  /** As ValueOptions.onValues; `outputs` holds the rows' each. */
  readonly onOutputs?: ((rows: ArrayLike<number>, values: Float64Array, outputs: Float32Array) => void) | undefined;
}

/** Masks in the order in which they are measured, each row of a text once. */
export type OrderedRows = Pick<OrderedMasks, 'masks' | 'origins' | 'from'>;

/** The parts of a prompt as players. */
export interface PromptGame extends Game {
  readonly players: readonly TextPlayer[];
  /** Tokens of an answer of several, where the value is the sum of what each of them has. */
  readonly outputs?: number | undefined;
  /** Values by token of the answer, from the same passes; there with `outputs`. */
  readonly byToken?: ((masks: Masks, options?: ByTokenOptions) => Promise<ByToken>) | undefined;
  /** As `gradients`, which both are there where absent parts stay in their places, at rows of m [rows · players] from 0 to 1. */
  readonly gradientsAt?: TextGradients['gradientsAt'] | undefined;
  /** Rows at most per forward pass; less than what was asked for once that did not fit into memory. */
  readonly batchSize: number;
  /** The same where gradients are taken. */
  readonly gradientBatchSize: number;
  readonly ordered: (masks: Masks) => OrderedRows;
  /** Tokens that are run once for all masks. */
  readonly prefixLength: number;
  [Symbol.dispose](): void;
}

/**
 * The game of a text; the caller disposes it (the model stays the caller's).
 * @throws 'input' for no players, a row that would be longer than the context or empty, answers that the value cannot score.
 */
export function createPromptGame(model: Model, options: PromptGameOptions): PromptGame {
  const { players, tokens, owners, position, standIn, value, without = [], byteLimit = usualByteLimit() } = options;
  const n = players.length;
  const name = `${model.name} ${value.name}`;
  const opened = value.open(options.answer, options.against);
  const source: RowSource = { tokens, owners, position, standIn };
  checkRows(model, source, n, opened.readings);
  const most = options.batchSize ?? mostRows(model, longestRow(source));
  if (!Number.isInteger(most) || most < 1) throw fail('input', 'batch size', `${most} is not a whole number >= 1.`);
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
  const someColumns = (columns: readonly number[]): Restricted => {
    const restricted = restrict(model, columns);
    own({ dispose: () => tf.dispose([restricted.W, ...(restricted.b ? [restricted.b] : [])]) });
    return restricted;
  };
  let disposed = false;
  const dispose = (): void => {
    disposed = true;
    for (const thing of owned.splice(0)) thing.dispose();
  };
  try {
    const mean = standIn.kind === 'embedding' ? own(meanEmbedding(model, standIn.data)) : undefined;
    const differentiable = opened.slopes !== undefined && staysInPlace(source);
    const other = differentiable ? otherEmbedding(model, source, mean) : undefined;
    if (other !== undefined) own(other);
    const embedded = mean === undefined && other === undefined ? undefined : own(embeddingOf(model, [tokens]));
    const reader: RowReader = { model, mean, embedded, hides: standIn.kind === 'attention' };
    const shares = !without.includes('tree') && position === undefined && canGoOn(model, 1, longest);
    const prefix = canGoOn(model, shared, longest) ? beginRow(reader, none, shared, someColumns([0])) : undefined;
    if (prefix !== undefined) own({ dispose: () => prefix[Symbol.dispose]() });
    const runs = opened.readings.map((reading) => {
      const { columns } = reading;
      const restricted = columns !== undefined && !without.includes('columns') ? someColumns(columns) : undefined;
      const run: TextRun = { ...reader, reading, prefix, restricted };
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
    /** @throws where it was disposed; 'checkpoint' where values that are not finite are the model's fault. */
    const check = async (values: ArrayLike<number> = []): Promise<void> => {
      if (disposed) throw fail('input', name, 'was disposed; make a new one.');
      const cause = Array.prototype.every.call(values, Number.isFinite) ? undefined : await notFiniteIn(model, tokens);
      if (cause !== undefined) throw cause;
    };
    const block = { size: Math.max(1, Math.min(MOST_GRADIENTS, most, Math.floor(GRADIENT_BYTES / perGradient))) };
    const { batchSize } = options;
    const sorts = !without.includes('sorting');
    const text = createTextReader({
      name,
      model,
      source,
      runs,
      opened,
      shares,
      sorts,
      batchSize,
      byteLimit,
      check,
    });
    const outputs = opened.sumsTokens === true ? 1 + opened.readings[0].forced.length : 0;
    return {
      name,
      players,
      rowsPerMask: runs.length,
      prefixLength: prefix?.length ?? 0,
      get batchSize() {
        return text.batchSize;
      },
      get gradientBatchSize() {
        return block.size;
      },
      ordered: (masks) => orderedRows(source, masks),
      async value(masks, { signal, onValues } = {}) {
        checkPlayers(name, n, masks);
        const values = new Float64Array(masks.count);
        await text.read(masks, {
          signal,
          byToken: false,
          onRead(rows, fresh) {
            rows.forEach((row, k) => (values[row] = fresh[k]));
            onValues?.(rows, fresh);
          },
        });
        return values;
      },
      ...(outputs < 2
        ? {}
        : {
            outputs,
            async byToken(masks, { signal, onOutputs } = {}) {
              checkPlayers(name, n, masks);
              const values = new Float64Array(masks.count);
              const all = new Float32Array(masks.count * outputs);
              await text.read(masks, {
                signal,
                byToken: true,
                onRead(rows, fresh, each) {
                  const found = each as Float32Array;
                  rows.forEach((row, k) => {
                    values[row] = fresh[k];
                    all.set(found.subarray(k * outputs, (k + 1) * outputs), row * outputs);
                  });
                  onOutputs?.(rows, fresh, found);
                },
              });
              return { values, outputs: all };
            },
          }),
      ...(differentiable
        ? textGradients({
            name,
            source,
            players: n,
            runs,
            opened,
            embeddings: embedded === undefined || other === undefined ? undefined : { own: embedded, other },
            block,
            check,
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

/** The masks in the order of the rows that they make, each row once. */
function orderedRows(source: RowSource, masks: Masks): OrderedRows {
  const work = leavesOf(distinctRows(source, masks), 1).map((leaf) => leaf.work.masks);
  let at = 0;
  return {
    masks: selectRows(
      masks,
      work.map(([row]) => row),
    ),
    origins: Int32Array.from(work.flat()),
    from: Int32Array.from([0, ...work.map((rows) => (at += rows.length))]),
  };
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
