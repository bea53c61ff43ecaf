/**
 * Between kept and absent: a text whose parts stay in their places, differentiated with respect to how much of each is there.
 *
 * A token of gate g has the embedding g·own + (1 - g)·other, where the other is the mean or the one token that stands in (mask, resample);
 * or, where absence is that nobody attends to it, weighs g times as much in every softmax, exp(s + ln g). Gates 0 and 1 are the
 * masks themselves, so ∂f/∂m_i is the sum over a player's tokens. A text that becomes shorter has nothing between.
 */
import * as tf from '@tensorflow/tfjs-core';
import { forward } from '../../model/forward/forward.ts';
import type { Tap } from '../../model/forward/tap.ts';
import type { Model } from '../../model/model.ts';
import { checkPlayers, type Game, type GradientOptions, type MaskGradients } from '../../game.ts';
import { isKept } from '../../masks.ts';
import { checkNumbers, differentiateMasks, type BlockSize, type DifferentiablePrompt } from '../mask-gradients.ts';
import { requireRowNumbers } from '../metrics.ts';
import { passBack } from '../pass-back.ts';
import { embeddingOf } from './embeddings.ts';
import type { RowSource } from './masked-rows.ts';
import type { TextRun } from './text-run.ts';
import type { OpenedValue } from './text-values.ts';

/** The gate of a token that is hidden: ln 0 is no number. e^-46 is far below what float32 adds, and large enough to be divided by. */
const FAINT = 1e-20;

/** Of the prompt, [1, S, d], and of what stands in, [1, 1 or S, d]. */
export interface Embeddings {
  readonly own: tf.Tensor;
  readonly other: tf.Tensor;
}

/** Whether every part's absence leaves its tokens in their places. */
export function staysInPlace({ owners, standIn }: RowSource): boolean {
  return standIn.kind !== 'tokens' || owners.every((owner, i) => owner < 0 || standIn.tokens[i].length === 1);
}

/** What stands in where a token is absent, [1, 1 or S, d]; undefined where it is hidden instead. The caller owns it. */
export function otherEmbedding(
  model: Model,
  { tokens, owners, standIn }: RowSource,
  mean: tf.Tensor | undefined,
): tf.Tensor | undefined {
  if (standIn.kind === 'attention') return undefined;
  if (standIn.kind === 'embedding') return tf.clone(mean as tf.Tensor);
  return embeddingOf(model, [tokens.map((id, i) => (owners[i] < 0 ? id : standIn.tokens[i][0]))]);
}

/** A reading of rows of m [rows · players], numbers from 0 to 1: its number a row, and what each changes by with m. */
async function differentiateReading(
  who: string,
  run: TextRun,
  source: RowSource,
  embeddings: Embeddings | undefined,
  { m, players }: { readonly m: Float32Array; readonly players: number },
): Promise<{ readonly numbers: Float32Array; readonly slopes: Float64Array }> {
  const { reading } = run;
  const here = source.owners.slice(run.prefix?.length ?? 0);
  const rows = m.length / players;
  const gates = Float32Array.from({ length: rows * here.length }, (_, at) => {
    const owner = here[at % here.length];
    const gate = owner < 0 ? 1 : m[Math.floor(at / here.length) * players + owner];
    return embeddings === undefined ? Math.max(FAINT, gate) : gate;
  });
  const gate = tf.tensor2d(gates, [rows, here.length]);
  const forced =
    reading.forced.length === 0 || embeddings === undefined ? undefined : embeddingOf(run.model, [reading.forced]);
  try {
    const { value, gradients } = passBack([gate], who, () => {
      const logits = gatedLogits(run, source, gate, embeddings, forced);
      return requireRowNumbers(`value ${who}`, reading.reduce(logits, run.clean), rows);
    });
    try {
      const found = (await gradients[0]?.data()) as Float32Array;
      const slopes = new Float64Array(m.length);
      for (let row = 0; row < rows; row++)
        for (const [t, owner] of here.entries())
          if (owner >= 0) slopes[row * players + owner] += found[row * here.length + t];
      return { numbers: (await value.data()) as Float32Array, slopes };
    } finally {
      tf.dispose([value, ...gradients.filter((each) => each !== undefined)]);
    }
  } finally {
    tf.dispose(forced === undefined ? gate : [gate, forced]);
  }
}

