/**
 * What is measured: a model, a prompt and masks over its parts, the same for every way and every backend.
 *
 * The job is plain data: it goes to processes that measure and into the record. The value of a mask is the logit difference
 * of two tokens at the last position, parts ablated to zero.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { masksFromHex, masksFromMembers, keptPlayers, maskHex, type Masks } from '../../src/masks.ts';
import { fail } from '../../src/errors.ts';
import { parsePlayers, type ComponentPlayer } from '../../src/lens/components/components.ts';
import { readPrompts, type Task } from '../../src/lens/prompts.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { parameterCount, type ModelConfig } from '../../src/model/config.ts';
import { familyOf } from '../../src/model/families/families.ts';
import { loadTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';
import { createRandom } from '../../src/random.ts';

export const DESIGNS = ['random', 'leave-one-out'] as const;
export type Design = (typeof DESIGNS)[number];

export interface Job {
  readonly folder: string;
  readonly name: string;
  readonly config: ModelConfig;
  /** As parsePlayers takes it. */
  readonly players: string;
  readonly tokens: readonly number[];
  readonly correct: number;
  readonly incorrect: number;
  /** Hex, as in run logs. */
  readonly masks: readonly string[];
  /** How many of the masks the loop does, and the batched hooks. */
  readonly loopMasks: number;
  readonly hookMasks: number;
  /** Rows of a batch of the batched hooks. */
  readonly hookBatch: number;
  /** Masks of a batch of the engine; null: as it chooses. */
  readonly batchSize: number | null;
  /** A measurement repeats all its masks until it lasted this long. */
  readonly seconds: number;
}

export interface JobOptions {
  readonly players: string;
  readonly design: Design;
  /** Undefined: the default for a model of this size. */
  readonly masks: number | undefined;
  readonly loopMasks: number | undefined;
  readonly hookBatch: number | undefined;
  readonly batchSize: number | undefined;
  /** Tokens of a random prompt; the folder's first prompt when undefined and there is one. */
  readonly length: number | undefined;
  readonly seconds: number;
  readonly seed: number;
}

const LENGTH = 16;
/** Defaults by size of the model: with 50 times the parameters a row takes 100 times as long. */
const SMALL = { below: 10e6, masks: 2048, loopMasks: 128, hookBatch: 64, hookMasks: 512 };
const LARGE = { masks: 64, loopMasks: 8, hookBatch: 32, hookMasks: 32 };

/** @throws 'input' for options that do not fit the model; the checkpoint's own errors. */
export async function makeJob(folder: string, name: string, options: JobOptions): Promise<Job> {
  const checkpoint = await openCheckpoint(folder);
  const config = familyOf(checkpoint.config).readConfig(checkpoint.config, new Set(checkpoint.tensors.keys()));
  if (config.attention.causal === false)
    throw fail('input', '--model', `${name} is no causal model; a logit difference at the last position needs one.`);
  const defaults = parameterCount(config) < SMALL.below ? SMALL : LARGE;
  const players = parsePlayers(options.players, config);
  if (
    players.some(({ components }) =>
      components.some(({ kind, position }) => position !== undefined || kind === 'embed'),
    )
  )
    throw fail(
      'input',
      '--players',
      `"${options.players}" has single positions or the embedding, which the loop does not know; use heads, mlps, attns, neurons or groups of them.`,
    );
  const masks = drawnMasks(options, players.length, defaults.masks);
  const least = (count: number): number => Math.max(1, Math.min(count, masks.count));
  const hookBatch = options.hookBatch ?? defaults.hookBatch;
  return {
    folder,
    name,
    config,
    players: options.players,
    ...(await promptOf(folder, config, options)),
    masks: Array.from({ length: masks.count }, (_, row) => maskHex(masks, row)),
    loopMasks: least(options.loopMasks ?? defaults.loopMasks),
    hookMasks: least(Math.max(hookBatch, defaults.hookMasks)),
    hookBatch: least(hookBatch),
    batchSize: options.batchSize ?? null,
    seconds: options.seconds,
  };
}

function drawnMasks({ design, masks, seed }: JobOptions, players: number, standard: number): Masks {
  if (design === 'random') return proxyMasks(players, masks ?? standard, seed);
  const everyone = Array.from({ length: players }, (_, i) => i);
  const sets = [everyone, ...everyone.map((off) => everyone.filter((i) => i !== off))];
  return masksFromMembers(players, sets.slice(0, masks ?? sets.length));
}

async function promptOf(
  folder: string,
  config: ModelConfig,
  { length, seed }: JobOptions,
): Promise<Pick<Job, 'tokens' | 'correct' | 'incorrect'>> {
  const path = join(folder, 'prompts.jsonl');
  if (length === undefined && existsSync(path)) {
    const [{ prompt, correct, incorrect }] = await readPrompts(path);
    const tokenizer = await loadTokenizer(folder);
    const pair = [correct, incorrect].map((text = 0) =>
      typeof text === 'number' ? text : tokenizer.toSingleToken(text),
    );
    const tokens = typeof prompt === 'string' ? tokenizer.encode(prompt) : [...prompt];
    return { tokens, correct: pair[0], incorrect: pair[1] };
  }
  const count = length ?? LENGTH;
  if (count < 1 || count > config.nCtx)
    throw fail('input', '--length', `${count} tokens; 1 to ${config.nCtx} fit this model.`);
  const random = createRandom(seed, 'bench-ablation/prompt');
  const [correct, incorrect] = random.shuffle(random.subset(config.dVocabOut, 2));
  return { tokens: Array.from({ length: count }, () => random.integer(config.dVocab)), correct, incorrect };
}

export function playersOf(job: Job): ComponentPlayer[] {
  return parsePlayers(job.players, job.config);
}

/** The first `count` masks; all when absent. */
export function masksOf(job: Job, count = job.masks.length): Masks {
  return masksFromHex(playersOf(job).length, job.masks.slice(0, count));
}

/** The prompt as a game takes it. */
export function taskOf({ tokens, correct, incorrect }: Job): Task {
  return {
    label: `${tokens.length} tokens`,
    text: { prompt: `${tokens.length} tokens` },
    tokens,
    correct,
    incorrect,
    corrupted: undefined,
    strTokens: tokens.map(String),
  };
}

/** Every mask as 0 and 1 per head, in the order L0H0, L0H1, ...; undefined where players are not heads. Heads that are no player stay. */
export function headMasks(job: Job): number[][] | undefined {
  const players = playersOf(job);
  if (players.some(({ components }) => components.some(({ kind }) => kind !== 'head'))) return undefined;
  const { nLayers, nHeads } = job.config;
  const masks = masksOf(job);
  return Array.from({ length: masks.count }, (_, row) => {
    const kept = new Set(keptPlayers(masks, row));
    const bits = Array.from({ length: nLayers * nHeads }, () => 1);
    players.forEach(({ components }, i) => {
      if (!kept.has(i)) for (const { layer, element } of components) bits[(layer as number) * nHeads + element] = 0;
    });
    return bits;
  });
}
