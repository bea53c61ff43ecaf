/**
 * Maps, sequence maps, linear combinations and the last step of a width as hidden units of a ReLU MLP.
 *
 * A function of a category is a lookup: a unit for each value it gives reads the categories that give it. A function of two is a lookup in
 * their product: relu(x_i + y_j - one) is their conjunction. A function of a number is a staircase over the values it can have: two units a
 * step, relu(L (x - t) + one) - relu(L (x - t)), which is 0 up to the threshold t and 1 from t + 1/L on. All units of a staircase are
 * held at 0 on BOS, so that no sequence has a value there: heads that look for one must not find it.
 */
import type { Linear, Mapped, Sequence, SequenceMapped, Value, Width } from './language.ts';
import type { ResidualSpace } from './residual-space.ts';
import type { ValueSets } from './value-sets.ts';
import type { Unit } from './wiring.ts';

/** The slope of a step where values are far apart. */
const STEEPNESS = 100;

type Weights = Unit['writes'];

/** The units of `sequence`. */
export function unitsOf(
  sequence: Mapped | SequenceMapped | Linear | Width,
  space: ResidualSpace,
  sets: ValueSets,
): readonly Unit[] {
  const of = (inner: Sequence): readonly Value[] => sets.get(inner) ?? [];
  const written = (value: Value | undefined): Weights => writing(sequence, value, space);
  switch (sequence.kind) {
    case 'width': {
      // shares of BOS grow as widths fall
      const steps = of(sequence).map((width): Step => ({ at: 1 / (1 + Number(width)), writes: written(width) }));
      return staircase(space.share(sequence), steps.reverse(), space);
    }
    case 'map': {
      const inner = sequence.of;
      if (inner.encoding === 'numerical') {
        const steps = of(inner).map((value): Step => ({ at: Number(value), writes: written(sequence.f(value)) }));
        return staircase(space.scalar(inner), steps, space);
      }
      return lookUp(
        of(inner).map((value) => ({ reads: [[space.direction(inner, value), 1]], writes: written(sequence.f(value)) })),
      );
    }
    case 'sequence-map': {
      const { first, second, f } = sequence;
      if (first === second)
        return lookUp(
          of(first).map((value) => ({
            reads: [[space.direction(first, value), 1]],
            writes: written(f(value, value)),
          })),
        );
      const both = (a: Value, b: Value): Unit => ({
        reads: [
          [space.direction(first, a), 1],
          [space.direction(second, b), 1],
          [space.one, -1],
        ],
        writes: written(f(a, b)),
      });
      return of(first)
        .flatMap((a) => of(second).map((b) => both(a, b)))
        .filter(({ writes }) => writes.length > 0);
    }
    case 'linear': {
      const to = space.scalar(sequence);
      return [sequence.first, sequence.second].flatMap((inner, k) =>
        [1, -1].map(
          (sign): Unit => ({
            reads: [[space.scalar(inner), sign]],
            writes: [[to, sign * sequence.weights[k]]],
          }),
        ),
      );
    }
    default:
      return sequence satisfies never;
  }
}

/** What a unit that is 1 writes for `value` of `sequence`; nothing for undefined and for 0. */
function writing(sequence: Sequence, value: Value | undefined, space: ResidualSpace): Weights {
  if (value === undefined) return [];
  if (sequence.encoding === 'categorical') return [[space.direction(sequence, value), 1]];
  return Number(value) === 0 ? [] : [[space.scalar(sequence), Number(value)]];
}

/** Units of which one at most is 1 at a time; those that write the same are one. */
function lookUp(units: readonly Unit[]): Unit[] {
  const merged = new Map<string, Unit>();
  for (const unit of units) {
    if (unit.writes.length === 0) continue;
    const key = JSON.stringify(unit.writes);
    const before = merged.get(key);
    merged.set(key, before === undefined ? unit : { ...unit, reads: [...before.reads, ...unit.reads] });
  }
  return [...merged.values()];
}

interface Step {
  /** The number at which ... */
  readonly at: number;
  /** ... this is written. */
  readonly writes: Weights;
}

/** Units that write, for the number in dimension `x`, what the nearest of `steps` (by increasing `at`) writes; nothing on BOS. */
function staircase(x: number, steps: readonly Step[], { one, bos }: ResidualSpace): Unit[] {
  const gaps = steps.slice(1).map(({ at }, k) => at - steps[k].at);
  const slope = Math.max(STEEPNESS, 4 / Math.min(...gaps));
  const reach = slope * (steps[steps.length - 1].at - steps[0].at) + 2; // more than any unit reads
  const units: Unit[] = [
    {
      reads: [
        [one, 1],
        [bos, -1],
      ],
      writes: steps[0].writes,
    },
  ];
  steps.slice(1).forEach(({ at, writes }, k) => {
    const before = steps[k].writes;
    if (JSON.stringify(writes) === JSON.stringify(before)) return;
    const threshold = (at + steps[k].at) / 2;
    const change = combine(writes, before);
    for (const [offset, sign] of [
      [1, 1],
      [0, -1],
    ])
      units.push({
        reads: [
          [x, slope],
          [one, offset - slope * threshold],
          [bos, -reach],
        ],
        writes: change.map(([dimension, weight]) => [dimension, sign * weight]),
      });
  });
  return units.filter(({ writes }) => writes.length > 0);
}

/** after - before. */
function combine(after: Weights, before: Weights): Weights {
  const sums = new Map<number, number>();
  for (const [dimension, weight] of after) sums.set(dimension, (sums.get(dimension) ?? 0) + weight);
  for (const [dimension, weight] of before) sums.set(dimension, (sums.get(dimension) ?? 0) - weight);
  return [...sums].filter(([, weight]) => weight !== 0);
}
