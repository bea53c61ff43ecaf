/**
 * The main job as one function: a model and a task in, a Result out.
 *
 * tokens -> ablation game -> solver -> spectrum -> indices -> circuit, re-measured on the same game. The
 * command line (scripts/find-circuits.ts) and notebooks call this; it writes nothing but the run log.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { arch, platform } from 'node:process';
import type { Backend } from './backend/backend.ts';
import { masksFromMembers } from './masks.ts';
import { findCircuit } from './circuit/find-circuit.ts';
import { removalCurve } from './circuit/removal.ts';
import { fail } from './errors.ts';
import { memoise, type Game, type ValueOptions } from './game.ts';
import { ABLATIONS, type Ablation } from './lens/components/ablation.ts';
import {
  createComponentGame,
  type ComponentGame,
  type ComponentGameOptions,
} from './lens/components/component-game.ts';
import { parsePlayers, type ComponentPlayer } from './lens/components/components.ts';
import { metricOf } from './lens/metrics.ts';
import { canPool, createPooledGame, type PooledGame } from './measure/pooled-game.ts';
import { readPrompts, toTasks, type Prompt } from './lens/prompts.ts';
import type { RunIdentity, RunLog } from './measure/run-log.ts';
import { openCheckpoint } from './checkpoint/checkpoint.ts';
import { tokenizerOf, type Model } from './model/model.ts';
import { capSpectrum, listInteractions } from './report/interactions.ts';
import { RESULT_SCHEMA, type Result } from './report/result.ts';
import { mostMasks, type Adaptive, type AdaptiveOptions } from './solve/adaptive.ts';
import { solve } from './solve/solve.ts';
import { directSubsetRate, energyByOrder, energySplit, staircaseRate } from './spectrum/energy.ts';
import { banzhaf, shapley } from './spectrum/indices.ts';
import type { Solution } from './solver.ts';
import { setKey, type FourierSpectrum } from './spectrum/spectrum.ts';
import { VERSION } from './version.ts';

export interface FindCircuitsOptions {
  readonly prompts: readonly Prompt[];
  /** See parsePlayers; default 'heads'. */
  readonly players?: string | undefined;
  /** Layers that keywords in `players` cover. */
  readonly layers?: readonly number[] | undefined;
  /** Default 'zero'. */
  readonly ablation?: string | undefined;
  /** With zero ablation of whole heads: multiply a layer's heads that stay on by its heads / those on. Default false. */
  readonly rescale?: boolean | undefined;
  /** Prompts that mean ablation averages over; default the model folder's prompts.jsonl, or `prompts` when there are several. */
  readonly meanPrompts?: readonly Prompt[] | undefined;
  /** Default 'logit-diff'. */
  readonly metric?: string | undefined;
  /** Default 'auto'. */
  readonly solver?: string | undefined;
  /** Distinct masks the solver may measure; default 1,024. */
  readonly budget?: number | undefined;
  /** Instead of a budget: masks in rounds until the lower bound of held-out R² passes `targetR2`, `maxBudget` at most. */
  readonly adaptive?: Pick<AdaptiveOptions, 'targetR2' | 'maxBudget'> | undefined;
  /** Fresh masks to score the answer on; default 512. */
  readonly heldOut?: number | undefined;
  /** Share of the metric the circuit keeps; default 0.9. */
  readonly target?: number | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
  readonly batchSize?: number | undefined;
  /** Threads that measure, on wasm and cpu; default 'auto': this one, and the machine's cores once that is worth it. */
  readonly threads?: number | 'auto' | undefined;
  /** The command that repeats the run, for the record. */
  readonly command?: string | undefined;
  /** Opens the log that measured values go to, for the identity of this run; the callee closes it. */
  readonly openLog?: ((players: readonly string[], identity: RunIdentity) => Promise<RunLog> | RunLog) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?:
    | ((progress: { readonly stage: string; readonly done: number; readonly total: number }) => void)
    | undefined;
}

/** What the additive answer is called where its choices are measured beside ours. */
const FIRST_ORDER = 'first order';
/** Largest terms that the hierarchy rates look at. */
const HIERARCHY_TERMS = 200;
/** Sizes of the removal curve, denser at few players removed, and random sets of each. */
const REMOVALS = 16;
const RANDOM_REMOVALS = 20;

