/**
 * A model: configuration, parameters on the device, tokenizer. Loading reads one tensor at a time.
 *
 * A model is a folder in Hugging Face layout (config.json, weights, tokenizer.json), a GGUF file, such files in hand, or a hub id. The
 * numbers are the checkpoint's own; nothing is folded or centred. The owner of a model disposes it.
 */
import * as tf from '@tensorflow/tfjs-core';
import { awaited } from '../awaited.ts';
import { fail } from '../errors.ts';
import { fileIn } from '../platform/files.ts';
import { takeBack } from '../platform/given-files.ts';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint.ts';
import { parameterCount, parameterShapes, type ModelConfig } from './config.ts';
import { locateModel } from '../checkpoint/hub/locate.ts';
import type { HubOptions } from '../checkpoint/hub/settings.ts';
import { giveModel, type ModelFiles } from '../checkpoint/model-files.ts';
import {
  disposeParameters,
  requireStorage,
  storageOf,
  type Parameter,
  type Parameters,
  type WeightStorage,
} from './weights/parameters.ts';
import { interpretCheckpoint } from './weights/interpret-checkpoint.ts';
import { readParameters, requireRoom } from './weights/read-parameters.ts';
import { createTokenizer, loadTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts';
import { showsItself } from '../showing.ts';
import { requireTokenizerFits } from './beyond-embedding.ts';

/** A configuration, parameters on the device, and a tokenizer; disposed by its owner. */
export interface Model {
  /** The folder's name, the GGUF file's without its ending, or the hub id's without its organisation. */
  readonly name: string;
  /** Absolute path of the folder or the GGUF file, or the one that files in hand were given; undefined for a model made in memory. */
  readonly folder: string | undefined;
  readonly config: ModelConfig;
  /** Owned by the model. */
  readonly parameters: Parameters;
  /** How the matrices among them are held. */
  readonly storage: WeightStorage;
  /** Absent when the folder has no tokenizer.json and the GGUF file none of its own. */
  readonly tokenizer: Tokenizer | undefined;
  /** Scalars on the device. */
  readonly parameterCount: number;
  /** Tensors of the checkpoint that no parameter came from (buffers not counted). */
  readonly unusedTensors: readonly string[];
  /** What loading did that its user should know, one sentence each: a prefix taken off, a head of its own, tensors not used. */
  readonly notes: readonly string[];
  /** Frees the parameters. Using the model afterwards is an error. */
  [Symbol.dispose](): void;
}

/** How a model is loaded. */
export interface LoadOptions {
  /** Where the hub and its cache are, and how to report a download; see HubOptions. */
  readonly hub?: HubOptions;
  /**
   * How matrices are held on the device; default float32. 'float16' and 'bfloat16' (webgpu only) take half the memory
   * and round what the checkpoint holds in more bits.
   */
  readonly storage?: WeightStorage | undefined;
  /** What a model is called whose files are given; default the folder's name, the GGUF file's, or `model`. */
  readonly name?: string | undefined;
}

/**
 * Loads a model onto the current backend.
 * @example const model = await loadModel('ioi-tiny');
 * @example const model = await loadModel(input.files); // a page's <input type="file" webkitdirectory>
 * @param model a folder, a GGUF file, a hub id (`org/name` or `org/name@revision`), or a model that comes along: `ioi-tiny`; or the files
 * themselves, which are kept until the model is disposed.
 * @throws 'checkpoint' when something is missing, damaged, of an unknown architecture or of the wrong shape;
 * 'backend' when none is open, and for a storage that the current one does not have; 'input' for one that cannot hold a weight.
 */
export function loadModel(model: string | ModelFiles, options: LoadOptions = {}): Promise<Model> {
  const fields = ['config', 'parameters', 'tokenizer', 'name', 'parameterCount'] as const;
  return awaited('loadModel', fields, load(model, options));
}

async function load(model: string | ModelFiles, options: LoadOptions): Promise<Model> {
  requireBackend();
  const storage = requireStorage(options.storage ?? 'float32');
  const { folder, name } =
    typeof model === 'string' ? await locateModel(model, options.hub) : await giveModel(model, options.name);
  const parameters: Record<string, Parameter> = {};
  try {
    const { checkpoint, family, config, notes } = interpretCheckpoint(await openCheckpoint(folder));
    const names = new Set(checkpoint.tensors.keys());
    requireRoom(config, `checkpoint ${folder}`);
    const unusedTensors = await readParameters(checkpoint, family, config, names, storage, parameters);
    const tokenizer = await tokenizerFor(checkpoint);
    if (tokenizer !== undefined) requireTokenizerFits(tokenizer, config.dVocab, `checkpoint ${folder}`);
    return createModel(config, parameters, { name, folder, tokenizer, unusedTensors, notes });
  } catch (error) {
    disposeParameters(parameters);
    takeBack(folder);
    throw error;
  }
}

/** @throws 'backend' where no tensor can be made yet. */
function requireBackend(): void {
  try {
    tf.backend();
  } catch {
    throw fail('backend', 'loadModel', 'no backend is open to hold the weights; call "await openBackend()" first.');
  }
}

/** The weight file's own tokenizer, else that of the folder; undefined when neither has one. */
async function tokenizerFor({ folder, tokenizer }: Checkpoint): Promise<Tokenizer | undefined> {
  if (tokenizer !== undefined) return createTokenizer(tokenizer.tokenizer, tokenizer.config, `tokenizer of ${folder}`);
  return (await fileIn(folder, 'tokenizer.json')) === undefined ? undefined : loadTokenizer(folder);
}

/** A model from parameters that are already on the device; takes ownership of them. */
export function createModel(
  config: ModelConfig,
  parameters: Parameters,
  origin: {
    readonly name: string;
    readonly folder?: string;
    readonly tokenizer?: Tokenizer | undefined;
    readonly unusedTensors?: readonly string[];
    readonly notes?: readonly string[];
  },
): Model {
  for (const [name, shape] of Object.entries(parameterShapes(config))) {
    const given = parameters[name];
    if (given === undefined) throw fail('input', 'createModel', `parameter ${name} [${shape.join()}] is missing.`);
    if (String(given.shape) !== String(shape))
      throw fail('input', 'createModel', `parameter ${name} is [${given.shape.join()}]; [${shape.join()}] is needed.`);
  }
  return showsItself({
    name: origin.name,
    folder: origin.folder,
    config,
    parameters,
    storage: storageOf(parameters),
    tokenizer: origin.tokenizer,
    parameterCount: parameterCount(config),
    unusedTensors: origin.unusedTensors ?? [],
    notes: origin.notes ?? [],
    [Symbol.dispose]() {
      disposeParameters(parameters, `model ${origin.name}`);
      if (origin.folder !== undefined) takeBack(origin.folder);
    },
  });
}

/**
 * The same model with hook_k and hook_v (and the inputs before them, and hook_rot_k) once per query head instead of
 * once per key/value head, so that one head's keys can be changed alone. A view: it shares the parameters, and
 * disposing it frees nothing.
 */
export function withUngroupedHeads(model: Model): Model {
  return showsItself({
    ...model,
    config: { ...model.config, attention: { ...model.config.attention, ungrouped: true } },
    [Symbol.dispose]: () => undefined,
  });
}

/** The model's tokenizer. @throws when its folder has none. */
export function tokenizerOf(model: Model): Tokenizer {
  if (model.tokenizer === undefined)
    throw fail(
      'checkpoint',
      `model ${model.name}`,
      'has no tokenizer.json; give token ids instead of text, or add one to its folder.',
    );
  return model.tokenizer;
}
