/** Patching sweeps in a terminal: for each a map of effects by layer, or its largest where there are too many columns. Pure. */
import pc from 'picocolors';
import { patchEffects, patchPlace, type PatchRecord } from './patch-record.ts';
import { countOf, largest, numberFormat, oneLine, percent } from './wording.ts';

export interface PatchTextOptions {
  readonly color?: boolean | undefined;
  /** Columns, default 80. */
  readonly width?: number | undefined;
}

/** Patches of a sweep that are listed by name. */
const LISTED = 8;
/** Columns of a number in a map, where there is room and where there is little. */
const CELLS = [5, 4] as const;

/** The story of some sweeps; ends with a newline. */
export function patchText(records: readonly PatchRecord[], { color, width = 80 }: PatchTextOptions = {}): string {
  const colors = pc.createColors(color ?? false);
  return `${records.map((record) => sweepLines(record, colors, width).join('\n')).join('\n\n')}\n`;
}

function sweepLines(record: PatchRecord, colors: ReturnType<typeof pc.createColors>, width: number): string[] {
  const { what, model, direction, metric, base, source, values, axes, rows, seconds } = record;
  const way = direction === 'denoise' ? 'clean into corrupted' : 'corrupted into clean';
  const format = numberFormat(largest([base, source]));
  const [from, to] = direction === 'denoise' ? ['corrupted', 'clean'] : ['clean', 'corrupted'];
  const effects = patchEffects(record);
  const rate = rows === 0 ? 'all from the log' : `${rows} rows, ${seconds.toFixed(1)} s`;
  return [
    colors.bold(oneLine(`${what}: ${way}, ${countOf(values.length, 'patches')} in ${model}; ${rate}`, width)),
    `${metric}   ${from} ${format(base)}   ${to} ${format(source)}`,
    ...(base === source
      ? ['The two runs have the same metric: an effect has no scale.']
      : map(record, effects, colors, width)),
    '',
    ...(axes.some(({ name }) => name === 'position') && axes.at(-1)?.name === 'position'
      ? [
          oneLine(
            axes
              .at(-1)
              ?.labels.map((label, p) => `${p} ${JSON.stringify(label)}`)
              .join(' ') ?? '',
            width,
          ),
          '',
        ]
      : []),
    ...strongest(effects, LISTED).map((i) => {
      const bar = '█'.repeat(Math.round(Math.min(1, Math.abs(effects[i])) * 24));
      return oneLine(
        `  ${patchName(record, i).padEnd(34)} ${percent(effects[i]).replaceAll('\u00a0', ' ').padStart(8)}  ${bar}`,
        width,
      );
    }),
  ];
}

/** Percent of the way from one run to the other, a row for each layer; nothing where it does not fit. */
function map(
  { axes }: PatchRecord,
  effects: readonly number[],
  colors: ReturnType<typeof pc.createColors>,
  width: number,
): string[] {
  const [layers, columns, more] = axes;
  const wide = CELLS.find((cell) => 9 + cell * (columns?.labels.length ?? 0) <= width);
  if (columns === undefined || more !== undefined || wide === undefined) return [];
  const cell = (effect: number): string => {
    const text = (100 * effect).toFixed(0).replace(/^-0$/, '0').replace('-', '−').padStart(wide);
    if (Math.abs(effect) < 0.05) return colors.dim(text);
    return Math.abs(effect) < 0.5 ? text : colors.bold(effect > 0 ? colors.blue(text) : colors.yellow(text));
  };
  return [
    `percent  ${columns.labels.map((_, c) => String(columns.name === 'head' ? `H${c}` : c).padStart(wide)).join('')}`,
    ...layers.labels.map((label, row) => {
      const cells = effects.slice(row * columns.labels.length, (row + 1) * columns.labels.length);
      return `layer ${label.padStart(2)} ${cells.map(cell).join('')}`;
    }),
  ];
}

/** The places of the largest effects, largest first. */
export function strongest(effects: readonly number[], count: number): number[] {
  return Array.from(effects.keys())
    .sort((a, b) => Math.abs(effects[b]) - Math.abs(effects[a]))
    .slice(0, count);
}

/** `layer 8, position 14 " to"`, `L9H6`, `L9H6, position 3`. */
export function patchName(record: Pick<PatchRecord, 'axes'>, index: number): string {
  const at = patchPlace(record, index);
  const layer = at.layer?.label ?? '';
  const part =
    at.head !== undefined
      ? `L${layer}H${at.head.label}`
      : at.neuron !== undefined
        ? `L${layer}N${at.neuron.label}`
        : `layer ${layer}`;
  if (at.position === undefined) return part;
  const { label, place } = at.position;
  return `${part}, position ${place}${label === String(place) ? '' : ` ${JSON.stringify(label)}`}`;
}