/**
 * Takes `model` apart on `prompts`.
 * @throws SpexlensError on input that cannot be used, a budget too small, a log of another run, or an abort.
 */
export async function findCircuits(model: Model, backend: Backend, options: FindCircuitsOptions): Promise<Result> {
  const startedAt = new Date();
  const settings = withDefaults(options);
  const metric = metricOf(settings.metric);
  const tasks = toTasks(model, options.prompts, metric, settings.ablation === 'resample');
  const lengths = new Set(tasks.map((task) => task.tokens.length));
  const players = parsePlayers(settings.players, model.config, {
    layers: options.layers,
    length: lengths.size === 1 ? tasks[0].tokens.length : undefined,
  });
  const meanOver = settings.ablation.startsWith('mean') ? await meanRows(model, options) : undefined;
  const weightsHash = await hashWeights(model);
  const game = gameOf(
    model,
    {
      players,
      tasks,
      metric,
      ablation: settings.ablation,
      rescale: settings.rescale,
      meanOver,
      batchSize: options.batchSize,
    },
    settings.threads,
  );
  let log: RunLog | undefined;
  try {
    log = await options.openLog?.(
      players.map((player) => player.name),
      {
        model: model.name,
        weights: weightsHash,
        backend: backend.name,
        components: players.map((player) =>
          player.components.map((c) => [c.kind, c.layer ?? null, c.element, c.position ?? null]),
        ),
        prompts: tasks.map(({ tokens, correct, incorrect, corrupted }) => [
          tokens,
          correct ?? null,
          incorrect ?? null,
          settings.ablation === 'resample' ? (corrupted ?? null) : null,
        ]),
        metric: metric.name,
        ablation: settings.ablation,
        // Absent by default: logs from before these options go on.
        ...(settings.rescale ? { rescale: true } : {}),
        ...(model.storage === 'float32' ? {} : { storage: model.storage }),
        meanOver: meanOver ?? null,
      },
    );
    const clock = { ms: 0, masks: 0 };
    const memo = memoise(timed(game, clock), log);
    const { solution, heldOut, firstOrder } = await solve(memo, {
      ...settings,
      signal: options.signal,
      onProgress: options.onProgress,
    });
    const { spectrum } = solution;
    const [ablated, clean] = await memo.value(masksFromMembers(players.length, [[], players.map((_, i) => i)]), {
      signal: options.signal,
    });
    const rivals = { [FIRST_ORDER]: firstOrder };
    const circuit = await circuitOf(spectrum, rivals, memo, settings.target, settings.seed, options);
    const removal = await removalOf(spectrum, rivals, memo, settings.seed, options);
    const { adaptive, ...details } = solution.details as { readonly adaptive?: Adaptive } & Record<string, unknown>;
    const [banzhafs, shapleys] = [banzhaf(spectrum), shapley(spectrum)];
    const values = players.map((_, i) => ({ banzhaf: banzhafs[i], shapley: shapleys[i] }));
    const split = energySplit(spectrum, players);
    return {
      schema: RESULT_SCHEMA,
      software: { name: 'spexlens', version: VERSION, node: process.version, platform: `${platform} ${arch}` },
      startedAt: startedAt.toISOString(),
      run: {
        command: options.command ?? '',
        options: { ...plain(options, settings), storage: model.storage },
        seed: settings.seed,
      },
      model: {
        name: model.name,
        family: model.config.family,
        layers: model.config.nLayers,
        heads: model.config.nHeads,
        parameters: model.parameterCount,
        weightsHash,
      },
      backend: {
        name: backend.name,
        reason: `${backend.device}; ${backend.why}${model.storage === 'float32' ? '' : `; weights in ${model.storage}`}`,
        notes: [
          ...backend.passedOver.map(({ name, why }) => `${name}: ${why}`),
          ...(game.alone === undefined ? [] : [`more threads: ${game.alone}`]),
        ],
        selfCheckError: backend.selfCheckError,
      },
      task: {
        prompts: tasks.map(({ prompt, strTokens }) => ({
          text: prompt.prompt,
          tokens: strTokens,
          ...present({ correct: prompt.correct, incorrect: prompt.incorrect, corrupted: prompt.corrupted }),
        })),
        metric: metric.name,
        units: metric.unit,
        ablation: settings.rescale ? `rescaled ${settings.ablation}` : settings.ablation,
        players: pluralOf(players),
      },
      players: players.map(({ name, layer, head }) => ({ name, ...present({ layer, head }) })),
      clean,
      ablated,
      masks: {
        budget:
          settings.adaptive === undefined
            ? settings.budget
            : (settings.adaptive.maxBudget ?? mostMasks(players.length)),
        measured: memo.measured,
        resumed: memo.resumed,
        heldOut: heldOut?.masks ?? 0,
        forwardRows: memo.measured * game.rowsPerMask,
        rowsPerSecond: clock.ms === 0 ? 0 : (1000 * clock.masks * game.rowsPerMask) / clock.ms,
        seconds: clock.ms / 1000,
        ...present({ threads: game.threads === 1 ? undefined : game.threads }),
      },
      solver: { name: solution.solver, masks: solution.masks, exact: solution.exact, details },
      spectrum: capSpectrum(spectrum),
      ...present({ heldOut, adaptive }),
      energy: { ...split, byOrder: shares(spectrum, split.total) },
      hierarchy: {
        terms: HIERARCHY_TERMS,
        directSubsetRate: directSubsetRate(spectrum, HIERARCHY_TERMS),
        staircaseRate: staircaseRate(spectrum, HIERARCHY_TERMS),
      },
      values,
      interactions: listInteractions(spectrum, players, values, belowNoise(solution)),
      ...present({ circuit, removal }),
      files: [],
    };
  } finally {
    log?.close();
    game[Symbol.dispose]();
  }
}

