/**
 * Rotary positions (RoFormer, Su et al. 2021) in the rotate_half pairing: dimension i turns with i + dims/2.
 *
 * Frequencies and angles are rounded to float32 step by step, as transformers computes them: in float64
 * the angle at position 2000 would differ from the reference's by 1e-4, and every later number with it.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Rotary, RotaryScaling } from '../config.ts';
import { fused, hasFused } from './fused.ts';

/** cos and signed sin of every token's angles, each [1 or B, S, 1, d_head]. */
export interface Turn {
  readonly cos: tf.Tensor;
  readonly sin: tf.Tensor;
}

/** The dims / 2 frequencies in radians per position. */
export function frequencies({ dims, theta, scaling }: Rotary): Float32Array {
  return Float32Array.from({ length: dims / 2 }, (_, i) =>
    scaled(Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / dims))), scaling),
  );
}

function scaled(frequency: number, scaling: RotaryScaling | undefined): number {
  if (scaling === undefined) return frequency;
  if (scaling.kind === 'linear') return frequency / scaling.factor;
  const { factor, lowFrequency, highFrequency, originalContext } = scaling;
  const waves = (originalContext * frequency) / (2 * Math.PI); // in the original context
  if (waves < lowFrequency) return frequency / factor;
  if (waves > highFrequency) return frequency;
  const kept = (waves - lowFrequency) / (highFrequency - lowFrequency);
  return ((1 - kept) * frequency) / factor + kept * frequency;
}

/** The tables for tokens at `positions` ([1 or B][S]). Dimensions that pass have cos 1, sin 0. */
export function turnTables(rotary: Rotary, dHead: number, positions: readonly (readonly number[])[]): Turn {
  const rate = frequencies(rotary);
  const half = rotary.dims / 2;
  const [rows, length] = [positions.length, positions[0].length];
  const cos = new Float32Array(rows * length * dHead).fill(1);
  const sin = new Float32Array(rows * length * dHead);
  positions.forEach((row, r) => {
    row.forEach((position, s) => {
      const at = (r * length + s) * dHead;
      for (let i = 0; i < half; i++) {
        const angle = Math.fround(position * rate[i]);
        cos[at + i] = cos[at + half + i] = Math.cos(angle);
        sin[at + half + i] = Math.sin(angle);
        sin[at + i] = -sin[at + half + i];
      }
    });
  });
  const shape = [rows, length, 1, dHead];
  return { cos: tf.tensor(cos, shape), sin: tf.tensor(sin, shape) };
}

/** x [B, S, H, e] turned: x·cos + (second half, first half, rest)·sin. */
export function turn(x: tf.Tensor, dims: number, { cos, sin }: Turn): tf.Tensor {
  if (hasFused('SpexlensTurn')) return fused('SpexlensTurn', { x, cos, sin }, { dims });
  const [batch, length, heads, dHead] = x.shape as [number, number, number, number];
  const part = (from: number, size: number): tf.Tensor => tf.slice(x, [0, 0, 0, from], [batch, length, heads, size]);
  const half = dims / 2;
  const swapped = tf.concat([part(half, half), part(0, half), ...(dims < dHead ? [part(dims, dHead - dims)] : [])], 3);
  return tf.add(tf.mul(x, cos), tf.mul(swapped, sin));
}
