/**
 * Measures SPEX against the numbers it must reach and prints the tables of docs/spex.md.
 *
 * Truths are random sparse spectra (test/spex/truth.ts), so every answer is known; R² is on fresh uniform
 * masks against the noiseless truth. Times are of transform and decoding, sampling excluded; refinement apart.
 * `--compare python` runs the reference (bench/spex_reference.py) on the same functions in the same run.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { uniformMasks } from '../src/uniform-masks.ts';
import { fail } from '../src/errors.ts';
import { fitProxySpex } from '../src/proxy/fit.ts';
import { createRandom } from '../src/random.ts';
import { createDecoder } from '../src/spex/decode.ts';
import { peel } from '../src/spex/peel.ts';
import { planSpex } from '../src/spex/plan.ts';
import { drawMasks } from '../src/spex/sample.ts';
import { fitSpex } from '../src/spex/spex.ts';
import { momentsOf, standardise } from '../src/spex/standardise.ts';
import { collectBins } from '../src/spex/transform.ts';
import { createSpectrum, evaluate, setKey, type FourierSpectrum } from '../src/spectrum/spectrum.ts';
import { randomSpectrum } from '../test/spex/truth.ts';
import { binsPicture, curvesPicture, type Curve } from './spex/pictures.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';

interface Setting {
  readonly n: number;
  readonly t: number;
  readonly count: number;
  readonly order: number;
  readonly b: number;
}
const SETTINGS: readonly Setting[] = [
  { n: 20, t: 5, count: 15, order: 5, b: 4 },
  { n: 64, t: 5, count: 40, order: 4, b: 6 },
  { n: 144, t: 5, count: 100, order: 5, b: 8 },
  { n: 1000, t: 4, count: 100, order: 4, b: 8 },
  { n: 4000, t: 3, count: 60, order: 3, b: 7 },
];
const LARGE: readonly Setting[] = [
  { n: 1000, t: 5, count: 100, order: 5, b: 8 },
  { n: 4000, t: 3, count: 60, order: 3, b: 7 },
  { n: 4000, t: 5, count: 100, order: 5, b: 8 },
];
const PARTS = ['exact', 'noise', 'size', 'parities', 'curves', 'pictures'] as const;
type Part = (typeof PARTS)[number];

interface Measurement {
  readonly masks: number;
  readonly recall: number;
  /** Terms that are not in the truth: after peeling, and in the answer. */
  readonly spuriousPeeled: number;
  readonly spurious: number;
  readonly r2: number;
  readonly decodeMs: number;
  readonly refineMs: number;
  readonly kept: string;
}

/** R² of `found` on 2,000 fresh uniform masks of `truth`. */
function heldOutR2(found: FourierSpectrum, truth: FourierSpectrum, seed: number): number {
  const masks = uniformMasks(
    truth.players,
    truth.players < 13 ? 2 ** truth.players / 2 : 2000,
    createRandom(seed, 'held out'),
  );
  return r2(evaluate(truth, masks), evaluate(found, masks));
}

function r2(f: Float64Array, g: Float64Array): number {
  const { mean } = momentsOf(f);
  let left = 0;
  let total = 0;
  for (let r = 0; r < f.length; r++) {
    left += (f[r] - g[r]) ** 2;
    total += (f[r] - mean) ** 2;
  }
  return 1 - left / total;
}

/** Counts terms of `found` that are and are not in `truth`. */
function compare(found: Iterable<readonly number[]>, truth: FourierSpectrum): { hits: number; spurious: number } {
  const wanted = new Set(truth.terms.map(({ members }) => setKey(members)));
  let hits = 0;
  let spurious = 0;
  for (const members of found) {
    if (wanted.has(setKey(members))) hits++;
    else if (members.length > 0) spurious++;
  }
  return { hits, spurious };
}

