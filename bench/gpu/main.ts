/**
 * The command: which backends there are, the sections one after the other, each in a process of its own (sections.ts), and the
 * record, which is written anew after every section, so that what was measured is never lost.
 */
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { parseVariant } from '../ablation/backends.ts';
import { describeMachine } from './machine.ts';
import { pageOf } from './page.ts';
import type { Entry, GpuReport, SectionEnd } from './record.ts';
import type { SectionSpec } from './sections.ts';
import { runTorch, type Precision } from './torch.ts';
import { runCommand, type Running, type Streams } from '../../cli/command.ts';
import { fail } from '../../src/errors.ts';

interface Flags {
  readonly quick?: boolean;
  readonly backends: string;
  readonly sections: string;
  readonly models: string;
  readonly lengths: string;
  readonly seconds?: string;
  readonly python: string;
  readonly pythonDevice: string;
  readonly small?: boolean;
  readonly out: string;
  readonly debug?: boolean;
}

export const SECTION_NAMES = ['checks', 'products', 'rows', 'torch', 'kernels', 'circuits'] as const;
type SectionName = (typeof SECTION_NAMES)[number];

/** One section to run; `share` of the whole time. */
export interface Planned {
  readonly name: SectionName;
  readonly backend: string;
  readonly model: string;
  readonly share: number;
}

/** Runs the command on `args`; the result is the exit code. */
export function benchGpuCommand(args: readonly string[], streams: Streams): Promise<number> {
  return runCommand(createCommand(), args, streams, (flags: Flags, running) => benchGpu(flags, running, streams));
}

function createCommand(): Command {
  return new Command('bench-gpu')
    .description("Right and fast on this machine's GPU? Checks, products, masked rows a second, beside PyTorch.")
    .option('--quick', 'short measurements: 6 minutes at most')
    .option('--backends <list>', 'webgpu, tensorflow; each also as NAME:stock', 'webgpu,tensorflow')
    .option('--sections <list>', SECTION_NAMES.join(', '), SECTION_NAMES.join(','))
    .option(
      '--models <list>',
      'ioi-tiny, and shapes with random weights',
      'gpt2-small,SmolLM2-135M,Llama-3.2-1B,ioi-tiny',
    )
    .option('--lengths <list>', 'tokens of the prompts', '16,64,256')
    .option('--seconds <n>', 'for everything (default: 900, or 330 with --quick)')
    .option('--python <path>', 'interpreter with torch and transformers; none: leave PyTorch out', 'python3')
    .option('--python-device <name>', 'cuda or cpu', 'cuda')
    .option('--small', 'few rows and small products, to try the command out on a software driver')
    .option('--out <folder>', 'where gpu.json and gpu.md are written', 'out/gpu')
    .option('--debug', 'show stack traces');
}

/** The sections in their order: what is wrong first, then what is slow. */
export function planSections(
  backends: readonly string[],
  names: readonly string[],
  models: readonly string[],
): Planned[] {
  const all: Planned[] = backends.flatMap((backend) => [
    { name: 'checks', backend, model: '', share: 12 },
    { name: 'products', backend, model: '', share: 12 },
  ]);
  for (const model of models) {
    for (const backend of backends) all.push({ name: 'rows', backend, model, share: 10 });
    if (model !== 'ioi-tiny') all.push({ name: 'torch', backend: '', model, share: 14 });
  }
  for (const backend of backends) {
    const [first] = models;
    all.push({ name: 'kernels', backend, model: first, share: 8 });
    const main = models.find((model) => model.startsWith('SmolLM2')) ?? first;
    all.push({ name: 'circuits', backend, model: main, share: 10 });
  }
  return all.filter(({ name }) => names.includes(name));
}

