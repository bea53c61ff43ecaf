/** What a comparison of circuit finders found, as plain JSON: the fields of comparison.json, and the reader that checks them. */
import { z } from 'zod';
import type { Comparison } from '../compare-methods.ts';
import { fail } from '../errors.ts';
import type { Frozen } from '../frozen.ts';
import { printableJson } from '../printable.ts';
import { VERSION } from '../version.ts';

export const COMPARISON_SCHEMA = 'spexlens.comparison/1';

const text = z.string();
const count = z.int().min(0);
/** Players by number. */
const players = z.array(count);

const circuit = z.strictObject({
  /** Increasing. */
  players,
  faithfulness: z.number(),
  completeness: z.strictObject({ mean: z.number(), most: z.number(), knockOuts: count }),
  /** Absent of more than 128 players. */
  minimality: z.strictObject({ members: z.array(z.number()), least: z.number(), needless: count }).optional(),
});

const method = z.strictObject({
  name: text,
  cpr: z.number(),
  cmd: z.number(),
  /** Of |scores|; absent where no truth is known. */
  auroc: z.number().optional(),
  /** Faithfulness of the sets of a size, by size, increasing. */
  curve: z.array(z.strictObject({ size: count, helping: z.number(), mattering: z.number() })),
  /** Of the sets of players that matter: the smallest measured one that keeps the target. */
  circuit,
  /** Masks of the budget that it spent. */
  masks: count,
  /** Rows through the model. */
  forward: count,
  backward: count,
  seconds: z.number().min(0),
  /** By player, in the order of `players`. */
  scores: z.array(z.number()),
  /** Who is kept first first: to keep most of the metric, and to do as the model does. */
  helping: players,
  mattering: players,
  /** What the method chose itself. */
  details: z.record(z.string(), z.unknown()),
});

/** A whole `comparison.json`. */
export const comparisonSchema = z
  .strictObject({
    schema: z.literal(COMPARISON_SCHEMA),
    software: text,
    /** The model's name, or the game's. */
    name: text,
    task: z.strictObject({
      prompts: z.array(text),
      /** Prompts that judged what was found; null: the same. */
      judged: z.array(text).nullable(),
      metric: text,
      unit: text,
      ablation: text,
      /** What players are called: heads, edges. */
      players: text,
    }),
    backend: text,
    /** SHA-256 of the study. */
    study: text.optional(),
    command: text.optional(),
    /** By number. */
    players: z.array(text).min(1),
    /** f(all) and f(none) of the game that judges. */
    full: z.number(),
    empty: z.number(),
    budget: count,
    target: z.number(),
    harm: text,
    knockOuts: count,
    seed: count,
    /** The players of the true circuit, where it is known. */
    truth: players.nullable(),
    methods: z.array(method),
    /** Methods that could not be run, and why. */
    refusals: z.array(z.strictObject({ name: text, why: text })),
    /** Masks that judging took, beside those of the methods. */
    judged: count,
  })
  .superRefine(({ players: { length: n }, methods, truth }, context) => {
    const report = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    const check = (path: (string | number)[], set: readonly number[]): void => {
      const odd = set.find((player) => player >= n);
      if (odd !== undefined) report(path, `names player ${odd}; players are 0..${n - 1}`);
    };
    check(['truth'], truth ?? []);
    methods.forEach(({ scores, helping, mattering, circuit: found }, k) => {
      if (scores.length !== n) report(['methods', k, 'scores'], `${scores.length} scores for ${n} players`);
      check(['methods', k, 'circuit', 'players'], found.players);
      check(['methods', k, 'helping'], helping);
      check(['methods', k, 'mattering'], mattering);
    });
  });

/** A comparison of methods as plain JSON: the content of comparison.json. */
export type ComparisonRecord = Frozen<z.infer<typeof comparisonSchema>>;
export type ComparedMethod = ComparisonRecord['methods'][number];
/** What the caller knows of a comparison's question. */
export type ComparisonFacts = Pick<ComparisonRecord, 'name' | 'task' | 'backend' | 'study' | 'command'>;

/** The record in the value of a `comparison.json`. @throws a one-line 'input' error that names the first field that is wrong. */
export function parseComparison(json: unknown, who = 'comparison.json'): ComparisonRecord {
  const parsed = comparisonSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  throw fail(
    'input',
    who,
    `${first.path.map(String).join('.') || 'the record'}: ${first.message.replace(/\s+/g, ' ')}; the fields are those of ${COMPARISON_SCHEMA}.`,
  );
}

/** The text of `comparison.json`, checked before it is written. @throws as `parseComparison`, also on NaN or an infinity. */
export function formatComparison(record: ComparisonRecord): string {
  return printableJson(`${JSON.stringify(parseComparison(record), null, 1)}\n`);
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
