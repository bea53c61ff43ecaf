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
});
const scaledBy = z.object({ factor: z.number().positive() });
const llama3 = z.object({
  factor: z.number().positive(),
  low_freq_factor: z.number().positive(),
  high_freq_factor: z.number().positive(),
  original_max_position_embeddings: field.size.optional(),
});

const yarn = z.object({
  factor: z.number().positive().nullish(),
  attention_factor: z.number().positive().nullish(),
  beta_fast: z.number().nonnegative().nullish(),
  beta_slow: z.number().nonnegative().nullish(),
  mscale: z.number().nonnegative().nullish(),
  mscale_all_dim: z.number().nonnegative().nullish(),
  truncate: field.flag.default(true),
  original_max_position_embeddings: field.size.optional(),
});
const factors = z.array(z.number().positive());
const longrope = z.object({
  factor: z.number().positive().nullish(),
  attention_factor: z.number().positive().nullish(),
  short_factor: factors,
  long_factor: factors,
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
  const { rope_scaling: first, rope_parameters: second } = objects;
  return (first && Object.keys(first).length > 0 ? first : second) ?? {};
}

/** Tokens that a model has room for: with dynamic scaling, `factor` times its context. */
export function contextOf(context: number, { scaling }: Rotary): number {
  return scaling?.kind === 'dynamic' ? Math.floor(context * scaling.factor) : context;
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
  const dims = turningDims(Math.trunc(dHead * factor), dHead);
  const base = own.rope_theta ?? top.rope_theta ?? theta;
  const given: Given = {
    object,
    family,
    dims,
    theta: base,
    context: top.max_position_embeddings,
    original: top.original_max_position_embeddings ?? undefined,
  };
  return { dims, theta: base, ...readScaling(own.rope_type ?? own.type ?? 'default', given) };
}

/** `dims` itself. @throws unless it is an even number of a head's dimensions. */
export function turningDims(dims: number, dHead: number): number {
  if (dims >= 2 && dims % 2 === 0 && dims <= dHead) return dims;
  throw fail(
    'checkpoint',
    'config.json',
    `${dims} of ${dHead} dimensions of a head would turn; an even number of at most ${dHead} is needed.`,
  );
}

interface Given {
  readonly object: Raw;
  readonly family: string;
  readonly dims: number;
  readonly theta: number;
  readonly context: number;
  /** The context of pretraining, where the file gives it outside the rotary parameters: it counts first. */
  readonly original: number | undefined;
}

function readScaling(type: string, given: Given): Pick<Rotary, 'scaling' | 'amplitude'> {
  const { object, family, context, original } = given;
  const parse = <T>(schema: z.ZodType<T>): T => parseConfig(schema, object, `${family}, rope parameters`);
  switch (type) {
    case 'default':
      return {};
    case 'linear':
      return { scaling: { kind: 'linear', factor: parse(scaledBy).factor } };
    case 'dynamic':
      return { scaling: { kind: 'dynamic', factor: parse(scaledBy).factor, originalContext: context } };
    case 'llama3': {
      const c = parse(llama3);
      const scaling: RotaryScaling = {
        kind: 'llama3',
        factor: c.factor,
        lowFrequency: c.low_freq_factor,
        highFrequency: c.high_freq_factor,
        originalContext: original ?? c.original_max_position_embeddings ?? context,
      };
      return { scaling };
    }
    case 'yarn':
      return yarnScaling(parse(yarn), given);
    case 'longrope':
      return longropeScaling(parse(longrope), given);
    default:
      throw fail(
        'checkpoint',
        'config.json',
        `"rope_type" is "${type}", which changes the numbers and is not implemented for ${family}; supported: default, linear, dynamic, yarn, longrope, llama3.`,
      );
  }
}

/** YaRN (Peng et al. 2023, sections 3.2 and 3.4): between which pairs of dimensions the ramp stands, and the temperature. */
function yarnScaling(
  c: z.infer<typeof yarn>,
  { dims, theta, context, original = c.original_max_position_embeddings ?? context }: Given,
): Pick<Rotary, 'scaling' | 'amplitude'> {
  const factor = c.factor ?? context / original;
  const temperature = (mscale: number): number => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1);
  const { mscale, mscale_all_dim: all } = c;
  const inferred = mscale && all ? temperature(mscale) / temperature(all) : temperature(1);
  const pairOf = (turns: number): number => (dims * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [low, high] = [pairOf(c.beta_fast || 32), pairOf(c.beta_slow || 1)];
  return {
    scaling: {
      kind: 'yarn',
      factor,
      low: Math.max(0, c.truncate ? Math.floor(low) : low),
      high: Math.min(dims - 1, c.truncate ? Math.ceil(high) : high),
    },
    amplitude: c.attention_factor ?? inferred,
  };
}

/** LongRoPE (Ding et al. 2024). */
function longropeScaling(
  c: z.infer<typeof longrope>,
  { family, dims, context, original = c.original_max_position_embeddings ?? context }: Given,
): Pick<Rotary, 'scaling' | 'amplitude'> {
  for (const [name, list] of [
    ['short_factor', c.short_factor],
    ['long_factor', c.long_factor],
  ] as const)
    if (list.length !== dims / 2)
      throw fail(
        'checkpoint',
        'config.json',
        `"${name}" has ${list.length} numbers; ${family} turns ${dims} dimensions of a head, so ${dims / 2} are needed.`,
      );
  const factor = c.factor ?? context / original;
  return {
    scaling: { kind: 'longrope', short: c.short_factor, long: c.long_factor, originalContext: original },
    amplitude: c.attention_factor ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))),
  };
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
