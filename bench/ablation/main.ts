/**
 * The command: a checkpoint, a job, the measurement, and what is shown and written of it.
 */
import { setMaxListeners } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHAPES, writeCheckpoint } from '../shapes.ts';
import { fail } from '../../src/errors.ts';
import { locateModel } from '../../src/checkpoint/hub/locate.ts';
import { runCommand, terminal, type Running, type Streams } from '../../cli/command.ts';
import { fromRoot } from '../../cli/package-root.ts';
import { makeJob } from './job.ts';
import { measure } from './measure.ts';
import { barsPicture } from './picture.ts';
import { createCommand, settingsOf, type Flags } from './settings.ts';
import { backendTable, header, pythonTable } from './tables.ts';

/** Runs the command on `args`; the result is the exit code. */
export function benchAblationCommand(args: readonly string[], streams: Streams): Promise<number> {
  return runCommand(createCommand(), args, streams, (flags: Flags, running) => benchAblation(flags, running, streams));
}

async function benchAblation(flags: Flags, running: Running, streams: Streams): Promise<void> {
  const settings = settingsOf(flags);
  setMaxListeners(0, running.signal, process); // every way is a process, which ends with this one
  const scratch = temporaryFolder();
  const say = (text: string): void => streams.out(`${text}\n`);
  try {
    const folder = await modelFolder(flags.model, scratch.path, settings.seed);
    const job = await makeJob(folder, nameOf(flags.model), settings);
    const report = await measure(job, settings, running, { say, bars: streams === terminal });
    say(`\n${header(report)}`);
    for (const backend of report.backends) say(`\n${backendTable(report, backend)}`);
    for (const twin of report.python) say(`\n${pythonTable(report, twin)}`);
    const { within, across } = report.differences;
    say(
      `\nlargest difference of a value between ways on one backend: ${within.difference.toExponential(1)}${within.between === '' ? '' : ` (${within.between})`}`,
    );
    if (report.backends.length > 1) say(`between backends: ${across.difference.toExponential(1)} (${across.between})`);
    if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(report, undefined, 1)}\n`);
    if (flags.picture !== undefined) writeFileSync(flags.picture, barsPicture(report));
    if (!(within.difference <= settings.tolerance)) {
      throw fail(
        'backend',
        'bench-ablation',
        `the values of ${within.between} differ by ${within.difference.toExponential(1)}; ${settings.tolerance.toExponential(0)} is allowed.`,
      );
    }
  } finally {
    scratch.remove();
  }
}

/** A folder of our own that is gone when this process is, unless it is killed outright. */
function temporaryFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'spexlens-ablation-'));
  const leave = (): void => process.exit(143);
  const remove = (): void => {
    rmSync(path, { recursive: true, force: true });
    process.off('exit', remove).off('SIGTERM', leave).off('SIGHUP', leave);
  };
  process.on('exit', remove).on('SIGTERM', leave).on('SIGHUP', leave);
  return { path, remove };
}

/** Where the model is: made on the spot in `scratch`, bundled, or found. */
async function modelFolder(model: string, scratch: string, seed: number): Promise<string> {
  if (Object.hasOwn(SHAPES, model)) {
    await writeCheckpoint(scratch, model, 'F32', seed);
    return scratch;
  }
  const bundled = fromRoot(`models/${model}`);
  return /^[\w.-]+$/.test(model) && existsSync(bundled) ? bundled : (await locateModel(model)).folder;
}

const nameOf = (model: string): string => (Object.hasOwn(SHAPES, model) ? `${model} shape, random weights` : model);