function noisy(truth: FourierSpectrum, setting: Pick<Setting, 'n' | 't' | 'b'>, seed: number, noise: number) {
  const draw = drawMasks(planSpex(setting.n, { b: setting.b, t: setting.t }), seed);
  const values = evaluate(truth, draw.masks);
  const sigma = noise * momentsOf(values).deviation;
  const random = createRandom(seed, 'noise');
  if (sigma > 0) for (let r = 0; r < values.length; r++) values[r] += sigma * random.normal();
  return { draw, values };
}

function measure(setting: Setting, seed: number, noise: number): Measurement {
  const truth = randomSpectrum(setting.n, setting.count, setting.order, createRandom(seed, 'truth'));
  const { draw, values } = noisy(truth, setting, seed, noise);
  const started = performance.now();
  const collector = collectBins(draw);
  collector.accept(0, values);
  let decoded = 0;
  const fit = fitSpex(collector.bins(), values, seed, {}, (stage) => {
    if (stage === 'refining' && decoded === 0) decoded = performance.now();
  });
  const ended = performance.now();
  if (decoded === 0) decoded = ended;
  const answer = compare(
    fit.spectrum.terms.map(({ members }) => members),
    truth,
  );
  const peeled = compare(
    fit.terms.filter(({ seenInBins }) => seenInBins > 0).map(({ members }) => members),
    truth,
  );
  return {
    masks: draw.masks.count,
    recall: answer.hits / setting.count,
    spurious: answer.spurious,
    spuriousPeeled: peeled.spurious,
    r2: heldOutR2(fit.spectrum, truth, seed),
    decodeMs: decoded - started,
    refineMs: ended - decoded,
    kept: fit.kept,
  };
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
/** "median / worst". */
const pair = (
  values: readonly number[],
  format: (value: number) => string,
  worst: (...values: number[]) => number,
): string => `${format(median(values))} / ${format(worst(...values))}`;
const ms = (value: number): string => (value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`);
const seconds = (value: number): string => (value < 10 ? `${value.toFixed(2)} s` : `${value.toFixed(0)} s`);
const name = ({ n, t, count, order, b }: Setting): string => `n=${n} t=${t} b=${b}, ${count} terms, order <= ${order}`;
const tiny = (value: number): string => (value <= 0 ? '0' : value.toExponential(0));
const megabytes = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

function table(header: readonly string[], rows: readonly (readonly string[])[]): void {
  process.stdout.write(
    [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |\n`).join('') + '\n',
  );
}

function title(text: string): void {
  process.stdout.write(`### ${text}\n\n`);
}

function exactTable(seeds: readonly number[]): void {
  title(`Noise free, ${seeds.length} seeds (median / worst)`);
  table(
    ['setting', 'masks', 'exact support', '1 - R²', 'transform + decode'],
    SETTINGS.map((setting) => {
      const runs = seeds.map((seed) => measure(setting, seed, 0));
      const exact = runs.filter(({ recall, spurious }) => recall === 1 && spurious === 0).length;
      return [
        name(setting),
        String(runs[0].masks),
        `${exact} of ${runs.length}`,
        pair(
          runs.map((run) => 1 - run.r2),
          tiny,
          Math.max,
        ),
        pair(
          runs.map(({ decodeMs }) => decodeMs),
          ms,
          Math.max,
        ),
      ];
    }),
  );
}

function noiseTable(seeds: readonly number[], noise: number): void {
  title(`Noise of ${100 * noise} % of the deviation of f, ${seeds.length} seeds (median / worst)`);
  table(
    ['setting', 'recall', 'spurious, peeled', 'spurious, refined', 'R²', 'transform + decode', 'refinement', 'kept'],
    SETTINGS.map((setting) => {
      const runs = seeds.map((seed) => measure(setting, seed, noise));
      const kept = [...new Set(runs.map((run) => run.kept))].map(
        (fit) => `${fit} ${runs.filter((run) => run.kept === fit).length}`,
      );
      return [
        name(setting),
        pair(
          runs.map(({ recall }) => recall),
          (value) => value.toFixed(2),
          Math.min,
        ),
        pair(
          runs.map(({ spuriousPeeled }) => spuriousPeeled),
          String,
          Math.max,
        ),
        pair(
          runs.map(({ spurious }) => spurious),
          String,
          Math.max,
        ),
        pair(
          runs.map((run) => run.r2),
          (value) => value.toFixed(5),
          Math.min,
        ),
        pair(
          runs.map(({ decodeMs }) => decodeMs),
          ms,
          Math.max,
        ),
        pair(
          runs.map(({ refineMs }) => refineMs),
          ms,
          Math.max,
        ),
        kept.join(', '),
      ];
    }),
  );
}

