/**
 * Games with a known sparse spectrum, from the papers and harder: what the solvers are tested and timed on.
 *
 * Coefficients are uniform on (-1, 1) unless said otherwise; a set drawn twice has the sum.
 */
import { createRandom, type Random } from '../src/random.ts';
import { createSpectrum, setKey, type FourierSpectrum } from '../src/spectrum/spectrum.ts';

/** A spectrum from sets, each with a fresh coefficient. */
function spectrumOn(players: number, sets: Iterable<readonly number[]>, random: Random): FourierSpectrum {
  const terms = new Map<string, { members: readonly number[]; value: number }>();
  for (const members of sets) {
    const key = setKey(members);
    terms.set(key, { members, value: (terms.get(key)?.value ?? 0) + 2 * random.uniform() - 1 });
  }
  return createSpectrum('fourier', players, terms.values());
}

function randomSets(players: number, count: number, size: number, random: Random): number[][] {
  return Array.from({ length: count }, () => random.subset(players, size));
}

/** f_SCH (ProxySPEX): all subsets of ten random 5-sets. Hierarchical: trees do well. */
export function hierarchical(players: number, seed: number): FourierSpectrum {
  const random = createRandom(seed, 'hierarchical');
  const sets = randomSets(players, 10, 5, random).flatMap((set) =>
    Array.from({ length: 32 }, (_, bits) => set.filter((_, i) => (bits >>> i) & 1)),
  );
  return spectrumOn(players, sets, random);
}

/** f_SP: ten random 5-sets alone. Pure parities, invisible to greedy trees; SPEX reads them exactly. */
export function pureParities(players: number, seed: number): FourierSpectrum {
  const random = createRandom(seed, 'pure parities');
  return spectrumOn(players, randomSets(players, 10, 5, random), random);
}

/** The prefixes {a}, {a,b}, {a,b,c}, {a,b,c,d} of ten random sequences: one way up to each interaction. */
export function staircases(players: number, seed: number): FourierSpectrum {
  const random = createRandom(seed, 'staircases');
  const sequences = randomSets(players, 10, 4, random).map((set) => random.shuffle(set));
  return spectrumOn(
    players,
    sequences.flatMap((sequence) => [1, 2, 3, 4].map((k) => sequence.slice(0, k).sort((a, b) => a - b))),
    random,
  );
}

/** `count` random sets of order 1 to 3. */
export function orderThree(players: number, seed: number, count = 100): FourierSpectrum {
  const random = createRandom(seed, 'order three');
  return spectrumOn(
    players,
    Array.from({ length: count }, () => random.subset(players, 1 + random.integer(3))),
    random,
  );
}
