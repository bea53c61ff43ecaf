/**
 * The feature lens measured on texts written for it (bench/feature-lens/texts.jsonl): R² on masks that were not fitted, removal, how
 * many of the sentences that carry an answer are found, and ContextCite's two questions.
 *
 *     npx tsx bench/feature-lens.ts --model SmolLM2-135M-Instruct.Q4_1.gguf --backend tensorflow [--minutes 6]
 *     npx tsx bench/feature-lens.ts --write docs/feature-lens-tables.md
 *
 * Every value is measured once and logged under --folder, and every method is fitted on the same values; a stopped run goes on where
 * it was. alpha: alpha·n·log2(n) masks, both ends among them.
 */
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { runCommand, terminal, whole, type Running } from '../cli/command.ts';
import { mostChanging } from '../src/circuit/removal.ts';
import { fail, SpexlensError } from '../src/errors.ts';
import { absenceOf, type AbsenceName } from '../src/lens/tokens/absences.ts';
import { tableOf } from '../src/mask-table.ts';
import { concatMasks, masksFromMembers, selectRows, type Masks } from '../src/masks.ts';
import { identifyModel } from '../src/model/identity.ts';
import { loadModel } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { proxyMasks } from '../src/proxy/proxyspex.ts';
import { createRandom } from '../src/random.ts';
import { SOLVERS } from '../src/solve/solve.ts';
import type { Solver } from '../src/solver.ts';
import { spearman } from '../src/spectrum/correlation.ts';
import { topInteractions } from '../src/spectrum/energy.ts';
import { r2 } from '../src/spectrum/r2.ts';
import { evaluate, type FourierSpectrum } from '../src/spectrum/spectrum.ts';
import { spex } from '../src/spex/spex.ts';
import { uniformMasks } from '../src/uniform-masks.ts';
import { ABLATIONS, fitContextCite, logProbOf, mostLowering } from './feature-lens/context-cite.ts';
import { openScores, type Job, type Score, type Scores } from './feature-lens/scores.ts';
import { tablesOf } from './feature-lens/tables.ts';
import { openText, type TextGame } from './feature-lens/text-game.ts';
import { BUCKETS, readTexts, type BenchText } from './feature-lens/texts.ts';
import { cpuSeconds, METHODS } from './proxy/methods.ts';
import { REFERENCE_GRID } from '../src/proxy/trees/tune.ts';

const HELD = 128;
/** The largest alpha; masks of a smaller one are the first of its. */
const MOST = 8;
/** Methods on uniform masks, by their names in bench/proxy/methods.ts; auto is what `spexlens prompt` answers. */
const FITTED = ['lasso', 'kernel shap', 'order 2', 'proxyspex', 'stack', 'auto'];
/** Solvers that choose their own masks. */
const OWN_MASKS: Readonly<Record<string, Solver>> = { spex: spex({ degrade: true }), gradspex: SOLVERS.gradspex };
/** Where the removal curves and the recovery are taken. */
const AT = 2;
const REMOVED = [1, 2, 3, 5, 8];
const CITED = [1, 3, 5];
const TOP = 10;

interface Flags {
  readonly model?: string;
  readonly backend: string;
  readonly absence: string;
  readonly folder: string;
  readonly buckets: string;
  readonly tasks: string;
  readonly texts: string;
  readonly alphas: string;
  readonly methods: string;
  readonly minutes: string;
  readonly write?: string;
  readonly debug?: boolean;
}

const command = new Command('bench-feature-lens')
  .description('Measure the feature lens on texts written for it.')
  .option('--model <path>', 'a model whose texts are measured; without one only tables are made')
  .option('--backend <name>', 'tensorflow, wasm, ...', 'tensorflow')
  .option('--absence <name>', 'what it means that a part is absent', 'remove')
  .option('--folder <path>', 'measured values and scores', 'out/feature-lens')
  .option('--buckets <list>', 'least numbers of parts', BUCKETS.join(','))
  .option('--tasks <list>', 'of sentiment, question, examples', 'sentiment,question,examples')
  .option('--texts <n>', 'texts of a bucket at most', '20')
  .option('--alphas <list>', 'masks as multiples of n log2 n', '1,2,4,8')
  .option('--methods <list>', `of ${[...FITTED, ...Object.keys(OWN_MASKS)].join(', ')}`, FITTED.join(','))
  .option('--minutes <n>', 'stop after so many; 0: when done', '0')
  .option('--write <file>', 'write the tables of all that was measured')
  .option('--debug', 'show stack traces');

const numbers = (option: string, text: string): number[] => text.split(',').map((each) => whole(option, each.trim()));
const alphasOf = (text: string): number[] => {
  const list = numbers('--alphas', text);
  if (list.some((alpha) => alpha < 1 || alpha > MOST)) throw fail('input', '--alphas', `"${text}"; 1 to ${MOST} each.`);
  return list;
};
const names = (option: string, text: string, known: readonly string[]): string[] => {
  const list = text.split(',').map((each) => each.trim());
  const unknown = list.find((each) => !known.includes(each));
  if (unknown !== undefined) throw fail('input', option, `"${unknown}" is unknown; there are ${known.join(', ')}.`);
  return list;
};

