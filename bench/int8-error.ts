/**
 * What eight-bit products would cost in exactness: logits with every matrix and all that goes into one rounded to signed bytes.
 *
 *     npx tsx bench/int8-error.ts [--model ioi-tiny] [--prompts FILE] [--backend wasm]
 *
 * Norms are folded into the matrices behind them (foldLayerNorm), then columns of matrices and rows of what they multiply (bare
 * normalised residuals, heads' outputs, the MLP's activations) are rounded to 127 steps of their largest entry either way, as a product
 * of bytes with a scale for each row and column has them. What is added up is added in float32, so a real such product is no nearer.
 * Prints the largest change of a logit and of the difference of the two answers' logits, beside how large those are.
 */
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { runCommand, terminal } from '../cli/command.ts';
import { fail } from '../src/errors.ts';
import { runWithHooks, type Hook } from '../src/hooks/run.ts';
import { metricOf } from '../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../src/lens/prompts.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import { foldLayerNorm } from '../src/model/processing/fold-layer-norm.ts';
import { processed } from '../src/model/processing/processed.ts';
import { openBackend } from '../src/open-backend.ts';

interface Flags {
  readonly model: string;
  readonly prompts?: string;
  readonly backend: string;
  readonly debug?: boolean;
}

const STEPS = 127;
const MATRIX = /\.W_(Q|K|V|O|in|gate|out|U)$/;
const READ = /(ln1|ln2|ln_final)\.hook_normalized$|attn\.hook_z$|mlp\.hook_post$/;

/** `x` in 127 steps either way of the largest entry along `axis`. */
function rounded<T extends tf.Tensor>(x: T, axis: number): T {
  return tf.tidy(() => {
    const scale = tf.maximum(tf.div(tf.max(tf.abs(x), axis, true), STEPS), 1e-30);
    return tf.mul(tf.round(tf.div(x, scale)), scale) as T;
  });
}

const command = new Command('int8-error')
  .option('--model <folder|file|id>', 'the model', 'ioi-tiny')
  .option('--prompts <file>', "pairs of prompts; default the folder's own")
  .option('--backend <name>', 'where to run', 'wasm');

process.exitCode = await runCommand(command, process.argv.slice(2), terminal, async (flags: Flags) => {
  await openBackend(flags.backend);
  using raw = await loadModel(flags.model);
  const file = flags.prompts ?? (raw.folder === undefined ? undefined : `${raw.folder}/prompts.jsonl`);
  if (file === undefined) throw fail('input', '--prompts', 'the model has no folder; name a file of prompts.');
  using folded = (await foldLayerNorm(raw)).model;
  const { model } = await processed('int8', folded, {}, (config, parameters) => ({
    config,
    changed: Object.fromEntries(
      Object.entries(parameters)
        .filter(([name]) => MATRIX.test(name))
        .map(([name, matrix]) => [name, rounded(matrix, 0)]),
    ),
  }));
  using bytes = model;
  const tasks = toTasks(raw, (await readPrompts(file)).slice(0, 8), {
    metric: metricOf('logit-diff'),
    corrupted: false,
  });
  const hooks: Hook[] = [[(name) => READ.test(name), (x) => rounded(x, -1)]];
  let [largest, scale, difference, answer] = [0, 0, 0, 0];
  for (const { tokens, correct, incorrect } of tasks) {
    const last = async (from: Model, and: readonly Hook[]): Promise<Float32Array> => {
      const logits = runWithHooks(from, [[...tokens]], and);
      const row = tf.slice(logits, [0, tokens.length - 1, 0], [1, 1, -1]);
      const values = (await row.data()) as Float32Array;
      tf.dispose([logits, row]);
      return values;
    };
    const [exact, coarse] = [await last(raw, []), await last(bytes, hooks)];
    exact.forEach((value, i) => {
      largest = Math.max(largest, Math.abs(coarse[i] - value));
      scale = Math.max(scale, Math.abs(value));
    });
    if (correct === undefined || incorrect === undefined) throw fail('input', file, 'every prompt needs two answers.');
    const gap = (logits: Float32Array): number => logits[correct] - logits[incorrect];
    difference = Math.max(difference, Math.abs(gap(coarse) - gap(exact)));
    answer = Math.max(answer, Math.abs(gap(exact)));
  }
  terminal.out(
    `${raw.name}, ${tasks.length} prompts: a logit moves by ${largest.toPrecision(2)} at most (largest ${scale.toPrecision(3)}), the logit difference by ${difference.toPrecision(2)} (largest ${answer.toPrecision(3)}).\n`,
  );
});
