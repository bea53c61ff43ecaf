/** Fields of `result.json` that the records of some questions have: training examples, tokens of an answer, what heads attend to. */
import { z } from 'zod';

const count = z.int().min(0);
const share = z.number();
const text = z.string();

/** Training examples that are one player, the first few in full. */
export const exampleGroup = z.strictObject({
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

/** The record of lens/examples/seed-noise. */
export const seedNoise = z.strictObject({
  sd: z.number().min(0),
  spread: z.number().min(0),
  ceiling: share,
  seeds: count,
  trainings: count,
});

/** The record of output-map.ts. */
export const outputMap = z.strictObject({
  masks: count,
  tokens: z.array(
    z.strictObject({
      text,
      /** Its part of the metric with everything kept. */
      clean: z.number(),
      /** Of its additive fit, on masks that were not fitted; null where its part never changes. */
      r2: z.number().nullable(),
      /** By player: its Banzhaf value for this token. */
      values: z.array(z.number()),
    }),
  ),
});

/** What a head attends to on a prompt, with everything kept. */
export const attention = z.strictObject({
  /** Number of the prompt, from 0. */
  prompt: count,
  layer: count,
  head: count,
  /** The first query position whose row is kept; the rows go on to the last position. */
  from: count,
  /** By query: the weights of keys 0, 1, ..., to three decimals; keys beyond the last one listed have none. */
  weights: z.array(z.array(z.number().min(0).max(1))),
});
