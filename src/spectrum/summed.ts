/** Spectra added up: what a mixture of answers is, term by term. */
import type { Keep } from '../keep.ts';
import { compareTerms, createSpectrum, setKey, type FourierSpectrum, type Term } from './spectrum.ts';

/** ∅ and the `most` largest of the sums, terms of equal sets added. */
export function summed(players: number, terms: Iterable<Term>, most: number, keep: Keep | undefined): FourierSpectrum {
  const sums = new Map<string, Term>([['', { members: [], value: 0 }]]);
  for (const { members, value } of terms) {
    const key = setKey(members);
    sums.set(key, { members, value: (sums.get(key)?.value ?? 0) + value });
  }
  const empty = sums.get('') as Term;
  sums.delete('');
  return createSpectrum('fourier', players, [empty, ...[...sums.values()].sort(compareTerms).slice(0, most)], keep);
}

/** weight times every term. */
export function* scaled(terms: Iterable<Term>, weight: number): Generator<Term> {
  for (const { members, value } of terms) yield { members, value: weight * value };
}
