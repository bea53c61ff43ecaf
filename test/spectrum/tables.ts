/** Games as tables over all masks, for tests: random ones, and the closed forms of which every index is known. */
import { createRandom } from '../../src/random.ts';
import { createSpectrum, type FourierSpectrum, type Term } from '../../src/spectrum/spectrum.ts';

/** 2^n standard normal values in counting order. */
export function randomTable(players: number, seed: number): Float64Array {
  const random = createRandom(seed, 'table');
  return Float64Array.from({ length: 2 ** players }, () => random.normal());
}

/** A table from a function of the mask's index (bit i = player i kept). */
export function tableOf(players: number, f: (mask: number) => number): Float64Array {
  return Float64Array.from({ length: 2 ** players }, (_, mask) => f(mask));
}

export function popcount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** Fourier coefficients by the defining sum, F(S) = 2^-n Σ_m (-1)^{|S ∧ m|} f(m); 4^n steps. */
export function slowFourier(table: Float64Array): Float64Array {
  return table.map(
    (_, set) =>
      table.reduce((sum, value, mask) => sum + (popcount(set & mask) % 2 === 0 ? value : -value), 0) / table.length,
  );
}

/** The sparse spectrum of a table by the defining sum, zero terms left out. */
export function slowSpectrum(table: Float64Array): FourierSpectrum {
  const players = Math.log2(table.length);
  const terms: Term[] = [];
  slowFourier(table).forEach((value, set) => {
    if (Math.abs(value) > 1e-13) terms.push({ members: setOf(set), value });
  });
  return createSpectrum('fourier', players, terms);
}

export function setOf(mask: number): number[] {
  return Array.from({ length: 31 }, (_, i) => i).filter((i) => ((mask >>> i) & 1) === 1);
}

/** Values of terms by set index, 0 where absent. */
export function byMask(players: number, terms: readonly Term[]): Float64Array {
  const values = new Float64Array(2 ** players);
  for (const { members, value } of terms) values[members.reduce((mask, i) => mask | (1 << i), 0)] = value;
  return values;
}

/** Random terms of the given orders over many players, distinct sets. */
export function randomSparse(players: number, count: number, maxOrder: number, seed: number): FourierSpectrum {
  const random = createRandom(seed, 'sparse');
  const terms = new Map<string, Term>([['', { members: [], value: random.normal() }]]);
  while (terms.size < count) {
    const members = random.subset(players, 1 + random.integer(maxOrder));
    terms.set(members.join(','), { members, value: random.normal() });
  }
  return createSpectrum('fourier', players, terms.values());
}
