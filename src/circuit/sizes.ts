/**
 * Which circuit sizes to look at: all of them for few players, a curve with gaps and a search for many.
 */

/** Sizes tried in one go while looking between two points of a curve with gaps. */
const REFINE = 32;

/**
 * The smallest size that reaches the target, among `grid` and then between the last grid size that misses and
 * the first that reaches, in ever smaller steps; null when none of the grid does. A curve that rises and falls
 * between grid points can hide a smaller one.
 */
export async function smallestSize(
  grid: readonly number[],
  reaching: (sizes: readonly number[]) => Promise<readonly boolean[]>,
): Promise<number | null> {
  let sizes = grid;
  let found: number | null = null;
  let missed = grid[0] - 1;
  do {
    const first = (await reaching(sizes)).indexOf(true);
    if (first !== 0) missed = sizes[(first < 0 ? sizes.length : first) - 1];
    if (first >= 0) found = sizes[first];
    if (found === null) return null;
    sizes = spread(missed + 1, found - 1, REFINE);
  } while (sizes.length > 0);
  return found;
}

/** All sizes 0..n where they fit, else at most `most`, quadratically denser at small ones; `also` among them. */
export function sizesOfCurve(n: number, most: number, also: number | null = null): number[] {
  const steps = most - 1;
  const sizes =
    n + 1 <= most ? spread(0, n, most) : Array.from({ length: most }, (_, j) => Math.round(n * (j / steps) ** 2));
  if (also !== null) sizes.push(also);
  return [...new Set(sizes)].sort((a, b) => a - b);
}

/** Whole numbers from..to, all of them or `most` evenly spaced ones; none when to < from. */
export function spread(from: number, to: number, most: number): number[] {
  const count = Math.min(most, to - from + 1);
  return Array.from({ length: Math.max(0, count) }, (_, j) =>
    count === 1 ? from : from + Math.round(((to - from) * j) / (count - 1)),
  );
}

/** Sizes of a removal curve at most. */
const REMOVALS = 16;

/** How many of n players a removal curve takes away: every number where there are few, else numbers that grow with their square. */
export function removalSizes(n: number): number[] {
  const points = Math.min(REMOVALS, n);
  const power = n > REMOVALS ? 2 : 1;
  const sizes = Array.from({ length: points }, (_, k) => Math.max(1, Math.round(n * ((k + 1) / points) ** power)));
  return [...new Set(sizes)];
}
