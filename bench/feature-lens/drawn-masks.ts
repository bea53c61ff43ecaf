/** The masks that are drawn for a text of n parts: to fit, a smaller alpha the first of a larger one's, and to score on. */
import { tableOf } from '../../src/mask-table.ts';
import type { Masks } from '../../src/masks.ts';
import { proxyMasks } from '../../src/proxy/proxyspex.ts';
import { createRandom } from '../../src/random.ts';
import { uniformMasks } from '../../src/uniform-masks.ts';

const HELD = 128;
/** The largest alpha. */
export const MOST = 8;

/** alpha·n·log2(n). */
export const budgetOf = (players: number, alpha: number): number => Math.ceil(alpha * players * Math.log2(players));

/** `every`: those of the largest alpha, both ends first. `held`: others, as many as there are where these are few. */
export function drawnMasks(players: number): { readonly every: Masks; readonly held: Masks } {
  const every = proxyMasks(players, budgetOf(players, MOST), 0);
  const left = players < 31 ? 2 ** players - every.count : Infinity;
  const random = createRandom(0, 'feature-lens/held');
  return { every, held: uniformMasks(players, Math.min(HELD, left), random, tableOf(every)) };
}
