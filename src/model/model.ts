/**
 * A model: configuration, parameters on the device, tokenizer. Loading reads one tensor at a time.
 *
 * A model is a folder in Hugging Face layout (config.json, weights, tokenizer.json) or a hub id. The numbers are
 * the checkpoint's own; nothing is folded or centred. The owner of a model disposes it.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { openCheckpoint, type Checkpoint } from './checkpoint.ts';
import { parameterCount, parameterShapes, type ModelConfig } from './config.ts';
import { familyOf } from './families/families.ts';
import type { Family, Source } from './families/family.ts';
import type { Parameters } from './forward.ts';
import { locateModel } from './hub/locate.ts';
import type { HubOptions } from './hub/settings.ts';
import { loadTokenizer, type Tokenizer } from './tokenizer.ts';

export interface Model {
  /** The folder's name, or the hub id's without its organisation. */
  readonly name: string;
  /** Absolute path; undefined for a model made in memory. */
  readonly folder: string | undefined;
  readonly config: ModelConfig;
  /** Owned by the model. */
  readonly parameters: Parameters;
  /** Absent when the folder has no tokenizer.json. */
  readonly tokenizer: Tokenizer | undefined;
  /** Scalars on the device. */
  readonly parameterCount: number;
  /** Tensors of the checkpoint that no parameter came from (buffers not counted). */
  readonly unusedTensors: readonly string[];
  /** Frees the parameters. Using the model afterwards is an error. */
  [Symbol.dispose](): void;
}

export interface LoadOptions {
  /** Where the hub and its cache are, and how to report a download; see HubOptions. */
  readonly hub?: HubOptions;
}

/**
 * Loads a model onto the current backend.
 * @param model a folder, or a hub id: `org/name` or `org/name@revision`.
 * @throws 'checkpoint' when something is missing, damaged, of an unknown architecture or of the wrong shape.
 */
export async function loadModel(model: string, options: LoadOptions = {}): Promise<Model> {
  const { folder, name } = await locateModel(model, options.hub);
  const checkpoint = await openCheckpoint(folder);
  const family = familyOf(checkpoint.config);
  const names = new Set(checkpoint.tensors.keys());
  requireLayers(checkpoint);
  const config = family.readConfig(checkpoint.config, names);
  requireRoom(config, `checkpoint ${folder}`);
  const parameters: Record<string, tf.Tensor> = {};
  try {
    const unusedTensors = await readParameters(checkpoint, family, config, names, parameters);
    const hasTokenizer = (await stat(join(folder, 'tokenizer.json')).catch(() => undefined)) !== undefined;
    const tokenizer = hasTokenizer ? await loadTokenizer(folder) : undefined;
    if (tokenizer !== undefined && tokenizer.vocabSize > config.dVocab) {
      throw fail('checkpoint', `checkpoint ${folder}`, `the tokenizer has ${tokenizer.vocabSize} tokens, the embedding ${config.dVocab} rows; they belong to different models.`);
    }
    return createModel(config, parameters, { name, folder, tokenizer, unusedTensors });
  } catch (error) {
    tf.dispose(parameters);
    throw error;
  }
}

/** A model from parameters that are already on the device; takes ownership of them. */
export function createModel(
  config: ModelConfig,
  parameters: Parameters,
  origin: { readonly name: string; readonly folder?: string; readonly tokenizer?: Tokenizer | undefined; readonly unusedTensors?: readonly string[] },
): Model {
  for (const [name, shape] of Object.entries(parameterShapes(config))) {
    const given = parameters[name];
    if (given === undefined) throw fail('input', 'createModel', `parameter ${name} [${shape.join()}] is missing.`);
    if (String(given.shape) !== String(shape)) throw fail('input', 'createModel', `parameter ${name} is [${given.shape.join()}]; [${shape.join()}] is needed.`);
  }
  return {
    name: origin.name,
    folder: origin.folder,
    config,
    parameters,
    tokenizer: origin.tokenizer,
    parameterCount: parameterCount(config),
    unusedTensors: origin.unusedTensors ?? [],
    [Symbol.dispose]: () => tf.dispose(parameters as Record<string, tf.Tensor>),
  };
}

