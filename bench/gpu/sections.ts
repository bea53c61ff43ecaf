/**
 * The parts of the measurement, each a process of its own with a time of its own: what one of them breaks, or a driver that
 * hangs, costs that part alone. Each tells its entries as it has them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { openVariant, type Opened } from '../ablation/backends.ts';
import { checkFamilies, checkHalves, checkMasked, checkTiles } from './checks.ts';
import { startClock, type Clock } from './clock.ts';
import { measureProducts, OTHERS } from './products.ts';
import { configOf, idTokenizer, randomModel, tableOf } from './random-model.ts';
import type { Entry, ProductKind } from './record.ts';
import { replay } from './replay.ts';
import { comparedMasks } from './torch.ts';
import { gameOf, measureReadback, measureRows, promptOf } from './throughput.ts';
import { fromRoot } from '../../cli/package-root.ts';
import { linearKernel, linearKernelBy } from '../../src/backend/webgpu/linear.ts';
import { TILES } from '../../src/backend/webgpu/tiles.ts';
import { findCircuits } from '../../src/find-circuits.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';

export interface SectionSpec {
  readonly name: 'checks' | 'products' | 'rows' | 'kernels' | 'circuits';
  /** For rows, kernels and circuits. */
  readonly model: string;
  readonly lengths: readonly number[];
  /** As openVariant takes it. */
  readonly backend: string;
  /** A measurement lasts about so long. */
  readonly each: number;
  /** Masks of a run at most. */
  readonly masks: number;
  /** What this section may take. */
  readonly seconds: number;
  /** Small products and few rows, for a software driver. */
  readonly small: boolean;
}

export type Say = (entry: Entry) => void;

/** Runs a section on this process; whether it was cut short. */
export async function runSection(spec: SectionSpec, say: Say): Promise<{ readonly cut: boolean }> {
  const clock = startClock(spec.seconds);
  const backend = await openVariant(spec.backend);
  try {
    await SECTIONS[spec.name](spec, backend, clock, say);
  } finally {
    backend.close();
  }
  return { cut: clock.cut };
}

const SECTIONS: Readonly<
  Record<SectionSpec['name'], (spec: SectionSpec, backend: Opened, clock: Clock, say: Say) => Promise<void>>
> = { checks, products, rows, kernels, circuits };

async function checks(spec: SectionSpec, backend: Opened, clock: Clock, say: Say): Promise<void> {
  say(adapterOf(spec.backend, backend));
  say({ kind: 'readback', backend: spec.backend, ...(await measureReadback(spec.small ? 5 : 50)) });
  if (backend.name === 'webgpu') say(await checkTiles(spec.small ? TILES.slice(3) : TILES));
  const tiny = await modelOf('ioi-tiny');
  say(await checkMasked(tiny, 'heads', 20, spec.small ? 4 : 32));
  say(await checkMasked(tiny, 'neurons', 20, spec.small ? 2 : 16));
  tiny[Symbol.dispose]();
  if (backend.name === 'webgpu')
    for (const storage of ['float16', 'bfloat16'] as const)
      if (clock.has(2)) say(await checkHalves(fromRoot('models/ioi-tiny'), storage));
  for (const shape of ['gpt2-small', 'SmolLM2-135M']) {
    if (spec.small || !clock.has(6)) continue;
    const model = await modelOf(shape);
    say(await checkMasked(model, 'heads', 16, 16));
    model[Symbol.dispose]();
  }
  say(await checkFamilies(fromRoot('test/golden/families'), clock));
}

function adapterOf(name: string, backend: Opened): Entry {
  const device = (tf.backend() as unknown as { readonly device?: GPUDevice }).device;
  const limits: Record<string, number> = {};
  if (device !== undefined)
    for (const limit in device.limits) limits[limit] = Number(Reflect.get(device.limits, limit));
  return {
    kind: 'adapter',
    backend: name,
    device: backend.device,
    gpu: backend.gpu,
    selfCheckError: backend.selfCheckError,
    versions: backend.versions,
    limits,
    features: device === undefined ? [] : [...device.features],
  };
}

/** Squares, then the products of gpt2-small and Llama 1B on many tokens and on few. */
const SHAPES: readonly (readonly [number, number, number])[] = [
  [4096, 4096, 4096],
  [8192, 768, 3072],
  [8192, 768, 768],
  [512, 3072, 768],
  [8192, 3072, 768],
  [8192, 2048, 8192],
  [512, 768, 768],
  [2048, 768, 768],
  [8192, 576, 1536],
  [8192, 8192, 8192],
];

async function products(spec: SectionSpec, _backend: Opened, clock: Clock, say: Say): Promise<void> {
  const shapes = spec.small ? ([[128, 64, 128]] as const) : SHAPES;
  await measureProducts(
    shapes,
    spec.small ? TILES.slice(3) : spec.each < 1 ? TILES : [...TILES, ...OTHERS],
    clock,
    say,
  );
}

