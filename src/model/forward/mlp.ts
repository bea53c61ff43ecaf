/** The MLP of one layer, plain or gated, one or a mixture. */
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../config.ts';
import { fused, hasFused, pointwise } from './fused.ts';
import { activate, linear, type LinearOptions } from './layers.ts';
import { norm } from './norm.ts';
import type { Pass } from './pass.ts';

/** Normalised residual [B, S, d] -> what the MLP writes, [B, S, d] (before hook_mlp_out), added to `onto` where that is given. */
export function mlp(
  pass: Pass,
  layer: number,
  input: tf.Tensor,
  positions: readonly number[],
  onto?: tf.Tensor,
): tf.Tensor {
  const { parameters, visit } = pass;
  const name: `blocks.${number}.mlp` = `blocks.${layer}.mlp`;
  const project = (letter: string, x: tf.Tensor, options?: LinearOptions): tf.Tensor =>
    linear(x, parameters[`${name}.W_${letter}`], parameters[`${name}.b_${letter}`], options);
  const active = hidden(pass, layer, input, positions, project);
  const { experts } = pass.config;
  const units = experts === undefined ? active : routed(active, project('router', input), experts);
  const post = visit(`${name}.hook_post`, units, positions);
  return project('out', post, { residual: onto === undefined ? undefined : pass.alike(onto, post) });
}

/** Hidden units [B, S, m] times the weights of the experts that they belong to, from the router's scores [B, S, experts]. */
function routed(
  units: tf.Tensor,
  scores: tf.Tensor,
  { count, active, normalised }: NonNullable<ModelConfig['experts']>,
): tf.Tensor {
  return tf.tidy(() => {
    const shares = tf.softmax(scores);
    const kept = tf.mul(shares, largest(shares, active));
    const weights = normalised ? tf.div(kept, tf.sum(kept, -1, true)) : kept;
    const [rows, length, m] = units.shape as [number, number, number];
    const split = tf.reshape(units, [rows, length, count, m / count]);
    return tf.reshape(tf.mul(split, tf.expandDims(weights, -1)), [rows, length, m]);
  });
}

/** 1 where a value is among the `count` largest of its row, else 0; constant to gradients, as which are largest is. */
const largest = (values: tf.Tensor, count: number): tf.Tensor =>
  tf.customGrad((x) => {
    const mask = tf.tidy(() => {
      const least = tf.min(tf.topk(x as tf.Tensor, count).values, -1, true);
      return tf.cast(tf.greaterEqual(x as tf.Tensor, least), 'float32');
    });
    return { value: mask, gradFunc: (dy) => tf.zerosLike(dy as tf.Tensor) };
  })(values);

/** The activations of the hidden layer, [B, S, m]. */
function hidden(
  pass: Pass,
  layer: number,
  input: tf.Tensor,
  positions: readonly number[],
  project: (letter: string, x: tf.Tensor, options?: LinearOptions) => tf.Tensor,
): tf.Tensor {
  const { config, visit, wants } = pass;
  const name: `blocks.${number}.mlp` = `blocks.${layer}.mlp`;
  const { activation } = config;
  const inKernel = pointwise(activation);
  if (config.gated !== true && inKernel !== undefined && !wants(`${name}.hook_pre`))
    return project('in', input, { activation: inKernel });
  const pre = visit(`${name}.hook_pre`, project(config.gated === true ? 'gate' : 'in', input), positions);
  const up = config.gated === true ? visit(`${name}.hook_pre_linear`, project('in', input), positions) : undefined;
  if (up !== undefined && inKernel !== undefined && hasFused('SpexlensGate') && up.shape[0] === pre.shape[0])
    return fused('SpexlensGate', { gate: pre, up }, { activation: inKernel });
  const activated = tf.tidy(() => activate(pre, activation));
  const active = up === undefined ? activated : tf.mul(activated, up);
  return activation === 'solu_ln'
    ? norm(pass, `${name}.ln`, visit(`${name}.hook_mid`, active, positions), positions)
    : active;
}
