/** What a patching sweep found, as plain JSON: one number for each place that was patched. */

export const PATCH_SCHEMA = 'spexlens.patch/1';

export interface PatchAxis {
  readonly name: 'layer' | 'position' | 'head' | 'neuron';
  /** Along the axis: layers, tokens, heads. */
  readonly labels: readonly string[];
}

export interface PatchRecord {
  readonly schema: typeof PATCH_SCHEMA;
  readonly model: string;
  readonly backend: string;
  readonly metric: string;
  readonly unit: string;
  /** What was patched: `resid_pre`, `z`, `path from heads to L9H6.q`, .. */
  readonly what: string;
  /** denoise: the clean run's activation into the corrupted run; noise: the corrupted run's into the clean one. */
  readonly direction: 'denoise' | 'noise';
  readonly axes: readonly PatchAxis[];
  /** The metric with one place patched, in the axes' order, the last one quickest; the mean over the prompts. */
  readonly values: readonly number[];
  /** The metric of the run that is patched, and of the one that the activations come from. */
  readonly base: number;
  readonly source: number;
  readonly prompts: readonly { readonly clean: string; readonly corrupted: string }[];
  /** Patched rows that were run, and how long that took; what a log held is not in them. */
  readonly rows: number;
  readonly seconds: number;
  readonly command?: string | undefined;
}

/** (value - base) / (source - base): 0 where a patch does nothing, 1 where it alone makes the other run. 0 where the runs do not differ. */
export function patchEffects({ values, base, source }: Pick<PatchRecord, 'values' | 'base' | 'source'>): number[] {
  const range = source - base;
  return values.map((value) => (range === 0 ? 0 : (value - base) / range));
}