/** One text and what is done to it. */
interface Work {
  readonly text: BenchText;
  readonly game: TextGame;
  /** Whose score it is. */
  readonly of: Pick<Score, 'model' | 'absence' | 'id'>;
  readonly scores: Scores;
  readonly alphas: readonly number[];
  readonly methods: readonly string[];
  readonly signal: AbortSignal;
}

const budgetOf = (players: number, alpha: number): number => Math.ceil(alpha * players * Math.log2(players));
const rows = (masks: Masks, from: number, to: number): Masks =>
  selectRows(
    masks,
    Array.from({ length: Math.min(to, masks.count) - from }, (_, k) => from + k),
  );
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

/** Everything that is asked of one text and not scored yet. */
async function scoreText(work: Work): Promise<void> {
  const { text, game, of, scores, alphas, methods, signal } = work;
  const { ledger } = game;
  const n = ledger.players.length;
  const record = (job: Job, alpha: number, method: string, values: Score['values']): void =>
    scores.add({ ...of, players: n, job, alpha, method, values });
  const lacks = (job: Job, alpha: number, method: string): boolean => !scores.has({ ...of, job, alpha, method });
  const every = proxyMasks(n, budgetOf(n, MOST), 0);
  const masks = rows(every, 0, budgetOf(n, Math.max(...alphas)));
  const left = n < 31 ? 2 ** n - every.count : Infinity;
  const held = uniformMasks(n, Math.min(HELD, left), createRandom(0, 'feature-lens/held'), tableOf(every));
  const own = methods.filter((method) => method in OWN_MASKS);
  const fitted = methods.filter((method) => !own.includes(method));
  const cites = text.task === 'question' && of.absence === 'remove' && lacks('cite', ABLATIONS, 'contextcite');
  if (!cites && !alphas.some((alpha) => methods.some((method) => lacks('r2', alpha, method)))) return;
  const started = performance.now();
  if (fitted.length > 0) await ledger.value(masks, { signal });
  const truth = await ledger.value(held, { signal });
  const seconds = (performance.now() - started) / 1000;
  for (const alpha of alphas) {
    const some = rows(masks, 0, budgetOf(n, alpha));
    for (const method of methods.filter((each) => lacks('r2', alpha, each))) {
      if (signal.aborted) throw fail('aborted', 'bench-feature-lens', 'stopped on request.');
      const fit = own.includes(method)
        ? async (): Promise<FourierSpectrum> =>
            (await OWN_MASKS[method].solve(ledger.account(some.count), { budget: some.count, seed: 0, signal }))
              .spectrum
        : async (): Promise<FourierSpectrum> =>
            METHODS[method](some, await ledger.value(some, { signal }), REFERENCE_GRID);
      const found = await feasible(() => cpuSeconds(fit));
      if (found === undefined) {
        record('r2', alpha, method, { r2: null, seconds: null });
        continue;
      }
      const [spectrum, cpu] = found;
      if (alpha === AT && ['lasso', 'auto'].includes(method)) {
        record('removal', alpha, method, await removalOf(work, spectrum));
        if (text.players === 'sentences') record('recovery', alpha, method, recoveryOf(game, spectrum));
      }
      record('r2', alpha, method, { r2: r2(truth, evaluate(spectrum, held)), seconds: cpu });
    }
  }
  if (cites && fitted.length > 0) await cite(work, masks, held, record);
  tell(
    `${of.id}: ${n} players, ${ledger.measured} masks measured (${(ledger.measured / Math.max(1e-9, ledger.milliseconds / 1000)).toFixed(1)}/s), values there after ${seconds.toFixed(0)} s, ${((performance.now() - started) / 1000).toFixed(0)} s in all`,
  );
}

/** Undefined where the masks do not allow a method. */
async function feasible<T>(make: () => Promise<T>): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof SpexlensError && ['input', 'budget'].includes(error.kind)) return undefined;
    throw error;
  }
}

/** |f(all) - f(without)| of the players whose removal changes f̂ most, by how many. */
async function removalOf({ game: { ledger }, signal }: Work, spectrum: FourierSpectrum): Promise<Score['values']> {
  const n = ledger.players.length;
  const sizes = REMOVED.filter((size) => size <= n / 2);
  const all = masksFromMembers(n, [Array.from({ length: n }, (_, i) => i)]);
  const [full, ...left] = await ledger.value(concatMasks([all, await mostChanging(spectrum, sizes)]), { signal });
  return Object.fromEntries(sizes.map((size, k) => [String(size), Math.abs(full - left[k])]));
}

