/** Where numbers that are not finite come from: a weight, or the first activation that passes float32. */
import * as tf from '@tensorflow/tfjs-core';
import { fail, type SpexlensError } from '../errors.ts';
import { forward } from './forward/forward.ts';
import { hookPoints, type HookName } from './hook-points.ts';
import type { Model } from './model.ts';
import { tensorOf } from './weights/parameters.ts';

/** Points that every number of the model goes through, in the order of the forward pass. */
const LOOKED_AT = /\.?hook_(embed|pos_embed|resid_pre|attn_out|mlp_out|resid_post|out)$|ln_final\.hook_normalized$/;

/**
 * The error that names the model's own part in logits that are not finite on `tokens`; undefined where the model alone gives finite
 * ones, and a mask, a hook or a metric does not.
 */
export async function notFiniteIn(
  { name, config, parameters }: Pick<Model, 'name' | 'config' | 'parameters'>,
  tokens: readonly number[],
): Promise<SpexlensError | undefined> {
  for (const [weight, parameter] of Object.entries(parameters)) {
    if (await allFinite(() => tensorOf(parameter))) continue;
    return fail(
      'checkpoint',
      `model ${name}`,
      `the weight ${weight} holds values that are NaN or infinite; whatever was put there, load the model again.`,
    );
  }
  const points = new Set(hookPoints(config).flatMap((point) => (LOOKED_AT.test(point.name) ? [point.name] : [])));
  const finite = new Map<HookName, tf.Tensor>();
  tf.tidy(() => {
    const input = tf.tensor2d([[...tokens]], undefined, 'int32');
    forward(config, parameters, input, {
      tap: {
        wants: (point) => points.has(point),
        visit(point, activation) {
          finite.set(point, tf.keep(tf.all(tf.isFinite(activation))));
          return activation;
        },
      },
    });
  });
  try {
    for (const [point, flag] of finite)
      if ((await flag.data())[0] === 0)
        return fail(
          'checkpoint',
          `model ${name}`,
          `its activations at ${point} are the first that are NaN or infinite: its weights are too large for float32 there.`,
        );
  } finally {
    tf.dispose([...finite.values()]);
  }
  return undefined;
}

async function allFinite(make: () => tf.Tensor): Promise<boolean> {
  const flag = tf.tidy(() => tf.all(tf.isFinite(make())));
  try {
    return (await flag.data())[0] !== 0;
  } finally {
    flag.dispose();
  }
}