/** Time and memory of transform and decoding alone, on the largest plans. */
function sizeTable(seeds: readonly number[]): void {
  title(`Time and memory of transform and decoding, one thread, ${seeds.length} seeds (median / worst)`);
  const rows: string[][] = [];
  for (const setting of LARGE) {
    for (const noise of [0, 0.05, 1]) {
      const times = seeds.map((seed) => {
        const truth = randomSpectrum(setting.n, setting.count, setting.order, createRandom(seed, 'truth'));
        const { draw, values } = noisy(truth, setting, seed, noise);
        const started = performance.now();
        const collector = collectBins(draw);
        collector.accept(0, values);
        peel(standardise(collector.bins(), momentsOf(values)), createDecoder(draw.code));
        return performance.now() - started;
      });
      rows.push([
        name(setting),
        String(planSpex(setting.n, setting).masks.raw),
        `${100 * noise} %`,
        pair(times, ms, Math.max),
        `${megabytes()} MB`,
      ]);
    }
  }
  table(['setting', 'raw masks', 'noise', 'transform + decode', 'peak memory so far'], rows);
}

/** Lone order-5 sets (f_SP), and all subsets of such sets (f_SCH), n = 100: each solver at the same budget. */
async function parityTable(seeds: readonly number[], signal: AbortSignal): Promise<void> {
  const n = 100;
  const budget = 1968;
  const truths = {
    f_SP: (seed: number): FourierSpectrum => {
      const random = createRandom(seed, 'f_SP');
      return createSpectrum(
        'fourier',
        n,
        Array.from({ length: 10 }, () => ({ members: random.subset(n, 5), value: 2 * random.uniform() - 1 })),
      );
    },
    f_SCH: (seed: number): FourierSpectrum => {
      const random = createRandom(seed, 'f_SCH');
      const sets = new Map<string, number[]>();
      for (let s = 0; s < 10; s++) {
        const five = random.subset(n, 5);
        for (let pick = 0; pick < 32; pick++) {
          const set = five.filter((_, k) => (pick >> k) & 1);
          sets.set(setKey(set), set);
        }
      }
      return createSpectrum(
        'fourier',
        n,
        [...sets.values()].map((members) => ({ members, value: 2 * random.uniform() - 1 })),
      );
    },
  };
  title(
    `Ten lone sets of five players (f_SP) and all their subsets (f_SCH), n = ${n}, ${budget} masks, ${seeds.length} seeds (median / worst held-out R²)`,
  );
  const rows: string[][] = [];
  for (const [label, make] of Object.entries(truths)) {
    const spexScores: number[] = [];
    const proxyScores: number[] = [];
    let exact = 0;
    for (const seed of seeds) {
      const truth = make(seed);
      const { draw, values } = noisy(truth, { n, t: 5, b: planSpex(n, { budget }).b }, seed, 0);
      const collector = collectBins(draw);
      collector.accept(0, values);
      const { spectrum } = fitSpex(collector.bins(), values, seed);
      const { hits, spurious } = compare(
        spectrum.terms.map(({ members }) => members),
        truth,
      );
      if (hits >= truth.terms.filter(({ members }) => members.length > 0).length && spurious === 0) exact++;
      spexScores.push(heldOutR2(spectrum, truth, seed));
      const masks = uniformMasks(n, draw.masks.count, createRandom(seed, 'proxy'));
      const proxy = await fitProxySpex(masks, evaluate(truth, masks), { seed, signal });
      proxyScores.push(heldOutR2(proxy.spectrum, truth, seed));
    }
    const show = (scores: readonly number[]): string => pair(scores, (value) => value.toFixed(3), Math.min);
    rows.push([label, show(spexScores), `${exact} of ${seeds.length}`, show(proxyScores)]);
  }
  table(['function', 'SPEX', 'SPEX exact support', 'ProxySPEX'], rows);
}