/** Every length, heads and neurons, by tiles and by the backend's products; then the batch sizes of the shortest. */
async function rows(spec: SectionSpec, backend: Opened, clock: Clock, say: Say): Promise<void> {
  const model = await modelOf(spec.model);
  const one = async (
    products: ProductKind | 'stock',
    length: number,
    players: string,
    more: { readonly batch?: number; readonly byteLimit?: number } = {},
  ): Promise<void> => {
    if (!clock.has(2 * spec.each + 0.5)) return;
    const few = spec.small ? { batch: 4 } : {};
    const setting = { length, players, masks: spec.masks, seconds: spec.each, ...few, ...more };
    try {
      const measured = await measureRows(model, setting);
      say({ kind: 'rows', model: spec.model, backend: spec.backend, products, ...measured });
    } catch (error) {
      say({
        kind: 'absent',
        what: `${spec.model}, ${length} tokens, ${players}, ${JSON.stringify(more)}`,
        why: String(error),
      });
    }
  };
  const tiled = backend.name === 'webgpu' && !spec.backend.endsWith(':stock');
  const usual = tiled ? 'tiles' : 'stock';
  for (const length of spec.lengths) await one(usual, length, 'heads');
  if (spec.model !== 'ioi-tiny') await compared(spec, model, say);
  for (const length of spec.lengths) await one(usual, length, 'heads', { byteLimit: 2 ** 31 });
  for (const length of spec.lengths) await one(usual, length, 'neurons');
  if (tiled && clock.has(1)) {
    useProducts('backend');
    await one('backend', spec.lengths[0], 'heads');
    useProducts('tiles');
  }
  const sizes = spec.small ? [4, 8] : [16, 64, 256, 512, 1024, 2048, 4096];
  for (const batch of sizes) await one(usual, spec.lengths[0], 'heads', { batch });
  model[Symbol.dispose]();
}

/** The values that PyTorch's are compared with. */
async function compared(spec: SectionSpec, model: Model, say: Say): Promise<void> {
  const masks = comparedMasks(spec.model);
  for (const length of spec.lengths) {
    const game = gameOf(model, {
      length,
      players: 'heads',
      masks: masks.count,
      seconds: spec.each,
      ...(spec.small ? { batch: 8 } : {}),
    });
    say({ kind: 'values', model: spec.model, length, values: Array.from(await game.value(masks)) });
    game[Symbol.dispose]();
  }
}

/** From now on forward passes on webgpu multiply so. */
export function useProducts(kind: ProductKind): void {
  tf.unregisterKernel('SpexlensLinear', 'webgpu');
  tf.registerKernel({
    kernelName: 'SpexlensLinear',
    backendName: 'webgpu',
    kernelFunc: kind === 'backend' ? linearKernelBy(() => undefined) : linearKernel,
  });
}

async function kernels(spec: SectionSpec, backend: Opened, clock: Clock, say: Say): Promise<void> {
  const model = await modelOf(spec.model);
  for (const length of spec.lengths) {
    const setting = { length, players: 'heads', masks: spec.masks, seconds: spec.each };
    const game = gameOf(model, spec.small ? { ...setting, batch: 4 } : setting);
    const masks = proxyMasks(game.players.length, game.batchSize, 0);
    await game.value(masks);
    const times = await replay(() => game.value(masks), clock);
    for (const time of times)
      say({
        kind: 'kernel',
        model: spec.model,
        length,
        batch: game.batchSize,
        products: backend.name === 'webgpu' && !spec.backend.endsWith(':stock') ? 'tiles' : 'stock',
        ...time,
      });
    game[Symbol.dispose]();
  }
  model[Symbol.dispose]();
}

/** The main job on the shape and a prompt of 16 random tokens: what it takes is of interest, not what it finds. */
async function circuits(spec: SectionSpec, backend: Opened, _clock: Clock, say: Say): Promise<void> {
  const model = randomModel(spec.model, tableOf(0), idTokenizer(configOf(spec.model).dVocab));
  const { tokens, correct, incorrect } = promptOf(model.config.dVocab, 16, 0);
  const prompts = [{ prompt: tokens.join(' '), correct: String(correct), incorrect: String(incorrect) }];
  await findCircuits(model, backend, { prompts, budget: 32, heldOut: 16 }); // compiles
  const started = performance.now();
  const result = await findCircuits(model, backend, {
    prompts,
    budget: spec.small ? 64 : 1024,
    heldOut: spec.small ? 32 : 512,
  });
  say({
    kind: 'circuits',
    model: spec.model,
    backend: spec.backend,
    players: result.players.length,
    masks: result.masks.measured,
    seconds: (performance.now() - started) / 1000,
    measuring: result.masks.seconds,
  });
  model[Symbol.dispose]();
}

async function modelOf(name: string): Promise<Model> {
  return name === 'ioi-tiny' ? loadModel(fromRoot('models/ioi-tiny')) : randomModel(name, tableOf(0));
}
