/**
 * What a run leaves behind: the record of `result.json`, its version, and the reader that checks it.
 *
 * One record feeds the terminal story and the page, and holds everything needed to repeat the run. Shares
 * (energy, faithfulness) are fractions of 1, values are in the metric's units. The schema is strict: a key
 * that every record has from then on, is renamed or changes its meaning makes a new version string; one that may be
 * absent does not.
 */
import { z } from 'zod';
import { fail } from '../errors.ts';
import { printableJson } from '../printable.ts';
import type { Frozen } from '../frozen.ts';
import { placeSchema } from '../place.ts';
import { upgradeResult } from './upgrade.ts';

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

const exampleGroup = z.strictObject({
  count,
  shown: z.array(
    z.strictObject({
      row: count,
      label: text,
      text: z.exactOptional(text),
      vector: z.exactOptional(z.array(z.number())),
    }),
  ),
});

const seedNoise = z.strictObject({
  sd: z.number().min(0),
  spread: z.number().min(0),
  ceiling: share,
  seeds: count,
  trainings: count,
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

/** The record of circuit/find-circuit, field by field; see there for what each means. */
const circuit = z.strictObject({
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

/** The record of circuit/removal, field by field; see there for what each means. */
const removal = z.strictObject({
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

const schema = z
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
        /** Why not the better ones, one sentence each. */
        notes: z.array(text),
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
      terms: z.array(z.strictObject({ members, value: z.number() })),
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
    values: z.array(z.strictObject({ banzhaf: z.number(), shapley: z.number() })),
    /** Largest first. */
    interactions: z.array(interaction),
    circuit: circuit.optional(),
    /** Which players the metric misses most; absent where f(all) is 0. */
    removal: removal.optional(),
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
    result.spectrum.terms.forEach((term, k) => check(['spectrum', 'terms', k], term.members));
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

export type Result = Frozen<z.infer<typeof schema>>;
export type ResultPlayer = Result['players'][number];
export type ResultInteraction = Result['interactions'][number];
export type ResultCircuit = NonNullable<Result['circuit']>;

/**
 * The record in the text of a `result.json`, or in a value already parsed from one.
 * @throws a one-line 'input' error that names the first field that is wrong and how many more are.
 */
export function parseResult(json: unknown, who = 'result.json'): Result {
  const value = typeof json === 'string' ? parseJson(json, who) : json;
  const version = typeof value === 'object' && value !== null && 'schema' in value ? value.schema : undefined;
  if (version === 'spexlens.result/2') return parseResult(upgradeResult(value as Record<string, unknown>), who);
  if (version !== RESULT_SCHEMA) {
    const found = version === undefined ? 'no schema field' : `schema ${JSON.stringify(version)}`;
    throw fail('input', who, `${found} was found; this version reads "${RESULT_SCHEMA}".`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [first, ...others] = parsed.error.issues;
  const path = first.path.map(String).join('.') || 'the record';
  const more = others.length === 0 ? '' : ` (and ${others.length} more problem${others.length === 1 ? '' : 's'})`;
  throw fail(
    'input',
    who,
    `${path}: ${first.message.replace(/\s+/g, ' ')}${more}; the fields are those of ${RESULT_SCHEMA}.`,
  );
}

/**
 * The text of `result.json`, checked before it is written.
 * @throws as `parseResult`, also on NaN or an infinity, which JSON would turn into null.
 */
export function formatResult(result: Result): string {
  return `${printableJson(JSON.stringify(parseResult(result), null, 1))}\n`;
}

function parseJson(json: string, who: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/\s+/g, ' ') : String(error);
    throw fail('input', who, `${json.length} characters are not JSON (${why}); a file written by spexlens is needed.`);
  }
}