/** Recall and R² against noise and against the number of terms. */
function curves(seeds: readonly number[]): Curve[] {
  const base: Setting = { n: 64, t: 5, count: 40, order: 4, b: 6 };
  const points = (axis: Curve['axis'], at: number, setting: Setting, noise: number): Curve[] => {
    const runs = seeds.map((seed) => measure(setting, seed, noise));
    return [
      { axis, at, measure: 'recall', values: runs.map(({ recall }) => recall) },
      { axis, at, measure: 'R²', values: runs.map((run) => Math.max(-0.2, run.r2)) },
    ];
  };
  return [
    ...[0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 4].flatMap((noise) => points('noise / deviation of f', noise, base, noise)),
    ...[40, 160, 280, 320, 360, 400, 450].flatMap((count) => points('terms', count, { ...base, count }, 0.05)),
  ];
}

interface ReferenceAnswer {
  readonly error?: string;
  readonly transformSeconds: number;
  readonly decodeSeconds: number;
  readonly terms: readonly (readonly [readonly number[], number])[];
}

/** Runs the reference on the cases, each answer as it comes; what is unanswered when the time is up is absent. */
async function runReference(
  python: string,
  cases: readonly object[],
  limitSeconds: number,
  signal: AbortSignal,
): Promise<ReferenceAnswer[]> {
  const script = fileURLToPath(new URL('./spex_reference.py', import.meta.url));
  const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'pipe'], signal });
  const timer = setTimeout(() => child.kill(), limitSeconds * 1000);
  let out = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.end(JSON.stringify({ cases }));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => reject(fail('input', '--python', `${python} did not start: ${error.message}`)));
    child.on('close', resolve);
  });
  clearTimeout(timer);
  const answers = out
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as ReferenceAnswer);
  if (answers.length === 0 && code !== null)
    throw fail(
      'input',
      '--compare',
      `the reference ended with code ${code}: ${errors.trim().split('\n').at(-1)}; pip install spectralexplain into the interpreter given by --python.`,
    );
  return answers;
}

async function referenceTable(
  python: string,
  seeds: readonly number[],
  settings: readonly Setting[],
  limitSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  title(
    `Beside the reference (spectralexplain, soft decoding), the same functions, transform + decode, ${seeds.length} seeds each`,
  );
  const cases = settings.flatMap((setting) =>
    [0, 0.05].flatMap((noise) =>
      seeds.map((seed) => ({
        setting,
        noise,
        seed,
        truth: randomSpectrum(setting.n, setting.count, setting.order, createRandom(seed, 'truth')),
      })),
    ),
  );
  const asked = cases.map(({ setting: { n, t, b }, noise, seed, truth }) => ({
    n,
    t,
    b,
    noise,
    seed,
    terms: truth.terms.map(({ members, value }) => [members, value]),
  }));
  measure(SETTINGS[0], 99, 0.05); // both sides are warm before the clock runs
  const answers = await runReference(python, asked, limitSeconds, signal);
  const rows: string[][] = [];
  settings.forEach((setting, s) => {
    [0, 0.05].forEach((noise, z) => {
      const from = (s * 2 + z) * seeds.length;
      const ours = seeds.map((seed) => measure(setting, seed, noise));
      const mine = pair(
        ours.map(({ decodeMs }) => decodeMs / 1000),
        seconds,
        Math.max,
      );
      const our = `${pair(
        ours.map(({ recall }) => recall),
        (value) => value.toFixed(2),
        Math.min,
      )}, ${Math.max(...ours.map(({ spuriousPeeled }) => spuriousPeeled))}`;
      const theirs = answers.slice(from, from + seeds.length);
      const failed = theirs.find(({ error }) => error !== undefined);
      if (failed || theirs.length < seeds.length) {
        rows.push([
          name(setting),
          `${100 * noise} %`,
          mine,
          our,
          failed?.error ?? `not done in ${limitSeconds} s for all cases`,
          '',
          '',
        ]);
        return;
      }
      const times = theirs.map(({ transformSeconds, decodeSeconds }) => transformSeconds + decodeSeconds);
      const scores = theirs.map(({ terms }, k) =>
        compare(
          terms.filter(([, value]) => Math.abs(value) > 1e-9).map(([members]) => members),
          cases[from + k].truth,
        ),
      );
      const their = `${pair(
        scores.map(({ hits }) => hits / setting.count),
        (value) => value.toFixed(2),
        Math.min,
      )}, ${Math.max(...scores.map(({ spurious }) => spurious))}`;
      const ratio = median(times) / median(ours.map(({ decodeMs }) => decodeMs / 1000));
      rows.push([
        name(setting),
        `${100 * noise} %`,
        mine,
        our,
        pair(times, seconds, Math.max),
        their,
        `${ratio.toFixed(0)}x`,
      ]);
    });
  });
  table(
    [
      'setting',
      'noise',
      'ours',
      'ours: recall, most spurious',
      'reference',
      'reference: recall, most spurious',
      'ratio',
    ],
    rows,
  );
}

