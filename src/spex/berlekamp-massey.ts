/**
 * Berlekamp-Massey: the shortest linear recurrence of the syndromes, which is the error locator.
 *
 * S_i = Σ_q X_q^i over the error locators X_q. The result Λ(x) = Π (1 - X_q x) satisfies
 * S_i = Σ_{j=1..L} Λ_j S_{i-j}. The codes are binary, S_{2i} = S_i², so every second discrepancy is 0
 * and is not computed. Source: Massey 1969.
 */
import type { GaloisField } from './galois-field.ts';

/** Memory that one decoder reuses: three polynomials of degree <= 2t. */
export interface LocatorWorkspace {
  /** Λ after a call, locator[0] = 1. */
  readonly locator: Uint16Array;
  readonly previous: Uint16Array;
  readonly saved: Uint16Array;
}

/** Room for the locators of a code that corrects t errors. */
export function locatorWorkspace(t: number): LocatorWorkspace {
  return {
    locator: new Uint16Array(2 * t + 2),
    previous: new Uint16Array(2 * t + 2),
    saved: new Uint16Array(2 * t + 2),
  };
}

/**
 * Writes Λ of the syndromes S_1..S_2t (syndromes[i-1] = S_i) into workspace.locator.
 * @returns L = deg Λ when that is a locator of at most t errors, otherwise -1.
 */
export function berlekampMassey(
  field: GaloisField,
  syndromes: Uint16Array,
  t: number,
  workspace: LocatorWorkspace,
): number {
  const { exp, log, order } = field;
  const { locator, previous, saved } = workspace;
  locator.fill(0);
  previous.fill(0);
  locator[0] = previous[0] = 1;
  let length = 0;
  let shift = 1;
  let logPrevious = 0; // of the discrepancy that `previous` failed on
  for (let r = 0; r < 2 * t; r += 2) {
    let discrepancy = syndromes[r];
    for (let i = 1; i <= length; i++) {
      const a = locator[i];
      const s = syndromes[r - i];
      if (a !== 0 && s !== 0) discrepancy ^= exp[log[a] + log[s]];
    }
    if (discrepancy === 0) {
      shift += 2;
      continue;
    }
    const lengthens = 2 * length <= r;
    if (lengthens) saved.set(locator);
    const factor = (log[discrepancy] + order - logPrevious) % order;
    for (let i = 0; i + shift < locator.length; i++) {
      if (previous[i] !== 0) locator[i + shift] ^= exp[log[previous[i]] + factor];
    }
    if (lengthens) {
      length = r + 1 - length;
      if (length > t) return -1;
      previous.set(saved);
      logPrevious = log[discrepancy];
      shift = 2;
    } else shift += 2;
  }
  if (locator[length] === 0) return -1;
  for (let i = length + 1; i < locator.length; i++) if (locator[i] !== 0) return -1;
  return length;
}
