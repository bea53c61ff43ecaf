/**
 * How fast the run log takes values, and how fast and in how much memory a large one is read again.
 *
 *     npx tsx bench/run-log.ts [--batch 128 --rounds 3 --megabytes 640 --folder DIR]
 *
 * Appending is timed as runs do it: batches, each one write and one fdatasync. Its twin is what version 1 of the format did,
 * lines of JSON without a checksum, on the same masks and the same disk; the two take turns. Reading runs in a process of its
 * own, so that its peak of resident memory is its own.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { fail } from '../src/errors.ts';
import { emptyMasks, maskHex, selectRows, type Masks } from '../src/masks.ts';
import { openRunLog } from '../src/measure/run-log.ts';
import { createRandom } from '../src/random.ts';
import type { OwnStudy } from '../src/study.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const studyOf = (players: number): OwnStudy => ({ players: Array.from({ length: players }, (_, i) => `x${i}`) });

/** `count` distinct masks: the first 32 players count, the others are random. */
function masksFor(players: number, count: number): Masks {
  const masks = emptyMasks(players, count);
  const random = createRandom(players);
  const last = players % 32 === 0 ? 0xffffffff : 2 ** (players % 32) - 1;
  for (let at = 0; at < masks.words.length; at++) {
    const word = at % masks.stride;
    masks.words[at] = word === 0 ? at / masks.stride : random.bits() & (word === masks.stride - 1 ? last : 0xffffffff);
  }
  return masks;
}

interface Batch {
  readonly masks: Masks;
  readonly values: Float64Array;
  readonly gradients: Float32Array | undefined;
}

function batchesFor(players: number, count: number, batch: number, gradients: boolean): Batch[] {
  const random = createRandom(7);
  const all = masksFor(players, count);
  return Array.from({ length: Math.ceil(count / batch) }, (_, b) => {
    const rows = Array.from({ length: Math.min(batch, count - b * batch) }, (__, k) => b * batch + k);
    return {
      masks: selectRows(all, rows),
      values: Float64Array.from(rows, () => random.normal()),
      gradients: gradients ? Float32Array.from({ length: rows.length * players }, () => random.normal()) : undefined,
    };
  });
}

/** Seconds that `append` takes for all batches. */
function timed(batches: readonly Batch[], append: (batch: Batch) => void): number {
  const start = performance.now();
  for (const batch of batches) append(batch);
  return (performance.now() - start) / 1000;
}

function appendToLog(path: string, players: number, batches: readonly Batch[]): number {
  rmSync(path, { force: true });
  const log = openRunLog(path, studyOf(players));
  try {
    return timed(batches, (batch) => log.append(batch));
  } finally {
    log.close();
  }
}

/** As version 1 wrote them: {"mask","value"} by JSON.stringify, one write and one fdatasync a batch. */
function appendPlainly(path: string, batches: readonly Batch[]): number {
  const file = openSync(path, 'w');
  try {
    return timed(batches, ({ masks, values }) => {
      const lines = Array.from(values, (value, row) => `${JSON.stringify({ mask: maskHex(masks, row), value })}\n`);
      const bytes = Buffer.from(lines.join(''));
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fdatasyncSync(file);
    });
  } finally {
    closeSync(file);
  }
}

function reportAppends(folder: string, batch: number, rounds: number): void {
  say('| players | what | values | values/s | without checksums | ratio |\n| --- | --- | --- | --- | --- | --- |');
  for (const [players, count, gradients] of [
    [16, 65_536, false],
    [1000, 65_536, false],
    [1000, 8192, true],
  ] as const) {
    const batches = batchesFor(players, count, batch, gradients);
    const ours: number[] = [];
    const plain: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(appendToLog(join(folder, 'log.jsonl'), players, batches));
      if (!gradients) plain.push(appendPlainly(join(folder, 'plain.jsonl'), batches));
    }
    const rate = (seconds: readonly number[]): string => Math.round(count / median(seconds)).toLocaleString('en');
    const ratio = median(plain.map((seconds, round) => seconds / ours[round]));
    const twin = gradients ? '- | -' : `${rate(plain)} | ${ratio.toFixed(2)}`;
    say(`| ${players} | ${gradients ? 'values and gradients' : 'values'} | ${count} | ${rate(ours)} | ${twin} |`);
  }
}

