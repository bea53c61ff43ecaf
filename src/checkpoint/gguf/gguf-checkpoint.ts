/**
 * A GGUF file as a checkpoint: fields of a config.json, tensors under Hugging Face's names, and the two tokenizer files.
 *
 * Everything after this is the same as for a folder: the model's family reads the fields and names, the tokenizer's
 * room the files. A tensor whose name no table knows keeps it, so that it is told as unused like any other.
 */
import { fail } from '../../errors.ts';
import { quote } from '../strict-json.ts';
import { noSuchTensor, type Checkpoint } from '../tensor-source.ts';
import type { Architecture, Undo } from './architectures.ts';
import { openGgufFile, type GgufFile } from './gguf-file.ts';
import { metadataOf } from './metadata.ts';
import { readArchitecture } from './read-architecture.ts';
import { ropeScalingOf } from './rope-factors.ts';
import { readTokenizer } from './tokenizer.ts';
import { shapeAfter, undone } from './undo.ts';

/** Llama 3's divisors of rotary frequencies, and Phi 3's (LongRoPE): read into the configuration, no parameters. */
const ROPE_FREQS = 'rope_freqs.weight';
const [ROPE_SHORT, ROPE_LONG] = ['rope_factors_short.weight', 'rope_factors_long.weight'];

/** Where the values of a tensor, by its Hugging Face name, come from. */
interface Place {
  /** GGUF's name. */
  readonly tensor: string;
  readonly rows: readonly [from: number, to: number] | undefined;
  readonly undo: Undo;
  readonly heads: number;
  /** In the file, of these rows. */
  readonly stored: readonly number[];
  readonly dtype: string;
  /** As read. */
  readonly shape: readonly number[];
}

/**
 * Opens a GGUF file.
 *
 * @throws 'checkpoint' when it is damaged, one part of several, or of an architecture, tensor type or tokenizer that
 * is not read.
 */
export async function openGgufCheckpoint(path: string): Promise<Checkpoint> {
  const who = `gguf ${path}`;
  const file = await openGgufFile(path);
  const metadata = metadataOf(file.metadata, who);
  const parts = metadata.number('split.count') ?? 1;
  if (parts > 1)
    throw fail('checkpoint', who, `is one of ${parts} parts; join them with llama.cpp's llama-gguf-split --merge.`);
  const { architecture, config } = readArchitecture(metadata, (tensor) => file.tensors.has(tensor));
  const scaling = file.tensors.has(ROPE_FREQS)
    ? ropeScalingOf(await file.read(ROPE_FREQS), Number(config['rope_theta']), who)
    : await longRopeOf(file, metadata.number(`${metadata.text('general.architecture')}.rope.scaling.attn_factor`));
  const fields = {
    ...config,
    ...(scaling === undefined ? {} : { rope_scaling: scaling }),
  };
  const tokenizer = readTokenizer(metadata);
  const vocabulary = file.tensors.get('token_embd.weight')?.shape[0];
  if (vocabulary === undefined)
    throw fail('checkpoint', who, 'has no tensor "token_embd.weight"; the file is damaged.');
  const places = placesOf(file, architecture, fields, who);
  const placeOf = (name: string): Place => {
    const place = places.get(name);
    if (place === undefined) throw noSuchTensor(who, name, places.keys(), places.size);
    return place;
  };
  return {
    folder: path,
    config: { ...fields, vocab_size: vocabulary },
    files: [path],
    tensors: places,
    tokenizer,
    read: async (name, into) => {
      const { tensor, rows, undo, heads, stored } = placeOf(name);
      const values = await file.read(tensor, undo === 'transposed' ? undefined : into, rows);
      return undone(undo, values, { shape: stored, heads }, into);
    },
    readIntegers: async (name) => {
      const { dtype } = placeOf(name);
      throw fail('checkpoint', who, `tensor ${quote(name)} is of the type ${dtype}, which holds no integers.`);
    },
  };
}

/** LongRoPE's factors and amplitude as the `rope_scaling` field that says them. */
async function longRopeOf(
  file: GgufFile,
  amplitude: number | undefined,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  if (!file.tensors.has(ROPE_SHORT) || !file.tensors.has(ROPE_LONG)) return undefined;
  const [short, long] = [await file.read(ROPE_SHORT), await file.read(ROPE_LONG)];
  const factors = { rope_type: 'longrope', short_factor: Array.from(short), long_factor: Array.from(long) };
  return amplitude === undefined ? factors : { ...factors, attention_factor: amplitude };
}

/** Every tensor under its Hugging Face name. */
function placesOf(
  file: GgufFile,
  architecture: Architecture,
  fields: Readonly<Record<string, unknown>>,
  who: string,
): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  for (const [tensor, { type, shape }] of file.tensors) {
    if ([ROPE_FREQS, ROPE_SHORT, ROPE_LONG].includes(tensor)) continue;
    const undo = architecture.undo(tensor);
    const kv = tensor.includes('.attn_k.') ? 'num_key_value_heads' : 'num_attention_heads';
    const heads = undo === 'rotary rows' ? Number(fields[kv]) : 1;
    if (undo === 'rotary rows' && !(Number.isInteger(heads) && heads > 0 && (shape[0] / heads) % 2 === 0))
      throw fail(
        'checkpoint',
        who,
        `tensor ${quote(tensor)} has ${shape[0]} rows for ${heads} heads, which do not fit.`,
      );
    if (undo === 'transposed' && shape.length !== 2)
      throw fail('checkpoint', who, `tensor ${quote(tensor)} is [${shape.join()}]; a matrix is needed.`);
    const names = namesOf(tensor, architecture);
    const rows = shape[0] / names.length;
    if (!Number.isInteger(rows) && shape.length > 0)
      throw fail('checkpoint', who, `tensor ${quote(tensor)} has ${shape[0]} rows for ${names.length} equal parts.`);
    names.forEach((name, i) => {
      const stored = names.length === 1 ? shape : [rows, ...shape.slice(1)];
      const part = names.length === 1 ? undefined : ([i * rows, (i + 1) * rows] as const);
      places.set(name, { tensor, rows: part, undo, heads, stored, dtype: type.name, shape: shapeAfter(undo, stored) });
    });
  }
  return places;
}

/** The Hugging Face names of a tensor of the file: one, several for a fused one, its own where no table has it. */
function namesOf(tensor: string, { names, fused = {} }: Architecture): readonly string[] {
  const match = /^(.*)\.(weight|bias)$/.exec(tensor);
  const [stem, suffix] = match === null ? [tensor, ''] : [match[1], `.${match[2]}`];
  const layer = /^blk\.(\d+)\./.exec(stem)?.[1] ?? '';
  const pattern = stem.replace(/^blk\.\d+\./, 'blk.#.');
  const found = Object.hasOwn(fused, pattern) ? fused[pattern] : Object.hasOwn(names, pattern) ? [names[pattern]] : [];
  return found.length === 0 ? [tensor] : found.map((name) => name.replace('#', layer) + suffix);
}
