/**
 * What methods are worth on other draws of masks that bench/feature-lens.ts measured, without a model: fitted on some of a text's
 * masks, scored on those that were not drawn.
 *
 *     npx tsx bench/feature-lens/redraws.ts --folder out/feature-lens/SmolLM2-135M-Instruct.Q4_1/remove [--alphas 1,2 --draws 4]
 *
 * lasso: the baseline of the tables. first order: auto's own, the better of least squares and LASSO. surely: the 95 % interval of the
 * difference, over the masks it is scored on, lies below 0.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runCommand, terminal, whole } from '../../cli/command.ts';
import { fail } from '../../src/errors.ts';
import { concatMasks, maskHex, selectRows, type Masks } from '../../src/masks.ts';
import { fitBest } from '../../src/proxy/best.ts';
import { fitBestAdditive, fitFirstOrder } from '../../src/proxy/first-order.ts';
import { fitStack } from '../../src/proxy/stack.ts';
import { createRandom } from '../../src/random.ts';
import { r2, r2Gain } from '../../src/spectrum/r2.ts';
import { evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { mean } from '../proxy/tables.ts';
import { budgetOf, drawnMasks } from './drawn-masks.ts';

interface Flags {
  readonly folder: string;
  readonly alphas: string;
  readonly draws: string;
  readonly methods: string;
  readonly most: string;
  readonly debug?: boolean;
}

const command = new Command('bench-feature-lens-redraws')
  .description('Fit other draws of measured masks.')
  .requiredOption('--folder <path>', 'logs of one model and absence')
  .option('--alphas <list>', 'masks as multiples of n log2 n', '1,2')
  .option('--draws <n>', 'of each text', '4')
  .option('--methods <list>', 'lasso is always there', 'first order,stack,auto')
  .option('--most <parts>', 'leave out texts of more parts', '1000')
  .option('--debug', 'show stack traces');

/** Masks to score on at least; a text that has no more of them beyond the draw is left out. */
const LEAST = 60;
const METHODS: Readonly<Record<string, (masks: Masks, values: Float64Array) => Promise<FourierSpectrum>>> = {
  lasso: async (masks, values) => fitFirstOrder(masks, values).spectrum,
  'first order': async (masks, values) => fitBestAdditive(masks, values).spectrum,
  stack: async (masks, values) => (await fitStack(masks, values)).spectrum,
  auto: async (masks, values) => (await fitBest(masks, values)).spectrum,
};
const BASELINE = 'lasso';

/** R² of a method on one draw, what it has over the baseline there, and the upper end of the 95 % interval of that. */
interface Score {
  readonly r2: number;
  readonly gain: number;
  readonly high: number;
}

interface LogLine {
  readonly study?: { readonly question: { readonly players: readonly unknown[] } };
  readonly mask?: string;
  readonly value?: number;
}

/** The drawn masks of a log that have values, both ends first; undefined for a log that was only begun. */
function measuredIn(path: string): { readonly masks: Masks; readonly values: Float64Array } | undefined {
  const text = readFileSync(path, 'utf8');
  const lines = text.slice(0, text.lastIndexOf('\n')).split('\n');
  if (lines.length < 2) return undefined;
  const [head, ...rest] = lines.map((line) => JSON.parse(line) as LogLine);
  const known = new Map(rest.flatMap(({ mask, value }) => (mask === undefined ? [] : [[mask, value as number]])));
  const { every, held } = drawnMasks((head.study?.question.players ?? []).length);
  const all = concatMasks([every, held]);
  const there = Array.from({ length: all.count }, (_, row) => row).filter((row) => known.has(maskHex(all, row)));
  return {
    masks: selectRows(all, there),
    values: Float64Array.from(there, (row) => known.get(maskHex(all, row)) as number),
  };
}

/** Every method fitted on the masks `fitted` and scored on `rest`. */
async function scoresOf(
  { masks, values }: NonNullable<ReturnType<typeof measuredIn>>,
  fitted: readonly number[],
  rest: readonly number[],
  methods: readonly string[],
): Promise<Record<string, Score>> {
  const at = (rows: readonly number[]): Float64Array => Float64Array.from(rows, (row) => values[row]);
  const [some, unseen, truth] = [selectRows(masks, fitted), selectRows(masks, rest), at(rest)];
  const scores: Record<string, Score> = {};
  let baseline: Float64Array = new Float64Array();
  for (const name of [BASELINE, ...methods]) {
    const estimate = evaluate(await METHODS[name](some, at(fitted)), unseen);
    if (name === BASELINE) baseline = estimate;
    const { gain, high } = r2Gain(truth, estimate, baseline, { seed: 0 });
    scores[name] = { r2: r2(truth, estimate), gain, high };
  }
  return scores;
}

process.exitCode = await runCommand<Flags>(command, process.argv.slice(2), terminal, async (flags) => {
  const [draws, most] = [whole('--draws', flags.draws), whole('--most', flags.most)];
  const methods = flags.methods.split(',');
  const unknown = methods.find((name) => !Object.hasOwn(METHODS, name) || name === BASELINE);
  if (unknown !== undefined)
    throw fail(
      'input',
      'bench-feature-lens-redraws',
      `--methods ${unknown}; there are ${Object.keys(METHODS).slice(1).join(', ')}.`,
    );
  for (const alpha of flags.alphas.split(',').map((each) => whole('--alphas', each))) {
    const scores: Record<string, Score>[] = [];
    const texts = new Set<string>();
    for (const file of readdirSync(flags.folder).filter((name) => name.endsWith('.jsonl'))) {
      const found = measuredIn(join(flags.folder, file));
      if (found === undefined || found.masks.players > most) continue;
      const budget = budgetOf(found.masks.players, alpha);
      if (found.masks.count - budget < LEAST) continue;
      texts.add(file);
      for (let draw = 0; draw < draws; draw++) {
        const rows = Array.from({ length: found.masks.count - 2 }, (_, k) => k + 2);
        const inner = createRandom(draw, 'redraws').shuffle(rows);
        scores.push(await scoresOf(found, [0, 1, ...inner.slice(0, budget - 2)], inner.slice(budget - 2), methods));
      }
    }
    terminal.out(`α = ${alpha}, ${scores.length} draws of ${texts.size} texts\n`);
    for (const name of [BASELINE, ...methods]) {
      const own = scores.map((score) => score[name]);
      const below = own.filter(({ gain }) => gain < 0);
      const beside = `, over ${BASELINE} ${mean(own.map(({ gain }) => gain)).toFixed(3)}, below in ${below.length}, ${below.filter(({ high }) => high < 0).length} surely, worst ${Math.min(...own.map(({ gain }) => gain)).toFixed(3)}`;
      terminal.out(
        `  ${name}: R² ${mean(own.map((score) => score.r2)).toFixed(3)}${name === BASELINE ? '' : beside}\n`,
      );
    }
  }
});
