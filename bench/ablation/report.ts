/**
 * What was measured, as plain data: the record that --json writes, and the numbers made of it.
 */
import type { Profile } from './flops.ts';
import type { Design, Job } from './job.ts';
import type { Peak } from './peak.ts';
import type { Answers, Measured } from './protocol.ts';

export interface WayReport {
  readonly name: string;
  /** Masks of a run, and rows of a forward pass. */
  readonly masks: number;
  readonly batch: number;
  /** One a round. */
  readonly rounds: Measured[];
  readonly values: readonly number[];
  profile?: Profile & { readonly rows: number };
  /** Null for a way that shared its process with others. */
  memory?: { readonly loadedBytes: number; readonly peakBytes: number } | null;
}

export interface BackendReport extends Omit<Answers['open'], 'loadedBytes' | 'parameters'> {
  readonly name: string;
  readonly ways: WayReport[];
  /** One a round. */
  readonly peaks: Peak[];
}

export interface PythonReport {
  readonly versions: Readonly<Record<string, string>>;
  readonly device: string;
  readonly threads: number;
  readonly tf32: boolean;
  readonly ways: {
    readonly name: string;
    readonly batch: number;
    readonly rounds: number[];
    readonly values: readonly number[];
  }[];
  /** The most memory that its process held so far. */
  peakBytes: number;
}

export interface Report {
  readonly schema: 'spexlens.bench-ablation/1';
  readonly version: string;
  readonly command: string;
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryBytes: number;
    readonly node: string;
    readonly platform: string;
  };
  readonly design: Design;
  readonly seed: number;
  readonly rounds: number;
  readonly job: Omit<Job, 'folder'>;
  readonly parameters: number;
  /** FLOPs of one whole forward pass of one row. */
  readonly forwardFlops: number;
  readonly backends: BackendReport[];
  readonly python: PythonReport[];
  /** Why a backend or the twin was not measured. */
  readonly notMeasured: { readonly name: string; readonly why: string }[];
  /** Of values, relative to max(1, |value|): between the ways of one backend, and between backends too. */
  readonly differences: { readonly within: Difference; readonly across: Difference };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The loop and the engine are always there. */
export const wayOf = (backend: BackendReport, name: 'loop' | 'engine'): WayReport =>
  backend.ways.find((way) => way.name === name) as WayReport;
export const speeds = (way: WayReport): number[] => way.rounds.map(({ rowsPerSecond }) => rowsPerSecond);

/** Median over the rounds of a / b, so that what slows both in a round cancels. */
export function pairedRatio(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, round) => value / b[round]));
}

/** The best product of a round, by any kernel, GFLOP/s. */
export const bestPeak = ({ stock, own }: Peak): number => Math.max(stock.gflops, own?.gflops ?? 0);

export interface WayNumbers {
  readonly rowsPerSecond: number;
  readonly lowest: number;
  readonly highest: number;
  /** Against the loop, and the engine against this way. */
  readonly timesLoop: number;
  readonly engineTimes: number;
  /** rows/s · FLOPs of a whole forward pass. */
  readonly nominalGflops: number;
  /** By the FLOPs that were really done. */
  readonly effectiveGflops: number | undefined;
  /** Of the backend's matMul peak in the same round. */
  readonly shareOfPeak: number | undefined;
}

export function numbersOf(report: Report, backend: BackendReport, way: WayReport): WayNumbers {
  const rows = speeds(way);
  const flopsPerRow = way.profile === undefined ? undefined : way.profile.flops / way.profile.rows;
  return {
    rowsPerSecond: median(rows),
    lowest: Math.min(...rows),
    highest: Math.max(...rows),
    timesLoop: pairedRatio(rows, speeds(wayOf(backend, 'loop'))),
    engineTimes: pairedRatio(speeds(wayOf(backend, 'engine')), rows),
    nominalGflops: (median(rows) * report.forwardFlops) / 1e9,
    effectiveGflops: flopsPerRow === undefined ? undefined : (median(rows) * flopsPerRow) / 1e9,
    shareOfPeak:
      flopsPerRow === undefined
        ? undefined
        : median(rows.map((speed, round) => (speed * flopsPerRow) / 1e9 / bestPeak(backend.peaks[round]))),
  };
}

/** The largest |a - b| / max(1, |b|) over the masks that both did; infinite where one is no number. */
export function difference(a: readonly number[], b: readonly number[]): number {
  let worst = 0;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const found = Math.abs(a[i] - b[i]) / Math.max(1, Math.abs(b[i]));
    worst = Math.max(worst, Number.isNaN(found) ? Infinity : found);
  }
  return worst;
}

export interface Difference {
  readonly difference: number;
  /** Which two. */
  readonly between: string;
}

/** The largest difference between two of these. */
export function largestDifference(
  all: readonly { readonly name: string; readonly values: readonly number[] }[],
): Difference {
  let worst: Difference = { difference: 0, between: '' };
  for (const [i, a] of all.entries()) {
    for (const b of all.slice(0, i)) {
      const found = difference(a.values, b.values);
      if (found > worst.difference) worst = { difference: found, between: `${b.name} and ${a.name}` };
    }
  }
  return worst;
}

/** Between the ways of one backend, the worst backend; and between all ways of all. */
export function differencesOf(backends: readonly BackendReport[]): Report['differences'] {
  const named = ({ name, ways }: BackendReport): { readonly name: string; readonly values: readonly number[] }[] =>
    ways.map((way) => ({ name: `${way.name} on ${name}`, values: way.values }));
  const within = backends
    .map((backend) => largestDifference(named(backend)))
    .sort((a, b) => b.difference - a.difference);
  return { within: within[0], across: largestDifference(backends.flatMap(named)) };
}