async function benchGpu(flags: Flags, running: Running, streams: Streams): Promise<void> {
  const list = (text: string): string[] =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  const names = list(flags.sections);
  const odd = names.find((name) => !(SECTION_NAMES as readonly string[]).includes(name));
  if (odd !== undefined)
    throw fail('input', '--sections', `"${odd}" is unknown; there are ${SECTION_NAMES.join(', ')}.`);
  const backends = list(flags.backends);
  for (const backend of backends) parseVariant(backend);
  const numbers = (option: string, text: string): number[] =>
    list(text).map((item) => {
      const value = Number(item);
      if (!Number.isInteger(value) || value < 1) throw fail('input', option, `"${item}" is not a whole number >= 1.`);
      return value;
    });
  const lengths = numbers('--lengths', flags.lengths);
  const seconds =
    flags.seconds === undefined ? (flags.quick === true ? 330 : 900) : numbers('--seconds', flags.seconds)[0];
  const say = (text: string): void => streams.out(`${text}\n`);
  const report = {
    schema: 'spexlens-gpu-1' as const,
    startedAt: new Date().toISOString(),
    machine: describeMachine(),
    sections: [] as SectionEnd[],
    entries: [] as GpuReport['entries'][number][],
  };
  const write = (): void => {
    mkdirSync(flags.out, { recursive: true });
    writeFileSync(join(flags.out, 'gpu.json'), `${JSON.stringify(report)}\n`);
    writeFileSync(join(flags.out, 'gpu.md'), pageOf(report));
  };
  const planned = planSections(backends, names, list(flags.models));
  const absent = new Set<string>();
  const end = performance.now() + 1000 * seconds;
  for (const [i, section] of planned.entries()) {
    if (running.signal.aborted) throw fail('aborted', 'bench-gpu', 'stopped on request.');
    if (absent.has(section.backend) || (section.name === 'torch' && flags.python === 'none')) continue;
    const left = (end - performance.now()) / 1000;
    const shares = planned
      .slice(i)
      .filter(({ backend }) => !absent.has(backend))
      .reduce((sum, { share }) => sum + share, 0);
    const allowed = Math.max(5, (left * section.share) / shares);
    const title = [section.name, section.backend, section.model].filter((part) => part !== '').join(' ');
    const started = performance.now();
    const keep = (entry: Entry): void => {
      report.entries.push({ ...entry, section: title });
      say(lineOf(entry));
    };
    say(`== ${title}, ${Math.round(allowed)} s`);
    const result = await runOne(
      section,
      { ...flags, lengths, allowed, quick: flags.quick === true, report },
      keep,
      running.signal,
    );
    report.sections.push({ name: title, seconds: (performance.now() - started) / 1000, ...result });
    if (
      result.ended === 'failed' &&
      section.name === 'checks' &&
      !report.entries.some(({ section: of }) => of === title)
    ) {
      absent.add(section.backend);
      keep({ kind: 'absent', what: section.backend, why: result.why });
    }
    if (result.ended !== 'whole') say(`   ${result.ended}: ${result.why}`);
    write();
  }
  say(`\n${pageOf(report)}\nwritten  ${join(flags.out, 'gpu.json')}, ${join(flags.out, 'gpu.md')}`);
}

interface Conditions extends Omit<Flags, 'lengths' | 'quick' | 'seconds'> {
  readonly lengths: readonly number[];
  readonly quick: boolean;
  readonly allowed: number;
  readonly report: Pick<GpuReport, 'entries'>;
}

type Ending = Omit<SectionEnd, 'name' | 'seconds'>;

async function runOne(
  { name, backend, model }: Planned,
  given: Conditions,
  keep: (entry: Entry) => void,
  signal: AbortSignal,
): Promise<Ending> {
  const each = given.small === true ? 0.05 : given.quick ? 0.5 : 1.5;
  if (name !== 'torch') {
    const spec: SectionSpec = {
      name,
      backend,
      model,
      lengths: given.lengths,
      each,
      masks: given.small === true ? 8 : 4096,
      seconds: given.allowed,
      small: given.small === true,
    };
    return runProcess(spec, keep, signal);
  }
  const ours = new Map(
    given.report.entries.flatMap((entry) =>
      entry.kind === 'values' && entry.model === model ? [[entry.length, entry.values] as const] : [],
    ),
  );
  const precisions: readonly Precision[] = given.pythonDevice === 'cuda' ? ['float32', 'tf32'] : ['float32'];
  try {
    const { cut } = await runTorch(
      {
        python: given.python,
        device: given.pythonDevice === 'cuda' ? 'cuda' : 'cpu',
        model,
        lengths: given.lengths,
        each,
        seconds: given.allowed,
        tokens: given.small === true ? [64] : given.quick ? [32768] : [8192, 32768],
        ways: ['hooks', 'lens', 'lens-last'],
        precisions,
        products:
          given.small === true
            ? [[64, 64, 64]]
            : [
                [8192, 8192, 8192],
                [4096, 4096, 4096],
                [8192, 768, 3072],
                [8192, 768, 768],
              ],
      },
      ours,
      keep,
    );
    return cut ? { ended: 'cut', why: 'its time was over' } : { ended: 'whole', why: '' };
  } catch (error) {
    return { ended: 'failed', why: (error as Error).message };
  }
}

