/**
 * Prints the numbers that README.md states, measured here and now.
 *
 *     npx tsx bench/measure.ts [--skip-run]
 *
 * The default run's time and memory (a child process), ProxySPEX against the exact spectrum of all 65,536 masks
 * on ioi-tiny, the known circuits of the induction models, and float32 against the Float64 reference.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { type BackendName } from '../src/backend/backend.ts';
import { openBackend } from '../src/open-backend.ts';
import { allMasks, masksFromMembers, selectRows } from '../src/masks.ts';
import { gameFromFunction } from '../src/game.ts';
import { openLedger } from '../src/ledger.ts';
import { createComponentGame, type ComponentGame } from '../src/lens/components/component-game.ts';
import { parsePlayers } from '../src/lens/components/components.ts';
import { metricOf } from '../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../src/lens/prompts.ts';
import { runWithCache } from '../src/hooks/run.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { toSequences } from '../src/model/tokens.ts';
import { layerOf } from '../src/place.ts';
import { referenceForward, type ReferenceParameters } from '../src/model/reference/reference.ts';
import { solve, SOLVERS, type SolverName } from '../src/solve/solve.ts';
import { energyByOrder, topInteractions } from '../src/spectrum/energy.ts';
import { fitFirstOrder } from '../src/proxy/first-order.ts';
import { proxyMasks } from '../src/proxy/proxyspex.ts';
import { r2 } from '../src/spectrum/r2.ts';
import { evaluate, setKey, type FourierSpectrum } from '../src/spectrum/spectrum.ts';
import { fourierFromTable, spectrumOfDense } from '../src/spectrum/walsh-hadamard.ts';
import { runCommand, terminal } from '../cli/command.ts';
import { fromRoot } from '../cli/package-root.ts';
import { ABLATIONS } from '../src/lens/components/ablations.ts';

/** Masks up to which the stack has its processes. */
const MOST_STACKED = 1500;
const MODELS = ['ioi-tiny', 'induction-2l-h1', 'induction-2l-h2', 'induction-2l-h4'];
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const folderOf = (name: string): string => fromRoot(`models/${name}`);

async function onBackend<T>(name: BackendName, work: () => Promise<T>): Promise<T> {
  const backend = await openBackend(name);
  try {
    return await work();
  } finally {
    backend.close();
  }
}

async function gameOf(model: Model, metric: string, prompts: number): Promise<ComponentGame> {
  const chosen = (await readPrompts(join(model.folder ?? '', 'prompts.jsonl'))).slice(0, prompts);
  return createComponentGame(model, {
    players: parsePlayers('heads', model.config),
    tasks: toTasks(model, chosen, { metric: metricOf(metric), corrupted: false }),
    metric: metricOf(metric),
    ablation: ABLATIONS.zero,
  });
}

