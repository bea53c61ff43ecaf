/**
 * What a model family is: a reader of its config.json and a map from its tensor names to ours.
 * Adding a family is one file like gpt2.ts and one line in families.ts.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { Activation, ModelConfig } from '../config.ts';

/** What the family's own tokenizer adds to a text: a BOS token before it, [CLS] and [SEP] around it, or nothing. */
export type BosPolicy = 'bos' | 'cls-sep' | 'none';

export interface Family {
  readonly name: string;
  readonly bos: BosPolicy;
  /** Whether this config.json is of this family. */
  matches(raw: Readonly<Record<string, unknown>>): boolean;
  /** @throws naming the field, when the configuration asks for something the forward pass does not do. */
  readConfig(raw: Readonly<Record<string, unknown>>, tensorNames: ReadonlySet<string>): ModelConfig;
  /** The tensors to read from the checkpoint and the parameters each one gives. */
  sources(
    config: ModelConfig,
    tensorNames: ReadonlySet<string>,
    raw: Readonly<Record<string, unknown>>,
  ): readonly Source[];
  /** Tensors that checkpoints of this family carry and that hold no parameter (buffers). */
  isBuffer(tensorName: string): boolean;
}

export interface Source {
  readonly tensor: string;
  /** Tensors of the same shape whose values follow: the shape of all is [1 + those, ...shape]. */
  readonly more?: readonly string[];
  /** Its shape in the file. */
  readonly shape: readonly number[];
  /** Canonical parameter -> what makes its values. */
  readonly gives: Readonly<Record<string, Take>>;
}

/**
 * The file's values -> a parameter's, in the layout of parameterShapes. Values that change place are written to `into`
 * where it is given (a take may also ignore it), and what is returned holds them.
 */
export type Take = (data: Float32Array, into?: Float32Array) => Float32Array;

/** The values as they are. */
export const same: Take = (data) => data;

/** A square of 64 x 64 values, 16 KB, stays in a processor's nearest cache while it is read by rows and written by columns. */
const TILE = 64;

/** [rows, cols] -> [cols, rows]. */
export function transposed(rows: number, cols: number): Take {
  return (data, into) => {
    const out = into ?? new Float32Array(data.length);
    for (let top = 0; top < rows; top += TILE) {
      const bottom = Math.min(rows, top + TILE);
      for (let left = 0; left < cols; left += TILE) {
        const right = Math.min(cols, left + TILE);
        for (let c = left; c < right; c++) for (let r = top; r < bottom; r++) out[c * rows + r] = data[r * cols + c];
      }
    }
    return out;
  };
}

/** Rows [from, to) of [.., cols], transposed: a part of a fused nn.Linear. */
export function transposedRows(cols: number, from: number, to: number): Take {
  return (data, into) => transposed(to - from, cols)(data.subarray(from * cols, to * cols), into);
}

/** Columns [from, to) of [rows, cols]. */
export function columns(rows: number, cols: number, from: number, to: number): Take {
  return (data, into) => {
    const out = into ?? new Float32Array(rows * (to - from));
    for (let r = 0; r < rows; r++) out.set(data.subarray(r * cols + from, r * cols + to), r * (to - from));
    return out;
  };
}

/** [a, b, c] -> [b, a, c]: TransformerLens's [head, d_model, d_head] to [d_model, head·d_head]. */
export function swapLeading(a: number, b: number, c: number): Take {
  return (data, into) => {
    const out = into ?? new Float32Array(data.length);
    for (let i = 0; i < a; i++)
      for (let j = 0; j < b; j++) out.set(data.subarray((i * b + j) * c, (i * b + j + 1) * c), (j * a + i) * c);
    return out;
  };
}

/** `raw` through a zod schema, with the first problem as one line. */
export function parseConfig<T>(schema: z.ZodType<T>, raw: unknown, family: string): T {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw fail('checkpoint', 'config.json', `"${issue.path.join('.')}": ${issue.message} (family ${family}).`);
}

/** Fields that change the numbers in every family, and what they may hold. */
const EVERYWHERE: Readonly<Record<string, readonly unknown[]>> = {
  quantization_config: [],
  is_encoder_decoder: [false],
  add_cross_attention: [false],
  alibi: [false],
  use_alibi: [false],
  use_bidirectional_attention: [false],
};

/**
 * Refuses, by name, fields that change the numbers in a way the forward pass does not implement.
 * `harmless` lists, per field, the values under which it changes nothing; an absent field is fine.
 */
export function refuseUnless(
  raw: Readonly<Record<string, unknown>>,
  family: string,
  harmless: Readonly<Record<string, readonly unknown[]>>,
): void {
  for (const [field, allowed] of Object.entries({ ...EVERYWHERE, ...harmless })) {
    const value = raw[field];
    if (value === undefined || value === null || allowed.includes(value)) continue;
    throw fail(
      'checkpoint',
      'config.json',
      `"${field}" is ${JSON.stringify(value)}, which changes the numbers and is not implemented for ${family}; ${allowed.length > 0 ? `supported: absent or ${allowed.map((a) => JSON.stringify(a)).join(', ')}` : 'it must be absent'}.`,
    );
  }
}

/**
 * Whether the unembedding is the token embedding: a head of its own in the file wins over tie_word_embeddings, as in
 * transformers 5 (a model that was fine-tuned has another head than its configuration says).
 */
export function isTied(
  raw: Readonly<Record<string, unknown>>,
  tensorNames: ReadonlySet<string>,
  head: string,
  byDefault: boolean,
): boolean {
  if (tensorNames.has(head)) return false;
  const said = raw['tie_word_embeddings'];
  if (said === undefined || said === null) return byDefault;
  if (typeof said === 'boolean') return said;
  throw fail('checkpoint', 'config.json', `"tie_word_embeddings" is ${JSON.stringify(said)}; true or false is needed.`);
}

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  relu: 'relu',
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_new',
  gelu_fast: 'gelu_new', // the same function, its constant rounded
  gelu_accurate: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu_python_tanh: 'gelu_new',
  quick_gelu: 'quick_gelu',
  relu2: 'relu2',
  silu: 'silu',
  swish: 'silu',
};

/** The activation that transformers calls `name`. @throws naming `fieldName` for one that is not implemented. */
export function activationOf(name: string, fieldName: string, family: string): Activation {
  if (Object.hasOwn(ACTIVATIONS, name)) return ACTIVATIONS[name];
  throw fail(
    'checkpoint',
    'config.json',
    `"${fieldName}" is "${name}"; ${family} supports ${Object.keys(ACTIVATIONS).join(', ')}.`,
  );
}

/** @throws naming both fields unless `whole` is a multiple of `part`. */
export function requireMultiple(
  whole: readonly [field: string, value: number],
  part: readonly [field: string, value: number],
): void {
  if (whole[1] % part[1] !== 0)
    throw fail('checkpoint', 'config.json', `${whole[0]} ${whole[1]} is not a multiple of ${part[0]} ${part[1]}.`);
}

/** More than any model has; a damaged file must not ask for a billion. */
export const MOST_LAYERS = 10_000;
const size = z
  .number()
  .int()
  .positive()
  .max(2 ** 31);
/** zod pieces shared by the families. */
export const field = {
  size,
  layers: size.max(MOST_LAYERS),
  count: z.number().int().nonnegative(),
  eps: z.number().positive(),
  flag: z.boolean(),
};
