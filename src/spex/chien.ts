/**
 * The roots of an error locator: which positions are in error.
 *
 * Position d is in error iff Λ(α^{-d}) = 0. Chien's search tries every position with one xor per
 * coefficient. Most words that Chase decoding tries are no locator at all (about 1 in L! splits), so a
 * cheaper test goes first: Λ has L distinct roots in GF(2^m) iff it divides x^{2^m} - x, decided by m
 * squarings modulo Λ. Sources: Chien 1964; the test is the first step of Cantor-Zassenhaus.
 */
import type { GaloisField } from './galois-field.ts';

/** Memory of the splitting test: reductions of x^L .. x^{2L-2}, and two polynomials. */
export interface RootWorkspace {
  readonly reductions: Uint16Array;
  readonly power: Uint16Array;
  readonly squared: Uint16Array;
  readonly logs: Int32Array;
}

/** Room for locators of degree <= t. */
export function rootWorkspace(t: number): RootWorkspace {
  return {
    reductions: new Uint16Array(t * t),
    power: new Uint16Array(t),
    squared: new Uint16Array(t),
    logs: new Int32Array(t + 1),
  };
}

/** Whether Λ of degree L >= 1 has L distinct roots in the field. O(m·L²). */
export function splits(field: GaloisField, locator: Uint16Array, degree: number, workspace: RootWorkspace): boolean {
  const { exp, log, m } = field;
  const { reductions, power, squared } = workspace;
  if (degree === 1) return true;
  // σ(x) = x^L Λ(1/x) = x^L + Λ_1 x^{L-1} + .. + Λ_L is monic, with the inverse roots.
  // Row e of `reductions` is x^{L+e} mod σ, e = 0 .. L-2.
  for (let j = 0; j < degree; j++) reductions[j] = locator[degree - j];
  for (let e = 1; e <= degree - 2; e++) {
    const from = (e - 1) * degree;
    const top = reductions[from + degree - 1];
    for (let j = 0; j < degree; j++) {
      let value = j === 0 ? 0 : reductions[from + j - 1];
      if (top !== 0 && locator[degree - j] !== 0) value ^= exp[log[top] + log[locator[degree - j]]];
      reductions[e * degree + j] = value;
    }
  }
  power.fill(0);
  power[1] = 1; // x
  for (let step = 0; step < m; step++) {
    squared.fill(0, 0, degree);
    for (let i = 0; i < degree; i++) {
      if (power[i] === 0) continue;
      const value = exp[2 * log[power[i]]];
      if (2 * i < degree) {
        squared[2 * i] ^= value;
        continue;
      }
      const from = (2 * i - degree) * degree;
      const factor = log[value];
      for (let j = 0; j < degree; j++)
        if (reductions[from + j] !== 0) squared[j] ^= exp[factor + log[reductions[from + j]]];
    }
    for (let j = 0; j < degree; j++) power[j] = squared[j];
  }
  for (let j = 0; j < degree; j++) if (power[j] !== (j === 1 ? 1 : 0)) return false;
  return true;
}

/**
 * The degrees d in [0, positions) with Λ(α^{-d}) = 0, increasing, when there are as many as deg Λ;
 * undefined otherwise. Shortened positions (d >= positions) do not count. O(positions · L).
 */
export function chienSearch(
  field: GaloisField,
  locator: Uint16Array,
  degree: number,
  positions: number,
  workspace: RootWorkspace,
): number[] | undefined {
  const { exp, log, order } = field;
  if (degree === 1) return log[locator[1]] < positions ? [log[locator[1]]] : undefined;
  const { logs } = workspace; // of Λ_j α^{-jd}; -1 for Λ_j = 0
  for (let j = 1; j <= degree; j++) logs[j] = locator[j] === 0 ? -1 : log[locator[j]];
  const roots: number[] = [];
  for (let d = 0; d < positions; d++) {
    let value = 1;
    for (let j = 1; j <= degree; j++) {
      const e = logs[j];
      if (e < 0) continue;
      value ^= exp[e];
      logs[j] = e >= j ? e - j : e - j + order;
    }
    if (value === 0) {
      roots.push(d);
      if (roots.length === degree) return roots;
    }
  }
  return undefined;
}
