/**
 * Gradients of a real model at every hook point against PyTorch's float64: what test/hooks/family-gradients.test.ts holds for tiny ones.
 *
 *     npx tsx test/golden/write-canonical.ts CANONICAL MODEL
 *     python test/golden/make-gradients.py CANONICAL --real '[1,504,260,2240]' NAME > GOLDEN.json
 *     npx tsx bench/real-gradients.ts --model MODEL --tokens '[1,504,260,2240]' --golden GOLDEN.json [--backend tensorflow]
 *
 * NAME is the model's folder in CANONICAL. Prints the largest error of a gradient's norm and of its sums with three vectors of
 * signs, in norms of that gradient, where it is, and how many are above 1e-5; fails above
 * 1e-4.
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
  readonly backend: string;
  readonly debug?: boolean;
}

const command = new Command('real-gradients')
  .requiredOption('--model <folder|file|id>', 'the model')
  .requiredOption('--tokens <json>', 'token ids')
  .requiredOption('--golden <file>', 'what make-gradients.py --real printed')
  .option('--backend <name>', 'where to run', 'auto');

/** The inputs of heads, once they are split, cut off what they are made of: they are taken in a run of their own. */
const SPLIT = /\.hook_(attn_in|[qkv]_input)$/;

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags) => {
  const backend = await openBackend(flags.backend);
  const model = await loadModel(flags.model);
  const golden = Object.values(JSON.parse(readFileSync(flags.golden, 'utf8')) as Record<string, object>)[0] as Record<
    string,
    readonly number[]
  >;
  const all = hookPoints(model.config).map(({ name }) => name);
  const metric = (logits: tf.Tensor3D): tf.Tensor =>
    tf.sum(tf.mul(logits, tf.tensor(signs(logits.size, 0), logits.shape)));
  let worst = { fault: 0, at: '' };
  let above = 0;
  for (const names of [all.filter((name) => !SPLIT.test(name)), all.filter((name) => SPLIT.test(name))]) {
    using run = runWithGradients(model, JSON.parse(flags.tokens) as number[], metric, { names });
    for (const name of names) {
      const error = fault(await run.gradients.get(name).data(), golden[name]);
      if (!(error <= 1e-5)) above++;
      if (!(error <= worst.fault)) worst = { fault: error, at: name };
    }
  }
  terminal.out(
    `${all.length} hook points of ${model.name} on ${backend.device}: within ${worst.fault.toExponential(1)} of PyTorch, worst ${worst.at}; ${above} above 1e-5\n`,
  );
  model[Symbol.dispose]();
  backend.close();
  if (!(worst.fault <= 1e-4)) throw fail('input', 'gradients', 'differ from those of PyTorch by more than 1e-4.');
});

/** `count` signs, as make-gradients.py makes them. */
function signs(count: number, number: number): Float32Array {
  let x = 1 + number;
  return Float32Array.from({ length: count }, () =>
    (x = (Math.imul(1664525, x) + 1013904223) >>> 0) >= 2 ** 31 ? 1 : -1,
  );
}

/** The largest error of the four numbers, in norms of the gradient. */
function fault(gradient: ArrayLike<number>, [norm, ...sums]: readonly number[]): number {
  const values = Array.from(gradient);
  const own = sums.map((_, k) => {
    const each = signs(values.length, k + 1);
    return values.reduce((sum, x, i) => sum + x * each[i], 0);
  });
  const length = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
  return Math.max(Math.abs(length - norm), ...sums.map((expected, k) => Math.abs(own[k] - expected))) / norm;
}
