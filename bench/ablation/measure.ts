/**
 * The measurement: a process for every way of every backend, made ready one after the other, then rounds in which each has
 * its turn, so that what else the machine does hits all alike. Counting and memory come last, where they disturb nothing.
 */
import { cpus, totalmem } from 'node:os';
import { fail, SpexlensError } from '../../src/errors.ts';
import { VERSION } from '../../src/version.ts';
import type { Running } from '../../cli/command.ts';
import { createProgress, type Progress } from '../../cli/circuits/progress.ts';
import { takesThreads } from './backends.ts';
import { forwardFlops } from './flops.ts';
import type { Job } from './job.ts';
import { startWorker, type Worker } from './protocol.ts';
import { openPython, type Python } from './python.ts';
import { differencesOf, type BackendReport, type PythonReport, type Report, type WayReport } from './report.ts';
import type { Settings } from './settings.ts';
import { short } from './tables.ts';
import type { WaySpec } from './ways.ts';

export interface Surroundings {
  readonly say: (text: string) => void;
  /** Whether progress bars are wanted. */
  readonly bars: boolean;
}

/** One way and the process it runs in. */
interface Lane {
  readonly worker: Worker;
  readonly report: WayReport;
  /** Undefined where the process has other ways too. */
  readonly loadedBytes: number | undefined;
  /** Whether its kernels run where they can be counted: not in threads. */
  readonly counted: boolean;
}

interface OpenBackend {
  readonly report: BackendReport;
  readonly lanes: readonly Lane[];
}

interface OpenTwin {
  readonly report: PythonReport;
  readonly python: Python;
}

/** @throws 'backend' when no backend could be measured, or one fails in the middle; 'aborted' after the signal. */
export async function measure(
  job: Job,
  settings: Settings,
  { line, signal }: Running,
  { say, bars }: Surroundings,
): Promise<Report> {
  const progress = bars ? createProgress(process.stderr) : { update: () => {}, stop: () => {} };
  const workers: Worker[] = [];
  const twins: OpenTwin[] = [];
  const notMeasured: { readonly name: string; readonly why: string }[] = [];
  const skip = (name: string, why: string): void => {
    progress.stop();
    notMeasured.push({ name, why });
    say(`not measured: ${why.startsWith(name) ? why : `${name}: ${why}`}`);
  };
  try {
    if (signal.aborted) throw fail('aborted', 'bench-ablation', 'stopped on request.');
    const backends: OpenBackend[] = [];
    let parameters = 0;
    for (const name of settings.backends) {
      const ready = workers.length;
      try {
        const ways = settings.ways.filter(({ threads }) => threads === undefined || takesThreads(name));
        if (ways.length < settings.ways.length)
          skip(`${name} on threads`, 'it has the cores to itself, or threads would not have its kernels');
        const opened = await openBackend(name, job, ways, signal, workers, progress);
        parameters = opened.parameters;
        backends.push(opened);
      } catch (error) {
        if (!(error instanceof SpexlensError) || error.kind === 'aborted') throw error;
        skip(name, error.message);
        await Promise.all(workers.splice(ready).map((worker) => worker.close()));
      }
    }
    if (backends.length === 0) throw fail('backend', 'bench-ablation', 'no backend could be measured; see above.');
    for (const setting of settings.twins) {
      progress.update({ stage: 'PyTorch', done: 0, total: 1 });
      const python = await openPython(job, setting, signal);
      if (typeof python === 'string') skip(`python${setting.tf32 ? ' TF32' : ''}`, python);
      else {
        const ways: PythonReport['ways'] = [];
        twins.push({
          python,
          report: {
            versions: python.versions,
            device: python.device,
            threads: python.threads,
            tf32: setting.tf32,
            ways,
            peakBytes: 0,
          },
        });
        ways.push(...(await firstRuns(python, settings)));
      }
    }
    for (let round = 1; round <= settings.rounds; round++) {
      await runRound(`round ${round} of ${settings.rounds}`, backends, twins, progress);
      progress.stop();
      say(`round ${round} of ${settings.rounds}, rows/s: ${roundLine(backends, twins)}`);
    }
    for (const { lanes } of backends) {
      for (const [done, { worker, report, loadedBytes, counted }] of lanes.entries()) {
        progress.update({ stage: 'memory and counts', done, total: lanes.length });
        // Before it is counted: counting keeps nothing, but a run more could.
        report.memory =
          loadedBytes === undefined
            ? null
            : { loadedBytes, peakBytes: (await worker.ask('memory', undefined)).peakBytes };
        if (counted) report.profile = await worker.ask('profile', { name: report.name });
      }
    }
    const reports = backends.map(({ report }) => report);
    return {
      schema: 'spexlens.bench-ablation/1',
      version: VERSION,
      command: line,
      date: new Date().toISOString(),
      machine: {
        cpu: cpus()[0].model,
        cores: cpus().length,
        memoryBytes: totalmem(),
        node: process.version,
        platform: `${process.platform} ${process.arch}`,
      },
      design: settings.design,
      seed: settings.seed,
      rounds: settings.rounds,
      job: withoutFolder(job),
      parameters,
      forwardFlops: forwardFlops(job.config, job.tokens.length),
      backends: reports,
      python: twins.map(({ report }) => report),
      notMeasured,
      differences: differencesOf(reports),
    };
  } finally {
    progress.stop();
    for (const { python } of twins) python.close();
    await Promise.all(workers.map((worker) => worker.close()));
  }
}

