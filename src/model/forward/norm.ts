/** Norms over the last axis, each with its hook_scale and hook_normalized. */
import * as tf from '@tensorflow/tfjs-core';
import { hasWeights, type Norm } from '../config.ts';
import { fused, hasFused } from './fused.ts';
import type { HookName, NormName } from '../hook-points.ts';
import { tensorOf } from '../weights/parameters.ts';
import type { Pass } from './pass.ts';

export interface NormOptions {
  /** The model's norm when absent. */
  readonly kind?: Norm;
  /** Take w and b from this norm instead. */
  readonly weightsOf?: NormName | undefined;
}

/**
 * The norm `name` of x [B, S, ..., width]: hook_scale [B, S, ..., 1] divides, hook_normalized sees the quotient, before
 * ·w and + b (as in TransformerLens 3; its version 2 had layer norms' behind them).
 */
export function norm(
  { config, parameters, visit, wants }: Pick<Pass, 'config' | 'parameters' | 'visit' | 'wants'>,
  name: NormName,
  x: tf.Tensor,
  positions: readonly number[],
  options: NormOptions = {},
): tf.Tensor {
  const kind = options.kind ?? config.norm;
  if (kind.kind === 'none') return x;
  const from = options.weightsOf ?? name;
  return tf.tidy(() => {
    const seen = wants(`${name}.hook_scale` as HookName) || wants(`${name}.hook_normalized` as HookName);
    const fits = kind.kind === 'layer' || hasWeights(kind); // the kernel's RMS norm has weights
    if (!seen && fits && hasFused('SpexlensNorm')) {
      const given = (letter: 'w' | 'b', is: boolean): tf.Tensor | undefined =>
        is ? tensorOf(parameters[`${from}.${letter}`]) : undefined;
      if (kind.kind === 'rms')
        return fused('SpexlensNorm', { x, w: given('w', true) }, { kind: 'rms', eps: kind.eps, offset: kind.offset });
      return fused(
        'SpexlensNorm',
        { x, w: given('w', kind.affine), b: given('b', kind.affine) },
        { kind: 'layer', eps: kind.eps, offset: 0 },
      );
    }
    const centred = kind.kind === 'rms' ? x : tf.sub(x, tf.mean(x, -1, true));
    const scale = tf.sqrt(tf.add(tf.mean(tf.square(centred), -1, true), kind.eps));
    const quotient = tf.div(centred, visit(`${name}.hook_scale` as HookName, scale, positions));
    const out = visit(`${name}.hook_normalized` as HookName, quotient, positions);
    const at = (letter: 'w' | 'b'): tf.Tensor => tensorOf(parameters[`${from}.${letter}`]);
    if (!hasWeights(kind)) return out;
    if (kind.kind === 'rms') return tf.mul(out, kind.offset === 0 ? at('w') : tf.add(at('w'), kind.offset));
    return tf.add(tf.mul(out, at('w')), at('b'));
  });
}