/** Tensors of at most this many values are read while the one before is used: 64 MB more in memory. */
const AHEAD_VALUES = 2 ** 24;

/** Fields of config.json that count layers. */
const LAYER_COUNTS = ['n_layer', 'n_layers', 'num_layers', 'num_hidden_layers'];

/** Every layer has tensors: a count beyond theirs is damage, and lists of that length are not to be made. */
function requireLayers({ config, tensors, folder }: Checkpoint): void {
  for (const record of [config, config['text_config']]) {
    for (const field of LAYER_COUNTS) {
      const count = typeof record === 'object' && record !== null ? (record as Record<string, unknown>)[field] : undefined;
      if (typeof count !== 'number' || count <= tensors.size) continue;
      throw fail('checkpoint', `checkpoint ${folder}`, `config.json has "${field}" ${count}, and the weights are ${tensors.size} tensors, fewer than one a layer; they belong to different models.`);
    }
  }
}

/** WebAssembly addresses 32 bits, and its allocator's failure would go unseen: such a model is refused before. */
const WASM_BYTES = 2 ** 32 - 2 ** 16;

function requireRoom(config: ModelConfig, who: string): void {
  const bytes = 4 * parameterCount(config);
  if (tf.getBackend() !== 'wasm' || bytes < WASM_BYTES) return;
  throw fail('backend', who, `the model needs ${(bytes / 1e9).toFixed(1)} GB in float32 and the wasm backend holds ${(WASM_BYTES / 1e9).toFixed(1)} GB; use webgpu, tensorflow or cpu.`);
}

/** The model's tokenizer. @throws when its folder has none. */
export function tokenizerOf(model: Model): Tokenizer {
  if (model.tokenizer === undefined) throw fail('checkpoint', `model ${model.name}`, 'has no tokenizer.json; give token ids instead of text, or add one to its folder.');
  return model.tokenizer;
}

async function readParameters(checkpoint: Checkpoint, family: Family, config: ModelConfig, names: ReadonlySet<string>, into: Record<string, tf.Tensor>): Promise<string[]> {
  const who = `checkpoint ${checkpoint.folder}`;
  const shapes = parameterShapes(config);
  const sources = [...family.sources(config, names)];
  for (const { tensor, shape } of sources) {
    const entry = checkpoint.tensors.get(tensor);
    if (entry === undefined) throw fail('checkpoint', who, `tensor "${tensor}" [${shape.join()}] is missing; a ${family.name} model of ${config.nLayers} layers needs it.`);
    if (String(entry.shape) !== String(shape)) {
      throw fail('checkpoint', who, `tensor "${tensor}" is [${entry.shape.join()}]; config.json asks for [${shape.join()}].`);
    }
  }
  // Largest first: what it costs on the way is then spent while little else is held.
  const size = ({ shape }: Source): number => shape.reduce((product, length) => product * length, 1);
  sources.sort((a, b) => size(b) - size(a));
  // WebAssembly copies a tensor's values at once, so two arrays serve them all in turn; other backends may keep them.
  const sizes = sources.map(size);
  const shared = tf.getBackend() === 'wasm' ? sizes.slice(0, 2).map((length, i) => new Float32Array(i === 0 ? length : Math.min(length, AHEAD_VALUES))) : [];
  const readAt = async (i: number): Promise<Float32Array> => checkpoint.read(sources[i].tensor, shared[i % 2]);
  let ahead: Promise<Float32Array> | undefined;
  try {
    for (let i = 0; i < sources.length; i++) {
      const values = await (ahead ?? readAt(i));
      // The disk works on the next tensor while this one is laid out.
      ahead = i + 1 < sources.length && sizes[i + 1] <= AHEAD_VALUES ? readAt(i + 1) : undefined;
      for (const [name, take] of Object.entries(sources[i].gives)) into[name] = tf.tensor(take(values), [...shapes[name]]);
    }
  } finally {
    await ahead?.catch(() => {});
  }
  const used = new Set(sources.map(({ tensor }) => tensor));
  return [...names].filter((name) => !used.has(name) && !family.isBuffer(name));
}
