/** One block of a transformer, in each of the layouts: what is normed when, and what the MLP reads. */
import * as tf from '@tensorflow/tfjs-core';
import { attend } from './attention.ts';
import { isParallel } from '../config.ts';
import { mlp } from './mlp.ts';
import { norm } from './norm.ts';
import { takePositions, type Pass } from './pass.ts';

/** Residual [B, S, d] -> [B, |queries|, d]. */
export function block(pass: Pass, layer: number, input: tf.Tensor, queries: readonly number[]): tf.Tensor {
  const { config, visit, everywhere } = pass;
  const b: `blocks.${number}` = `blocks.${layer}`;
  const layout = config.layout ?? 'pre';
  const residual = visit(`${b}.hook_resid_pre`, input, everywhere);
  const kept = takePositions(residual, queries, everywhere);
  const added = layout !== 'sandwich'; // what the parts write goes onto the residual as it is: in one kernel, where there is one
  const attended = (): tf.Tensor => {
    if (added && !pass.wants(`${b}.hook_attn_out`)) return tf.tidy(() => attend(pass, layer, residual, queries, kept));
    const written = tf.tidy(() => attend(pass, layer, residual, queries));
    const attention = visit(
      `${b}.hook_attn_out`,
      added ? written : norm(pass, `${b}.ln1_post`, written, queries),
      queries,
    );
    return tf.add(pass.alike(kept, attention), attention);
  };
  const after = attended(); // [B, Sq, d]
  if (config.dMlp === 0) return visit(`${b}.hook_resid_post`, after, queries);

  if (layout === 'post') {
    const mid = norm(pass, `${b}.ln1`, visit(`${b}.hook_resid_mid`, after, queries), queries);
    const out = visit(`${b}.hook_mlp_out`, mlp(pass, layer, visit(`${b}.hook_mlp_in`, mid, queries), queries), queries);
    const post = visit(`${b}.hook_resid_post`, tf.add(pass.alike(mid, out), out), queries);
    return visit(`${b}.hook_normalized_resid_post`, norm(pass, `${b}.ln2`, post, queries), queries);
  }
  const parallel = isParallel(config);
  const mid = parallel ? after : visit(`${b}.hook_resid_mid`, after, queries);
  const read = visit(`${b}.hook_mlp_in`, parallel ? kept : mid, queries);
  const normed = norm(
    pass,
    `${b}.ln2`,
    read,
    queries,
    layout === 'parallel-shared' ? { parametersOf: `${b}.ln1` } : {},
  );
  if (added && !pass.wants(`${b}.hook_mlp_out`) && normed.shape[0] === mid.shape[0])
    return visit(`${b}.hook_resid_post`, mlp(pass, layer, normed, queries, mid), queries);
  const written = mlp(pass, layer, normed, queries);
  const out = visit(`${b}.hook_mlp_out`, added ? written : norm(pass, `${b}.ln2_post`, written, queries), queries);
  const [x, y] = [mid, out].toSorted((one, other) => one.shape[0] - other.shape[0]); // parallel blocks: either may have more rows
  return visit(`${b}.hook_resid_post`, tf.add(pass.alike(x, y), y), queries);
}
