/** What a patching sweep found, as plain JSON: one number for each place that was patched. */
import { z } from 'zod';
import { fail } from '../errors.ts';
import type { Frozen } from '../frozen.ts';

export const PATCH_SCHEMA = 'spexlens.patch/1';

const text = z.string();

const patchAxis = z.strictObject({
  name: z.enum(['layer', 'position', 'head', 'neuron']),
  /** Along the axis: layers, tokens, heads. */
  labels: z.array(text).min(1),
});

const patchRecord = z
  .strictObject({
    schema: z.literal(PATCH_SCHEMA),
    model: text,
    backend: text,
    metric: text,
    unit: text,
    /** What was patched: `resid_pre`, `z`, `path from heads to L9H6.q`, .. */
    what: text,
    /** denoise: the clean run's activation into the corrupted run; noise: the corrupted run's into the clean one. */
    direction: z.enum(['denoise', 'noise']),
    axes: z.array(patchAxis).min(1),
    /** The metric with one place patched, in the axes' order, the last one quickest; the mean over the prompts. */
    values: z.array(z.number()),
    /** The metric of the run that is patched, and of the one that the activations come from. */
    base: z.number(),
    source: z.number(),
    prompts: z.array(z.strictObject({ clean: text, corrupted: text })),
    /** Patched rows that were run, and how long that took; what a log held is not in them. */
    rows: z.int().min(0),
    seconds: z.number().min(0),
    command: text.optional(),
  })
  .superRefine(({ axes, values }, context) => {
    const places = axes.reduce((product, { labels }) => product * labels.length, 1);
    if (places !== values.length)
      context.addIssue({ code: 'custom', path: ['values'], message: `${values.length} values for ${places} places` });
  });

/** A whole `patch.json`: one record a sweep. */
export const patchSchema = z.array(patchRecord).min(1);

/** What a patching sweep found: one number a place, and the two runs' own. */
export type PatchRecord = Frozen<z.infer<typeof patchRecord>>;
export type PatchAxis = PatchRecord['axes'][number];

/** The sweeps in the value of a `patch.json`. @throws a one-line 'input' error that names the first field that is wrong. */
export function parsePatches(json: unknown, who = 'patch.json'): readonly PatchRecord[] {
  const parsed = patchSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  throw fail(
    'input',
    who,
    `${first.path.map(String).join('.') || 'the record'}: ${first.message.replace(/\s+/g, ' ')}; the fields are those of ${PATCH_SCHEMA}.`,
  );
}

/** (value - base) / (source - base): 0 where a patch does nothing, 1 where it alone makes the other run. 0 where the runs do not differ. */
export function patchEffects({ values, base, source }: Pick<PatchRecord, 'values' | 'base' | 'source'>): number[] {
  const range = source - base;
  return values.map((value) => (range === 0 ? 0 : (value - base) / range));
}

/** Where value `index` of a sweep stands on each of its axes: the label there, and its number along the axis. */
export function patchPlace(
  { axes }: Pick<PatchRecord, 'axes'>,
  index: number,
): Partial<Record<PatchAxis['name'], { readonly label: string; readonly place: number }>> {
  const at: ReturnType<typeof patchPlace> = {};
  let rest = index;
  for (const { name, labels } of axes.toReversed()) {
    const place = rest % labels.length;
    at[name] = { label: labels[place], place };
    rest = Math.floor(rest / labels.length);
  }
  return at;
}
