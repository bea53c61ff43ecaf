/**
 * The seam of circuit finders: a game and a budget in, nested sets and scores out. Whatever the players are: heads, edges, words.
 *
 * Every method gets the same: the value of the whole and of the empty set, which are the question and cost nothing, and a game that
 * counts. Its sets are measured by evaluation/, by another ledger of the same game.
 */
import type { Ends, MeasureOptions } from '../evaluation/faithfulness.ts';
import type { NestedSets } from '../evaluation/nested-sets.ts';
import type { MeteredGame } from './metered-game.ts';
import type { Harm } from './harm.ts';

/** A game, its two ends, and what a method may spend. */
export interface MethodInput extends MeasureOptions {
  readonly game: MeteredGame;
  readonly ends: Ends;
  /** What the methods that remove players count as harm. */
  readonly harm: Harm;
  readonly seed: number;
}

/** Nested sets that a method proposes, and its scores. */
export interface Found extends NestedSets {
  /** What each player is worth by the method, [n], in whatever unit; a negative one works against the metric. */
  readonly scores: Float64Array;
  /** Plain JSON: what the method chose itself. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** A way to find a circuit: a game and a budget in, nested sets out. */
export interface CircuitMethod {
  readonly name: string;
  /** One line. */
  readonly about: string;
  readonly source: string;
  /** @throws 'budget' where the budget is too small for it, 'input' where the game has not what it needs. */
  find(input: MethodInput): Promise<Found>;
}
