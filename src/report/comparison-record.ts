/** What a comparison of circuit finders found, as plain JSON. */
import type { Comparison, Refusal } from '../compare-methods.ts';
import type { Evaluation } from '../evaluation/evaluate.ts';
import { VERSION } from '../version.ts';

export const COMPARISON_SCHEMA = 'spexlens.comparison/1';

export interface ComparedMethod extends Evaluation {
  readonly name: string;
  /** Masks of the budget that it spent. */
  readonly masks: number;
  /** Rows through the model. */
  readonly forward: number;
  readonly backward: number;
  readonly seconds: number;
  /** By player, in the order of `players`. */
  readonly scores: readonly number[];
  /** Players by number, who is kept first first: to keep most of the metric, and to do as the model does. */
  readonly helping: readonly number[];
  readonly mattering: readonly number[];
  /** What the method chose itself. */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface ComparisonFacts {
  /** The model's name, or the game's. */
  readonly name: string;
  readonly task: {
    readonly prompts: readonly string[];
    /** Prompts that judged what was found; null: the same. */
    readonly judged: readonly string[] | null;
    readonly metric: string;
    readonly unit: string;
    readonly ablation: string;
    /** What players are called: heads, edges. */
    readonly players: string;
  };
  readonly backend: string;
  /** SHA-256 of the study. */
  readonly study?: string | undefined;
  readonly command?: string | undefined;
}

/** A comparison of methods as plain JSON. */
export interface ComparisonRecord extends ComparisonFacts {
  readonly schema: typeof COMPARISON_SCHEMA;
  readonly software: string;
  /** By number. */
  readonly players: readonly string[];
  /** f(all) and f(none) of the game that judges. */
  readonly full: number;
  readonly empty: number;
  readonly budget: number;
  readonly target: number;
  readonly harm: string;
  readonly knockOuts: number;
  readonly seed: number;
  /** The players of the true circuit, where it is known. */
  readonly truth: readonly number[] | null;
  readonly methods: readonly ComparedMethod[];
  readonly refusals: readonly Refusal[];
  /** Masks that judging took, beside those of the methods. */
  readonly judged: number;
}

export function comparisonRecord(
  { results, refusals, ends, budget, target, harm, knockOuts, seed, truth, judged }: Comparison,
  players: readonly string[],
  facts: ComparisonFacts,
): ComparisonRecord {
  return {
    schema: COMPARISON_SCHEMA,
    software: `spexlens ${VERSION}`,
    ...facts,
    players,
    ...ends,
    budget,
    target,
    harm,
    knockOuts,
    seed,
    truth: truth ?? null,
    methods: results.map(({ name, masks, rows, seconds, scores, helping, mattering, details = {}, evaluation }) => ({
      name,
      ...evaluation,
      masks,
      ...rows,
      seconds,
      scores: Array.from(scores),
      helping,
      mattering,
      details,
    })),
    refusals,
    judged,
  };
}
