/** One block of a transformer, in each of the layouts: what is normed when, and what the MLP reads. */
import * as tf from '@tensorflow/tfjs-core';
import { attend } from './attention.ts';
import { isParallel } from './config.ts';
import { mlp } from './mlp.ts';
import { norm } from './norm.ts';
import { takePositions, type Pass } from './pass.ts';

/** Residual [B, S, d] -> [B, |queries|, d]. */
export function block(pass: Pass, layer: number, input: tf.Tensor, queries: readonly number[]): tf.Tensor {
  const { config, visit, everywhere } = pass;
  const b: `blocks.${number}` = `blocks.${layer}`;
  const layout = config.layout ?? 'pre';
  const residual = visit(`${b}.hook_resid_pre`, input, everywhere);
  const attended = tf.tidy(() => attend(pass, layer, residual, queries));
  const attention = visit(`${b}.hook_attn_out`, layout === 'sandwich' ? norm(pass, `${b}.ln1_post`, attended, queries) : attended, queries); // [B, Sq, d]
  const kept = takePositions(residual, queries, everywhere);
  const after = tf.add(kept, attention);
  if (config.dMlp === 0) return visit(`${b}.hook_resid_post`, after, queries);

  if (layout === 'post') {
    const mid = norm(pass, `${b}.ln1`, visit(`${b}.hook_resid_mid`, after, queries), queries);
    const out = visit(`${b}.hook_mlp_out`, mlp(pass, layer, visit(`${b}.hook_mlp_in`, mid, queries), queries), queries);
    const post = visit(`${b}.hook_resid_post`, tf.add(mid, out), queries);
    return visit(`${b}.hook_normalized_resid_post`, norm(pass, `${b}.ln2`, post, queries), queries);
  }
  const parallel = isParallel(config);
  const mid = parallel ? after : visit(`${b}.hook_resid_mid`, after, queries);
  const read = visit(`${b}.hook_mlp_in`, parallel ? kept : mid, queries);
  const normed = norm(pass, `${b}.ln2`, read, queries, layout === 'parallel-shared' ? { parametersOf: `${b}.ln1` } : {});
  const written = mlp(pass, layer, normed, queries);
  const out = visit(`${b}.hook_mlp_out`, layout === 'sandwich' ? norm(pass, `${b}.ln2_post`, written, queries) : written, queries);
  return visit(`${b}.hook_resid_post`, tf.add(mid, out), queries);
}