/**
 * Of the ten largest interactions, the mean share of their members that carry the answer (recovery@10 of SPEX, arXiv 2502.13870,
 * section 5); the share of the parts that carry it that are in one of them; and whether some one interaction holds all of those.
 * First order has no interactions: its ten largest single parts stand for them.
 */
function recoveryOf({ evidence }: TextGame, spectrum: FourierSpectrum): Score['values'] {
  const pairs = topInteractions(spectrum, TOP);
  const top = (pairs.length > 0 ? pairs : topInteractions(spectrum, TOP, 1)).map(({ members }) => members);
  const share = (members: readonly number[]): number =>
    members.filter((player) => evidence.includes(player)).length / members.length;
  return {
    recovery: top.reduce((sum, members) => sum + share(members), 0) / TOP,
    found: evidence.filter((player) => top.some((members) => members.includes(player))).length / evidence.length,
    together: Number(top.some((members) => evidence.every((player) => members.includes(player)))),
  };
}

/** ContextCite's job: from 64 masks, LDS on others and what removing the top k sentences takes from log p. */
async function cite(
  { game: { ledger, answerLength }, signal }: Work,
  masks: Masks,
  held: Masks,
  record: (job: Job, alpha: number, method: string, values: Score['values']) => void,
): Promise<void> {
  const n = ledger.players.length;
  // Behind both ends; those are no draws of a part with probability ½.
  const some = rows(masks, 2, 2 + ABLATIONS);
  if (some.count < ABLATIONS) return;
  const [values, truth] = [await ledger.value(some, { signal }), await ledger.value(held, { signal })];
  const fits: Readonly<Record<string, FourierSpectrum>> = {
    lasso: await METHODS.lasso(some, values, REFERENCE_GRID),
    stack: await METHODS.stack(some, values, REFERENCE_GRID),
    auto: await METHODS.auto(some, values, REFERENCE_GRID),
    contextcite: fitContextCite(some, values, answerLength), // the last one: when it is there, all are
  };
  const all = masksFromMembers(n, [Array.from({ length: n }, (_, i) => i)]);
  for (const [method, spectrum] of Object.entries(fits)) {
    const sets = concatMasks([all, mostLowering(spectrum, CITED)]);
    const [full, ...left] = Array.from(await ledger.value(sets, { signal }), logProbOf);
    record('cite', ABLATIONS, method, {
      lds: spearman(truth, evaluate(spectrum, held)),
      ...Object.fromEntries(CITED.map((size, k) => [`top ${size}`, full - left[k]])),
    });
  }
}

async function measure(flags: Flags, path: string, scores: Scores, signal: AbortSignal): Promise<void> {
  const { name } = absenceOf(flags.absence);
  const known = [...FITTED, ...Object.keys(OWN_MASKS)];
  const [methods, alphas] = [names('--methods', flags.methods, known), alphasOf(flags.alphas)];
  const tasks = names('--tasks', flags.tasks, ['sentiment', 'question', 'examples']);
  const texts = readTexts();
  const chosen = numbers('--buckets', flags.buckets).flatMap((bucket) =>
    texts.filter((text) => text.bucket === bucket && tasks.includes(text.task)).slice(0, whole('--texts', flags.texts)),
  );
  const backend = await openBackend(flags.backend);
  const model = await loadModel(path);
  try {
    const identity = await identifyModel(model);
    const label = basename(path).replace(/\.gguf$/, '');
    for (const text of chosen) {
      const of = { model: label, absence: name, id: text.id };
      const game = openText(text, {
        model,
        identity,
        backend: backend.name,
        absence: name as AbsenceName,
        path: join(flags.folder, label, name, `${text.id}.jsonl`),
      });
      try {
        await scoreText({ text, game, of, scores, alphas, methods, signal });
      } finally {
        game.close();
      }
    }
  } finally {
    model[Symbol.dispose]();
    backend.close();
  }
}

/** Measures until --minutes are over. */
async function untilLate(flags: Flags, running: Running, scores: Scores): Promise<void> {
  if (flags.model === undefined) return;
  const minutes = whole('--minutes', flags.minutes);
  const late = minutes === 0 ? undefined : AbortSignal.timeout(60_000 * minutes);
  const signal = late === undefined ? running.measuring : AbortSignal.any([running.measuring, late]);
  try {
    await measure(flags, flags.model, scores, signal);
    tell('done');
  } catch (error) {
    if (late?.aborted !== true) throw error;
    tell(`stopped after ${minutes} minutes; the same command goes on`);
  }
}

process.exitCode = await runCommand<Flags>(command, process.argv.slice(2), terminal, async (flags, running) => {
  const scores = openScores(join(flags.folder, 'scores.jsonl'));
  await untilLate(flags, running, scores);
  const tables = tablesOf(scores.all, readTexts());
  if (flags.write === undefined) terminal.out(tables);
  else writeFileSync(flags.write, tables);
});
