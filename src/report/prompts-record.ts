/**
 * Many prompts asked alike, as one record: what each of them showed, and which kinds of parts act together where parts have labels.
 */
import { VERSION } from '../version.ts';
import type { Result } from './result.ts';

export const PROMPTS_SCHEMA = 'spexlens.prompts/1';

/** A prompt of the list, what it showed, and where its own record is. */
export interface AskedPrompt {
  readonly name: string;
  /** Relative to where the list's record is. */
  readonly folder: string;
  readonly result: Result;
  /** Kinds of parts, by their names: { "not": "negation" }. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** What pairs of two kinds of parts are worth over all prompts that have some. */
export interface KindPair {
  /** In alphabetical order; `other` for parts without a label. */
  readonly kinds: readonly [string, string];
  readonly prompts: number;
  readonly pairs: number;
  /** Mean share of the variance that they carry, over those prompts. */
  readonly share: number;
  /** That share over what it were if all pairs of a prompt carried alike; null where no pair of it carries anything. */
  readonly times: number | null;
  /** Mean Banzhaf interaction of a pair, in the metric's units; pairs that are not in the spectrum count as 0. */
  readonly value: number;
  /** Pairs of the spectrum above and below 0. */
  readonly above: number;
  readonly below: number;
}

/** What is written of a list of prompts: a line for each, and the kinds of parts that act together. */
export interface PromptsRecord {
  readonly schema: typeof PROMPTS_SCHEMA;
  readonly software: { readonly name: 'spexlens'; readonly version: string };
  readonly command: string;
  readonly name: string;
  readonly prompts: readonly {
    readonly name: string;
    readonly folder: string;
    readonly text: string;
    readonly players: number;
    readonly metric: string;
    readonly clean: number;
    readonly ablated: number;
    /** On masks that were not fitted, of the answer and of the first order; absent where none were held out. */
    readonly r2?: number;
    readonly firstOrderR2?: number;
    /** Share of the variance that interactions carry. */
    readonly together: number;
    /** The largest interaction. */
    readonly largest?: { readonly players: readonly string[]; readonly value: number };
    /** Kinds of the findings against the answer. */
    readonly findings: readonly string[];
  }[];
  /** Largest share first; none where no part has a label. */
  readonly kinds: readonly KindPair[];
}

/** The record of a list of prompts. */
export function promptsRecord(name: string, command: string, asked: readonly AskedPrompt[]): PromptsRecord {
  return {
    schema: PROMPTS_SCHEMA,
    software: { name: 'spexlens', version: VERSION },
    command,
    name,
    prompts: asked.map(({ name: own, folder, result }) => {
      const { task, players, clean, ablated, heldOut, energy, interactions, findings } = result;
      const [first] = interactions;
      return {
        name: own,
        folder,
        text: task.prompts[0].text,
        players: players.length,
        metric: task.metric,
        clean,
        ablated,
        ...(heldOut === undefined ? {} : { r2: heldOut.r2 }),
        ...(heldOut?.firstOrder === undefined ? {} : { firstOrderR2: heldOut.firstOrder.r2 }),
        together: energy.total === 0 ? 0 : 1 - energy.alone,
        ...(interactions.length === 0 ? {} : { largest: { players: first.names, value: first.value } }),
        findings: findings.map(({ kind }) => kind),
      };
    }),
    kinds: kindPairs(asked),
  };
}

interface Sums {
  prompts: number;
  pairs: number;
  share: number;
  even: number;
  value: number;
  above: number;
  below: number;
}

const OTHER = 'other';

function kindPairs(asked: readonly AskedPrompt[]): KindPair[] {
  if (asked.every(({ labels = {} }) => Object.keys(labels).length === 0)) return [];
  const sums = new Map<string, Sums>();
  for (const { result, labels = {} } of asked) {
    const kinds = result.players.map(({ name }) => (Object.hasOwn(labels, name) ? labels[name] : OTHER));
    const own = new Map<string, Sums>();
    const sumsOf = (a: number, b: number): Sums => {
      const key = JSON.stringify([kinds[a], kinds[b]].sort());
      const found = own.get(key) ?? { prompts: 1, pairs: 0, share: 0, even: 0, value: 0, above: 0, below: 0 };
      own.set(key, found);
      return found;
    };
    for (let a = 0; a < kinds.length; a++) for (let b = a + 1; b < kinds.length; b++) sumsOf(a, b).pairs++;
    const total = result.energy.total || 1;
    let all = 0;
    for (const { members, value } of result.spectrum.terms) {
      if (members.length !== 2) continue;
      const pair = sumsOf(members[0], members[1]);
      pair.share += value ** 2 / total;
      all += value ** 2 / total;
      pair.value += 4 * value; // (-2)^2 F
      if (value > 0) pair.above++;
      else pair.below++;
    }
    const pairs = (kinds.length * (kinds.length - 1)) / 2;
    for (const [key, one] of own) {
      one.even = (all * one.pairs) / pairs;
      const sum = sums.get(key) ?? { prompts: 0, pairs: 0, share: 0, even: 0, value: 0, above: 0, below: 0 };
      for (const field of Object.keys(sum) as (keyof Sums)[]) sum[field] += one[field];
      sums.set(key, sum);
    }
  }
  return [...sums]
    .map(([key, { prompts, pairs, share, even, value, above, below }]) => ({
      kinds: JSON.parse(key) as [string, string],
      prompts,
      pairs,
      share: share / prompts,
      times: even === 0 ? null : share / even,
      value: value / pairs,
      above,
      below,
    }))
    .sort((a, b) => b.share - a.share || a.kinds.join().localeCompare(b.kinds.join()));
}