/** What a section's process may take to start and to end, beside its time. */
const GRACE = 12;

function runProcess(spec: SectionSpec, keep: (entry: Entry) => void, signal: AbortSignal): Promise<Ending> {
  return new Promise((resolve) => {
    const child = fork(fileURLToPath(new URL('section-process.ts', import.meta.url)), [JSON.stringify(spec)], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    let ending: Ending | undefined;
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
    const kill = (): void => void child.kill('SIGKILL');
    const timer = setTimeout(
      () => {
        ending ??= { ended: 'cut', why: `killed after ${Math.round(spec.seconds + GRACE)} s` };
        kill();
      },
      1000 * (spec.seconds + GRACE),
    );
    signal.addEventListener('abort', kill);
    child.on('message', (message: { readonly entry?: Entry; readonly cut?: boolean; readonly error?: string }) => {
      if (message.entry !== undefined) keep(message.entry);
      else if (message.error !== undefined) ending = { ended: 'failed', why: message.error };
      else ending = message.cut === true ? { ended: 'cut', why: 'its time was over' } : { ended: 'whole', why: '' };
    });
    child.once('close', (code, killedBy) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', kill);
      resolve(
        ending ?? {
          ended: 'failed',
          why: `ended with ${code ?? killedBy}: ${said.trim().split('\n').slice(-3).join(' | ')}`,
        },
      );
    });
  });
}

/** An entry as the terminal shows it while others are measured. */
function lineOf(entry: Entry): string {
  const round = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
  switch (entry.kind) {
    case 'adapter':
      return `   ${entry.backend}: ${entry.device}, self-check within ${entry.selfCheckError.toExponential(1)}`;
    case 'absent':
      return `   absent: ${entry.what}: ${entry.why.split('\n')[0]}`;
    case 'check':
      return `   ${entry.error <= entry.allowed ? 'ok  ' : 'BAD '} ${entry.error.toExponential(1)} of ${entry.allowed.toExponential(0)}  ${entry.claim} (${entry.cases})`;
    case 'product':
      return `   ${entry.shape.join(' x ')}  ${round(entry.gflops)} GFLOP/s  ${entry.by}`;
    case 'rows':
      return `   ${entry.length} tokens, ${entry.players}, batch ${entry.batch}: ${round(entry.rowsPerSecond)} rows/s, ${round((entry.rowsPerSecond * entry.flopsPerRow) / 1e9)} GFLOP/s, launching ${entry.launching.toFixed(2)} (${entry.products})`;
    case 'values':
      return `   ${entry.length} tokens: ${entry.values.length} values kept to compare`;
    case 'readback':
      return `   readback ${entry.medianMs.toFixed(2)} ms, at worst ${entry.worstMs.toFixed(2)}`;
    case 'kernel':
      return `   ${(entry.calls * entry.msEach).toFixed(2)} ms: ${entry.calls} x ${entry.msEach.toFixed(3)} ${entry.name} ${entry.shapes}`;
    case 'circuits':
      return `   find-circuits: ${entry.seconds.toFixed(1)} s, ${entry.measuring.toFixed(1)} of them measuring ${entry.masks} masks of ${entry.players} players`;
    case 'torch':
      return `   PyTorch ${entry.way} ${entry.precision}, ${entry.length} tokens, ${entry.players}, batch ${entry.batch}: ${round(entry.rowsPerSecond)} rows/s${entry.difference === null ? '' : `, differs by ${entry.difference.toExponential(1)}`}`;
    case 'torch-product':
      return `   PyTorch ${entry.precision} ${entry.shape.join(' x ')}  ${round(entry.gflops)} GFLOP/s`;
    default:
      return entry satisfies never;
  }
}
