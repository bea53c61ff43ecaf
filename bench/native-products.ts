/**
 * Times matrix products of a finished native library from npm (onnxruntime-node: ONNX Runtime's kernels) against those of the wasm
 * backend, in that one's own memory, as they would stand behind it.
 *
 *     npx tsx bench/native-products.ts [--rounds 9] [--milliseconds 40]
 *
 * In each round every way has its turn: wasm's kernel on its one thread, the library on one thread, the library on all cores. W is
 * an input of the library's graph, so nothing of it is held beforehand. Times are the best round's.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { openBackend } from '../src/open-backend.ts';
import { productGraph, valueOf, type OnnxBinding, type OnnxSession } from '../src/backend/native-products.ts';
import type { WasmBackend } from '../src/backend/wasm-tensors.ts';
import { fail } from '../src/errors.ts';
import { fused, hasFused } from '../src/model/forward/fused.ts';
import { runCommand, terminal, whole } from '../cli/command.ts';

/** [rows, inner, columns] */
const SHAPES = [
  [16, 768, 768],
  [96, 768, 768],
  [512, 768, 768],
  [512, 768, 3072],
  [512, 3072, 768],
  [1024, 128, 512],
] as const;

function openSession(threads: number): OnnxSession {
  const require = createRequire(import.meta.url);
  const { binding } = require('onnxruntime-node/dist/binding.js') as { readonly binding: OnnxBinding };
  const session = new binding.InferenceSession();
  const folder = mkdtempSync(join(tmpdir(), 'spexlens-product-'));
  try {
    const path = join(folder, 'product.onnx');
    writeFileSync(path, productGraph(false));
    // By a path: from a buffer this version would not take its options.
    session.loadModel(path, { executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1 });
    return session;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Flags {
  readonly rounds: string;
  readonly milliseconds: string;
  readonly debug?: boolean;
}

const describe = (): Command =>
  new Command('bench-native-products')
    .description('Products of onnxruntime-node against those of the wasm backend.')
    .option('--rounds <n>', 'rounds', '9')
    .option('--milliseconds <n>', 'a timing lasts at least so long', '40')
    .option('--debug', 'show stack traces');

process.exitCode = await runCommand(describe(), process.argv.slice(2), terminal, async (flags: Flags) => {
  const [rounds, least] = [whole('--rounds', flags.rounds), whole('--milliseconds', flags.milliseconds)];
  await openBackend('wasm');
  if (!hasFused('SpexlensLinear')) throw fail('backend', 'bench-native-products', 'has no kernels of ours here.');
  const backend = tf.backend() as unknown as WasmBackend;
  const view = ({ dataId, shape, size }: tf.Tensor2D): object => {
    const at = backend.dataIdMap.get(dataId).memoryOffset;
    return valueOf({ values: new Float32Array(backend.wasm.asm.memory.buffer, at, size), shape });
  };
  const counts = [1, cpus().length];
  const sessions = counts.map(openSession);
  terminal.out(`${cpus().length} x ${cpus()[0].model}, Node ${process.version}; GFLOP/s\n`);
  for (const [m, k, n] of SHAPES) {
    const [x, w, y] = [
      tf.randomNormal<tf.Rank.R2>([m, k]),
      tf.randomNormal<tf.Rank.R2>([k, n]),
      tf.zeros<tf.Rank.R2>([m, n]),
    ];
    y.dataSync(); // so that it has memory
    const native = (session: OnnxSession) => (): void =>
      void session.run({ x: view(x), w: view(w) }, { y: view(y) }, {});
    const ours = (): void => fused('SpexlensLinear', { x, W: w }, { activation: 'none' }).dispose();
    const ways = [ours, ...sessions.map(native)];
    native(sessions[0])();
    const apart = tf.tidy(() =>
      tf.max(tf.abs(tf.sub(fused('SpexlensLinear', { x, W: w }, { activation: 'none' }), y))),
    );
    const best = ways.map(() => Infinity);
    for (let round = 0; round < rounds; round++)
      ways.forEach((way, i) => {
        const start = performance.now();
        let runs = 0;
        do {
          way();
          runs++;
        } while (performance.now() - start < least);
        best[i] = Math.min(best[i], (performance.now() - start) / runs);
      });
    const [wasm, ...others] = best.map((ms) => (2e-6 * m * k * n) / ms);
    const said = others.map(
      (speed, i) =>
        `library, ${counts[i]} thread${counts[i] === 1 ? '' : 's'} ${speed.toFixed(0)} (x ${(speed / wasm).toFixed(2)})`,
    );
    terminal.out(
      `${m} x ${k} x ${n}: wasm ${wasm.toFixed(0)}, ${said.join(', ')}; largest difference ${apart.dataSync()[0].toExponential(1)}\n`,
    );
    tf.dispose([x, w, y, apart]);
  }
});
