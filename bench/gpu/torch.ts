/** The PyTorch side on the same card (torch_twin.py): its job, and what it says line by line. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { configOf, recipeOf, tableOf } from './random-model.ts';
import type { Entry } from './record.ts';
import { promptOf } from './throughput.ts';
import { isKept, type Masks } from '../../src/masks.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';

export interface TorchSpec {
  readonly python: string;
  readonly device: 'cuda' | 'cpu';
  readonly model: string;
  readonly lengths: readonly number[];
  readonly each: number;
  readonly seconds: number;
  /** Tokens of a batch: a batch has so many by the prompt's length, and at least 4 masks. */
  readonly tokens: readonly number[];
  readonly ways: readonly Way[];
  readonly precisions: readonly Precision[];
  readonly products: readonly (readonly [number, number, number])[];
}

export type Way = 'hooks' | 'lens' | 'lens-last';
export type Precision = 'float32' | 'tf32';

/** Masks whose values are compared with ours. */
export const COMPARED = 64;

interface Plan {
  readonly way: Way | 'products';
  readonly precision: Precision;
  readonly task: number;
  readonly batch: number;
  readonly length: number;
  readonly players: string;
}

/** All that is to be measured, the most telling first; a batch of whole logits stays within what a card holds. */
export function planOf({ lengths, tokens, ways, precisions }: TorchSpec): Plan[] {
  const heads = ways.flatMap((way) =>
    lengths.flatMap((length, task) =>
      tokens.flatMap((most) =>
        precisions.map((precision): Plan => {
          const batch = Math.max(4, Math.floor((way === 'lens' ? most / 4 : most) / length));
          return { way, precision, task, batch, length, players: 'heads' };
        }),
      ),
    ),
  );
  const neurons = lengths.map((length, i): Plan => {
    const batch = Math.max(4, Math.floor(tokens[tokens.length - 1] / length));
    return { way: 'hooks', precision: 'float32', task: lengths.length + i, batch, length, players: 'neurons' };
  });
  const products = precisions.map(
    (precision): Plan => ({ way: 'products', precision, task: 0, batch: 0, length: 0, players: '' }),
  );
  return [
    ...products,
    ...heads.slice(0, heads.length / ways.length),
    ...neurons,
    ...heads.slice(heads.length / ways.length),
  ];
}

/** The masks that both sides measure, [layers · heads] players. */
export function comparedMasks(model: string): Masks {
  const { nLayers, nHeads } = configOf(model);
  return proxyMasks(nLayers * nHeads, COMPARED, 7);
}

/** Runs the twin; `ours` are the values of comparedMasks by length. @throws when it ends with an error; says 'cut' when time was short. */
export async function runTorch(
  spec: TorchSpec,
  ours: ReadonlyMap<number, readonly number[]>,
  say: (entry: Entry) => void,
): Promise<{ readonly cut: boolean; readonly versions: Readonly<Record<string, string>> }> {
  const scratch = mkdtempSync(join(tmpdir(), 'spexlens-gpu-'));
  try {
    const config = configOf(spec.model);
    const masks = comparedMasks(spec.model);
    const bits = Array.from({ length: masks.count }, (_, row) =>
      Array.from({ length: masks.players }, (_, player) => (isKept(masks, row, player) ? 1 : 0)),
    );
    const prompts = spec.lengths.map((length) => promptOf(config.dVocab, length, 0));
    writeFileSync(join(scratch, 'table.f32'), new Uint8Array(tableOf(0).buffer));
    writeFileSync(
      join(scratch, 'job.json'),
      JSON.stringify({
        recipe: recipeOf(spec.model),
        table: join(scratch, 'table.f32'),
        device: spec.device,
        each: spec.each,
        seconds: spec.seconds,
        products: spec.products,
        plan: planOf(spec),
        tasks: [
          ...prompts.map((prompt) => ({ ...prompt, players: 'heads', masks: bits })),
          ...prompts.map((prompt) => ({ ...prompt, players: 'neurons', elements: config.dMlp })),
        ],
      }),
    );
    return await listen(spec, join(scratch, 'job.json'), ours, say);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function listen(
  spec: TorchSpec,
  job: string,
  ours: ReadonlyMap<number, readonly number[]>,
  say: (entry: Entry) => void,
): Promise<{ readonly cut: boolean; readonly versions: Readonly<Record<string, string>> }> {
  const twin = fileURLToPath(new URL('torch_twin.py', import.meta.url));
  const child = spawn(spec.python, ['-W', 'ignore', twin, job], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: Math.round(1000 * (spec.seconds + 20)),
    killSignal: 'SIGKILL',
    env: { ...process.env, HF_HUB_OFFLINE: '1', TOKENIZERS_PARALLELISM: 'false' },
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  let [cut, versions] = [false, {} as Readonly<Record<string, string>>];
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line) as Told;
    if ('cut' in told) cut = true;
    else if ('versions' in told) versions = told.versions;
    else if ('product' in told)
      say({
        kind: 'torch-product',
        card: told.card,
        precision: told.precision,
        shape: told.product,
        gflops: told.gflops,
      });
    else if ('failed' in told)
      say({
        kind: 'absent',
        what: `${spec.model}, ${told.length} tokens, ${told.way} at ${told.batch}`,
        why: told.failed,
      });
    else {
      const { values, card, way, precision, length, players, batch, rowsPerSecond } = told;
      const expected = ours.get(length);
      const difference =
        values === null || expected === undefined
          ? null
          : Math.max(...values.map((value, i) => Math.abs(value - expected[i]) / Math.max(1, Math.abs(value))));
      say({
        kind: 'torch',
        model: spec.model,
        card,
        way,
        precision,
        length,
        players,
        batch,
        rowsPerSecond,
        difference,
      });
    }
  }
  const code = await ended;
  if (code !== 0)
    throw new Error(`${spec.python} ended with ${code}: ${said.trim().split('\n').slice(-3).join(' | ')}`);
  return { cut, versions };
}

type Told =
  | { readonly cut: true }
  | { readonly versions: Readonly<Record<string, string>> }
  | {
      readonly product: readonly [number, number, number];
      readonly precision: Precision;
      readonly gflops: number;
      readonly card: string;
    }
  | (Plan & { readonly failed: string })
  | (Plan & { readonly card: string; readonly rowsPerSecond: number; readonly values: readonly number[] | null });
