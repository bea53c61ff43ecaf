/**
 * Gradients of a real model at every hook point against PyTorch's float64: what test/hooks/family-gradients.test.ts holds for tiny ones.
 *
 *     npx tsx test/golden/write-canonical.ts CANONICAL MODEL
 *     python test/golden/make-gradients.py CANONICAL --real '[1,504,260,2240]' NAME > GOLDEN.json
 *     python test/golden/make-gradients.py CANONICAL --real '[1,504,260,2240]' NAME float32 > FLOAT32.json
 *     npx tsx bench/real-gradients.ts --model MODEL --tokens '[1,504,260,2240]' --golden GOLDEN.json [--beside FLOAT32.json]
 *         [--backend tensorflow]
 *
 * NAME is the model's folder in CANONICAL. Prints the largest error of a gradient's norm and of its sums with three vectors of
 * signs, in norms of that gradient, where it is, the middle one, and how many are above 1e-5; the same of PyTorch's float32 where that
 * is given, and at how many points it is the nearer one. Fails above 1e-4.
 */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { runCommand, terminal } from '../cli/command.ts';
import { fail } from '../src/errors.ts';
import { runWithGradients } from '../src/hooks/gradients.ts';
import { hookPoints } from '../src/model/hook-points.ts';
import { loadModel } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';

interface Flags {
  readonly model: string;
  readonly tokens: string;
  readonly golden: string;
  readonly beside?: string;
  readonly backend: string;
  readonly debug?: boolean;
}

const command = new Command('real-gradients')
  .requiredOption('--model <folder|file|id>', 'the model')
  .requiredOption('--tokens <json>', 'token ids')
  .requiredOption('--golden <file>', 'what make-gradients.py --real printed')
  .option('--beside <file>', 'the same with float32')
  .option('--backend <name>', 'where to run', 'auto');

/** The inputs of heads, once they are split, cut off what they are made of: they are taken in a run of their own. */
const SPLIT = /\.hook_(attn_in|[qkv]_input)$/;

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags) => {
  const backend = await openBackend(flags.backend);
  const model = await loadModel(flags.model);
  const golden = readNumbers(flags.golden);
  const all = hookPoints(model.config).map(({ name }) => name);
  const metric = (logits: tf.Tensor3D): tf.Tensor =>
    tf.sum(tf.mul(logits, tf.tensor(signs(logits.size, 0), logits.shape)));
  const errors = new Map<string, number>();
  for (const names of [all.filter((name) => !SPLIT.test(name)), all.filter((name) => SPLIT.test(name))]) {
    using run = runWithGradients(model, JSON.parse(flags.tokens) as number[], metric, { names });
    for (const name of names) {
      errors.set(name, distance(numbersOf(await run.gradients.get(name).data()), golden[name]));
    }
  }
  terminal.out(`${all.length} hook points of ${model.name}\n${backend.device}: ${summary(errors)}\n`);
  if (flags.beside !== undefined) {
    const theirs = readNumbers(flags.beside);
    const others = new Map(all.map((name) => [name, distance(theirs[name], golden[name])]));
    const nearer = all.filter((name) => (others.get(name) as number) < (errors.get(name) as number)).length;
    terminal.out(`PyTorch float32: ${summary(others)}; nearer at ${nearer}\n`);
  }
  model[Symbol.dispose]();
  backend.close();
  if (!(Math.max(...errors.values()) <= 1e-4))
    throw fail('input', 'gradients', 'differ from those of PyTorch by more than 1e-4.');
});

/** By hook point, what make-gradients.py printed: a norm and three sums. */
function readNumbers(path: string): Readonly<Record<string, readonly number[]>> {
  const [points] = Object.values(JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, number[]>>);
  return points;
}

/** The largest error, where it is, the middle one, and how many are above 1e-5. */
function summary(errors: ReadonlyMap<string, number>): string {
  const sorted = [...errors].sort(([, a], [, b]) => b - a);
  const [[worst, largest]] = sorted;
  const [, middle] = sorted[Math.floor(sorted.length / 2)];
  const above = sorted.filter(([, error]) => !(error <= 1e-5)).length;
  return `within ${largest.toExponential(1)} of PyTorch's float64, at ${worst}; the middle one ${middle.toExponential(1)}; ${above} above 1e-5`;
}

/** `count` signs, as make-gradients.py makes them. */
function signs(count: number, number: number): Float32Array {
  let x = 1 + number;
  return Float32Array.from({ length: count }, () =>
    (x = (Math.imul(1664525, x) + 1013904223) >>> 0) >= 2 ** 31 ? 1 : -1,
  );
}

/** The norm of a gradient and its sums with three vectors of signs. */
function numbersOf(gradient: ArrayLike<number>): number[] {
  const values = Array.from(gradient);
  const sums = [1, 2, 3].map((number) => {
    const each = signs(values.length, number);
    return values.reduce((sum, x, i) => sum + x * each[i], 0);
  });
  return [Math.sqrt(values.reduce((sum, x) => sum + x * x, 0)), ...sums];
}

/** The largest error of the four numbers, in norms of the gradient. */
function distance(own: readonly number[], expected: readonly number[]): number {
  return Math.max(...expected.map((number, k) => Math.abs(own[k] - number))) / expected[0];
}
