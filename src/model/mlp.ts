/** The MLP of one layer, plain or gated. */
import * as tf from '@tensorflow/tfjs-core';
import { activate, linear } from './layers.ts';
import { norm } from './norm.ts';
import type { Pass } from './pass.ts';

/** Normalised residual [B, S, d] -> what the MLP writes, [B, S, d] (before hook_mlp_out). */
export function mlp(pass: Pass, layer: number, input: tf.Tensor, positions: readonly number[]): tf.Tensor {
  const { config, parameters, visit } = pass;
  const name: `blocks.${number}.mlp` = `blocks.${layer}.mlp`;
  const project = (letter: string, x: tf.Tensor): tf.Tensor => linear(x, parameters[`${name}.W_${letter}`], parameters[`${name}.b_${letter}`]);
  const pre = visit(`${name}.hook_pre`, project(config.gated === true ? 'gate' : 'in', input), positions); // [B, S, m]
  let active = tf.tidy(() => activate(pre, config.activation));
  if (config.gated === true) active = tf.mul(active, visit(`${name}.hook_pre_linear`, project('in', input), positions));
  if (config.activation === 'solu_ln') active = norm(pass, `${name}.ln`, visit(`${name}.hook_mid`, active, positions), positions);
  return project('out', visit(`${name}.hook_post`, active, positions));
}
