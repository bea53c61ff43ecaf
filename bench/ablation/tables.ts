/** The terminal's tables: one a backend, and one for the twin. */
import { shareOutside } from './flops.ts';
import {
  difference,
  median,
  numbersOf,
  pairedRatio,
  speeds,
  type BackendReport,
  type PythonReport,
  type Report,
  type WayReport,
} from './report.ts';
import type { PeakOf } from './peak.ts';

/** Three digits, as many as are worth reading. */
export function short(value: number): string {
  return value >= 1000
    ? Math.round(value).toLocaleString('en')
    : value >= 100
      ? value.toFixed(0)
      : value >= 10
        ? value.toFixed(1)
        : value.toFixed(2);
}

const percent = (share: number | undefined): string => (share === undefined ? '-' : `${(100 * share).toFixed(0)} %`);
const mib = (bytes: number | undefined): string => (bytes === undefined ? '-' : `${(bytes / 2 ** 20).toFixed(0)} MiB`);
const range = (values: readonly number[]): string => `${short(Math.min(...values))} - ${short(Math.max(...values))}`;

/** Columns as wide as their widest cell; the first to the left, numbers to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map(
      (row) =>
        `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ')}`,
    )
    .join('\n');
}

export function header(report: Report): string {
  const { job, machine } = report;
  const { config } = job;
  const lines = [
    [
      'model',
      `${job.name} (${config.family}): ${config.nLayers} layers x ${config.nHeads} heads, ${(report.parameters / 1e6).toFixed(report.parameters < 1e7 ? 1 : 0)} M parameters on the device`,
    ],
    [
      'rows',
      `${job.masks.length.toLocaleString('en')} ${report.design} masks of ${job.players}, one prompt of ${job.tokens.length} tokens, logit difference; seed ${report.seed}`,
    ],
    [
      '',
      `the loop does ${job.loopMasks} of them, batched hooks ${job.hookMasks}; all ${(report.forwardFlops / 1e9).toPrecision(3)} GFLOP a whole pass`,
    ],
    ['machine', `${machine.cores} x ${machine.cpu}, Node ${machine.node}`],
    ['rounds', `${report.rounds}, every way in each; medians (lowest - highest)`],
  ];
  return lines.map(([label, text]) => `${label.padEnd(8)} ${text}`).join('\n');
}

export function backendTable(report: Report, backend: BackendReport): string {
  const head = [
    '',
    'batch',
    'rows/s',
    '',
    'x loop',
    'engine / this',
    'rows/CPU-s',
    'GFLOP/s whole',
    'done',
    'of peak',
    'outside matMul',
    'peak memory',
  ];
  const rows = backend.ways.map((way) => {
    const numbers = numbersOf(report, backend, way);
    return [
      way.name,
      String(way.batch),
      short(numbers.rowsPerSecond),
      `(${range(speeds(way))})`,
      short(numbers.timesLoop),
      short(numbers.engineTimes),
      short(median(way.rounds.map(({ rowsPerCpuSecond }) => rowsPerCpuSecond))),
      short(numbers.nominalGflops),
      numbers.effectiveGflops === undefined ? '-' : short(numbers.effectiveGflops),
      percent(numbers.shareOfPeak),
      outside(backend, way),
      mib(way.memory?.peakBytes),
    ];
  });
  return [
    `${backend.name}: ${backend.device}`,
    table([head, ...rows]),
    `  matMul peak, GFLOP/s: ${peaks(backend)}`,
  ].join('\n');
}

/** Kernels of a GPU run on after they were called, so that their times are not known here. */
export function outside(backend: BackendReport, way: WayReport): string {
  return way.profile === undefined || backend.gpu || backend.name.startsWith('webgpu')
    ? '-'
    : percent(shareOutside(way.profile));
}

function peaks({ peaks: rounds }: BackendReport): string {
  const one = (label: string, of: readonly PeakOf[]): string =>
    `${label} ${short(median(of.map(({ gflops }) => gflops)))} (${of[0].shape.join('x')})`;
  const own = rounds.flatMap((peak) => peak.own ?? []);
  return [
    one(
      'stock',
      rounds.map(({ stock }) => stock),
    ),
    ...(own.length === 0 ? [] : [one('own kernel', own)]),
  ].join(', ');
}

/** The twin's ways, how the engine of each backend stands to them in the same rounds, and how far its values are from theirs. */
export function pythonTable(report: Report, twin: PythonReport): string {
  const engines = report.backends.flatMap(({ name, ways }) =>
    ways.filter(isWhole).map((way) => ({ name: `${name} ${way.name} / this`, way })),
  );
  const head = ['', 'batch', 'rows/s', '', ...engines.map(({ name }) => name), 'largest difference'];
  const rows = twin.ways.map((theirs) => [
    theirs.name,
    String(theirs.batch),
    short(median(theirs.rounds)),
    `(${range(theirs.rounds)})`,
    ...engines.map(({ way }) => short(pairedRatio(speeds(way), theirs.rounds))),
    Math.max(...engines.map(({ way }) => difference(way.values, theirs.values))).toExponential(1),
  ]);
  const versions = Object.entries(twin.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
  return [
    `PyTorch: ${twin.device}, ${twin.threads} threads, ${twin.tf32 ? 'TF32' : 'float32'}; ${versions}`,
    table([head, ...rows]),
    `  peak memory of its process: ${mib(twin.peakBytes)}`,
  ].join('\n');
}

/** The engine with all its savings, on one thread or several. */
const isWhole = ({ name }: WayReport): boolean => name.startsWith('engine') && !name.includes(', no ');
