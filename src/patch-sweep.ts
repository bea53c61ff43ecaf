/**
 * Activation patching over all places of one kind: what the metric becomes when one activation of a run is that of another run.
 *
 * A place is a player of a component game whose baseline is the other run, a patch the mask that takes this one away, so a sweep
 * is batched, shared, halved, threaded, logged and resumed as masks are: a patch at layer l goes on from the residual of the run
 * at layer l, at position p from the positions before it (past.ts). Equal to TransformerLens's get_act_patch_*. Heimersheim and
 * Nanda, How to use and interpret activation patching, 2024, has the words.
 */
import type { Backend } from './backend/backend.ts';
import { fail } from './errors.ts';
import type { OpenedLog } from './find-circuits.ts';
import { openLedger } from './ledger.ts';
import { ABLATIONS } from './lens/components/ablations.ts';
import type { ComponentGameOptions } from './lens/components/component-game.ts';
import { siteOf, type ComponentKind } from './lens/components/component.ts';
import { parsePlayers, type ComponentPlayer } from './lens/components/components.ts';
import { questionOf } from './lens/components/question.ts';
import type { Task } from './lens/prompts.ts';
import { allButOne } from './masks.ts';
import { disposeMeasured, type Elsewhere, type MeasuredGame } from './measure/elsewhere.ts';
import { openComponents } from './measure/open-game.ts';
import { identifyModel } from './model/identity.ts';
import type { Model } from './model/model.ts';
import { inNotebook } from './notebook/progress-line.ts';
import { endsOf, patchedRuns, recordOfRuns, type PatchedRuns, type Runs } from './patched-runs.ts';
import type { PatchAxis, PatchRecord } from './report/patch-record.ts';
import { STUDY_VERSION, type Study } from './study.ts';

/** What can be patched, by TransformerLens's names; the players of each, and whether positions are patched one by one unless said otherwise. */
const KINDS = {
  resid_pre: { players: 'resid_pre', each: true },
  resid_mid: { players: 'resid_mid', each: true },
  resid_post: { players: 'resid_post', each: true },
  attn_out: { players: 'attns', each: true },
  mlp_out: { players: 'mlps', each: true },
  z: { players: 'heads', each: false },
  q: { players: 'q', each: false },
  k: { players: 'k', each: false },
  v: { players: 'v', each: false },
  pattern: { players: 'patterns', each: false },
  neuron: { players: 'neurons', each: false },
} as const;
/** One of PATCHED. */
export type Patched = keyof typeof KINDS;
/** What can be patched. */
export const PATCHED = Object.keys(KINDS) as readonly Patched[];

/** Two runs, what is patched of them, and whether position by position. */
export interface PatchSweepOptions extends PatchedRuns {
  readonly what: Patched;
  /** Patch every position by itself, or all together. Default: 'each' for streams and layers, 'together' for heads and neurons. */
  readonly positions?: 'each' | 'together' | undefined;
  /** All when absent. */
  readonly layers?: readonly number[] | undefined;
  /** Who measures in place of this process; the two runs themselves are measured here all the same. */
  readonly elsewhere?: Elsewhere | undefined;
  /** Opens the log that measured values go to; of neurons once for every layer. */
  readonly openLog?: ((study: Study) => Promise<OpenedLog> | OpenedLog) | undefined;
}

/** Players of one game: of more the masks, which have a bit for each, would take more than the values are worth. */
const MOST_PLAYERS = 8192;

/**
 * The metric with every place patched in turn.
 *
 * @example const sweep = await patchSweep(model, backend, { clean, corrupted, correct: ' Mary', incorrect: ' John', what: 'resid_pre' });
 * @throws 'input' for prompts that do not fit each other, places that the model has not, answers that a metric lacks; 'aborted'.
 */
export function patchSweep(
  model: Model,
  backend: Pick<Backend, 'name'>,
  options: PatchSweepOptions,
): Promise<PatchRecord> {
  return inNotebook(options, (told) => sweep(model, backend, told));
}

async function sweep(model: Model, backend: Pick<Backend, 'name'>, options: PatchSweepOptions): Promise<PatchRecord> {
  const { what, layers } = options;
  if (!Object.hasOwn(KINDS, what))
    throw fail('input', 'patchSweep', `"${String(what)}" cannot be patched; there are ${PATCHED.join(', ')}.`);
  const each = options.positions === undefined ? KINDS[what].each : options.positions === 'each';
  const runs = patchedRuns(model, options);
  const length = lengthOf(runs.tasks, each);
  const keyword = `${KINDS[what].players}${each ? '@positions' : ''}`;
  const started = performance.now();
  const players = parsePlayers(keyword, model.config, { layers, length }).toSorted(byPlace);
  const values = new Float64Array(players.length);
  let [done, rows] = [0, 0];
  const report = (some: number): void =>
    options.onProgress?.({ stage: `patching ${what}`, done: (done += some), total: players.length });
  for (const part of partsOf(players)) {
    const found = await measure(model, backend, { ...options, ...runs, players: part.players }, report);
    values.set(found.values, part.start);
    rows += found.rows;
  }
  const ends = await endsOf(model, runs);
  return {
    ...recordOfRuns(model, backend, options, runs),
    what: each === KINDS[what].each ? what : `${what}, ${each ? 'position by position' : 'all positions together'}`,
    axes: axesOf(model, what, { layers, length: each ? length : undefined, tasks: runs.tasks }),
    values: Array.from(values),
    ...ends,
    rows,
    seconds: (performance.now() - started) / 1000,
  };
}

