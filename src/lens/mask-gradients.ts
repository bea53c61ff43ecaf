/**
 * Values and gradients of many masks, block by block: ∂f/∂m_i where z' = m·z + (1 - m)·baseline at every player.
 *
 * A block is one forward and one backward pass for each prompt. Everything before the first player runs on one row and is not
 * differentiated. Rows share nothing after it: the gradient of a row that several masks go through would be that of their sum. A block that does not
 * fit into memory is run again by halves.
 */
import { fail, throwIfAborted } from '../errors.ts';
import type { GradientOptions, MaskGradients } from '../game.ts';
import { isOutOfMemory } from './batch-size.ts';
import { turn } from './turn.ts';

/** Masks of a block; smaller once a block did not fit into memory. */
export interface BlockSize {
  size: number;
}

/** A prompt that a block of rows of m [rows · players] runs through, forward and back. */
export interface DifferentiablePrompt {
  differentiate(
    m: Float32Array,
  ): Promise<{ readonly values: Float32Array | Float64Array; readonly slopes: Float64Array }>;
}

/** Rows [start, end) of masks as numbers, [(end - start) · players]. */
export type MaskRows = (start: number, end: number) => Float32Array;

/** The mean over `prompts` of values and gradients of `count` masks over `players` players; `check` sees every block's values before anybody is told. */
export async function differentiateMasks(
  name: string,
  prompts: readonly DifferentiablePrompt[],
  { count, players, rows }: { readonly count: number; readonly players: number; readonly rows: MaskRows },
  block: BlockSize,
  { signal, onGradients }: GradientOptions,
  check: (values: ArrayLike<number>) => Promise<void>,
): Promise<MaskGradients> {
  const values = new Float64Array(count);
  const gradients = new Float32Array(count * players);
  for (let start = 0; start < count; ) {
    throwIfAborted(signal, name);
    // Blocks of equal size, so that no small one is left over.
    const end = start + Math.ceil((count - start) / Math.ceil((count - start) / block.size));
    try {
      const m = rows(start, end);
      const slopes = new Float64Array(m.length);
      for (const [p, prompt] of prompts.entries()) {
        if (p > 0) await turn(signal, name);
        const one = await prompt.differentiate(m);
        one.values.forEach((value, k) => (values[start + k] += value / prompts.length));
        one.slopes.forEach((slope, k) => (slopes[k] += slope / prompts.length));
      }
      gradients.set(slopes, start * players);
    } catch (error) {
      values.fill(0, start, end);
      if (block.size === 1 || !isOutOfMemory(error)) throw error;
      block.size = Math.ceil(Math.min(block.size, end - start) / 2);
      continue;
    }
    await check(values.subarray(start, end));
    const told = Array.from({ length: end - start }, (_, k) => start + k);
    onGradients?.(told, values.slice(start, end), gradients.slice(start * players, end * players));
    start = end;
    await turn(undefined, name);
  }
  return { values, gradients };
}

/** @throws 'input' unless `m` is rows of `players` numbers from 0 to 1. */
export function checkNumbers(who: string, m: Float32Array, players: number): void {
  if (m.length % players !== 0)
    throw fail('input', who, `${m.length} numbers were given; rows of ${players}, one for each player, are needed.`);
  const odd = m.findIndex((x) => !(x >= 0 && x <= 1));
  if (odd !== -1)
    throw fail(
      'input',
      who,
      `row ${Math.floor(odd / players)} has ${m[odd]} for player ${odd % players}; 0 to 1 is needed.`,
    );
}
