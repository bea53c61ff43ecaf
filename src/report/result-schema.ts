/**
 * The fields of `result.json`, its version, and what holds between them.
 *
 * Shares (energy, faithfulness) are fractions of 1, values are in the metric's units. The schema is strict: a key that every record
 * has from then on, is renamed or changes its meaning makes a new version string; one that may be absent does not.
 */
import { z } from 'zod';
import { placeSchema } from '../place.ts';
import { circuitSchema, directedRemovalSchema, removalSchema } from './circuit-schema.ts';
import { attention, exampleGroup, outputMap, seedNoise } from './lens-schemas.ts';

export const RESULT_SCHEMA = 'spexlens.result/3';

const count = z.int().min(0);
const share = z.number();
const text = z.string();
/** Increasing player numbers. */
const members = z.array(count);

/** R² with its percentile interval [low, high] at `level`; the shape of spectrum/r2's interval. */
const interval = z.strictObject({ r2: z.number(), low: z.number(), high: z.number(), level: z.number(), masks: count });

/** Shares of the variance; the four add up to 1, or are all 0 for a constant game. */
const energySplit = z.strictObject({
  /** The variance of f̂ over uniform masks. */
  total: z.number().min(0),
  alone: share,
  within: share,
  across: share,
  ungrouped: share,
});

const prompt = z.strictObject({
  text,
  /** As the tokenizer cut it. */
  tokens: z.array(text),
  /** The token, or several that count alike. */
  correct: text.optional(),
  incorrect: text.optional(),
  corrupted: text.optional(),
});

const player = z.strictObject({
  /** `L1H2`, `MLP0`, a token: unique within the run. */
  name: text,
  /** The group that energy is split by and figures line up: its layer, where it has one. */
  layer: z.exactOptional(count),
  /** Where it lives (place.ts). */
  place: z.exactOptional(placeSchema),
});

const interaction = z.strictObject({
  members,
  names: z.array(text),
  /** F(S). */
  fourier: z.number(),
  /** Banzhaf interaction (-2)^|S| F(S), in the metric's units. */
  value: z.number(),
  /** What the sign says here: see `meaningOf`. */
  meaning: z.enum(['synergy', 'redundancy', 'above', 'below']),
  /** The solver could not tell it from noise; only records of older versions list such interactions. */
  belowNoise: z.exactOptional(z.literal(true)),
  /** Standard error of `value`, where the solver has one. */
  standardError: z.exactOptional(z.number().min(0)),
});

/** The record of solve/adaptive: rounds of masks, the score after each, and why it stopped. */
const adaptive = z.strictObject({
  target: z.number(),
  outcome: z.enum(['reached', 'hopeless', 'spent']),
  why: text,
  rounds: z.array(interval.extend({ fitted: count, solver: text })),
});

/** The record of lens/behaviour, without its answers. */
const behaviour = z.strictObject({ prompts: count, accuracy: share, rank: count, probability: share });

/** The record of lens/components/choose-ablation. */
const pilot = z.strictObject({
  ablation: text,
  why: text,
  rows: count,
  /** What the game's own arithmetic does to one value between batches; no smaller interaction is listed. */
  floor: z.exactOptional(z.number().min(0)),
  tried: z.array(
    z.strictObject({
      ablation: text,
      pilot: z.strictObject({
        masks: count,
        clean: z.number(),
        ablated: z.number(),
        half: z.strictObject({ count, mean: z.number(), sd: z.number() }),
        left: z.number(),
        /** null: infinitely many standard errors, where all halves are alike. */
        distance: z.number().nullable(),
        verdict: text,
      }),
    }),
  ),
});