/** By layer, position, head. */
function byPlace({ components: [a] }: ComponentPlayer, { components: [b] }: ComponentPlayer): number {
  return (a.layer ?? 0) - (b.layer ?? 0) || (a.position ?? 0) - (b.position ?? 0) || a.element - b.element;
}

/** @throws 'input' where positions are patched one by one in prompts of several lengths. */
function lengthOf(tasks: readonly Task[], each: boolean): number {
  const lengths = tasks.map(({ tokens }) => tokens.length);
  const [least, most] = [Math.min(...lengths), Math.max(...lengths)];
  if (!each || least === most) return most;
  throw fail(
    'input',
    'patching',
    `the prompts have ${least} to ${most} tokens; patching position by position needs one length. Patch positions together, or prompt by prompt.`,
  );
}

/** Few enough players for one game: all, or those of each layer. */
function partsOf(
  players: readonly ComponentPlayer[],
): readonly { readonly start: number; readonly players: readonly ComponentPlayer[] }[] {
  if (players.length <= MOST_PLAYERS) return [{ start: 0, players }];
  const starts = players.flatMap(({ components: [{ layer }] }, i) =>
    i === 0 || layer !== players[i - 1].components[0].layer ? [i] : [],
  );
  return starts.map((start, k) => ({ start, players: players.slice(start, starts[k + 1]) }));
}

/** The value of every mask that leaves one player out. */
async function measure(
  model: Model,
  backend: Pick<Backend, 'name'>,
  options: PatchSweepOptions & Runs & Pick<ComponentGameOptions, 'players'>,
  report: (some: number) => void,
): Promise<{ readonly values: Float64Array; readonly rows: number }> {
  const { players, tasks, metric, openLog, signal, batchSize, threads, elsewhere } = options;
  const asked: ComponentGameOptions = { players, tasks, metric, ablation: ABLATIONS.resample };
  const study = await studyOf(model, elsewhere?.backend ?? backend.name, asked);
  const game: MeasuredGame =
    elsewhere === undefined ? openComponents(asked, model, { batchSize, threads }) : await elsewhere.open(study);
  let log: OpenedLog | undefined;
  try {
    log = openLog && (await openLog(study));
    const ledger = openLedger(game, log);
    const values = await ledger.value(allButOne(players.length), { signal, onValues: (rows) => report(rows.length) });
    return { values, rows: ledger.measured * tasks.length };
  } finally {
    log?.close();
    await disposeMeasured(game);
  }
}

async function studyOf(model: Model, backend: string, asked: ComponentGameOptions): Promise<Study> {
  return { spexlens: STUDY_VERSION, model: await identifyModel(model), backend, question: questionOf(asked) };
}

/** The token at a position of the runs that are patched, as text: of several prompts theirs, `Mary/John`, the first three. */
function tokenAt(tasks: readonly Task[], position: number): string {
  const texts = [...new Set(tasks.map(({ strTokens, tokens }) => strTokens[position] ?? `[${tokens[position]}]`))];
  return `${texts.slice(0, 3).join('/')}${texts.length > 3 ? '/…' : ''}`;
}

function axesOf(
  { config }: Model,
  what: Patched,
  {
    layers,
    length,
    tasks,
  }: { layers: readonly number[] | undefined; length: number | undefined; tasks: readonly Task[] },
): PatchAxis[] {
  const kinds: Readonly<Partial<Record<string, ComponentKind>>> = {
    heads: 'head',
    neurons: 'neuron',
    patterns: 'pattern',
    q: 'q',
    k: 'k',
    v: 'v',
  };
  const [first] = layers ?? [0];
  const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
  const axes: PatchAxis[] = [{ name: 'layer', labels: layers?.map(String) ?? numbers(config.nLayers) }];
  if (length !== undefined) {
    axes.push({ name: 'position', labels: numbers(length).map((_, p) => tokenAt(tasks, p)) });
  }
  const kind = kinds[KINDS[what].players];
  if (kind !== undefined)
    axes.push({
      name: kind === 'neuron' ? 'neuron' : 'head',
      labels: numbers(siteOf({ kind, layer: first }, config).elements),
    });
  return axes;
}
