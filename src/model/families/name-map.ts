/**
 * A tensor-name map in few lines: shapes and biases come from parameterShapes, so a family only says which
 * of its names is which of ours. nn.Linear weights are [out, in] in the file and [in, out] here.
 */
import { parameterShapes, type ModelConfig } from '../config.ts';
import { same, transposed, type Source, type Take } from './family.ts';

export interface NameMap {
  readonly list: readonly Source[];
  /** A tensor whose layout is ours. */
  table(tensor: string, parameter: string): void;
  /** nn.Linear `tensor`.weight -> `part`.W_`letter`, and `tensor`.bias -> `part`.b_`letter` where the model has one. */
  linear(tensor: string, part: string, letter: string): void;
  /** `tensor`.weight -> `name`.w and `tensor`.bias -> `name`.b, those that the norm has. */
  norm(tensor: string, name: string, suffixes?: readonly [w: string, b: string]): void;
  /** nn.Linear `tensor` whose rows are (head, q | k | v, d_head) -> W_Q, W_K, W_V of `part`, and their biases. */
  fusedHeads(tensor: string, part: string): void;
  /** Token embedding and unembedding: one tensor where `tied`, else `embedding` and `head`, a full name without .weight. */
  vocabulary(embedding: string, head: string, tied: boolean): void;
  /**
   * nn.Linear `tensor(e)`.weight of every expert e -> `part`.W_`letter`, whose hidden units are theirs one after another: columns of
   * W_gate and W_in, rows of W_out.
   */
  experts(tensor: (expert: number) => string, part: string, letter: 'gate' | 'in' | 'out'): void;
  add(source: Source): void;
}

/** `prefix` stands before every tensor's name but the head's. */
export function nameMap(config: ModelConfig, prefix: string): NameMap {
  const shapes = parameterShapes(config);
  const list: Source[] = [];
  const table = (tensor: string, parameter: string): void => {
    list.push({ tensor: prefix + tensor, shape: shapes[parameter], gives: { [parameter]: same } });
  };
  return {
    list,
    table,
    linear(tensor, part, letter) {
      const parameter = `${part}.W_${letter}`;
      const [rows, cols] = shapes[parameter];
      list.push({
        tensor: `${prefix}${tensor}.weight`,
        shape: [cols, rows],
        gives: { [parameter]: transposed(cols, rows) },
      });
      if (shapes[`${part}.b_${letter}`] !== undefined) table(`${tensor}.bias`, `${part}.b_${letter}`);
    },
    norm(tensor, name, [w, b] = ['weight', 'bias']) {
      if (shapes[`${name}.w`] !== undefined) table(`${tensor}.${w}`, `${name}.w`);
      if (shapes[`${name}.b`] !== undefined) table(`${tensor}.${b}`, `${name}.b`);
    },
    fusedHeads(tensor, part) {
      const { nHeads, dHead, dModel: d, biases } = config;
      const letters = ['Q', 'K', 'V'];
      const each = (make: (i: number) => Take, letter: string): Source['gives'] =>
        Object.fromEntries(letters.map((x, i) => [`${part}.${letter}_${x}`, make(i)]));
      list.push({
        tensor: `${prefix}${tensor}.weight`,
        shape: [3 * d, d],
        gives: each((i) => (data, into) => transposed(d, d)(everyThird(data, i, nHeads, dHead * d), into), 'W'),
      });
      if (!biases.qkv) return;
      list.push({
        tensor: `${prefix}${tensor}.bias`,
        shape: [3 * d],
        gives: each((i) => (data) => everyThird(data, i, nHeads, dHead), 'b'),
      });
    },
    vocabulary(embedding, head, tied) {
      const [width, rows] = shapes['unembed.W_U'];
      const unembedding = { 'unembed.W_U': transposed(rows, width) };
      list.push({
        tensor: `${prefix}${embedding}.weight`,
        shape: shapes['embed.W_E'],
        gives: { 'embed.W_E': same, ...(tied ? unembedding : {}) },
      });
      if (!tied) list.push({ tensor: `${head}.weight`, shape: [rows, width], gives: unembedding });
      if (config.biases.unembed) list.push({ tensor: `${head}.bias`, shape: [rows], gives: { 'unembed.b_U': same } });
    },
    experts(tensor, part, letter) {
      const { count } = config.experts as NonNullable<ModelConfig['experts']>;
      const parameter = `${part}.W_${letter}`;
      const [rows, cols] = shapes[parameter]; // [d, m], or of W_out [m, d]
      const [first, ...more] = Array.from({ length: count }, (_, e) => `${prefix}${tensor(e)}.weight`);
      const each = letter === 'out' ? rows / count : cols / count;
      const shape = letter === 'out' ? [cols, each] : [each, rows];
      const take: Take =
        letter === 'out'
          ? (data) => {
              const out = new Float32Array(data.length);
              for (let e = 0; e < count; e++)
                transposed(cols, each)(equalPart(data, e, count), equalPart(out, e, count));
              return out;
            }
          : transposed(cols, rows);
      list.push({ tensor: first, more, shape, gives: { [parameter]: take } });
    },
    add: (source) => void list.push(source),
  };
}

/** The e-th of `count` equal parts. */
const equalPart = (values: Float32Array, e: number, count: number): Float32Array =>
  values.subarray((e * values.length) / count, ((e + 1) * values.length) / count);

/** The first of `prefixes` under which `names` has `tensor`; the first of all when none fits, for the error to name. */
export function prefixOf(names: ReadonlySet<string>, tensor: string, prefixes: readonly string[]): string {
  return prefixes.find((prefix) => names.has(prefix + tensor)) ?? prefixes[0];
}

/** 0..n-1 with their names here. */
export function blocks(config: ModelConfig): { readonly l: number; readonly b: string }[] {
  return Array.from({ length: config.nLayers }, (_, l) => ({ l, b: `blocks.${l}` }));
}

/** [heads, 3, size] -> [heads, size], the i-th of each three. */
function everyThird(data: Float32Array, i: number, heads: number, size: number): Float32Array {
  const out = new Float32Array(heads * size);
  for (let h = 0; h < heads; h++) out.set(data.subarray((3 * h + i) * size, (3 * h + i + 1) * size), h * size);
  return out;
}