/** A whole record. */
export const resultSchema = z
  .strictObject({
    schema: z.literal(RESULT_SCHEMA),
    software: z.strictObject({ name: text, version: text, node: text.optional(), platform: text.optional() }),
    /** When it started, ISO 8601; the only field that differs between two equal runs, with the timings. */
    startedAt: text.optional(),
    /** The command line that repeats it, and every option with its default filled in. */
    run: z.strictObject({
      command: text,
      options: z.record(z.string(), z.unknown()),
      seed: z.int().min(0).max(0xffffffff),
    }),
    /** What was taken apart: a model's name, or the game's own. */
    name: text,
    /** What was asked, as study.ts writes it; absent for a game that is no study. */
    study: z.record(z.string(), z.unknown()).optional(),
    /** Absent for a game that has no model. */
    model: z
      .strictObject({ family: text, layers: count, heads: count, parameters: count, weightsHash: text })
      .optional(),
    /** Absent for a game that computes on none. */
    backend: z
      .strictObject({
        name: text,
        /** Why this one. */
        reason: text,
        /** What loading and measuring did that a reader should know, one sentence each. */
        notes: z.array(text),
        /** Why not the better ones, one sentence each; records of older versions have these among the notes. */
        passedOver: z.exactOptional(z.array(text)),
        /** Largest |difference| of the self-check against plain Float64, where it ran. */
        selfCheckError: z.number().optional(),
      })
      .optional(),
    task: z.strictObject({
      prompts: z.array(prompt),
      metric: text,
      /** `logits`, `nats`, ...; empty for a pure number. */
      units: text,
      /** What stands in for an absent player: `zero`, `mean`, ...; empty where the game does not say. */
      ablation: text,
      /** What the players are, plural, for sentences: `heads`, `tokens`. */
      players: text,
    }),
    players: z.array(player).min(1),
    /** By player: the training examples it is, the first few of them in full. */
    examples: z.exactOptional(z.array(exampleGroup)),
    /** The record of lens/examples/seed-noise. */
    seedNoise: z.exactOptional(seedNoise),
    /** Where the metric is a sum over the tokens of an answer: what each of them owes to the players. */
    outputs: z.exactOptional(outputMap),
    /** Whether the model does what the prompts ask, on those that have a right answer. */
    behaviour: behaviour.optional(),
    /** The masks that were measured before the budget was spent, and the ablation they led to. */
    pilot: pilot.optional(),
    /** What a reader has to know before the answer, the most serious first. */
    findings: z.array(z.strictObject({ kind: text, text })),
    /** f(all kept). */
    clean: z.number(),
    /** f(all ablated). */
    ablated: z.number(),
    masks: z.strictObject({
      budget: count,
      /** Measured in this run, held-out ones and the circuit's included. */
      measured: count,
      /** Taken from the run log. */
      resumed: count,
      heldOut: count,
      /** Rows the model's forward pass computed: masks x prompts, less what was shared. */
      forwardRows: count,
      rowsPerSecond: z.number().min(0),
      seconds: z.number().min(0),
      /** Threads that measured, where it was more than one. */
      threads: z.exactOptional(count),
    }),
    /** `masks`: the distinct masks its answer was read from. */
    solver: z.strictObject({
      name: text,
      masks: count,
      exact: z.boolean(),
      details: z.record(z.string(), z.unknown()),
    }),
    /** Fourier terms, largest first; `omitted` smaller ones were left out, `energyKept` of the variance stays. */
    spectrum: z.strictObject({
      basis: z.literal('fourier'),
      terms: z.array(
        z.strictObject({
          members,
          value: z.number(),
          /** Of F(S), where the solver has one. */
          standardError: z.exactOptional(z.number().min(0)),
          /** The solver could not tell it from noise. */
          belowNoise: z.exactOptional(z.literal(true)),
        }),
      ),
      omitted: count,
      /** Probability with which masks keep a player, one for all or one each; absent: ½. */
      keep: z.exactOptional(z.union([z.number(), z.array(z.number())])),
      energyKept: share,
    }),
    /** On fresh masks; absent when all masks were measured. */
    heldOut: interval
      .extend({
        firstOrder: interval.optional(),
        /** R² above that of the first order, compared mask by mask. */
        gain: z.strictObject({ gain: z.number(), low: z.number(), high: z.number() }).optional(),
      })
      .optional(),
    /** Where masks were measured until a target was passed. */
    adaptive: adaptive.optional(),
    energy: energySplit.extend({ byOrder: z.array(z.strictObject({ order: count, share })) }),
    /** How hierarchical the `terms` largest terms are; see spectrum/energy. */
    hierarchy: z.strictObject({ terms: count, directSubsetRate: share, staircaseRate: share }),
    /** One entry per player, in their order. */
    values: z.array(
      z.strictObject({
        banzhaf: z.number(),
        shapley: z.number(),
        /** Of the Banzhaf value, where the solver has one. */
        standardError: z.exactOptional(z.number().min(0)),
      }),
    ),
    /** Those with the largest shares of the variance, by |F(S)|. */
    interactions: z.array(interaction),
    circuit: circuitSchema.optional(),
    /** Which players the metric misses most; absent where f(all) is 0. */
    removal: removalSchema.optional(),
    /** What is left without the players that help the metric most, and without those that harm it most; of training data. */
    directedRemoval: z.exactOptional(directedRemovalSchema),
    /** What heads of the circuit and of the interactions attend to on the first prompts. */
    attention: z.exactOptional(z.array(attention)),
    files: z.array(z.strictObject({ path: text, what: text })),
  })
  .superRefine((result, context) => {
    const n = result.players.length;
    const report = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    const check = (path: (string | number)[], set: readonly number[]): void => {
      const bad = set.findIndex((p, k) => p >= n || (k > 0 && p <= set[k - 1]));
      if (bad >= 0) report(path, `{${set.join(',')}} is not an increasing set of players 0..${n - 1}`);
    };
    if (new Set(result.players.map(({ name }) => name)).size < n) report(['players'], 'two players have the same name');
    if (result.values.length !== n) report(['values'], `${result.values.length} entries for ${n} players`);
    result.outputs?.tokens.forEach(({ values }, k) => {
      if (values.length !== n) report(['outputs', 'tokens', k], `${values.length} values for ${n} players`);
    });
    result.spectrum.terms.forEach((term, k) => check(['spectrum', 'terms', k], term.members));
    result.attention?.forEach(({ prompt: number, from, weights }, k) => {
      const length = result.task.prompts.at(number)?.tokens.length;
      if (length !== from + weights.length || weights.some((row) => row.length > length))
        report(['attention', k], `${weights.length} rows from ${from} for a prompt of ${length ?? 'no'} tokens`);
    });
    result.interactions.forEach((entry, k) => {
      check(['interactions', k], entry.members);
      if (entry.names.length !== entry.members.length)
        report(['interactions', k], `${entry.names.length} names for ${entry.members.length} members`);
    });
    if (result.circuit) {
      check(['circuit', 'chosen', 'players'], result.circuit.chosen.players);
      check(
        ['circuit', 'members'],
        result.circuit.members.map(({ player: member }) => member),
      );
      result.circuit.curve.forEach((at, k) => check(['circuit', 'curve', k], at.players));
    }
  });