interface Settings {
  readonly players: string;
  readonly ablation: Ablation;
  readonly rescale: boolean;
  readonly metric: string;
  readonly solver: string;
  readonly budget: number;
  readonly heldOut: number;
  readonly adaptive: Pick<AdaptiveOptions, 'targetR2' | 'maxBudget'> | undefined;
  readonly target: number;
  readonly seed: number;
  readonly threads: number | 'auto';
}

function withDefaults(options: FindCircuitsOptions): Settings {
  const {
    players = 'heads',
    ablation = 'zero',
    rescale = false,
    metric = 'logit-diff',
    solver = 'auto',
    adaptive,
    heldOut = 512,
    target = 0.9,
    seed = 0,
    threads = 'auto',
  } = options;
  const { budget = 1024 } = options;
  if (!(ABLATIONS as readonly string[]).includes(ablation))
    throw fail('input', 'ablation', `"${ablation}" is unknown; there are ${ABLATIONS.join(', ')}.`);
  if (!Number.isInteger(budget) || budget < 1)
    throw fail('budget', 'budget', `${budget} masks; a whole number >= 1 is needed.`);
  if (!Number.isInteger(heldOut) || heldOut < 0)
    throw fail('input', 'held-out', `${heldOut} masks; a whole number >= 0 is needed.`);
  if (!(target > 0 && target <= 1)) throw fail('input', 'target', `${target}; a share in (0, 1] is needed, e.g. 0.9.`);
  return {
    players,
    ablation: ablation as Ablation,
    rescale,
    metric,
    solver,
    budget,
    heldOut,
    adaptive,
    target,
    seed,
    threads,
  };
}

/** The game, and the threads it may have. Backends that use every core themselves have this one. */
function gameOf(
  model: Model,
  options: ComponentGameOptions,
  threads: number | 'auto',
): ComponentGame & Partial<PooledGame> {
  return threads === 1 || (threads === 'auto' && !canPool())
    ? createComponentGame(model, options)
    : createPooledGame(model, options, { threads });
}

/** No circuit where the metric is the same with everything kept and everything ablated: there is no share to keep. */
async function circuitOf(
  spectrum: FourierSpectrum,
  rivals: Readonly<Record<string, FourierSpectrum>>,
  game: Game,
  target: number,
  seed: number,
  { signal, onProgress }: FindCircuitsOptions,
): Promise<Result['circuit']> {
  const [empty, full] = await game.value(masksFromMembers(game.players.length, [[], game.players.map((_, i) => i)]));
  if (Math.abs(full - empty) <= 1e-9 * Math.max(Math.abs(full), Math.abs(empty))) return undefined;
  return findCircuit(spectrum, game, {
    target,
    seed,
    rivals,
    signal,
    onProgress: (progress) => onProgress?.({ ...progress, stage: `circuit: ${progress.stage}` }),
  });
}

