/** What an estimate says of leaving players out, as the spectrum that circuits, curves and R² take. */
import { createSpectrum, type FourierSpectrum } from '../spectrum/spectrum.ts';

/**
 * The Fourier spectrum of constant + Σ linear_i out_i + Σ_ij pairs_ij out_i out_j, out_i = 1 where player i is left out: with the parities
 * x_i = -1 of kept players, out_i = (1 + x_i) / 2.
 */
export function spectrumOfLeftOut({
  constant,
  linear,
  pairs,
}: {
  readonly constant: number;
  readonly linear: Float64Array;
  /** [n, n] */
  readonly pairs?: Float64Array | undefined;
}): FourierSpectrum {
  const n = linear.length;
  let mean = constant;
  const single = new Float64Array(n);
  const couples: { members: number[]; value: number }[] = [];
  for (let i = 0; i < n; i++) {
    const own = linear[i] + (pairs?.[i * n + i] ?? 0); // out_i² = out_i
    mean += own / 2;
    single[i] += own / 2;
    if (pairs === undefined) continue;
    for (let j = i + 1; j < n; j++) {
      const both = pairs[i * n + j] + pairs[j * n + i];
      mean += both / 4;
      single[i] += both / 4;
      single[j] += both / 4;
      if (both !== 0) couples.push({ members: [i, j], value: both / 4 });
    }
  }
  return createSpectrum('fourier', n, [
    { members: [], value: mean },
    ...Array.from(single, (value, i) => ({ members: [i], value })),
    ...couples,
  ]);
}
