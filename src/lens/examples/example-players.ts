/**
 * Who plays: every training example, or groups of them.
 *
 * A group is a value of a field (a source, a fact, the label itself), or a cluster of like examples. An example whose field is missing
 * or empty belongs to nobody and is always kept.
 */
import { fail } from '../../errors.ts';
import type { Player } from '../../game.ts';
import type { Place } from '../../place.ts';
import { createRandom } from '../../random.ts';
import type { Example } from './data-set.ts';

/** Training examples that are kept or left out together. */
export interface ExamplePlayer extends Player {
  readonly place: Extract<Place, { kind: 'examples' }>;
}

/** Characters of an example's text in its name. */
const EXCERPT = 40;

/** One player an example of `rows`, default all: `#12 positive: It was a...`. */
export function eachExample(examples: readonly Example[], rows = Array.from(examples.keys())): ExamplePlayer[] {
  return rows.map((row) => ({
    name: `#${row} ${examples[row].label}${excerptOf(examples[row])}`,
    place: { kind: 'examples', rows: [row] },
  }));
}

function excerptOf({ text }: Example): string {
  if (text === undefined) return '';
  const line = text.replace(/\s+/g, ' ').trim();
  return `: ${line.length > EXCERPT ? `${line.slice(0, EXCERPT - 1)}…` : line}`;
}

/** One player a value of `field`, which may be `label`, in the order in which they come. @throws 'input' where no example has it. */
export function groupsOf(examples: readonly Example[], field: string): ExamplePlayer[] {
  const groups = new Map<string, number[]>();
  examples.forEach(({ label, fields }, row) => {
    const value = field === 'label' ? label : fields[field];
    if (value === undefined || value === '') return;
    groups.set(value, [...(groups.get(value) ?? []), row]);
  });
  if (groups.size === 0) {
    const known = new Set(examples.flatMap(({ fields }) => Object.keys(fields)));
    throw fail('input', 'groups', `no example has a field "${field}"; there are ${['label', ...known].join(', ')}.`);
  }
  return Array.from(groups, ([name, rows]) => ({ name, place: { kind: 'examples' as const, rows } }));
}

const ROUNDS = 50;

/**
 * `count` clusters of like examples by k-means on their encoded inputs [N, width] (k-means++ starts; Arthur, Vassilvitskii, SODA 2007).
 * @throws 'input' on more clusters than distinct examples.
 */
export function clustersOf(inputs: Float32Array, width: number, count: number, seed: number): ExamplePlayer[] {
  const n = inputs.length / width;
  if (!Number.isInteger(count) || count < 2 || count > n)
    throw fail('input', 'clusters', `${count} of ${n} examples; a whole number from 2 to ${n} is needed.`);
  const random = createRandom(seed, 'examples/clusters');
  const distance = (row: number, centre: Float64Array): number => {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += (inputs[row * width + j] - centre[j]) ** 2;
    return sum;
  };
  const centreAt = (row: number): Float64Array => Float64Array.from(inputs.subarray(row * width, (row + 1) * width));
  const centres = [centreAt(random.integer(n))];
  const nearest = Float64Array.from({ length: n }, (_, row) => distance(row, centres[0]));
  while (centres.length < count) {
    const total = nearest.reduce((sum, d) => sum + d, 0);
    if (total === 0)
      throw fail('input', 'clusters', `${count} were asked for; only ${centres.length} examples differ.`);
    let left = random.uniform() * total;
    let row = nearest.findIndex((d) => (left -= d) < 0);
    if (row < 0) row = nearest.findLastIndex((d) => d > 0);
    centres.push(centreAt(row));
    for (let i = 0; i < n; i++) nearest[i] = Math.min(nearest[i], distance(i, centres[centres.length - 1]));
  }
  let owner = new Int32Array(n).fill(-1);
  for (let round = 0; round < ROUNDS; round++) {
    const next = Int32Array.from({ length: n }, (_, row) => {
      let [best, least] = [0, Infinity];
      centres.forEach((centre, c) => {
        const d = distance(row, centre);
        if (d < least) [best, least] = [c, d];
      });
      return best;
    });
    if (next.every((c, row) => c === owner[row])) break;
    owner = next;
    centres.forEach((centre, c) => {
      const mine = Array.from(owner.keys()).filter((row) => owner[row] === c);
      if (mine.length === 0) return;
      for (let j = 0; j < width; j++)
        centre[j] = mine.reduce((sum, row) => sum + inputs[row * width + j], 0) / mine.length;
    });
  }
  return centres
    .map((_, c) => Array.from(owner.keys()).filter((row) => owner[row] === c))
    .filter((rows) => rows.length > 0)
    .map((rows, c) => ({ name: `cluster ${c} (${rows.length})`, place: { kind: 'examples', rows } }));
}

/** By example: its player's number, or -1 for one that is always kept. @throws 'input' where an example has two. */
export function ownersOf(players: readonly ExamplePlayer[], count: number): Int32Array {
  const owners = new Int32Array(count).fill(-1);
  players.forEach(({ name, place: { rows } }, i) => {
    for (const row of rows) {
      if (!Number.isInteger(row) || row < 0 || row >= count)
        throw fail('input', 'players', `"${name}" has example ${row}; there are 0 to ${count - 1}.`);
      if (owners[row] >= 0)
        throw fail('input', 'players', `example ${row} belongs to "${players[owners[row]].name}" and to "${name}".`);
      owners[row] = i;
    }
  });
  return owners;
}