/** Writes a log of at least `megabytes`, reads it in another process. */
function reportReading(folder: string, megabytes: number): void {
  say('\n| players | what | MB | masks | opening, s | reading, s | of them processor, s | peak memory, MiB |');
  say('| --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const [players, gradients] of [
    [32, false],
    [1000, true],
  ] as const) {
    const path = join(folder, `large-${players}.jsonl`);
    const line = gradients ? 5642 : 63; // about
    const count = Math.ceil((megabytes * 1e6) / line);
    const log = openRunLog(path, studyOf(players));
    const all = masksFor(players, count);
    for (let row = 0; row < count; row += 4096) {
      const rows = Array.from({ length: Math.min(4096, count - row) }, (_, k) => row + k);
      const gradientsOf = Float32Array.from({ length: gradients ? rows.length * players : 0 }, (_, k) => k / (row + 7));
      const values = Float64Array.from(rows, (at) => Math.sqrt(at));
      log.append({ masks: selectRows(all, rows), values, gradients: gradients ? gradientsOf : undefined });
    }
    log.close();
    const child = spawnSync(
      process.execPath,
      [...process.execArgv, fileURLToPath(import.meta.url), '--read', path, '--players', String(players)],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    );
    if (child.status !== 0) throw fail('log', 'bench-run-log', `reading ended with code ${child.status}.`);
    const { masks, opening, reading, processor, peak } = JSON.parse(child.stdout) as Reading;
    const size = (statSync(path).size / 1e6).toFixed(0);
    say(
      `| ${players} | ${gradients ? 'values and gradients' : 'values'} | ${size} | ${masks} | ${opening.toFixed(1)} | ${reading.toFixed(1)} | ${processor.toFixed(1)} | ${peak.toFixed(0)} |`,
    );
    rmSync(path);
  }
}

interface Reading {
  readonly masks: number;
  readonly opening: number;
  readonly reading: number;
  readonly processor: number;
  readonly peak: number;
}

function read(path: string, players: number): Reading {
  const start = performance.now();
  const before = process.cpuUsage();
  const log = openRunLog(path, studyOf(players));
  const opened = performance.now();
  let masks = 0;
  for (const piece of log.entries()) masks += piece.masks.count;
  const end = performance.now();
  const { user, system } = process.cpuUsage(before);
  log.close();
  const peak = process.resourceUsage().maxRSS / 1024;
  return {
    masks,
    opening: (opened - start) / 1000,
    reading: (end - opened) / 1000,
    processor: (user + system) / 1e6,
    peak,
  };
}

interface Flags {
  readonly batch: string;
  readonly rounds: string;
  readonly megabytes: string;
  readonly folder: string;
  readonly read?: string;
  readonly players: string;
  readonly debug?: boolean;
}

const command = new Command('bench-run-log')
  .description('Time appending to the run log, and reading a large one.')
  .option('--batch <masks>', 'masks a batch', '128')
  .option('--rounds <n>', 'how often each appends', '3')
  .option('--megabytes <n>', 'size of the log that is read', '640')
  .option('--folder <dir>', 'where the logs go: the disk that is measured', tmpdir())
  .option('--read <log>', 'be the process that reads (used by this script itself)')
  .option('--players <n>', 'of the log to read', '16')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags) => {
  if (flags.read !== undefined) return say(JSON.stringify(read(flags.read, whole('--players', flags.players))));
  const folder = mkdtempSync(join(flags.folder, 'bench-run-log-'));
  try {
    say(`${cpus().length} x ${cpus()[0].model.trim()}, Node ${process.versions.node}; batches of ${flags.batch}\n`);
    reportAppends(folder, whole('--batch', flags.batch), whole('--rounds', flags.rounds));
    const megabytes = whole('--megabytes', flags.megabytes);
    if (megabytes > 0) reportReading(folder, megabytes);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