/** The removal curve at REMOVALS sizes; none where f(all) is 0 and no share of it can be lost. */
async function removalOf(
  spectrum: FourierSpectrum,
  rivals: Readonly<Record<string, FourierSpectrum>>,
  game: Game,
  seed: number,
  { signal, onProgress }: FindCircuitsOptions,
): Promise<Result['removal']> {
  const n = game.players.length;
  const [empty, full] = await game.value(masksFromMembers(n, [[], game.players.map((_, i) => i)]));
  if (Math.abs(full) <= 1e-9 * Math.abs(empty) || full === 0) return undefined;
  const sizes = [
    ...new Set(
      Array.from({ length: Math.min(REMOVALS, n) }, (_, k) =>
        Math.max(1, Math.round(n * ((k + 1) / Math.min(REMOVALS, n)) ** (n > REMOVALS ? 2 : 1))),
      ),
    ),
  ];
  onProgress?.({ stage: 'removal', done: 0, total: sizes.length });
  const curve = await removalCurve(spectrum, game, { seed, rivals, sizes, randomSets: RANDOM_REMOVALS, signal });
  onProgress?.({ stage: 'removal', done: sizes.length, total: sizes.length });
  return curve;
}

/** The sets that the solver could not tell from noise, by setKey; SPEX says so of each term. */
function belowNoise({ details }: Solution): Set<string> {
  const terms = (details['terms'] ?? []) as readonly {
    readonly members?: readonly number[];
    readonly belowNoise?: boolean;
  }[];
  return new Set(
    Array.isArray(terms)
      ? terms.filter((term) => term.belowNoise === true).map((term) => setKey(term.members ?? []))
      : [],
  );
}

/** Adds up the time that measuring takes. */
function timed(game: Game, clock: { ms: number; masks: number }): Game {
  return {
    name: game.name,
    players: game.players,
    async value(masks, options?: ValueOptions) {
      const start = performance.now();
      try {
        return await game.value(masks, options);
      } finally {
        clock.ms += performance.now() - start;
        clock.masks += masks.count;
      }
    },
  };
}

/** Token rows of the data set that mean ablation averages over. */
async function meanRows(model: Model, options: FindCircuitsOptions): Promise<number[][]> {
  let prompts = options.meanPrompts;
  const bundled = model.folder === undefined ? undefined : join(model.folder, 'prompts.jsonl');
  if (prompts === undefined && options.prompts.length > 1) prompts = options.prompts;
  if (prompts === undefined && bundled !== undefined && (await stat(bundled).catch(() => undefined)) !== undefined)
    prompts = await readPrompts(bundled);
  if (prompts === undefined)
    throw fail(
      'input',
      'mean ablation',
      'needs a data set to average over; give --mean-prompts file.jsonl, or several prompts.',
    );
  const tokenizer = tokenizerOf(model);
  return prompts.map(({ prompt }) => tokenizer.encode(prompt));
}

/** SHA-256 over the bytes of the weight files, in name order. */
async function hashWeights(model: Model): Promise<string> {
  if (model.folder === undefined) return 'in memory';
  const { files } = await openCheckpoint(model.folder);
  const hash = createHash('sha256');
  for (const file of files) for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function shares(spectrum: FourierSpectrum, total: number): { order: number; share: number }[] {
  return energyByOrder(spectrum)
    .map((energy, order) => ({ order, share: total === 0 ? 0 : energy / total }))
    .filter(({ order }) => order > 0);
}

function pluralOf(players: readonly ComponentPlayer[]): string {
  const kinds = new Set(players.map(({ components }) => (components.length > 1 ? 'groups' : components[0].kind)));
  const plural = {
    head: 'heads',
    neuron: 'neurons',
    mlp: 'MLP layers',
    attn: 'attention layers',
    embed: 'embeddings',
    groups: 'groups',
  };
  const [kind] = kinds;
  if (kinds.size > 1) return 'parts';
  return players.every(({ components }) => components[0].position !== undefined)
    ? `${plural[kind]} at single positions`
    : plural[kind];
}

/** The record without its undefined fields. */
function present<T extends Record<string, unknown>>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function plain(options: FindCircuitsOptions, settings: Settings): Record<string, unknown> {
  return {
    ...settings,
    layers: options.layers ?? null,
    batchSize: options.batchSize ?? null,
    prompts: options.prompts.length,
  };
}
