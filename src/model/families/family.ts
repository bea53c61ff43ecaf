/**
 * What a model family is: a reader of its config.json and a map from its tensor names to ours.
 * Adding a family is one file like gpt2.ts and one line in families.ts.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { ModelConfig } from '../config.ts';

export interface Family {
  readonly name: string;
  /** Whether this config.json is of this family. */
  matches(raw: Readonly<Record<string, unknown>>): boolean;
  /** @throws naming the field, when the configuration asks for something the forward pass does not do. */
  readConfig(raw: Readonly<Record<string, unknown>>, tensorNames: ReadonlySet<string>): ModelConfig;
  /** The tensors to read from the checkpoint and the parameters each one gives. */
  sources(config: ModelConfig, tensorNames: ReadonlySet<string>): readonly Source[];
  /** Tensors that checkpoints of this family carry and that hold no parameter (buffers). */
  isBuffer(tensorName: string): boolean;
}

export interface Source {
  readonly tensor: string;
  /** Its shape in the file. */
  readonly shape: readonly number[];
  /** Canonical parameter -> its values, in the layout of parameterShapes, from the file's values. */
  readonly gives: Readonly<Record<string, (data: Float32Array) => Float32Array>>;
}

/** The values as they are. */
export const same = (data: Float32Array): Float32Array => data;

/** [rows, cols] -> [cols, rows]. */
export function transposed(rows: number, cols: number): (data: Float32Array) => Float32Array {
  return (data) => {
    const out = new Float32Array(data.length);
    for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = data[r * cols + c];
    return out;
  };
}

/** Columns [from, to) of [rows, cols]. */
export function columns(rows: number, cols: number, from: number, to: number): (data: Float32Array) => Float32Array {
  return (data) => {
    const out = new Float32Array(rows * (to - from));
    for (let r = 0; r < rows; r++) out.set(data.subarray(r * cols + from, r * cols + to), r * (to - from));
    return out;
  };
}

/** [a, b, c] -> [b, a, c]: TransformerLens's [head, d_model, d_head] to [d_model, head·d_head]. */
export function swapLeading(a: number, b: number, c: number): (data: Float32Array) => Float32Array {
  return (data) => {
    const out = new Float32Array(data.length);
    for (let i = 0; i < a; i++) for (let j = 0; j < b; j++) out.set(data.subarray((i * b + j) * c, (i * b + j + 1) * c), (j * a + i) * c);
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

/**
 * Refuses, by name, fields that change the numbers in a way the forward pass does not implement.
 * `harmless` lists, per field, the values under which it changes nothing; an absent field is fine.
 */
export function refuseUnless(raw: Readonly<Record<string, unknown>>, family: string, harmless: Readonly<Record<string, readonly unknown[]>>): void {
  for (const [field, allowed] of Object.entries(harmless)) {
    const value = raw[field];
    if (value === undefined || value === null || allowed.includes(value)) continue;
    throw fail('checkpoint', 'config.json', `"${field}" is ${JSON.stringify(value)}, which changes the numbers and is not implemented for ${family}; ${allowed.length > 0 ? `supported: absent or ${allowed.map((a) => JSON.stringify(a)).join(', ')}` : 'it must be absent'}.`);
  }
}

const size = z.number().int().positive();
/** zod pieces shared by the families. */
export const field = { size, count: z.number().int().nonnegative(), eps: z.number().positive(), flag: z.boolean() };
