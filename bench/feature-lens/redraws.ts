/**
 * Whether auto's choice is at fault where it is below first order, or the draw of the masks: fits to other draws from the masks that
 * bench/feature-lens.ts measured, scored on those of them that were not drawn.
 *
 *     npx tsx bench/feature-lens/redraws.ts --folder out/feature-lens/SmolLM2-135M-Instruct.Q4_1/remove [--alphas 1,2 --draws 4]
 *
 * lasso: the baseline of the tables. first order: auto's own, the better of least squares and LASSO. within 0: auto if it took the best
 * out of sample, however close a simpler one comes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { runCommand, terminal, whole } from '../../cli/command.ts';
import { concatMasks, maskHex, selectRows, type Masks } from '../../src/masks.ts';
import { fitBest } from '../../src/proxy/best.ts';
import { fitBestAdditive, fitFirstOrder } from '../../src/proxy/first-order.ts';
import { createRandom } from '../../src/random.ts';
import { r2 } from '../../src/spectrum/r2.ts';
import { evaluate, type FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { mean } from '../proxy/tables.ts';
import { budgetOf, drawnMasks } from './drawn-masks.ts';

interface Flags {
  readonly folder: string;
  readonly alphas: string;
  readonly draws: string;
  readonly debug?: boolean;
}

const command = new Command('bench-feature-lens-redraws')
  .description('Fit other draws of measured masks.')
  .requiredOption('--folder <path>', 'logs of one model and absence')
  .option('--alphas <list>', 'masks as multiples of n log2 n', '1,2')
  .option('--draws <n>', 'of each text', '4')
  .option('--debug', 'show stack traces');

/** Masks to score on at least; a text that has no more of them beyond the draw is left out. */
const LEAST = 60;
const METHODS: Readonly<Record<string, (masks: Masks, values: Float64Array) => Promise<FourierSpectrum>>> = {
  lasso: async (masks, values) => fitFirstOrder(masks, values).spectrum,
  'first order': async (masks, values) => fitBestAdditive(masks, values).spectrum,
  auto: async (masks, values) => (await fitBest(masks, values)).spectrum,
  'within 0': async (masks, values) => (await fitBest(masks, values, { within: 0 })).spectrum,
};

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

process.exitCode = await runCommand<Flags>(command, process.argv.slice(2), terminal, async (flags) => {
  const draws = whole('--draws', flags.draws);
  for (const alpha of flags.alphas.split(',').map((each) => whole('--alphas', each))) {
    const scores: Record<string, number>[] = [];
    const texts = new Set<string>();
    for (const file of readdirSync(flags.folder).filter((name) => name.endsWith('.jsonl'))) {
      const found = measuredIn(join(flags.folder, file));
      if (found === undefined) continue;
      const { masks, values } = found;
      const budget = budgetOf(masks.players, alpha);
      if (masks.count - budget < LEAST) continue;
      texts.add(file);
      for (let draw = 0; draw < draws; draw++) {
        const inner = createRandom(draw, 'redraws').shuffle(Array.from({ length: masks.count - 2 }, (_, k) => k + 2));
        const fitted = [0, 1, ...inner.slice(0, budget - 2)];
        const rest = inner.slice(budget - 2);
        const [some, unseen] = [selectRows(masks, fitted), selectRows(masks, rest)];
        const truth = Float64Array.from(rest, (row) => values[row]);
        const score: Record<string, number> = {};
        for (const [name, fit] of Object.entries(METHODS)) {
          const spectrum = await fit(
            some,
            Float64Array.from(fitted, (row) => values[row]),
          );
          score[name] = r2(truth, evaluate(spectrum, unseen));
        }
        scores.push(score);
      }
    }
    const means = Object.keys(METHODS).map((name) => `${name} ${mean(scores.map((score) => score[name])).toFixed(3)}`);
    const beside = ['auto', 'within 0'].flatMap((ours) =>
      ['lasso', 'first order'].map((theirs) => {
        const gains = scores.map((score) => score[ours] - score[theirs]);
        return `${ours} less ${theirs}: below in ${gains.filter((gain) => gain < 0).length}, worst ${Math.min(...gains).toFixed(3)}`;
      }),
    );
    terminal.out(
      `α = ${alpha}, ${scores.length} draws of ${texts.size} texts: R² ${means.join(', ')}\n  ${beside.join('; ')}\n`,
    );
  }
});
