/**
 * The record's part on circuits: the circuit with its measured curve, and what removing players costs.
 *
 * The fields are those of circuit/find-circuit and circuit/removal; see there for what each means.
 */
import { z } from 'zod';

const count = z.int().min(0);
const share = z.number();
const text = z.string();
/** Increasing player numbers. */
const members = z.array(count);

const measured = z.strictObject({ value: z.number(), faithfulness: share });

/** A set that another spectrum proposes, and what it keeps. */
const rival = z.strictObject({ players: members, kept: measured });

/** One size: the players kept, what the spectrum predicted and what was measured, kept alone and removed. */
const point = z.strictObject({
  size: count,
  players: members,
  predicted: share,
  kept: measured,
  removed: measured,
  /** Random sets of this size: mean faithfulness, its 5 % and 95 % quantiles, share less faithful than the circuit. */
  random: z.strictObject({ count, mean: share, low: share, high: share, below: share }).nullable(),
  /** By name: what other spectra would keep at this size. */
  rivals: z.record(z.string(), rival),
});

/** The record of circuit/find-circuit. */
export const circuitSchema = z.strictObject({
  game: text,
  playerCount: count,
  target: share,
  seed: count,
  selector: text,
  optimal: z.boolean(),
  full: z.number(),
  empty: z.number(),
  /** Whether it deserves the name, and why; absent in records of older versions. */
  verdict: z.exactOptional(
    z.strictObject({
      kind: z.enum(['found', 'no better than random', 'overshoot', 'no signal', 'not reached', 'everything']),
      why: text,
    }),
  ),
  named: z.exactOptional(count),
  predictedSize: count.nullable(),
  chosen: point,
  smallestMeasuredSize: count,
  /** A member carries its player along; fields of players that reports do not know are dropped. */
  members: z.array(
    z.object({
      player: count,
      name: text,
      necessity: z.number().nullable(),
    }),
  ),
  curve: z.array(point),
  energyInside: share,
  masks: count,
});

const removed = z.strictObject({ players: members, predicted: share, measured: share });

/** The record of circuit/removal. */
export const removalSchema = z.strictObject({
  game: text,
  selector: text,
  full: z.number(),
  area: z.strictObject({ ours: share, rivals: z.record(z.string(), share), random: share }),
  points: z.array(
    z.strictObject({
      removed: count,
      ours: removed,
      rivals: z.record(z.string(), removed),
      random: z.strictObject({ count, mean: share, low: share, high: share }),
    }),
  ),
  masks: count,
});

const left = z.strictObject({ players: members, predicted: z.number(), measured: z.number() });

/** The record of circuit/directed-removal: values of the metric, in its units. */
export const directedRemovalSchema = z.array(z.strictObject({ removed: count, helpful: left, harmful: left }));
