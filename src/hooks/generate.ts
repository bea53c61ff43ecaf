/**
 * Let a model go on: greedy or sampled tokens, one step at a time, with hooks firing at each step.
 *
 * Prompts of different lengths are padded on the left. Keys and values are kept between steps, so the first step
 * runs the prompts and each later one a single column; a hook sees the new columns, which its context names, and
 * every column once. Numbers and tokens are those of running everything again at each step (`cache: false`).
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { padRows, type PaddingMask } from '../model/forward/attention-mask.ts';
import type { ModelConfig } from '../model/config.ts';
import { forward } from '../model/forward/forward.ts';
import { createKeyValueCache } from '../model/forward/key-value-cache.ts';
import { keepsFrequencies } from '../model/forward/rotary.ts';
import type { Model } from '../model/model.ts';
import { notFiniteIn } from '../model/not-finite.ts';
import { toSequences, toSingleToken, type Input, type TokenOptions } from '../model/tokens.ts';
import { breathe } from '../platform/breathe.ts';
import { createRandom } from '../random.ts';
import { continuation, type Continuation } from './continuation.ts';
import { hookTap, layerOf, resolveHooks, type Hook, type ResolvedHooks } from './run.ts';
import { checkSampling, chooseToken } from './sampling.ts';

/** How a text is gone on with: its length, the sampling, its seed, where it stops, hooks on the way. */
export interface GenerateOptions extends TokenOptions {
  /** Default 20, or what the context has room for. */
  readonly maxNewTokens?: number;
  /** 0 (the default) takes the likeliest token; above, tokens are drawn from softmax(logits / temperature). */
  readonly temperature?: number;
  /** Draw among so many likeliest tokens only. */
  readonly topK?: number;
  /** Of the draws; default 0. Every row has a stream of its own. */
  readonly seed?: number;
  /** A row ends after any of these, ids or texts of one token, and is padding from then on. Default: the tokenizer's end-of-text token, if it has one. */
  readonly stopTokens?: readonly (number | string)[];
  /** Fire at every step, on the columns that are new in it; on all where a row's rotary frequencies change with its length. */
  readonly hooks?: readonly Hook[];
  /** 1 = token, 0 = padding, for rows of ids that are padded already; they are padded on the left again. */
  readonly attentionMask?: PaddingMask;
  /** False runs all columns again at every step: the same numbers, slowly. */
  readonly cache?: boolean;
  /** Stops before the next step. */
  readonly signal?: AbortSignal | undefined;
}

export interface GeneratedStep {
  /** 0, 1, ... */
  readonly step: number;
  /** The new token of every row; undefined for a row that has ended. */
  readonly tokens: readonly (number | undefined)[];
  /** What the token adds to each row's text; '' for ended rows, without a tokenizer, and until the last byte of a character. */
  readonly texts: readonly string[];
  /** What the tokens were chosen from, [batch][d_vocab]. */
  readonly logits: readonly Float32Array[];
}

/** What was generated, by row. */
export interface Generation {
  /** The new tokens of every row, its stop token included. */
  readonly tokens: readonly (readonly number[])[];
  /** Their texts, special tokens left out; undefined for a model without tokenizer. */
  readonly texts: readonly string[] | undefined;
  /** Why each row ended. */
  readonly ended: readonly ('stop' | 'length')[];
}

/**
 * The continuations of `prompts`. `onStep` is called with every step as it is made.
 *
 * @example const { texts } = await generate(model, 'Once upon a time', { maxNewTokens: 40, temperature: 0.8, topK: 50, seed: 1 });
 * @throws 'input' for a model that is not causal, options out of range, more tokens than the context holds, and
 * as runWithHooks; 'aborted' when stopped.
 */
export async function generate(
  model: Model,
  prompts: Input,
  { onStep, ...options }: GenerateOptions & { readonly onStep?: (step: GeneratedStep) => void } = {},
): Promise<Generation> {
  const run = prepare(model, prompts, options);
  for await (const step of steps(run)) onStep?.(step);
  return {
    tokens: run.rows.map(({ fresh }) => fresh),
    texts: model.tokenizer === undefined ? undefined : run.rows.map(({ text }) => text.all()),
    ended: run.rows.map(({ stopped }) => (stopped ? 'stop' : 'length')),
  };
}

