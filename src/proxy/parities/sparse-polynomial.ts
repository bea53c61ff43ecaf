/**
 * A Fourier polynomial under construction: sets found by hash, values accumulated.
 *
 * A term is a number; term 0 is ∅ and every other term is its parent's set plus one player, so a set
 * costs one parent pointer. Lookup is by Zobrist hash (xor of a fixed random word per player) in an
 * open-addressing table, and a hit is believed only after its members have been compared.
 */
import { createRandom } from '../../random.ts';
import { compareTerms, type Term } from '../../spectrum/spectrum.ts';

export interface SparsePolynomial {
  readonly players: number;
  /** Distinct sets, ∅ included; terms are 0 .. size - 1. */
  readonly size: number;
  /** F(S) per term; valid below size. */
  readonly values: Float64Array;
  /** The set of a term, increasing. */
  members(term: number): number[];
}

export interface PolynomialBuilder extends SparsePolynomial {
  /**
   * The term of S ∪ {player}, made if it is new. S = `parent`'s set, given also as bits of `subset`:
   * player p is in S iff place[p] >= 0 and bit place[p] of subset is 1. `player` is not in S.
   */
  extend(parent: number, player: number, subset: number, place: Int32Array): number;
  add(term: number, value: number): void;
}

/** A polynomial with the single term ∅ of value 0. */
export function createPolynomial(players: number): PolynomialBuilder {
  const random = createRandom(0x70656c, 'zobrist');
  const zobrist = Int32Array.from({ length: players }, () => random.bits() | 0);
  let size = 1;
  let values = new Float64Array(1024);
  let hashes = new Int32Array(1024);
  let lastPlayer = new Int32Array(1024).fill(-1);
  let parents = new Int32Array(1024).fill(-1);
  let orders = new Int32Array(1024);
  let slots = new Int32Array(4096); // term number, 0 = free: ∅ is never looked up
  const slotOf = (hash: number): number => Math.imul(hash, 0x9e3779b1) >>> 0;

  const grow = (): void => {
    const longer = (old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
      const next = new Int32Array(2 * old.length);
      next.set(old);
      return next;
    };
    const next = new Float64Array(2 * values.length);
    next.set(values);
    values = next;
    [hashes, lastPlayer, parents, orders] = [longer(hashes), longer(lastPlayer), longer(parents), longer(orders)];
    slots = new Int32Array(2 * slots.length);
    const mask = slots.length - 1;
    for (let term = 1; term < size; term++) {
      let at = slotOf(hashes[term]) & mask;
      while (slots[at] !== 0) at = (at + 1) & mask;
      slots[at] = term;
    }
  };
  const equals = (term: number, player: number, subset: number, place: Int32Array): boolean => {
    for (let t = term; t !== 0; t = parents[t]) {
      const member = lastPlayer[t];
      if (member !== player && (place[member] < 0 || ((subset >>> place[member]) & 1) === 0)) return false;
    }
    return true;
  };
  return {
    players,
    get size() {
      return size;
    },
    get values() {
      return values;
    },
    members(term) {
      const set: number[] = [];
      for (let t = term; t !== 0; t = parents[t]) set.push(lastPlayer[t]);
      return set.sort((a, b) => a - b);
    },
    extend(parent, player, subset, place) {
      const hash = hashes[parent] ^ zobrist[player];
      const order = orders[parent] + 1;
      const mask = slots.length - 1;
      let at = slotOf(hash) & mask;
      for (let term = slots[at]; term !== 0; term = slots[at]) {
        if (hashes[term] === hash && orders[term] === order && equals(term, player, subset, place)) return term;
        at = (at + 1) & mask;
      }
      if (size === values.length) {
        grow();
        const wider = slots.length - 1;
        at = slotOf(hash) & wider;
        while (slots[at] !== 0) at = (at + 1) & wider;
      }
      const term = size++;
      slots[at] = term;
      hashes[term] = hash;
      lastPlayer[term] = player;
      parents[term] = parent;
      orders[term] = order;
      return term;
    },
    add(term, value) {
      values[term] += value;
    },
  };
}

/** Σ_{S≠∅} F(S)²: the variance over uniform masks. */
export function energyOf(polynomial: SparsePolynomial): number {
  let energy = 0;
  for (let term = 1; term < polynomial.size; term++) energy += polynomial.values[term] ** 2;
  return energy;
}

/** The `count` largest non-zero terms without ∅, in canonical order (|value|, then size, then members). */
export function largestTerms(polynomial: SparsePolynomial, count: number): Term[] {
  const { size, values } = polynomial;
  if (count < 1) return [];
  const sizes = values.slice(1, size).map(Math.abs).sort();
  const threshold = count < sizes.length ? sizes[sizes.length - count] : 0;
  const terms: Term[] = [];
  for (let term = 1; term < size; term++) {
    const magnitude = Math.abs(values[term]);
    if (magnitude >= threshold && magnitude > 0) terms.push({ members: polynomial.members(term), value: values[term] });
  }
  return terms.sort(compareTerms).slice(0, count);
}
