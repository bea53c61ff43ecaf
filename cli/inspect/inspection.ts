/**
 * Everything that is to be said about a model, as one record: what its files hold, what it takes, what it answers.
 *
 * Nothing here is guessed: the record is the one that the forward pass runs on, bytes on the device are counted,
 * texts really go through the tokenizer, and golden numbers through the model.
 */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { BACKENDS, type Backend, type BackendName } from '../../src/backend/backend.ts';
import { SpexlensError } from '../../src/errors.ts';
import { bosOf, type BosReport } from '../../src/model/bos.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { parameterShapes, type ModelConfig } from '../../src/model/config.ts';
import { describeModel, type HookRow } from '../../src/model/describe.ts';
import { cacheBytesPerToken } from '../../src/model/forward/key-value-cache.ts';
import type { Model } from '../../src/model/model.ts';
import type { WeightStorage } from '../../src/model/weights/parameters.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { checkGolden, type GoldenCheck } from './golden.ts';

export interface RoundTrip {
  readonly text: string;
  /** Undefined when the text cannot be encoded; `problem` then says why. */
  readonly tokens: number | undefined;
  /** Undefined when decoding gives the text back. */
  readonly problem: string | undefined;
}

export interface MemoryRow {
  readonly backend: BackendName;
  /** Of the weights, in float32. */
  readonly bytes: number;
  /** The most that the backend can hold, where that is known. */
  readonly limit: number | undefined;
  /** Of the weights with every matrix in half precision, where the backend can widen it on its device. */
  readonly halfBytes: number | undefined;
}

export interface Inspection {
  readonly schema: 'spexlens-inspection/1';
  readonly name: string;
  readonly folder: string;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Tensors in the files by the type they are stored in. */
  readonly stored: Readonly<Record<string, number>>;
  /** Tensors of the files that no parameter came from. */
  readonly unused: readonly string[];
  readonly parameters: number;
  readonly config: ModelConfig;
  readonly facts: readonly string[];
  readonly memory: readonly MemoryRow[];
  readonly cacheBytesPerToken: number;
  readonly measured: {
    readonly backend: string;
    readonly storage: WeightStorage;
    readonly device: string;
    readonly tensors: number;
    readonly bytes: number;
  };
  readonly tokenizer:
    | {
        readonly kind: string;
        readonly vocabSize: number;
        readonly eosId: number | undefined;
        readonly bos: BosReport;
        readonly roundTrips: readonly RoundTrip[];
      }
    | undefined;
  /** Without a tolerance, and agreeing, where weights are rounded on the device: the error is then that of the rounding. */
  readonly golden: (GoldenCheck & { readonly tolerance: number | undefined; readonly agrees: boolean }) | undefined;
  readonly hooks: readonly HookRow[];
}

const TEXTS = [
  'The quick brown fox jumps over the lazy dog.',
  ' a leading space',
  'two  spaces, a\ttab and a\nnew line',
  'naïve café – 北京 🙂',
  'def f(x):\n    return x + 1',
];
const WASM_LIMIT = 2 ** 32;

/** `before`: what the device held before the model was loaded. @throws 'checkpoint' for golden numbers of another shape. */
export async function inspect(
  model: Model,
  backend: Backend,
  before: { readonly numTensors: number; readonly numBytes: number },
): Promise<Inspection> {
  const { config, tokenizer } = model;
  const folder = model.folder ?? '';
  const now = tf.memory();
  const checkpoint = await openCheckpoint(folder);
  const stored: Record<string, number> = {};
  for (const { dtype } of checkpoint.tensors.values()) stored[dtype] = (stored[dtype] ?? 0) + 1;
  const golden = await checkGolden(model, folder);
  // float32 on a CPU; GPUs may fuse and reorder.
  const tolerance = model.storage !== 'float32' ? undefined : backend.gpu || backend.name === 'webgpu' ? 1e-3 : 1e-5;
  return {
    schema: 'spexlens-inspection/1',
    name: model.name,
    folder,
    files: await Promise.all(
      checkpoint.files.map(async (path) => ({ name: basename(path), bytes: (await stat(path)).size })),
    ),
    stored,
    unused: model.unusedTensors,
    parameters: model.parameterCount,
    config,
    facts: describeModel({ config, notes: model.notes }).facts,
    memory: memoryOf(config),
    cacheBytesPerToken: cacheBytesPerToken(config),
    measured: {
      backend: backend.name,
      storage: model.storage,
      device: backend.device,
      tensors: now.numTensors - before.numTensors,
      bytes: now.numBytes - before.numBytes,
    },
    tokenizer: tokenizer && {
      kind: tokenizer.kind,
      vocabSize: tokenizer.vocabSize,
      eosId: tokenizer.eosId,
      bos: bosOf({ config, tokenizer }),
      roundTrips: [...TEXTS, ...ownWords(tokenizer)].map((text) => roundTrip(tokenizer, text)),
    },
    golden: golden && {
      ...golden,
      tolerance,
      agrees: tolerance === undefined || Math.max(golden.logits, golden.residuals ?? 0) <= tolerance,
    },
    hooks: describeModel({ config }).hooks,
  };
}

function memoryOf(config: ModelConfig): MemoryRow[] {
  const sizes = Object.values(parameterShapes(config)).map((shape) => ({
    matrix: shape.length === 2,
    size: shape.reduce((a, b) => a * b, 1),
  }));
  const bytes = sizes.reduce((sum, { size }) => sum + 4 * size, 0);
  const halfBytes = sizes.reduce((sum, { matrix, size }) => sum + (matrix ? 4 * Math.ceil(size / 2) : 4 * size), 0);
  return BACKENDS.map((backend) => ({
    backend,
    bytes,
    limit: backend === 'wasm' ? WASM_LIMIT : undefined,
    halfBytes: backend === 'webgpu' ? halfBytes : undefined,
  }));
}

function roundTrip(tokenizer: Tokenizer, text: string): RoundTrip {
  try {
    const ids = tokenizer.encode(text, { bos: false });
    const back = tokenizer.decode(ids);
    return { text, tokens: ids.length, problem: back === text ? undefined : `comes back as ${JSON.stringify(back)}` };
  } catch (error) {
    if (!(error instanceof SpexlensError)) throw error;
    return { text, tokens: undefined, problem: error.message.replace(/^tokenizer .*?: (?=")/, '') };
  }
}

/** A text of words from the vocabulary itself, for tokenizers that know no other; none when it has no plain words. */
function ownWords(tokenizer: Tokenizer): string[] {
  const words: number[] = [];
  const step = Math.max(1, Math.floor(tokenizer.vocabSize / 500));
  for (let id = 0; id < tokenizer.vocabSize && words.length < 8; id += step) {
    if (isPlainWord(tokenizer, id)) words.push(id);
  }
  return words.length === 0 ? [] : [tokenizer.decode(words)];
}

/** Ids without a token are no words. */
function isPlainWord(tokenizer: Tokenizer, id: number): boolean {
  try {
    return /^ ?[A-Za-z]+$/.test(tokenizer.decode([id]));
  } catch {
    return false;
  }
}