/**
 * The same, as a stream. Leaving the loop early frees everything.
 *
 * @example for await (const { texts } of generateSteps(model, 'Once upon a time')) process.stdout.write(texts[0]);
 * @throws as generate; what is wrong with the arguments at once.
 */
export function generateSteps(
  model: Model,
  prompts: Input,
  options: GenerateOptions = {},
): AsyncGenerator<GeneratedStep, void, undefined> {
  return steps(prepare(model, prompts, options));
}

interface Row {
  readonly fresh: number[];
  readonly text: Continuation;
  stopped: boolean;
}

interface Run {
  readonly model: Model;
  readonly options: GenerateOptions;
  readonly maxNewTokens: number;
  readonly hooks: ResolvedHooks;
  readonly stops: ReadonlySet<number>;
  readonly rows: readonly Row[];
  /** [batch][columns] so far, and which of them are tokens. */
  readonly tokens: number[][];
  readonly mask: number[][];
}

function prepare(model: Model, prompts: Input, options: GenerateOptions): Run {
  const { config, tokenizer } = model;
  const { temperature = 0, topK, attentionMask, prependBos } = options;
  if (!config.attention.causal)
    throw fail(
      'input',
      'generate',
      `${model.name} (${config.family}) reads in both directions, so its next token is not defined; a causal model is needed.`,
    );
  if (config.dVocabOut > config.dVocab)
    throw fail(
      'input',
      'generate',
      `${model.name} answers with ${config.dVocabOut} tokens and reads ${config.dVocab}; what it says cannot be read on.`,
    );
  checkSampling({ temperature, topK });
  const given = toSequences(model, prompts, prependBos === undefined ? {} : { prependBos });
  const rows = attentionMask === undefined ? given : unpadded(given, attentionMask);
  const longest = Math.max(...rows.map((row) => row.length));
  const room = config.nCtx - longest + 1; // the last new token is not read
  if (room < 1)
    throw fail(
      'input',
      'generate',
      `a prompt has ${longest} tokens and the context of ${model.name} holds ${config.nCtx}; shorten it.`,
    );
  const { maxNewTokens = Math.min(20, room) } = options;
  if (!(Number.isInteger(maxNewTokens) && maxNewTokens >= 1))
    throw fail('input', 'maxNewTokens', `${maxNewTokens}; a whole number >= 1 is needed.`);
  if (maxNewTokens > room)
    throw fail(
      'input',
      'maxNewTokens',
      `${maxNewTokens} after a prompt of ${longest} tokens pass the context of ${config.nCtx}; at most ${room} have room.`,
    );
  const { stopTokens = tokenizer?.eosId === undefined ? [] : [tokenizer.eosId] } = options;
  const stops = new Set(stopTokens.map((stop) => (typeof stop === 'string' ? toSingleToken(model, stop) : stop)));
  for (const stop of stops)
    if (!Number.isInteger(stop) || stop < 0 || stop >= config.dVocab)
      throw fail('input', 'stopTokens', `${stop} is no token; ids are 0..${config.dVocab - 1}.`);
  const padded = padRows(rows, 'left');
  return {
    model,
    options,
    maxNewTokens,
    hooks: resolveHooks(config, options.hooks ?? []),
    stops,
    rows: rows.map((prompt) => ({ fresh: [], text: continuation(tokenizer, prompt), stopped: false })),
    tokens: padded.tokens,
    mask: padded.attentionMask,
  };
}

/** The tokens of rows that are padded on either side. */
function unpadded(rows: readonly (readonly number[])[], mask: PaddingMask): number[][] {
  if (mask.length !== rows.length || rows.some((row, r) => row.length !== mask[r].length))
    throw fail('input', 'attention mask', `must be ${rows.length} rows as long as the tokens.`);
  return rows.map((row, r) => {
    const kept = row.filter((_, s) => mask[r][s] === 1);
    if (kept.length === 0)
      throw fail('input', 'attention mask', `row ${r} is all padding; at least one token is needed.`);
    return kept;
  });
}

