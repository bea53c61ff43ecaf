/**
 * The two end masks (nothing kept, everything kept) and whether they may be fitted.
 *
 * They are far from all uniform masks and can be outliers (a model trained on no data returns a sentinel), so a fit
 * is made without them and each enters only if that fit predicts it. Worth up to 1.1 in R² on such games.
 */
import { concatMasks, selectRows, type Masks } from '../masks.ts';
import { endOf, type Measured } from './measured.ts';

/** 'test': end masks enter a fit if they fit (END_MASK_LIMIT). 'keep': always. 'drop': never. */
export type EndMasks = 'test' | 'keep' | 'drop';

/** Measured masks, the ends apart. */
export interface Split {
  readonly measured: Measured;
  /** Rows of the end masks in `measured`. */
  readonly ends: readonly number[];
  /** The others, and their values. */
  readonly sample: Masks;
  readonly values: Float64Array;
}

export interface EndMask {
  readonly end: 'empty' | 'full';
  readonly value: number;
  /** Out-of-sample prediction. */
  readonly predicted: number;
  readonly fitted: boolean;
}

/** An end mask enters the fit when its error is at most this many times the out-of-fold RMSE. */
export const END_MASK_LIMIT = 4;

/** Sets the end masks apart; with 'keep' they are masks like all others. */
export function splitEnds(measured: Measured, mode: EndMasks = 'test'): Split {
  const rows = Array.from({ length: measured.masks.count }, (_, row) => row);
  const ends = mode === 'keep' ? [] : rows.filter((row) => endOf(measured.masks, row) !== undefined);
  const inner = rows.filter((row) => !ends.includes(row));
  return {
    measured,
    ends,
    sample: selectRows(measured.masks, inner),
    values: Float64Array.from(inner, (row) => measured.values[row]),
  };
}

export interface Admitted {
  readonly endMasks: readonly EndMask[];
  /** The sample and the end masks that were let in. */
  readonly masks: Masks;
  readonly values: Float64Array;
}

/** Lets each end mask into the fit if `predict` (fitted without it) errs by at most END_MASK_LIMIT · rmse. */
export function admitEndMasks(
  { measured, ends, sample, values }: Split,
  rmse: number,
  predict: (mask: Masks) => number,
  mode: EndMasks = 'test',
): Admitted {
  const endMasks = ends.map((row): EndMask => {
    const mask = selectRows(measured.masks, [row]);
    const predicted = predict(mask);
    const value = measured.values[row];
    return {
      end: endOf(mask, 0)!,
      value,
      predicted,
      fitted: mode !== 'drop' && Math.abs(value - predicted) <= END_MASK_LIMIT * rmse,
    };
  });
  const fitted = ends.filter((_, k) => endMasks[k].fitted);
  return {
    endMasks,
    masks: concatMasks([sample, selectRows(measured.masks, fitted)]),
    values: Float64Array.from([...values, ...fitted.map((row) => measured.values[row])]),
  };
}
