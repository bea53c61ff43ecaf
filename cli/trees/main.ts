/** The trees command: the exact Fourier spectrum of somebody else's boosted trees over 0/1 features. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { fail } from '../../src/errors.ts';
import { printableJson } from '../../src/printable.ts';
import { importLightGbm } from '../../src/proxy/trees/import-lightgbm.ts';
import { importXgboost } from '../../src/proxy/trees/import-xgboost.ts';
import { ensembleSpectrum } from '../../src/proxy/trees/tree-fourier.ts';
import { banzhaf, shapley } from '../../src/spectrum/indices.ts';
import type { FourierSpectrum } from '../../src/spectrum/spectrum.ts';
import { runCommand, whole, type Streams } from '../command.ts';

const describe = (): Command =>
  new Command('trees')
    .description(
      'Read a LightGBM model.txt or an XGBoost model.json whose features are 0/1 and print its exact spectrum: Banzhaf and Shapley values of every feature and the largest interactions.',
    )
    .argument('<model>', 'model.txt of LightGBM (save_model) or model.json of XGBoost (save_model)')
    .option('--players <n>', 'features that the model was trained on (default: as the file says)')
    .option('--raw', 'accept a model with a link function, and expand its raw score')
    .option('--top <n>', 'interactions to print', '20')
    .option('--json', 'print the whole spectrum as JSON: { players, terms: [{ members, value }] }')
    .option('--debug', 'show stack traces');

interface Flags {
  readonly players?: string;
  readonly raw?: boolean;
  readonly top: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** Runs the command with `args`; the result is the exit code. */
export const treesCommand = (args: readonly string[], streams: Streams): Promise<number> => {
  const command = describe();
  return runCommand(command, args, streams, async (flags: Flags) => {
    const text = read(command.args[0]);
    const options = {
      ...(flags.players === undefined ? {} : { players: whole('--players', flags.players) }),
      ...(flags.raw === true ? { output: 'raw' as const } : {}),
    };
    const ensemble = text.trimStart().startsWith('{') ? importXgboost(text, options) : importLightGbm(text, options);
    const spectrum = ensembleSpectrum(ensemble);
    streams.out(
      flags.json === true
        ? printableJson(`${JSON.stringify(spectrum)}\n`)
        : tableOf(spectrum, whole('--top', flags.top)),
    );
  });
};

/** Features by |Banzhaf value|, then interactions by |F(S)|, each as its Banzhaf interaction (-2)^|S| F(S). */
function tableOf(spectrum: FourierSpectrum, top: number): string {
  const [values, shapleys] = [banzhaf(spectrum), shapley(spectrum)];
  const order = Array.from(values.keys()).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b);
  const number = (value: number): string => value.toPrecision(5).padStart(13);
  const features = order.map((i) => `  ${`x${i}`.padEnd(8)}${number(values[i])}${number(shapleys[i])}`);
  const pairs = spectrum.terms
    .filter(({ members }) => members.length > 1)
    .slice(0, top)
    .map(
      ({ members, value }) => `  ${number((-2) ** members.length * value)}  ${members.map((i) => `x${i}`).join(' x ')}`,
    );
  return [
    `${spectrum.terms.length} terms over ${spectrum.players} features, exact`,
    `feature       Banzhaf      Shapley`,
    ...features,
    `interactions, largest |F(S)| first: Banzhaf interaction`,
    ...pairs,
    '',
  ].join('\n');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw fail(
      'input',
      'trees',
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code}); give a model file.`,
    );
  }
}