/** The logits that a reading looks at, [B, 1 + forced, C], of rows of one length whose tokens have the gates [B, S]. */
function gatedLogits(
  { model, reading, prefix, restricted }: TextRun,
  { tokens, position }: RowSource,
  gate: tf.Tensor2D,
  embeddings: Embeddings | undefined,
  forced: tf.Tensor | undefined,
): tf.Tensor3D {
  const [rows] = gate.shape;
  const past = prefix?.length ?? 0;
  const first = (position ?? tokens.length - 1) - past;
  const row = [...tokens.slice(past), ...reading.forced];
  const logits = forward(
    model.config,
    model.parameters,
    tf.tensor2d(
      Array.from({ length: rows }, () => row),
      undefined,
      'int32',
    ),
    {
      scored: [first, ...reading.forced.map((_, j) => first + 1 + j)],
      unembed: restricted,
      cache: prefix?.cache(),
      ...(embeddings === undefined
        ? { tap: hiding(gate, past, reading.forced.length) }
        : { embedding: between(embeddings, gate, past, forced) }),
    },
  );
  return restricted === undefined && reading.columns !== undefined
    ? tf.gather(logits, tf.tensor1d([...reading.columns], 'int32'), 2)
    : logits;
}

/** g·own + (1 - g)·other of the tokens from `past` on, and the answer's `after` them. */
function between({ own, other }: Embeddings, gate: tf.Tensor2D, past: number, after: tf.Tensor | undefined): tf.Tensor {
  const [rows, length] = gate.shape;
  const rest = (x: tf.Tensor): tf.Tensor => (x.shape[1] === 1 ? x : tf.slice(x, [0, past, 0], [1, length, -1]));
  const share = tf.expandDims(gate, 2); // [B, S, 1]
  const mixed = tf.add(tf.mul(rest(own), share), tf.mul(rest(other), tf.sub(1, share)));
  return after === undefined ? mixed : tf.concat([mixed, tf.tile(after, [rows, 1, 1])], 1);
}

/** Adds ln g of a key to the scores of every other query, in all layers and heads. */
function hiding(gate: tf.Tensor2D, past: number, forced: number): Tap {
  const [rows, length] = gate.shape;
  const parts: tf.Tensor2D[] = [tf.log(gate)];
  if (past > 0) parts.unshift(tf.zeros([rows, past]));
  if (forced > 0) parts.push(tf.zeros([rows, forced]));
  const keys = past + length + forced;
  const faint = tf.reshape(parts.length === 1 ? parts[0] : tf.concat(parts, 1), [rows, 1, 1, keys]);
  return {
    wants: (name) => name.endsWith('.attn.hook_attn_scores'),
    visit(_name, scores, positions) {
      const others = positions.flatMap((q) => Array.from({ length: keys }, (_, k) => Number(k !== past + q)));
      return tf.add(scores, tf.mul(faint, tf.tensor(others, [1, 1, positions.length, keys])));
    },
  };
}

export interface TextGradientsOptions {
  readonly name: string;
  readonly source: RowSource;
  readonly players: number;
  readonly runs: readonly TextRun[];
  readonly opened: OpenedValue;
  /** Undefined where absence is that nobody attends to a token. */
  readonly embeddings: Embeddings | undefined;
  readonly block: BlockSize;
  /** Before every block, and of every block's values before anybody is told. */
  readonly check: (values?: ArrayLike<number>) => Promise<void>;
}

/** What a game of a text has where its parts stay in their places. */
export interface TextGradients {
  readonly gradients: NonNullable<Game['gradients']>;
  /** The same between masks: at rows of m [rows · players], numbers from 0 to 1. */
  readonly gradientsAt: (m: Float32Array, options?: GradientOptions) => Promise<MaskGradients>;
}

export function textGradients(options: TextGradientsOptions): TextGradients {
  const { name, source, players, runs, opened, embeddings, block, check } = options;
  const slopesOf = opened.slopes;
  if (slopesOf === undefined) throw new Error(`${name} has no slopes`);
  const differentiate: DifferentiablePrompt['differentiate'] = async (m) => {
    await check();
    const rows = m.length / players;
    const found: Awaited<ReturnType<typeof differentiateReading>>[] = [];
    for (const run of runs) found.push(await differentiateReading(name, run, source, embeddings, { m, players }));
    const values = new Float64Array(rows);
    const slopes = new Float64Array(m.length);
    for (let row = 0; row < rows; row++) {
      const numbers = found.map((each) => each.numbers[row]);
      values[row] = opened.combine(numbers);
      const chain = slopesOf(numbers);
      for (let at = row * players; at < (row + 1) * players; at++)
        slopes[at] = found.reduce((sum, each, r) => sum + chain[r] * each.slopes[at], 0);
    }
    return { values, slopes };
  };
  const gradientsAt: TextGradients['gradientsAt'] = async (m, given = {}) => {
    checkNumbers(name, m, players);
    const rows = (start: number, end: number): Float32Array => m.subarray(start * players, end * players);
    return differentiateMasks(
      name,
      [{ differentiate }],
      { count: m.length / players, players, rows },
      block,
      given,
      check,
    );
  };
  return {
    gradientsAt,
    gradients: async (masks, given) => {
      checkPlayers(name, players, masks);
      const m = Float32Array.from({ length: masks.count * players }, (_, at) =>
        Number(isKept(masks, Math.floor(at / players), at % players)),
      );
      return gradientsAt(m, given);
    },
  };
}
