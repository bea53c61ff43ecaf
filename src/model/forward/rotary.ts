/**
 * Rotary positions (RoFormer, Su et al. 2021) in both pairings: dimension i turns with i + dims/2, or 2i with 2i + 1.
 *
 * Frequencies and angles are rounded to float32 step by step, as transformers computes them: in float64
 * the angle at position 2000 would differ from the reference's by 1e-4, and every later number with it.
 * Where frequencies depend on a row's length (dynamic, longrope) it is that row's own, whatever stands beside it in
 * the batch: transformers takes the batch's longest row.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import type { Rotary, RotaryScaling } from '../config.ts';
import { fused, hasFused } from './fused.ts';

/** cos and signed sin of every token's angles, each [1 or B, S, 1, d_head]. */
export interface Turn {
  readonly cos: tf.Tensor;
  readonly sin: tf.Tensor;
}

/** The dims / 2 frequencies in radians per position, in a row of `length` tokens. */
export function frequencies({ dims, theta, scaling }: Rotary, length = 0): Float32Array {
  const base = scaling?.kind === 'dynamic' ? stretched(theta, dims, scaling, length) : theta;
  return Float32Array.from({ length: dims / 2 }, (_, i) => {
    const power = Math.fround(base ** Math.fround((2 * i) / dims));
    if (scaling?.kind === 'longrope') {
      const factors = length > scaling.originalContext ? scaling.long : scaling.short;
      return 1 / Math.fround(Math.fround(factors[i]) * power);
    }
    return scaled(Math.fround(1 / power), i, scaling);
  });
}

function scaled(frequency: number, i: number, scaling: RotaryScaling | undefined): number {
  if (scaling === undefined) return frequency;
  switch (scaling.kind) {
    case 'linear':
      return frequency / scaling.factor;
    case 'llama3': {
      const { factor, lowFrequency, highFrequency, originalContext } = scaling;
      const waves = (originalContext * frequency) / (2 * Math.PI); // in the original context
      if (waves < lowFrequency) return frequency / factor;
      if (waves > highFrequency) return frequency;
      const kept = (waves - lowFrequency) / (highFrequency - lowFrequency);
      return ((1 - kept) * frequency) / factor + kept * frequency;
    }
    case 'yarn': {
      const divided = yarnShare(i, scaling);
      return Math.fround(frequency / scaling.factor) * divided + frequency * (1 - divided);
    }
    case 'dynamic':
    case 'longrope':
      return frequency;
    default:
      return scaling satisfies never;
  }
}

/** How much of dimension pair i's frequency is divided, 0 to 1. */
export function yarnShare(i: number, { low, high }: { readonly low: number; readonly high: number }): number {
  return Math.min(1, Math.max(0, (i - low) / (low === high ? 0.001 : high - low)));
}

/** The base of a row longer than the context. */
export function stretched(
  theta: number,
  dims: number,
  { factor, originalContext }: { readonly factor: number; readonly originalContext: number },
  length: number,
): number {
  const beyond = Math.max(length, originalContext) / originalContext;
  return theta * (factor * beyond - (factor - 1)) ** (dims / (dims - 2));
}

/** Whether a row of `before` tokens that grows to `after` keeps the frequencies its keys were turned by. */
export function keepsFrequencies({ scaling }: Rotary, before: number, after: number): boolean {
  if (scaling?.kind === 'dynamic') return after <= scaling.originalContext || before === after;
  if (scaling?.kind === 'longrope') return before > scaling.originalContext === after > scaling.originalContext;
  return true;
}

/** Tokens of a row: those turned by earlier calls, and all of them. */
export interface RowLength {
  readonly before: number;
  readonly after: number;
}

/**
 * The tables for tokens at `positions`, [1 or B][S]. Dimensions that pass have cos 1, sin 0.
 * @param lengths of the rows; when absent they end with these tokens and none was turned before.
 *
 * @throws 'input' when keys of the past were turned by other frequencies than these tokens are to be.
 */
export function turnTables(
  rotary: Rotary,
  dHead: number,
  positions: readonly (readonly number[])[],
  lengths: readonly RowLength[] = positions.map((row) => ({ before: 0, after: Math.max(...row) + 1 })),
): Turn {
  const { dims, pairs = 'halves', amplitude = 1 } = rotary;
  const half = dims / 2;
  const [rows, tokens] = [positions.length, positions[0].length];
  const cos = new Float32Array(rows * tokens * dHead).fill(1);
  const sin = new Float32Array(rows * tokens * dHead);
  const scale = Math.fround(amplitude);
  positions.forEach((row, r) => {
    const { before, after } = lengths[r];
    if (before > 0 && !keepsFrequencies(rotary, before, after))
      throw fail(
        'input',
        'forward',
        `row ${r} grows from ${before} to ${after} tokens, where its rotary frequencies change, and its cached keys were turned by the old ones; run it again from its first token.`,
      );
    const rate = frequencies(rotary, after);
    row.forEach((position, s) => {
      const at = (r * tokens + s) * dHead;
      for (let i = 0; i < half; i++) {
        const angle = Math.fround(position * rate[i]);
        const [a, b] = pairs === 'halves' ? [at + i, at + half + i] : [at + 2 * i, at + 2 * i + 1];
        cos[a] = cos[b] = scale * Math.cos(angle);
        sin[b] = scale * Math.sin(angle);
        sin[a] = -sin[b];
      }
    });
  });
  const shape = [rows, tokens, 1, dHead];
  return { cos: tf.tensor(cos, shape), sin: tf.tensor(sin, shape) };
}

/** x [B, S, H, e] turned: x·cos + (x with the partners of its first dims dimensions exchanged)·sin. */
export function turn(x: tf.Tensor, dims: number, { cos, sin }: Turn, pairs: Rotary['pairs'] = 'halves'): tf.Tensor {
  if (pairs === 'adjacent') {
    const partners = Array.from({ length: x.shape[3] as number }, (_, i) => (i < dims ? i ^ 1 : i));
    return tf.add(tf.mul(x, cos), tf.mul(tf.gather(x, tf.tensor1d(partners, 'int32'), 3), sin));
  }
  if (hasFused('SpexlensTurn')) return fused('SpexlensTurn', { x, cos, sin }, { dims });
  const [batch, length, heads, dHead] = x.shape as [number, number, number, number];
  const part = (from: number, size: number): tf.Tensor => tf.slice(x, [0, 0, 0, from], [batch, length, heads, size]);
  const half = dims / 2;
  const swapped = tf.concat([part(half, half), part(0, half), ...(dims < dHead ? [part(dims, dHead - dims)] : [])], 3);
  return tf.add(tf.mul(x, cos), tf.mul(swapped, sin));
}
