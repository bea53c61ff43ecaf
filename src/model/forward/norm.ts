/** Norms over the last axis, each with its hook_scale and hook_normalized. */
import * as tf from '@tensorflow/tfjs-core';
import type { Norm } from '../config.ts';
import { fused, hasFused } from './fused.ts';
import type { HookName, NormName } from '../hook-points.ts';
import { tensorOf } from '../weights/parameters.ts';
import type { Pass } from './pass.ts';

export interface NormOptions {
  /** The model's norm when absent. */
  readonly kind?: Norm;
  /** Take w and b from this norm instead. */
  readonly parametersOf?: NormName;
}

/**
 * The norm `name` of x [B, S, ..., width]: hook_scale [B, S, ..., 1] divides, hook_normalized sees
 * the result (before ·w for RMS norms, after ·w + b for layer norms, as in TransformerLens).
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
  const from = options.parametersOf ?? name;
  return tf.tidy(() => {
    const seen = wants(`${name}.hook_scale` as HookName) || wants(`${name}.hook_normalized` as HookName);
    if (!seen && hasFused('SpexlensNorm')) {
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
    const out = tf.div(centred, visit(`${name}.hook_scale` as HookName, scale, positions));
    const see = (y: tf.Tensor): tf.Tensor => visit(`${name}.hook_normalized` as HookName, y, positions);
    const at = (letter: 'w' | 'b'): tf.Tensor => tensorOf(parameters[`${from}.${letter}`]);
    if (kind.kind === 'rms') return tf.mul(see(out), kind.offset === 0 ? at('w') : tf.add(at('w'), kind.offset));
    return see(kind.affine ? tf.add(tf.mul(out, at('w')), at('b')) : out);
  });
}
