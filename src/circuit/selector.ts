/**
 * Which players to keep: for every size k, the set of k players with the largest (or smallest) f̂.
 *
 * A Selector is the seam: `enumeration` looks at all 2^n masks (n <= 20), `greedy` grows and shrinks with
 * swaps on the sparse terms; integer-program.ts proves what it proposes, in seconds a size, and is asked for by
 * name: a curve over 144 sizes would take it minutes, greedy a second. f̂ = Σ F(S) χ_S has no structure
 * that would make the sets of neighbouring sizes nested, so none is assumed.
 * Source: ProxySPEX (arXiv 2505.17495), section 6.
 */
import type { Masks } from '../masks.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';

export interface Selection {
  readonly spectrum: FourierSpectrum;
  /** The sizes wanted, increasing, each 0..n. */
  readonly sizes: readonly number[];
  /** +1: maximise f̂; -1: minimise it. */
  readonly direction: 1 | -1;
}

/** Who proposes a set of every size from a spectrum. */
export interface Selector {
  readonly name: string;
  /** Whether its sets are optimal for f̂. */
  readonly optimal: boolean;
  /** One mask per size, row r of sizes[r] kept players. */
  select(selection: Selection): Masks | Promise<Masks>;
}
