/**
 * Removal on an estimate without interactions, where what a player does is the same whoever else is there: n log n for n players, so that
 * sets of tens of thousands of edges can be steered. The rules are those of steering.ts.
 */

/** Of `left`, `count` whose leaving adds most; `effects`, by player, is what its leaving adds. Ties: the lower player first. */
export function leastHelpful(effects: Float64Array, left: readonly number[], count: number): number[] {
  return [...left].sort((a, b) => effects[b] - effects[a] || a - b).slice(0, count);
}

export interface Balance {
  readonly count: number;
  /** What is to be made up for at first: players leave whose effects add up to it. */
  readonly short: number;
  /** Share of the players that are left, those of least effect, among whom the one that comes nearest to `short` leaves. */
  readonly share: number;
}

/**
 * Of `left`, `count` that leave one after the other, each the one of the weakest whose effect is nearest to what is then short. Ties: the
 * weaker first, of those the higher player.
 *
 * The weakest are an interval of the players by effect, which grows at its ends alone; who left is passed over by pointers to the next
 * that did not.
 */
export function inBalance(effects: Float64Array, left: readonly number[], { count, short, share }: Balance): number[] {
  const weakest = [...left].sort((a, b) => Math.abs(effects[a]) - Math.abs(effects[b]) || b - a);
  const negative = weakest.filter((player) => effects[player] < 0).reverse();
  const sorted = [...negative, ...weakest.filter((player) => !(effects[player] < 0))]; // of equal ones the weaker is nearer to 0
  const values = Float64Array.from(sorted, (player) => effects[player]);
  const ranks = new Map(weakest.map((player, rank) => [player, rank]));
  const [above, below] = [pointers(sorted.length, 1), pointers(sorted.length, -1)];
  /** Of those that are left and have the effect of the one at `place`, the weakest. */
  const weakestLike = (place: number): number =>
    values[place] < 0 ? below.find(lastAtMost(values, values[place])) : above.find(firstAtLeast(values, values[place]));
  let [low, high] = [negative.length, negative.length]; // the weakest are sorted[low .. high - 1]
  let missing = short;
  const order: number[] = [];
  while (order.length < count) {
    const pool = Math.max(1, Math.ceil(share * (left.length - order.length)));
    for (let inside = high - low - order.length; inside < pool; inside++)
      if (effects[weakest[high - low]] < 0) low--;
      else high++;
    const at = firstAtLeast(values, missing);
    const distance = (place: number): number => Math.abs(values[place] - missing);
    const rank = (place: number): number => ranks.get(sorted[place]) as number;
    const place = [above.find(Math.max(at, low)), below.find(Math.min(at, high) - 1)]
      .filter((one) => one >= low && one < high)
      .map(weakestLike)
      .reduce((a, b) => (distance(b) < distance(a) || (distance(b) === distance(a) && rank(b) < rank(a)) ? b : a));
    above.pass(place);
    below.pass(place);
    missing -= values[place];
    order.push(sorted[place]);
  }
  return order;
}

interface Pointers {
  /** The first place from `place` on, in one direction, that was not passed over. */
  find(place: number): number;
  pass(place: number): void;
}

/** Places 0 .. count - 1, and one beyond either end that is never passed over. */
function pointers(count: number, direction: 1 | -1): Pointers {
  const next = Int32Array.from({ length: count + 2 }, (_, k) => k); // place + 1
  const find = (k: number): number => {
    let root = k;
    while (next[root] !== root) root = next[root];
    for (let at = k; at !== root; ) {
      const after = next[at];
      next[at] = root;
      at = after;
    }
    return root;
  };
  return {
    find: (place) => find(place + 1) - 1,
    pass: (place) => void (next[place + 1] = place + 1 + direction),
  };
}

/** The first of increasing `values` that is `least` or more; their number where none is. */
function firstAtLeast(values: Float64Array, least: number): number {
  let [from, to] = [0, values.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (values[middle] >= least) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** The last that is `most` or less; -1 where none is. */
function lastAtMost(values: Float64Array, most: number): number {
  let [from, to] = [0, values.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (values[middle] > most) to = middle;
    else from = middle + 1;
  }
  return from - 1;
}
