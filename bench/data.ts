/**
 * The data lens measured: estimates and solvers against truly retrained subsets, and how fast subsets are retrained.
 *
 *     npx tsx bench/data.ts --python <interpreter with scikit-learn and torch> [--only exact,inside,lds,prior,foretold,thousands,ioi,speed,wrong,chain]
 *
 * exact: every subset of few groups retrained; R², order 2 and interaction LDS of every estimate and solver. inside: at which
 * weights slopes tell most. lds: Spearman between summed scores and retrained values over random halves, a mean over --tests test digits
 * (ten take minutes with all estimates, a hundred with --estimates ek-fac,k-fac). prior: how many retrainings answers by gradients save;
 * foretold: how many estimates do that foretell. thousands: groups and single examples of all 1,797 digits. ioi: which templates of
 * ioi-tiny's training data make its behaviour (both keep what they measured in out/).
 * wrong: who finds wrong labels. chain: whether a transformer puts two facts of separate documents together.
 * speed: many perceptrons at once, one after the other, and TensorFlow.js's and PyTorch's one after the other on the same cores.
 */
import { Command } from 'commander';
import { whole } from '../cli/command.ts';
import { openBackend } from '../src/open-backend.ts';
import { chainTable } from './data/chain.ts';
import { readDigits } from './data/digits.ts';
import { exactTables, insideTable } from './data/exact.ts';
import { ioiTemplates } from './data/ioi.ts';
import { ldsTables } from './data/lds.ts';
import { foretoldTable, slopesTable } from './data/priors.ts';
import type { Table } from './data/settings.ts';
import { trainingSpeed } from './data/speed.ts';
import { thousands } from './data/thousands.ts';
import { wrongLabels } from './data/wrong-labels.ts';

const NAMES = 'exact,inside,lds,prior,foretold,thousands,ioi,speed,wrong,chain';
const {
  python,
  dattri,
  only,
  tests,
  estimates,
  backend: name,
} = new Command()
  .requiredOption('--python <path>', 'an interpreter with scikit-learn and torch')
  .option('--dattri <path>', 'an interpreter with dattri too: its attributors on the same model and halves')
  .option('--only <sections>', NAMES, NAMES)
  .option('--tests <n>', 'of lds: test digits', '100')
  .option('--estimates <names>', 'of lds: these alone')
  .option('--backend <name>', 'where to train', 'wasm')
  .parse()
  .opts<{ python: string; dattri?: string; only: string; tests: string; estimates?: string; backend: string }>();
const backend = await openBackend(name);
console.log(`${backend.name}: ${backend.device}`);
const digits = readDigits(python);

/** Steps of training a second, times models. */
async function speed(): Promise<Table[]> {
  const { head, rows, ratios } = await trainingSpeed(digits, python);
  console.log(ratios);
  return [{ head, rows }];
}

const sections: Readonly<Record<string, () => Promise<readonly Table[]>>> = {
  exact: () => exactTables(digits),
  inside: async () => [await insideTable(digits)],
  lds: () => ldsTables(digits, whole('--tests', tests), estimates?.split(','), dattri),
  prior: async () => [await slopesTable(digits)],
  foretold: async () => [await foretoldTable(digits)],
  thousands: async () => [
    {
      head: ['who plays', 'retrainings', 'influence, correlation', 'proxyspex', 'auto', 'auto, influence as prior'],
      rows: await thousands(digits),
    },
  ],
  ioi: () => ioiTemplates(2),
  speed,
  wrong: async () => [{ head: ['AUROC of wrong labels', 'softmax', 'mlp'], rows: await wrongLabels(digits) }],
  chain: async () => [await chainTable()],
};
for (const section of only.split(','))
  for (const { title, head, rows } of await sections[section]()) {
    if (title !== undefined) console.log(`\n${title}`);
    console.log(`\n| ${head.join(' | ')} |\n|${head.map(() => '---').join('|')}|`);
    for (const row of rows) console.log(`| ${row.join(' | ')} |`);
  }
backend.close();
