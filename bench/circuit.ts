/**
 * Times the choice of circuits: the integer program against greedy on 144 players and 500 terms.
 *
 *     npx tsx bench/circuit.ts [--sizes 10,36,72,108] [--seconds 60] [--seed 1]
 *
 * Spectra: interactions grown from smaller ones, with the energy of the ProxySPEX heads study (about two thirds in
 * single players), the same with more in interactions, and independent random signs on random sets of order 1 to 4,
 * which nothing proves. `gap` is how far greedy's f̂ - F(∅) lies below the best known, in percent.
 * `CPU` counts the search for greedy's starting point too, and other work on the machine not: `seconds` is the clock.
 */
import { cpus } from 'node:os';
import { Command } from 'commander';
import { greedySelector } from '../src/circuit/greedy.ts';
import { solveBySize } from '../src/circuit/integer-program.ts';
import { fail } from '../src/errors.ts';
import { createRandom } from '../src/random.ts';
import { energyByOrder } from '../src/spectrum/energy.ts';
import { createSpectrum, setKey, type FourierSpectrum, type Term } from '../src/spectrum/spectrum.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';

const PLAYERS = 144;
const TERMS = 500;
const HIGHEST = 5;

/** Singles of log-normal weight, then sets of up to five grown by one player from sets already there; each order counts `decay` of the last. */
function grown(decay: number, seed: number): FourierSpectrum {
  const random = createRandom(seed, 'grown');
  const weight = Array.from({ length: PLAYERS }, () => Math.exp(random.normal()));
  const terms: Term[] = weight.map((w, i) => ({ members: [i], value: w * (0.5 * random.normal() - 0.3) }));
  const seen = new Set(terms.map(({ members }) => setKey(members)));
  const total = weight.reduce((sum, w) => sum + w, 0);
  while (terms.length < TERMS) {
    const base = terms[random.integer(terms.length)].members;
    let left = random.uniform() * total;
    const player = weight.findIndex((w) => (left -= w) <= 0);
    const members = [...new Set([...base, player])].sort((a, b) => a - b);
    if (player < 0 || base.length >= HIGHEST || seen.has(setKey(members))) continue;
    seen.add(setKey(members));
    const mean = members.reduce((product, i) => product * weight[i], 1) ** (1 / members.length);
    terms.push({ members, value: random.normal() * decay ** (members.length - 1) * mean });
  }
  return createSpectrum('fourier', PLAYERS, terms);
}

/** Independent normal values on random sets of order 1 to 4: a spin glass. */
function spinGlass(seed: number): FourierSpectrum {
  const random = createRandom(seed, 'spin glass');
  const terms = new Map<string, Term>();
  while (terms.size < TERMS) {
    const members = random.subset(PLAYERS, 1 + random.integer(4));
    terms.set(setKey(members), { members, value: random.normal() });
  }
  return createSpectrum('fourier', PLAYERS, terms.values());
}

async function measure(
  name: string,
  spectrum: FourierSpectrum,
  sizes: readonly number[],
  secondsPerSize: number,
  signal: AbortSignal,
): Promise<void> {
  const energy = energyByOrder(spectrum);
  const total = energy.reduce((sum, e) => sum + e, 0);
  const say = (text: string): void => terminal.out(`${text}\n`);
  const began = performance.now();
  await greedySelector.select({ spectrum, sizes, direction: 1 });
  say(
    `\n${name}: energy by order ${energy
      .slice(1)
      .map((e) => `${((100 * e) / total).toFixed(0)} %`)
      .join(' / ')}; greedy takes ${((performance.now() - began) / 1000).toFixed(1)} s for all sizes together`,
  );
  say('  size  direction  seconds  CPU   status   f̂ - F(∅)   bound      greedy gap');
  for (const direction of [1, -1] as const) {
    for (const size of sizes) {
      if (signal.aborted) throw fail('aborted', 'bench-circuit', 'stopped on request.');
      const start = process.cpuUsage();
      const [best] = await solveBySize({ spectrum, sizes: [size], direction }, { secondsPerSize });
      const { user, system } = process.cpuUsage(start);
      const gap = (100 * (best.value - best.greedy)) / best.value;
      const cells = [
        String(size).padEnd(4),
        (direction === 1 ? 'largest' : 'smallest').padEnd(9),
        best.seconds.toFixed(1).padEnd(7),
        ((user + system) / 1e6).toFixed(1).padEnd(4),
        (best.proven ? 'optimal' : 'open').padEnd(7),
        best.value.toFixed(3).padEnd(10),
        best.bound.toFixed(3).padEnd(9),
      ];
      say(`  ${cells.join('  ')}  ${gap.toFixed(2)} %`);
    }
  }
}

const command = new Command('bench-circuit')
  .description('Time the integer program against greedy on 144 players and 500 terms.')
  .option('--sizes <list>', 'sizes of the circuit', '10,36,72,108')
  .option('--seconds <n>', 'limit per size', '60')
  .option('--seed <n>', 'seed of the spectra', '1')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand(
  command,
  process.argv.slice(2),
  terminal,
  async (flags: { sizes: string; seconds: string; seed: string; debug?: boolean }, { signal }) => {
    const sizes = flags.sizes.split(',').map((size) => whole('--sizes', size));
    if (sizes.some((size) => size > PLAYERS))
      throw fail('input', '--sizes', `${flags.sizes}; at most ${PLAYERS} players can be kept.`);
    const [seconds, seed] = [whole('--seconds', flags.seconds), whole('--seed', flags.seed)];
    terminal.out(`Node ${process.version}, ${cpus()[0].model}, one thread; ${PLAYERS} players, ${TERMS} terms\n`);
    await measure('heads study', grown(0.35, seed), sizes, seconds, signal);
    await measure('more interactions', grown(0.5, seed), sizes, seconds, signal);
    await measure('spin glass', spinGlass(seed), sizes, Math.min(seconds, 10), signal);
  },
);
