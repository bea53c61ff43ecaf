/**
 * A program of its own: opens the tensorflow backend and compares forward passes of ioi-tiny with Float64 JavaScript.
 *
 * A child process runs it, because a native library that crashes takes its process along. Prints one line of JSON.
 */
import { createRequire } from 'node:module';
import { openBackend } from '../../src/open-backend.ts';
import { readPrompts } from '../../src/lens/prompts.ts';
import { runWithHooks } from '../../src/hooks/run.ts';
import { loadModel } from '../../src/model/model.ts';
import { toSequences } from '../../src/model/tokens.ts';
import { referenceForward, type ReferenceParameters } from '../../src/model/reference/reference.ts';
import { fromRoot } from '../package-root.ts';

export interface Verified {
  readonly device: string;
  readonly gpu: boolean;
  /** Largest |logit - Float64 logit| / max(1, |Float64 logit|) over the prompts. */
  readonly error: number;
  readonly prompts: number;
  /** Whether the package and this repository share one tfjs-core. */
  readonly oneCore: boolean;
}

const PROMPTS = 4;

async function verify(): Promise<Verified> {
  const { device, gpu } = await openBackend('tensorflow');
  const folder = fromRoot('models/ioi-tiny');
  const model = await loadModel(folder);
  const reference: ReferenceParameters = Object.fromEntries(
    await Promise.all(
      Object.entries(model.parameters).map(
        async ([name, tensor]) => [name, { shape: tensor.shape, values: await tensor.data() }] as const,
      ),
    ),
  );
  const prompts = (await readPrompts(`${folder}/prompts.jsonl`)).slice(0, PROMPTS);
  let error = 0;
  for (const { prompt } of prompts) {
    const tokens = toSequences(model, prompt)[0];
    const logits = await runWithHooks(model, tokens, []).data();
    referenceForward(model.config, reference, tokens).logits.forEach((expected, i) => {
      const off = Math.abs(logits[i] - expected) / Math.max(1, Math.abs(expected));
      error = Number.isNaN(off) ? Infinity : Math.max(error, off);
    });
  }
  const here = createRequire(import.meta.url);
  const there = createRequire(here.resolve('@tensorflow/tfjs-node-gpu'));
  return {
    device,
    gpu,
    error,
    prompts: prompts.length,
    oneCore: here.resolve('@tensorflow/tfjs-core') === there.resolve('@tensorflow/tfjs-core'),
  };
}

try {
  process.stdout.write(`${JSON.stringify(await verify())}\n`);
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