const command = new Command('bench-spex')
  .description('Measure SPEX on random sparse spectra and print the tables of docs/spex.md.')
  .option('--seeds <count>', 'seeds per setting', '5')
  .option('--parts <list>', `any of ${PARTS.join(',')}, or none`, 'exact,noise,size')
  .option('--compare <what>', '"python": run the reference beside it')
  .option('--python <interpreter>', 'interpreter that has spectralexplain', 'python3')
  .option('--settings <players>', 'players of the settings to compare on', '20,64')
  .option('--limit <seconds>', 'time for the reference', '600')
  .option('--debug', 'show the stack of an error');

interface Flags {
  readonly seeds: string;
  readonly parts: string;
  readonly compare?: string;
  readonly python: string;
  readonly settings: string;
  readonly limit: string;
  readonly debug?: boolean;
}

process.exitCode = await runCommand<Flags>(
  command,
  process.argv.slice(2),
  terminal,
  async (flags, { signal, line }) => {
    const count = whole('--seeds', flags.seeds);
    if (count === 0) throw fail('input', '--seeds', '0 seeds; at least 1 is needed.');
    const seeds = Array.from({ length: count }, (_, k) => k + 1);
    const parts =
      flags.parts === 'none'
        ? []
        : flags.parts.split(',').map((part) => {
            const known = PARTS.find((one) => one === part);
            if (!known) throw fail('input', '--parts', `"${part}"; any of ${PARTS.join(', ')}, or none.`);
            return known;
          });
    if (flags.compare !== undefined && flags.compare !== 'python')
      throw fail('input', '--compare', `"${flags.compare}"; only python is known.`);
    const wants = (part: Part): boolean => parts.includes(part);
    process.stdout.write(
      `\`${line}\`\nNode ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, one thread\n\n`,
    );
    measure(SETTINGS[0], 99, 0.05); // compile before the clock runs
    if (wants('exact')) exactTable(seeds);
    if (wants('noise')) noiseTable(seeds, 0.05);
    if (wants('size')) sizeTable(seeds);
    if (wants('parities')) await parityTable(seeds, signal);
    const docs = new URL('../docs/', import.meta.url);
    mkdirSync(docs, { recursive: true });
    if (wants('curves')) writeFileSync(new URL('spex-curves.svg', docs), curvesPicture(curves(seeds)));
    if (wants('pictures')) writeFileSync(new URL('spex-bins.svg', docs), binsPicture());
    if (flags.compare === 'python') {
      const players = new Set(flags.settings.split(',').map((text) => whole('--settings', text)));
      await referenceTable(
        flags.python,
        seeds,
        [...SETTINGS, ...LARGE].filter(
          ({ n, t }, k, all) => players.has(n) && all.findIndex((other) => other.n === n && other.t === t) === k,
        ),
        whole('--limit', flags.limit),
        signal,
      );
    }
  },
);
