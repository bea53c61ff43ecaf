/**
 * What every checkpoint format offers: a table of tensors, each read from disk on its own.
 *
 * The seam between file formats and the rest. safetensors implements it; another format joins by
 * returning one of these. A source holds no file open between reads, so there is nothing to close.
 */
import { closest, fail } from '../errors.ts';
import { quote } from './strict-json.ts';

export interface TensorEntry {
  /** As the file spells it: F32, BF16, I64, ... */
  readonly dtype: string;
  /** C order. */
  readonly shape: readonly number[];
}

export interface TensorSource {
  /** The file, as errors name it. */
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Free-form strings of the file. */
  readonly metadata: ReadonlyMap<string, string>;
  /**
   * The values of one tensor as float32, C order: F32, F16 and BF16 exactly, F64 rounded, integers
   * and BOOL when float32 holds them exactly (|x| <= 2^24). Peak memory: the result and 4 MB.
   *
   * @param into where the values go when it is long enough (the result is its beginning); memory that is used
   *   again saves the system from handing out as much anew. Without it the result is an array of its own.
   * @throws 'checkpoint' for an unknown name, an unsupported dtype, a value out of range, or a file that changed.
   */
  read(name: string, into?: Float32Array): Promise<Float32Array>;
  /**
   * The values of one integer or BOOL tensor as int32.
   *
   * @throws 'checkpoint' as `read`, for a float dtype, and for a value outside int32.
   */
  readIntegers(name: string): Promise<Int32Array>;
}

/** Contents of tokenizer.json and tokenizer_config.json. */
export interface TokenizerContents {
  readonly tokenizer: object;
  readonly config: object;
}

/** A model on disk, opened: its configuration and its tensors, whatever files they are in. */
export interface Checkpoint extends Pick<TensorSource, 'read' | 'readIntegers'> {
  /** The folder, or the GGUF file. */
  readonly folder: string;
  /** config.json, or the same fields from a GGUF file's metadata; not interpreted. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Paths of the weight files, in name order. */
  readonly files: readonly string[];
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Contents of tokenizer.json and tokenizer_config.json, where the weight file itself holds the tokenizer (GGUF). */
  readonly tokenizer?: TokenizerContents | undefined;
  /** What opening found that the user should know, one sentence each. */
  readonly notes?: readonly string[];
}

/** The error for a tensor that is not there, with the names nearest to it. */
export function noSuchTensor(who: string, name: string, names: Iterable<string>, count: number): Error {
  // Bounded: names come from a file, and the distance is quadratic in their length.
  const near = closest(
    name.slice(0, 120),
    [...names].slice(0, 4000).filter((other) => other.length <= 200),
  );
  const hint = near.length === 0 ? '' : `; the closest are ${near.map(quote).join(', ')}`;
  return fail('checkpoint', who, `has no tensor ${quote(name)} among its ${count}${hint}.`);
}
