/**
 * From a checkpoint's tensors to parameters on the device, one tensor at a time.
 *
 * Names and shapes are all checked before anything is allocated: what a damaged config.json asks for is then
 * bounded by what the weight files really hold.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { parameterCount, parameterShapes, type ModelConfig } from '../config.ts';
import type { Family, Source } from '../families/family.ts';
import { store, type Parameter, type WeightStorage } from './parameters.ts';

/** Tensors of at most this many values are read while the one before is used: 64 MB more in memory. */
const AHEAD_VALUES = 2 ** 24;

/** Fields of config.json that count layers. */
const LAYER_COUNTS = ['n_layer', 'n_layers', 'num_layers', 'num_hidden_layers'];

/** Every layer has tensors: a count beyond theirs is damage, and lists of that length are not to be made. @throws 'checkpoint' */
export function requireLayers({ config, tensors, folder }: Checkpoint): void {
  for (const record of [config, config['text_config']]) {
    for (const field of LAYER_COUNTS) {
      const count =
        typeof record === 'object' && record !== null ? (record as Record<string, unknown>)[field] : undefined;
      if (typeof count !== 'number' || count <= tensors.size) continue;
      throw fail(
        'checkpoint',
        `checkpoint ${folder}`,
        `config.json has "${field}" ${count}, and the weights are ${tensors.size} tensors, fewer than one a layer; they belong to different models.`,
      );
    }
  }
}

/** WebAssembly addresses 32 bits, and its allocator's failure would go unseen: such a model is refused before. */
const WASM_BYTES = 2 ** 32 - 2 ** 16;

/** @throws 'backend' when the current backend cannot address the model's parameters. */
export function requireRoom(config: ModelConfig, who: string): void {
  const bytes = 4 * parameterCount(config);
  if (tf.getBackend() !== 'wasm' || bytes < WASM_BYTES) return;
  throw fail(
    'backend',
    who,
    `the model needs ${(bytes / 1e9).toFixed(1)} GB in float32 and the wasm backend holds ${(WASM_BYTES / 1e9).toFixed(1)} GB; use webgpu, tensorflow or cpu.`,
  );
}

/** One NaN makes every logit NaN, where nothing tells its origin. @throws 'checkpoint' naming the first such value. */
function requireFinite(values: Float32Array, { tensor, shape }: Source, who: string): void {
  if (isFiniteThroughout(values)) return;
  const odd = values.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
  const first = values.findIndex((value) => !Number.isFinite(value));
  const index: number[] = [];
  for (let d = shape.length - 1, rest = first; d >= 0; d--) {
    index.unshift(rest % shape[d]);
    rest = Math.floor(rest / shape[d]);
  }
  throw fail(
    'checkpoint',
    who,
    `tensor "${tensor}" is ${values[first]} at [${index.join()}], as ${odd} of its ${values.length} values are NaN or infinite; the training diverged or the file is damaged.`,
  );
}

/** x - x is 0 for finite x and NaN for others; four sums, so that none waits for the one before. */
function isFiniteThroughout(values: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += values[i] - values[i];
    b += values[i + 1] - values[i + 1];
    c += values[i + 2] - values[i + 2];
    d += values[i + 3] - values[i + 3];
  }
  for (let i = whole; i < values.length; i++) a += values[i] - values[i];
  return a + b + c + d === 0;
}

/** The values of tensors of one size, one after another. */
async function joined(checkpoint: Checkpoint, tensors: readonly string[], into: Float32Array): Promise<Float32Array> {
  const each = into.length / tensors.length;
  for (const [k, tensor] of tensors.entries()) into.set(await checkpoint.read(tensor), k * each);
  return into;
}

/**
 * The model's parameters onto the device, matrices in `storage`, into `into` under their canonical names.
 *
 * Peak memory beside the parameters: the largest tensor as it is stored, what its family makes of it, and 64 MB.
 *
 * @returns the tensors of the checkpoint that no parameter came from (buffers not counted).
 * @throws 'checkpoint' when a tensor is missing, of the wrong shape, not finite, or cannot be read, 'input' when `storage` cannot hold a value; `into` then holds what was made so far.
 */
export async function readParameters(
  checkpoint: Checkpoint,
  family: Family,
  config: ModelConfig,
  names: ReadonlySet<string>,
  storage: WeightStorage,
  into: Record<string, Parameter>,
): Promise<string[]> {
  const who = `checkpoint ${checkpoint.folder}`;
  const shapes = parameterShapes(config);
  const sources = [...family.sources(config, names, checkpoint.config)];
  for (const { tensor, shape } of sources.flatMap((source) => [
    source,
    ...(source.more ?? []).map((tensor) => ({ ...source, tensor })),
  ])) {
    const entry = checkpoint.tensors.get(tensor);
    if (entry === undefined)
      throw fail(
        'checkpoint',
        who,
        `tensor "${tensor}" [${shape.join()}] is missing; a ${family.name} model of ${config.nLayers} layers needs it.`,
      );
    if (String(entry.shape) !== String(shape)) {
      throw fail(
        'checkpoint',
        who,
        `tensor "${tensor}" is [${entry.shape.join()}]; config.json asks for [${shape.join()}].`,
      );
    }
  }
  // Largest first: what it costs on the way is then spent while little else is held.
  const size = ({ shape, more = [] }: Source): number =>
    shape.reduce((product, length) => product * length, 1 + more.length);
  sources.sort((a, b) => size(b) - size(a));
  // WebAssembly copies a tensor's values at once, so two arrays serve them all in turn; other backends may keep them.
  const sizes = sources.map(size);
  const shared =
    tf.getBackend() === 'wasm'
      ? sizes.slice(0, 2).map((length, i) => new Float32Array(i === 0 ? length : Math.min(length, AHEAD_VALUES)))
      : [];
  const readAt = async (i: number): Promise<Float32Array> => {
    const { tensor, more } = sources[i];
    return more === undefined
      ? checkpoint.read(tensor, shared[i % 2])
      : joined(checkpoint, [tensor, ...more], shared[i % 2]?.subarray(0, sizes[i]) ?? new Float32Array(sizes[i]));
  };
  let ahead: Promise<Float32Array> | undefined;
  try {
    for (let i = 0; i < sources.length; i++) {
      const values = await (ahead ?? readAt(i));
      requireFinite(values, sources[i], who);
      // The disk works on the next tensor while this one is laid out.
      ahead = i + 1 < sources.length && sizes[i + 1] <= AHEAD_VALUES ? readAt(i + 1) : undefined;
      for (const [name, take] of Object.entries(sources[i].gives))
        into[name] = store((memory) => take(values, memory), shapes[name], storage, name);
    }
  } finally {
    await ahead?.catch(() => {});
  }
  const used = new Set(sources.flatMap(({ tensor, more = [] }) => [tensor, ...more]));
  return [...names].filter((name) => !used.has(name) && !family.isBuffer(name));
}
