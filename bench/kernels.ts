/**
 * Times the kernels of wasm/tensors against TensorFlow.js's own operations for the same job, on the wasm backend.
 *
 *     npx tsx bench/kernels.ts [--only product] [--rounds 9] [--milliseconds 60]
 *
 * Each round visits every kernel in its three ways in turn, so that what else the machine does hits all alike: ours with fused
 * multiply-add, ours without, stock. Times are processor time of the process, medians over the rounds.
 */
import { cpus } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { openBackend } from '../src/open-backend.ts';
import { registerWasmKernels, unregisterWasmKernels } from '../src/backend/wasm-kernels.ts';
import { fail } from '../src/errors.ts';
import type { Norm } from '../src/model/config.ts';
import { fused, hasFused } from '../src/model/forward/fused.ts';
import { activate, linear } from '../src/model/forward/layers.ts';
import { norm } from '../src/model/forward/norm.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';

const WAYS = ['fma', 'simd', 'stock'] as const;
type Way = (typeof WAYS)[number];

interface Case {
  readonly group: string;
  readonly label: string;
  /** Work of one run: floating-point operations of products, numbers elsewhere. */
  readonly work: number;
  readonly run: () => tf.Tensor;
  /** Milliseconds of one run by way and round. */
  readonly times: Record<Way, number[]>;
}

const say = (text: string): void => terminal.out(`${text}\n`);
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function use(way: Way): void {
  if (way === 'stock') unregisterWasmKernels();
  else registerWasmKernels(way === 'fma' ? 'auto' : 'simd');
}

function createCase(group: string, label: string, work: number, run: () => tf.Tensor): Case {
  return { group, label, work, run, times: { fma: [], simd: [], stock: [] } };
}

function products(): Case[] {
  const shapes = [
    [768, 768],
    [768, 3072],
    [3072, 768],
    [128, 512],
    [128, 128],
    [64, 256],
  ];
  return [1, 4, 16, 96, 256, 512, 1024].flatMap((rows) =>
    shapes.map(([inner, columns]) => {
      const [x, W] = [tf.randomNormal([rows, inner]), tf.randomNormal([inner, columns])];
      return createCase('product', `${rows} x ${inner} x ${columns}`, 2 * rows * inner * columns, () =>
        linear(x, W, undefined),
      );
    }),
  );
}

/** A product with its bias and activation, or with its bias and residual. */
function linears(): Case[] {
  const [rows, inner, columns] = [1024, 128, 512];
  const [x, W, b, residual] = [
    tf.randomNormal([rows, inner]),
    tf.randomNormal([inner, columns], 0, inner ** -0.5),
    tf.randomNormal([columns]),
    tf.randomNormal([rows, columns]),
  ];
  return [
    ...(['relu', 'silu', 'gelu', 'gelu_new'] as const).map((activation) =>
      createCase('linear', `${rows} x ${inner} x ${columns}, bias, ${activation}`, 2 * rows * inner * columns, () =>
        tf.tidy(() => linear(x, W, b, { activation })),
      ),
    ),
    createCase('linear', `${rows} x ${inner} x ${columns}, bias, residual`, 2 * rows * inner * columns, () =>
      tf.tidy(() => linear(x, W, b, { residual })),
    ),
  ];
}

function norms(): Case[] {
  return [
    [1024, 128],
    [1024, 768],
  ].flatMap(([rows, width]) => {
    const [x, w, b] = [tf.randomNormal([rows, width]), tf.randomNormal([width]), tf.randomNormal([width])];
    const of = (kind: Norm) => (): tf.Tensor =>
      norm(
        {
          config: { norm: kind } as never,
          parameters: { 'ln_final.w': w, 'ln_final.b': b },
          visit: (_name, y) => y,
          wants: () => false,
        },
        'ln_final',
        x,
        [],
      );
    return [
      createCase('norm', `layer, ${rows} x ${width}`, rows * width, of({ kind: 'layer', eps: 1e-5, affine: true })),
      createCase('norm', `rms, ${rows} x ${width}`, rows * width, of({ kind: 'rms', eps: 1e-5, offset: 0 })),
    ];
  });
}

function gates(): Case[] {
  const [gate, up] = [tf.randomNormal([256, 1536]), tf.randomNormal([256, 1536])];
  return (['silu', 'gelu_new'] as const).map((activation) =>
    createCase('gate', `${activation}, 256 x 1536`, 256 * 1536, () =>
      hasFused('SpexlensGate')
        ? fused('SpexlensGate', { gate, up }, { activation })
        : tf.tidy(() => tf.mul(activate(gate, activation), up)),
    ),
  );
}

