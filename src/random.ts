/**
 * The one seeded generator: everything random in spexlens draws from here.
 *
 * Core: sfc32 (Doty-Humphrey, PractRand), 128 bits of state, seeded by splitmix32 from a 32-bit
 * seed and a text label. Named streams (`random.fork('folds')`) make one user seed serve many
 * independent purposes without any of them shifting another.
 */
import { fail } from './errors.ts';

/** A stream of random numbers that its seed decides. */
export interface Random {
  /** Uniform on [0, 1), 53 bits. */
  uniform(): number;
  /** Uniform integer on [0, n). */
  integer(n: number): number;
  /** 32 independent fair bits as an unsigned integer. */
  bits(): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** Fisher-Yates in place; returns its argument. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T;
  /** k distinct integers of [0, n), increasing. @throws when k > n. */
  subset(n: number, k: number): number[];
  /** An independent stream named by `label`; the same seed and label give the same stream. */
  fork(label: string): Random;
}

/** A generator for an integer seed in [0, 2^32). Same seed, same sequence, on every platform. */
export function createRandom(seed: number, label = ''): Random {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw fail('input', 'createRandom', `seed ${seed} is not an integer in [0, 4294967295]; pass one.`);
  }
  let mix = (seed ^ hash(label)) >>> 0;
  const split = (): number => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let a = split();
  let b = split();
  let c = split();
  let counter = 1;
  const bits = (): number => {
    const t = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = ((c << 21) | (c >>> 11)) >>> 0;
    c = (c + t) >>> 0;
    return t;
  };
  for (let i = 0; i < 12; i++) bits();

  const uniform = (): number => ((bits() >>> 5) * 67108864 + (bits() >>> 6)) / 9007199254740992;
  const integer = (n: number): number => Math.floor(uniform() * n);
  let spare: number | undefined;
  const normal = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  const shuffle = <T extends { length: number; [index: number]: unknown }>(items: T): T => {
    for (let i = items.length - 1; i > 0; i--) {
      const j = integer(i + 1);
      const swap = items[i];
      items[i] = items[j];
      items[j] = swap;
    }
    return items;
  };
  const subset = (n: number, k: number): number[] => {
    if (!(k >= 0 && k <= n)) throw fail('input', 'random.subset', `${k} of ${n} cannot be drawn; at most ${n} can.`);
    // Floyd's algorithm: k draws, no list of n.
    const chosen = new Set<number>();
    for (let j = n - k; j < n; j++) {
      const pick = integer(j + 1);
      chosen.add(chosen.has(pick) ? j : pick);
    }
    return [...chosen].sort((x, y) => x - y);
  };
  return { uniform, integer, bits, normal, shuffle, subset, fork: (name) => createRandom(seed, `${label}/${name}`) };
}

/** FNV-1a over UTF-16 code units. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}
