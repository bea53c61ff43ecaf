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
import { fail } from '../src/errors.ts';
import { absenceOf, type AbsenceName } from '../src/lens/tokens/absences.ts';
import { identifyModel } from '../src/model/identity.ts';
import { loadModel } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { MOST } from './feature-lens/drawn-masks.ts';
import { FITTED, OWN_MASKS, scoreText } from './feature-lens/score-text.ts';
import { openScores, type Scores } from './feature-lens/scores.ts';
import { tablesOf } from './feature-lens/tables.ts';
import { openText } from './feature-lens/text-game.ts';
import { BUCKETS, readTexts } from './feature-lens/texts.ts';

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

const tell = (line: string): void => void process.stderr.write(`${line}\n`);

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
        await scoreText({ text, game, of, scores, alphas, methods, signal, tell });
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
