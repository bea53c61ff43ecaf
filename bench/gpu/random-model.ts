/**
 * A model of a real one's shape whose numbers are made on the device, in no time and without a file; and a recipe by which
 * another program makes the same ones.
 *
 * Parameter number i, in the order of parameterShapes, is a run of one long table of N(0, 0.02²) numbers, repeated end to end,
 * from entry (i · 15485863) mod its length; norms have 1 added. The table's length is a prime, so that no two rows are alike.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SHAPES } from '../shapes.ts';
import { fail } from '../../src/errors.ts';
import { parameterShapes, type ModelConfig } from '../../src/model/config.ts';
import { familyOf } from '../../src/model/families/families.ts';
import { createModel, type Model } from '../../src/model/model.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { createRandom } from '../../src/random.ts';

const TABLE = 1_000_003;
const STEP = 15_485_863;

export interface Recipe {
  /** As transformers reads it. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly parameters: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly from: number;
    readonly centre: 0 | 1;
  }[];
}

/** @throws 'input' for an unknown shape. */
export function configOf(shape: string): ModelConfig {
  if (!Object.hasOwn(SHAPES, shape))
    throw fail('input', '--models', `"${shape}" is unknown; there are ${Object.keys(SHAPES).join(', ')}.`);
  const { config, tensors } = SHAPES[shape];
  return familyOf(config).readConfig(config, new Set(Object.keys(tensors)));
}

export function recipeOf(shape: string): Recipe {
  const parameters = Object.entries(parameterShapes(configOf(shape))).map(([name, sizes], i) => ({
    name,
    shape: sizes,
    from: (i * STEP) % TABLE,
    centre: name.endsWith('.w') ? (1 as const) : (0 as const),
  }));
  return { config: { ...SHAPES[shape].config, tie_word_embeddings: false }, parameters };
}

/** The table, from a seed. */
export function tableOf(seed: number): Float32Array {
  const random = createRandom(seed, 'bench-gpu/table');
  return Float32Array.from({ length: TABLE }, () => 0.02 * random.normal());
}

/** The model on the current backend; its owner disposes it. */
export function randomModel(shape: string, table: Float32Array, tokenizer?: Tokenizer): Model {
  const numbers = tf.tensor1d(table);
  const parameters = Object.fromEntries(
    recipeOf(shape).parameters.map(({ name, shape: sizes, from, centre }) => {
      const size = sizes.reduce((product, each) => product * each, 1);
      const made = tf.tidy(() => {
        const long = tf.tile(numbers, [Math.ceil((from + size) / TABLE)]);
        const values = tf.reshape(tf.slice(long, [from], [size]), [...sizes]);
        return centre === 1 ? tf.add(values, 1) : values;
      });
      return [name, made];
    }),
  );
  numbers.dispose();
  return createModel(configOf(shape), parameters, { name: `${shape} shape, random weights`, tokenizer });
}

/** A tokenizer whose words are the ids themselves: "17 4 2". */
export function idTokenizer(vocabSize: number): Tokenizer {
  const encode = (text: string): number[] => text.trim().split(/\s+/).map(Number);
  return {
    kind: 'ids',
    vocabSize,
    bosId: undefined,
    eosId: undefined,
    bosByDefault: false,
    bosPolicy: 'ids are taken as they are',
    addedTokens: [],
    specialTokens: {},
    chatTemplates: new Map(),
    encode,
    encodeWithOffsets: () => {
      throw new Error('a text of ids has no characters to point at');
    },
    decode: (ids) => ids.join(' '),
    toStrTokens: (input) => (typeof input === 'string' ? encode(input) : input).map(String),
    toSingleToken: (text) => encode(text)[0],
  };
}