/** Starts the processes of one backend side by side and runs every way once. They are added to `workers` at once, for the caller to close. */
async function openBackend(
  name: string,
  job: Job,
  ways: readonly WaySpec[],
  signal: AbortSignal,
  workers: Worker[],
  progress: Progress,
): Promise<OpenBackend & { readonly parameters: number }> {
  progress.update({ stage: `${name}: starting`, done: 0, total: ways.length });
  const homes = [...new Set(ways.map(homeOf))];
  const begin = async (home: string) => {
    const worker = startWorker(name, signal);
    workers.push(worker);
    return { home, worker, opened: await worker.ask('open', { job, backend: name }) };
  };
  const begun = await Promise.all(homes.map(begin));
  const lanes: Lane[] = [];
  for (const [done, way] of ways.entries()) {
    progress.update({ stage: `${name}: first run`, done, total: ways.length });
    const { worker, opened } = begun.find(({ home }) => home === homeOf(way)) ?? begun[0];
    const { masks, batch, values } = await worker.ask('prepare', way);
    lanes.push({
      worker,
      counted: way.threads === undefined,
      loadedBytes: way.off === undefined ? opened.loadedBytes : undefined,
      report: { name: way.name, masks, batch, rounds: [], values },
    });
  }
  const { device, gpu, selfCheckError, versions, parameters } = begun[0].opened;
  return {
    parameters,
    lanes,
    report: { name, device, gpu, selfCheckError, versions, ways: lanes.map(({ report }) => report), peaks: [] },
  };
}

/** The process a way runs in: its own, or that of all with a saving switched off. */
const homeOf = ({ name, off }: WaySpec): string => (off === undefined ? name : 'off');

/** The fastest batch size of the twin's first way, which all its ways then have. */
async function firstRuns(python: Python, { pythonBatches, pythonWays }: Settings): Promise<PythonReport['ways']> {
  let best = { batch: pythonBatches[0], rowsPerSecond: 0 };
  for (const batch of pythonBatches) {
    const { rowsPerSecond } = await python.measure(pythonWays[0], batch);
    if (rowsPerSecond > best.rowsPerSecond) best = { batch, rowsPerSecond };
  }
  const ways: PythonReport['ways'] = [];
  for (const name of pythonWays) {
    const batch = name === 'loop' ? 1 : best.batch;
    ways.push({ name, batch, rounds: [], values: (await python.measure(name, batch)).values });
  }
  return ways;
}

/** Every way once, ours and the twin's, and the matMul peak of each backend. */
async function runRound(
  stage: string,
  backends: readonly OpenBackend[],
  twins: readonly OpenTwin[],
  progress: Progress,
): Promise<void> {
  const total =
    backends.reduce((sum, { lanes }) => sum + lanes.length + 1, 0) +
    twins.reduce((sum, { report }) => sum + report.ways.length, 0);
  let done = 0;
  const step = (): void => progress.update({ stage, done: done++, total });
  for (const { lanes, report } of backends) {
    for (const lane of lanes) {
      step();
      lane.report.rounds.push(await lane.worker.ask('measure', { name: lane.report.name }));
    }
    step();
    report.peaks.push(
      await (lanes.find((lane) => lane.report.name === 'engine') ?? lanes[0]).worker.ask('peak', undefined),
    );
  }
  for (const { python, report } of twins) {
    for (const way of report.ways) {
      step();
      const { rowsPerSecond, peakBytes } = await python.measure(way.name, way.batch);
      way.rounds.push(rowsPerSecond);
      report.peakBytes = peakBytes;
    }
  }
}

function roundLine(backends: readonly OpenBackend[], twins: readonly OpenTwin[]): string {
  const ours = backends.map(
    ({ report }) =>
      `${report.name} ${report.ways.map(({ name, rounds }) => `${name} ${short(rounds[rounds.length - 1].rowsPerSecond)}`).join(', ')}`,
  );
  const theirs = twins.map(
    ({ report }) =>
      `PyTorch${report.tf32 ? ' TF32' : ''} ${report.ways.map(({ name, rounds }) => `${name} ${short(rounds[rounds.length - 1])}`).join(', ')}`,
  );
  return [...ours, ...theirs].join('; ');
}

function withoutFolder({ folder: _folder, ...rest }: Job): Omit<Job, 'folder'> {
  return rest;
}
