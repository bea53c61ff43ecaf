/**
 * Rotary positions and sliding windows as config.json spells them: `rope_theta` with `rope_scaling` (transformers 4)
 * or `rope_parameters` (5), flat or by layer type; `layer_types`. What is not implemented is refused by name.
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import type { Rotary, RotaryScaling } from '../config.ts';
import { field, parseConfig } from './family.ts';

type Raw = Readonly<Record<string, unknown>>;

const rope = z.object({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().positive().nullish(),
  partial_rotary_factor: z.number().positive().max(1).nullish(),
  attention_factor: z.null().optional(),
});
const linear = z.object({ factor: z.number().positive() });
const llama3 = z.object({
  factor: z.number().positive(),
  low_freq_factor: z.number().positive(),
  high_freq_factor: z.number().positive(),
  original_max_position_embeddings: field.size.optional(),
});

/** Fields of config.json that hold rotary parameters; other parts of the file give what these leave open. */
export const ropeFields = {
  rope_theta: z.number().positive().nullish(),
  partial_rotary_factor: z.number().positive().max(1).nullish(),
  max_position_embeddings: field.size,
  original_max_position_embeddings: field.size.nullish(),
};

export interface RopeDefaults {
  readonly family: string;
  readonly dHead: number;
  readonly theta?: number | undefined;
  /** The share of a head that turns where nothing says it; 1 when absent. */
  readonly share?: number | undefined;
  /** Families whose heads turn as a whole refuse another share. */
  readonly partial?: boolean;
}

/** The object with the rotary parameters: rope_scaling where there is one, as in transformers, else rope_parameters. @throws when it is no object. */
export function ropeObject(raw: Raw): Raw {
  const objects = parseConfig(
    z.object({
      rope_scaling: z.record(z.string(), z.unknown()).nullish(),
      rope_parameters: z.record(z.string(), z.unknown()).nullish(),
    }),
    raw,
    'rotary',
  );
  return objects.rope_scaling ?? objects.rope_parameters ?? {};
}

/** One layer's rotary positions from its parameter object. @throws naming what is not implemented. */
export function readRotary(
  raw: Raw,
  object: Raw,
  { family, dHead, theta = 10000, share = 1, partial = false }: RopeDefaults,
): Rotary {
  const top = parseConfig(z.object(ropeFields), raw, family);
  const own = parseConfig(rope, object, `${family}, rope parameters`);
  const factor = own.partial_rotary_factor ?? top.partial_rotary_factor ?? share;
  if (!partial && factor !== 1)
    throw fail(
      'checkpoint',
      'config.json',
      `"partial_rotary_factor" is ${factor}, which is not implemented for ${family}; supported: absent or 1.`,
    );
  const dims = Math.trunc(dHead * factor);
  if (dims < 2 || dims % 2 !== 0)
    throw fail(
      'checkpoint',
      'config.json',
      `${dims} of ${dHead} dimensions of a head would turn; an even number is needed.`,
    );
  return {
    dims,
    theta: own.rope_theta ?? top.rope_theta ?? theta,
    scaling: readScaling(
      top.original_max_position_embeddings ?? undefined,
      top.max_position_embeddings,
      object,
      own.rope_type ?? own.type ?? 'default',
      family,
    ),
  };
}

function readScaling(
  original: number | undefined,
  context: number,
  object: Raw,
  type: string,
  family: string,
): RotaryScaling | undefined {
  switch (type) {
    case 'default':
      return undefined;
    case 'linear':
      return { kind: 'linear', factor: parseConfig(linear, object, `${family}, rope parameters`).factor };
    case 'llama3': {
      const c = parseConfig(llama3, object, `${family}, rope parameters`);
      return {
        kind: 'llama3',
        factor: c.factor,
        lowFrequency: c.low_freq_factor,
        highFrequency: c.high_freq_factor,
        originalContext: original ?? c.original_max_position_embeddings ?? context,
      };
    }
    default:
      throw fail(
        'checkpoint',
        'config.json',
        `"rope_type" is "${type}", which changes the numbers and is not implemented for ${family}; supported: default, linear, llama3.`,
      );
  }
}

export type LayerType = 'full_attention' | 'sliding_attention';

/** `layer_types`, or `otherwise` where config.json does not give it. @throws for other types and another count. */
export function readLayerTypes(
  raw: Raw,
  nLayers: number,
  family: string,
  otherwise: (layer: number) => LayerType,
): LayerType[] {
  const given = raw['layer_types'];
  if (given === undefined || given === null) return Array.from({ length: nLayers }, (_, l) => otherwise(l));
  const types = parseConfig(z.object({ layer_types: z.array(z.string()) }), { layer_types: given }, family).layer_types;
  const odd = types.find((type) => type !== 'full_attention' && type !== 'sliding_attention');
  if (odd !== undefined)
    throw fail(
      'checkpoint',
      'config.json',
      `"layer_types" has "${odd}", which is not implemented for ${family}; supported: full_attention, sliding_attention.`,
    );
  if (types.length !== nLayers)
    throw fail(
      'checkpoint',
      'config.json',
      `"layer_types" has ${types.length} entries; the model has ${nLayers} layers.`,
    );
  return types as LayerType[];
}

/** Windows by layer; undefined where no layer slides. @throws when a layer slides and no window is given. */
export function readWindows(
  types: readonly LayerType[],
  window: number | null | undefined,
  family: string,
): (number | null)[] | undefined {
  if (!types.includes('sliding_attention')) return undefined;
  if (window === null || window === undefined)
    throw fail(
      'checkpoint',
      'config.json',
      `"layer_types" has sliding_attention and "sliding_window" is not given; ${family} needs it.`,
    );
  return types.map((type) => (type === 'sliding_attention' ? window : null));
}
