/**
 * What stands in for a part that is ablated: a table of ablations, each an object that says what it needs and makes its
 * baselines. Another one is one entry, or an object that a caller passes.
 */
import * as tf from '@tensorflow/tfjs-core';
import { closest, fail } from '../../errors.ts';
import { runWithCache } from '../../hooks/run.ts';
import type { HookName } from '../../model/hook-points.ts';
import type { Model } from '../../model/model.ts';

/** Baseline activations by hook, [1, S or 1, ...]; absent hooks are zeroed. */
export type Baselines = Readonly<Record<string, tf.Tensor>>;

/** What a prompt gives an ablation. */
export interface AblatedPrompt {
  readonly tokens: readonly number[];
  readonly corrupted?: readonly number[] | undefined;
  /** How errors call it. */
  readonly label: string;
}

export interface AblationContext {
  readonly model: Model;
  /** Where players are ablated. */
  readonly hooks: readonly HookName[];
  /** Token rows of the data set, where the ablation needs one. */
  readonly data: readonly (readonly number[])[];
}

/** Baselines, prompt by prompt; what all prompts share is made once. */
export interface BaselineSource {
  /** The caller owns them. @throws 'input' for a prompt that does not fit. */
  of(prompt: AblatedPrompt): Baselines;
  [Symbol.dispose](): void;
}

/** What stands in the place of an absent part's activation. */
export interface Ablation {
  /** `zero`, `mean`, ...; what a study and a record say. */
  readonly name: string;
  /** What it puts in the place of an activation, in a few words. */
  readonly about: string;
  /** corrupted: every prompt has a corrupted twin of its length. data: token rows to average over. */
  readonly needs: { readonly corrupted: boolean; readonly data: boolean };
  /** Whether a layer's heads that stay may be scaled up for those that are gone: only where these write nothing. */
  readonly rescalable: boolean;
  open(context: AblationContext): BaselineSource;
}

export type AblationName = 'zero' | 'mean' | 'mean-per-position' | 'resample';

/** The ablations by name. */
export const ABLATIONS: Readonly<Record<AblationName, Ablation>> = {
  zero: {
    name: 'zero',
    about: 'zero',
    needs: { corrupted: false, data: false },
    rescalable: true,
    open: () => ({ of: () => ({}), [Symbol.dispose]: () => undefined }),
  },
  mean: {
    name: 'mean',
    about: 'the mean over a data set and its positions',
    needs: { corrupted: false, data: true },
    rescalable: false,
    open: ({ model, hooks, data }) => shared(meanBaselines(model, hooks, data, false)),
  },
  'mean-per-position': {
    name: 'mean-per-position',
    about: 'the mean over a data set at each position',
    needs: { corrupted: false, data: true },
    rescalable: false,
    open({ model, hooks, data }) {
      const means = meanBaselines(model, hooks, data, true);
      const [{ length: wide }] = data;
      return shared(means, ({ tokens, label }) => {
        if (tokens.length === wide) return;
        const what = `the data set's prompts have ${wide} tokens, ${label} has ${tokens.length}`;
        throw fail('input', 'mean ablation', `${what}; a mean per position needs equal lengths.`);
      });
    },
  },
  resample: {
    name: 'resample',
    about: "the corrupted prompt's activation",
    needs: { corrupted: true, data: false },
    rescalable: false,
    open: ({ model, hooks }) => ({
      of({ corrupted, label }) {
        if (corrupted === undefined) throw fail('input', 'resample ablation', `${label} has no corrupted prompt.`);
        return runBaselines(model, hooks, corrupted);
      },
      [Symbol.dispose]: () => undefined,
    }),
  },
};

/** The ablation of a name. @throws 'input' for an unknown one, with suggestions. */
export function ablationOf(name: string): Ablation {
  if (Object.hasOwn(ABLATIONS, name)) return ABLATIONS[name as AblationName];
  const names = Object.keys(ABLATIONS);
  const [near] = closest(name, names);
  throw fail('input', 'ablation', `"${name}" is unknown; did you mean ${near}? There are ${names.join(', ')}.`);
}

/** One set of baselines for every prompt that `check` lets pass; owns it. */
function shared(
  baselines: Record<string, tf.Tensor>,
  check: (prompt: AblatedPrompt) => void = () => {},
): BaselineSource {
  return {
    of(prompt) {
      check(prompt);
      return Object.fromEntries(Object.entries(baselines).map(([hook, tensor]) => [hook, tf.clone(tensor)]));
    },
    [Symbol.dispose]: () => tf.dispose(baselines),
  };
}

/**
 * Mean activations over a data set of token rows, [1, 1, ...] over all positions (BOS included) or [1, S, ...] per position.
 * The caller owns them. @throws when per-position means are asked of rows of different lengths.
 */
export function meanBaselines(
  model: Model,
  hooks: readonly HookName[],
  rows: readonly (readonly number[])[],
  perPosition: boolean,
): Record<string, tf.Tensor> {
  if (rows.length === 0) throw fail('input', 'mean ablation', 'the data set has no prompts; at least one is needed.');
  const pattern = hooks.find((hook) => hook.endsWith('.hook_pattern'));
  if (!perPosition && pattern !== undefined)
    throw fail(
      'input',
      'mean ablation',
      `${pattern} has as many keys as a position comes after, so no mean over positions; use mean-per-position or resample.`,
    );
  const lengths = new Set(rows.map((row) => row.length));
  if (perPosition && lengths.size > 1) {
    const what = `this data set has ${Math.min(...lengths)} to ${Math.max(...lengths)} tokens`;
    throw fail('input', 'mean ablation', `a mean per position needs prompts of one length; ${what}. Use mean instead.`);
  }
  const count = perPosition ? rows.length : rows.reduce((sum, row) => sum + row.length, 0);
  const totals: Record<string, tf.Tensor> = {};
  try {
    for (const row of rows) {
      const { logits, cache } = runWithCache(model, row, { names: hooks });
      logits.dispose();
      for (const hook of hooks) {
        const before = totals[hook];
        totals[hook] = tf.tidy(() => {
          const sum = perPosition ? cache.get(hook) : tf.sum(cache.get(hook), 1, true);
          const share = tf.div(sum, count);
          return before === undefined ? share : tf.add(before, share);
        });
        before?.dispose();
      }
      cache[Symbol.dispose]();
    }
    return totals;
  } catch (error) {
    tf.dispose(totals);
    throw error;
  }
}

/** The activations of one run over `row`, [1, S, ...]. The caller owns them. */
export function runBaselines(
  model: Model,
  hooks: readonly HookName[],
  row: readonly number[],
): Record<string, tf.Tensor> {
  const { logits, cache } = runWithCache(model, row, { names: hooks });
  const kept = Object.fromEntries(hooks.map((hook) => [hook, tf.clone(cache.get(hook))]));
  tf.dispose(logits);
  cache[Symbol.dispose]();
  return kept;
}