/** [batch, queries, keys, heads, groups, width], causal. */
function attentions(): Case[] {
  const shapes = [
    [64, 16, 16, 4, 4, 16],
    [64, 16, 16, 12, 12, 64],
    [8, 64, 64, 12, 12, 64],
    [64, 1, 16, 12, 12, 64],
    [2, 256, 256, 9, 3, 64],
    [1, 1, 256, 12, 12, 64],
  ];
  return shapes.map(([batch, queries, keys, heads, groups, width]) => {
    const [q, k, v] = [
      tf.randomNormal([batch, queries, heads, width]),
      tf.randomNormal([batch, keys, groups, width]),
      tf.randomNormal([batch, keys, groups, width]),
    ];
    const shown = keys - queries;
    const mask = tf.tensor(
      Float32Array.from({ length: queries * keys }, (_, i) => (i % keys > Math.floor(i / keys) + shown ? -1e30 : 0)),
      [1, 1, queries, keys],
    );
    const shared = heads / groups;
    const stock = (): tf.Tensor => {
      const rows = tf.reshape(tf.transpose(q, [0, 2, 1, 3]), [batch, groups, shared * queries, width]);
      const raw = tf.reshape(tf.matMul(rows, tf.transpose(k, [0, 2, 3, 1])), [batch, heads, queries, keys]);
      const pattern = tf.reshape(tf.softmax(tf.add(tf.mul(raw, 0.125), mask)), [batch, groups, shared * queries, keys]);
      return tf.transpose(
        tf.reshape(tf.matMul(pattern, tf.transpose(v, [0, 2, 1, 3])), [batch, heads, queries, width]),
        [0, 2, 1, 3],
      );
    };
    const run = (): tf.Tensor =>
      hasFused('SpexlensAttention')
        ? fused('SpexlensAttention', { q, k, v, mask }, { scale: 0.125, softcap: 0 })
        : tf.tidy(stock);
    return createCase(
      'attention',
      `${batch} x ${queries} queries x ${keys} keys, ${heads} heads of ${groups} x ${width}`,
      4 * batch * queries * keys * heads * width,
      run,
    );
  });
}

/** Processor milliseconds of one run. */
function time({ run }: Case, milliseconds: number): number {
  const before = process.cpuUsage();
  const started = performance.now();
  let runs = 0;
  do {
    run().dispose();
    runs++;
  } while (performance.now() - started < milliseconds);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / runs;
}

const command = new Command('bench-kernels')
  .description("Time the wasm backend's own kernels against TensorFlow.js's operations.")
  .option('--only <group>', 'product, linear, norm, gate or attention')
  .option('--rounds <n>', 'rounds', '9')
  .option('--milliseconds <n>', 'how long a kernel runs in each way and round', '60')
  .option('--debug', 'show stack traces');

process.exitCode = await runCommand(
  command,
  process.argv.slice(2),
  terminal,
  async (flags: { only?: string; rounds: string; milliseconds: string; debug?: boolean }, { signal }) => {
    const [rounds, milliseconds] = [
      Math.max(1, whole('--rounds', flags.rounds)),
      whole('--milliseconds', flags.milliseconds),
    ];
    const { device } = await openBackend('wasm');
    say(
      `Node ${process.version}, ${cpus().length} x ${cpus()[0].model}, tfjs ${tf.version_core}; ${device}; ${rounds} rounds of ${milliseconds} ms`,
    );
    const makers: Readonly<Record<string, () => Case[]>> = {
      product: products,
      linear: linears,
      norm: norms,
      gate: gates,
      attention: attentions,
    };
    if (flags.only !== undefined && !(flags.only in makers))
      throw fail(
        'input',
        'bench-kernels',
        `--only ${flags.only} is unknown; choose ${Object.keys(makers).join(', ')}.`,
      );
    for (const [group, make] of Object.entries(makers)) {
      if (flags.only !== undefined && flags.only !== group) continue;
      const cases = make();
      const unit = group === 'norm' || group === 'gate' ? 'Gnumbers/s' : 'GFLOP/s';
      for (let round = -1; round < rounds; round++) {
        for (const one of cases) {
          for (const way of WAYS) {
            if (signal.aborted) throw fail('aborted', 'bench-kernels', 'stopped on request.');
            use(way);
            const ms = time(one, milliseconds);
            if (round >= 0) one.times[way].push(ms);
          }
        }
      }
      say(`\n${group.padEnd(48)} ${unit}: fma    simd   stock   us: fma    simd    stock   stock/fma  stock/simd`);
      for (const { label, work, times } of cases) {
        const ratio = (way: Way): string => median(times.stock.map((stock, r) => stock / times[way][r])).toFixed(2);
        const speeds = WAYS.map((way) =>
          (work / median(times[way]) / 1e6).toFixed(group === 'product' || group === 'linear' ? 1 : 2).padStart(6),
        );
        const micros = WAYS.map((way) => (1000 * median(times[way])).toFixed(0).padStart(7));
        say(
          `${label.padEnd(55)} ${speeds.join(' ')}      ${micros.join(' ')}   ${ratio('fma').padStart(8)}  ${ratio('simd').padStart(8)}`,
        );
      }
    }
  },
);
