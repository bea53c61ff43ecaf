/**
 * Cheap numbers of masks that are thought to go with their values: estimates that cost no measurement.
 *
 * A regression finds what of a game they explain; a proxy learns the rest from the values that were measured (prior-candidate.ts).
 */
import type { Masks } from '../../masks.ts';
import type { FourierSpectrum } from '../../spectrum/spectrum.ts';

export interface Prior {
  readonly name: string;
  /** By column, a number a mask. The same columns for any masks. */
  columns(masks: Masks): readonly Float64Array[] | Promise<readonly Float64Array[]>;
  /** By column, the spectrum of it where that is known, under fair masks; of the others it is read from masks. */
  readonly spectra?: readonly (FourierSpectrum | undefined)[] | undefined;
}