async function* steps(run: Run): AsyncGenerator<GeneratedStep, void, undefined> {
  const { options, rows } = run;
  const { temperature = 0, topK, seed = 0, signal } = options;
  const randoms = rows.map((_, r) => createRandom(seed, `generate ${r}`));
  const cache = options.cache === false ? undefined : createKeyValueCache();
  try {
    for (let step = 0; step < run.maxNewTokens && rows.some(({ stopped }) => !stopped); step++) {
      await breathe(); // signals and output get their turn
      if (signal?.aborted) throw fail('aborted', 'generate', `stopped on request after ${step} new tokens.`);
      const logits = await lastLogits(run, cache);
      const odd = logits.findIndex((row) => row.some((logit) => Number.isNaN(logit)));
      const cause = odd < 0 ? undefined : await notFiniteIn(run.model, run.tokens[odd]);
      if (cause !== undefined) throw cause;
      const tokens = rows.map((row, r) =>
        row.stopped ? undefined : chooseToken(logits[r], { temperature, topK }, randoms[r]),
      );
      const texts = rows.map(({ text }, r) => (tokens[r] === undefined ? '' : text.add(tokens[r])));
      tokens.forEach((token, r) => {
        if (token !== undefined) rows[r].fresh.push(token);
        if (token !== undefined && run.stops.has(token)) rows[r].stopped = true;
        run.tokens[r].push(token ?? 0);
        run.mask[r].push(token === undefined ? 0 : 1);
      });
      yield { step, tokens, texts, logits };
    }
  } finally {
    cache?.[Symbol.dispose]();
  }
}

/** Whether keys of the first `past` columns are still turned as the whole rows would turn them (not where LongRoPE or dynamic scaling changes). */
function keysStay({ rotary = [] }: ModelConfig, mask: PaddingMask, past: number): boolean {
  const count = (row: readonly number[]): number => row.reduce((sum, kept) => sum + kept, 0);
  return (
    past === 0 ||
    rotary.every((spec) => mask.every((row) => keepsFrequencies(spec, count(row.slice(0, past)), count(row))))
  );
}

/** Logits of the next token of every row, [batch][d_vocab], from the columns that the cache has not seen. */
async function lastLogits(
  { model: { config, parameters }, hooks, tokens, mask }: Run,
  cache: ReturnType<typeof createKeyValueCache> | undefined,
): Promise<Float32Array[]> {
  if (cache !== undefined && !keysStay(config, mask, cache.length)) cache.clear();
  const past = cache?.length ?? 0;
  const columns = tokens[0].length - past;
  const padded = mask.some((row) => row.includes(0));
  // Hooks of the last layer and after it are to see every column; else only the last one is computed there.
  const late = [...hooks.keys()].some(
    (name) => (layerOf(name) ?? (/^(hook_|embed\.)/.test(name) ? -1 : Infinity)) >= config.nLayers - 1,
  );
  const logits = tf.tidy(() => {
    const fresh = tf.tensor2d(
      tokens.map((row) => row.slice(past)),
      undefined,
      'int32',
    );
    const all = forward(config, parameters, fresh, {
      cache,
      attentionMask: padded ? mask : undefined,
      tap: hookTap(hooks, past),
      scored: late ? undefined : [columns - 1],
    });
    return late ? tf.slice(all, [0, columns - 1, 0], [all.shape[0], 1, all.shape[2]]) : all;
  });
  cache?.advance(columns);
  try {
    const [batch, , V] = logits.shape;
    if (batch !== tokens.length)
      throw fail(
        'input',
        'generate',
        `a hook made ${batch} rows of ${tokens.length}; repeat the prompt ${batch} times instead.`,
      );
    const values = (await logits.data()) as Float32Array;
    return tokens.map((_, r) => values.slice(r * V, (r + 1) * V));
  } finally {
    logits.dispose();
  }
}