/** The README's first command after the install: seconds and peak resident memory. */
async function defaultRun(): Promise<void> {
  const out = mkdtempSync(join(tmpdir(), 'spexlens-measure-'));
  const script = fileURLToPath(new URL('../scripts/find-circuits.ts', import.meta.url));
  const peak = "process.on('exit', () => process.stderr.write(`\\npeak ${process.resourceUsage().maxRSS}\\n`))";
  const started = performance.now();
  const child = spawn(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(peak)}`, '--import', 'tsx', script, '--out', out],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  rmSync(out, { recursive: true, force: true });
  const kib = Number(/peak (\d+)/.exec(text)?.[1]);
  say(
    `default run: ${((performance.now() - started) / 1000).toFixed(1)} s, peak memory ${(kib / 1024).toFixed(0)} MiB, exit code ${String(code)}`,
  );
}

/** ProxySPEX and the stack at several budgets against the exact spectrum of all masks. */
async function ioi(prompts: number): Promise<void> {
  const model = await loadModel(folderOf('ioi-tiny'));
  const game = await gameOf(model, 'logit-diff', prompts);
  const all = allMasks(16);
  const started = performance.now();
  const table = await game.value(all);
  const seconds = (performance.now() - started) / 1000;
  const dense = fourierFromTable(table);
  const exact = spectrumOfDense('fourier', dense, () => 0);
  const orders = energyByOrder(exact);
  const total = orders.reduce((a, b) => a + b, 0);
  say(
    `ioi-tiny, ${prompts} prompt${prompts === 1 ? '' : 's'}: 65,536 masks in ${seconds.toFixed(0)} s (${((65536 * prompts) / seconds).toFixed(0)} rows/s); energy by order ${orders
      .slice(1, 6)
      .map((e) => (e / total).toFixed(4))
      .join(' / ')}`,
  );
  const names = game.players.map((player) => player.name);
  say(
    `  true top ten: ${topInteractions(exact, 10)
      .map(({ members, value }) => `${members.map((i) => names[i]).join('x')} ${value.toFixed(3)}`)
      .join(', ')}`,
  );
  const oracle = gameFromFunction('table', game.players, (row, masks) => table[masks.words[row]]);
  say('  solver     masks  seed  R² on all others  first-order LASSO  true top ten found');
  for (const [solver, budget] of [256, 512, 1024, 2048].flatMap((masks) =>
    (masks > MOST_STACKED ? (['proxyspex'] as const) : (['proxyspex', 'stack'] as const)).map(
      (name: SolverName) => [name, masks] as const,
    ),
  )) {
    for (const seed of [0, 1, 2]) {
      const { solution } = await solve(openLedger(oracle), { solver: SOLVERS[solver], budget, seed, heldOut: 0 });
      const fitted = proxyMasks(16, budget, seed);
      const seen = new Set(fitted.words);
      const others = selectRows(
        all,
        Array.from({ length: all.count }, (_, row) => row).filter((row) => !seen.has(row)),
      );
      const truth = Float64Array.from(others.words, (word) => table[word]);
      const first = fitFirstOrder(
        fitted,
        Float64Array.from(fitted.words, (word) => table[word]),
        { seed },
      );
      say(
        `  ${solver.padEnd(10)} ${String(budget).padEnd(6)} ${seed}     ${r2(truth, evaluate(solution.spectrum, others)).toFixed(4)}            ${r2(truth, evaluate(first.spectrum, others)).toFixed(4)}             ${overlap(exact, solution.spectrum)}`,
      );
    }
  }
  game[Symbol.dispose]();
  model[Symbol.dispose]();
}

function overlap(truth: FourierSpectrum, found: FourierSpectrum): number {
  const wanted = new Set(topInteractions(truth, 10).map(({ members }) => setKey(members)));
  return topInteractions(found, 10).filter(({ members }) => wanted.has(setKey(members))).length;
}

/** What is known of the induction models, read from exact spectra of accuracy over their 64 prompts. */
async function induction(): Promise<void> {
  for (const name of MODELS.slice(1)) {
    const model = await loadModel(folderOf(name));
    const game = await gameOf(model, 'accuracy', 64);
    const n = game.players.length;
    const { solution } = await solve(openLedger(game), { solver: SOLVERS.exact, budget: 2 ** n, seed: 0, heldOut: 0 });
    const orders = energyByOrder(solution.spectrum);
    const total = orders.reduce((a, b) => a + b, 0);
    say(
      `${name}: energy by order ${orders
        .slice(1)
        .map((e) => (e / total).toFixed(3))
        .join(' / ')}`,
    );
    const all = game.players.map((_, i) => i);
    for (const layer of [0, 1]) {
      const inside = {
        terms: solution.spectrum.terms.filter(({ members }) =>
          members.every((i) => layerOf(game.players[i].place) === layer),
        ),
      };
      const top = topInteractions(inside, 1)[0];
      const singles = all.filter((i) => layerOf(game.players[i].place) === layer);
      const values = await game.value(
        masksFromMembers(n, [
          all,
          ...singles.map((off) => all.filter((i) => i !== off)),
          all.filter((i) => !singles.includes(i)),
        ]),
      );
      const shown = `clean ${values[0].toFixed(3)}; without one head ${Array.from(values.slice(1, -1), (v) => v.toFixed(3)).join(' ')}; without the layer ${values[values.length - 1].toFixed(3)}`;
      say(
        `  layer ${layer}: ${shown}${top === undefined ? '' : `; top interaction ${top.members.map((i) => game.players[i].name).join('x')} ${((-2) ** top.members.length * top.value).toFixed(3)}`}`,
      );
    }
    game[Symbol.dispose]();
    model[Symbol.dispose]();
  }
}

/** Largest error of logits and residuals relative to max(1, |x|) on the bundled models' first 4 prompts. */
async function precision(): Promise<void> {
  for (const backend of ['wasm', 'cpu'] as const) {
    await onBackend(backend, async () => {
      for (const name of MODELS) {
        const model = await loadModel(folderOf(name));
        const reference = await hostParameters(model);
        let [logitError, residualError] = [0, 0];
        for (const { prompt } of (await readPrompts(join(folderOf(name), 'prompts.jsonl'))).slice(0, 4)) {
          const [tokens] = toSequences(model, prompt);
          const { logits, cache } = runWithCache(model, tokens, {
            names: (hook) => /hook_resid_(pre|post)$/.test(hook),
          });
          const truth = referenceForward(model.config, reference, tokens);
          logitError = Math.max(logitError, largest(await logits.data(), truth.logits));
          for (let l = 0; l < model.config.nLayers; l++)
            residualError = Math.max(
              residualError,
              largest(await cache.get('resid_pre', l).data(), truth.residuals[l]),
            );
          residualError = Math.max(
            residualError,
            largest(await cache.get('resid_post', -1).data(), truth.residuals[model.config.nLayers]),
          );
          logits.dispose();
          cache[Symbol.dispose]();
        }
        say(`${backend} ${name}: logits ${logitError.toExponential(1)}, residuals ${residualError.toExponential(1)}`);
        model[Symbol.dispose]();
      }
    });
  }
}

async function hostParameters(model: Model): Promise<ReferenceParameters> {
  const entries = Object.entries(model.parameters).map(
    async ([name, tensor]) => [name, { shape: tensor.shape, values: await tensor.data() }] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

function largest(ours: ArrayLike<number>, truth: Float64Array): number {
  return truth.reduce(
    (worst, expected, i) => Math.max(worst, Math.abs(ours[i] - expected) / Math.max(1, Math.abs(expected))),
    0,
  );
}

const command = new Command('measure')
  .description('Print the numbers that README.md states, measured here.')
  .option('--skip-run', 'leave the timing of the default run out')
  .option('--prompts <list>', 'numbers of prompts that the exact spectrum of ioi-tiny is taken over', '2')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand(
  command,
  process.argv.slice(2),
  terminal,
  async (flags: { skipRun?: boolean; prompts: string; debug?: boolean }) => {
    say(`Node ${process.version}, ${cpus().length} x ${cpus()[0].model}, tfjs ${tf.version_core}`);
    if (flags.skipRun !== true) await defaultRun();
    await onBackend('wasm', async () => {
      for (const prompts of flags.prompts.split(',').map(Number)) await ioi(prompts);
      await induction();
    });
    await precision();
  },
);
