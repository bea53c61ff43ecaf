/** One block of a transformer, in the order that its layout says (layout.ts): what is normed when, and what the MLP reads. */
import * as tf from '@tensorflow/tfjs-core';
import { attend } from './attention.ts';
import { layoutOf, type BlockNorm } from '../layout.ts';
import { mlp } from './mlp.ts';
import { norm } from './norm.ts';
import { takePositions, type Pass } from './pass.ts';

/** Residual [B, S, d] -> [B, |queries|, d]. */
export function block(pass: Pass, layer: number, input: tf.Tensor, queries: readonly number[]): tf.Tensor {
  const { config, visit, everywhere } = pass;
  const b: `blocks.${number}` = `blocks.${layer}`;
  const layout = layoutOf(config);
  const normed = (name: BlockNorm | undefined, x: tf.Tensor, weights?: BlockNorm): tf.Tensor =>
    name === undefined
      ? x
      : norm(pass, `${b}.${name}`, x, queries, { weightsOf: weights === undefined ? undefined : `${b}.${weights}` });

  const residual = visit(`${b}.hook_resid_pre`, input, everywhere);
  const kept = takePositions(residual, queries, everywhere);
  // What a part writes and nobody looks at goes onto the residual in the part's last product: one kernel, where there is one.
  const attended = (): tf.Tensor => {
    if (layout.attn.output === undefined && !pass.wants(`${b}.hook_attn_out`))
      return tf.tidy(() => attend(pass, layer, residual, queries, kept));
    const written = tf.tidy(() => attend(pass, layer, residual, queries));
    const attention = visit(`${b}.hook_attn_out`, normed(layout.attn.output, written), queries);
    return tf.add(pass.alike(kept, attention), attention);
  };
  const after = attended(); // [B, Sq, d]
  if (config.dMlp === 0) return visit(`${b}.hook_resid_post`, after, queries);

  const mid = normed(layout.attn.stream, layout.parallel ? after : visit(`${b}.hook_resid_mid`, after, queries));
  const read = visit(`${b}.hook_mlp_in`, layout.parallel ? kept : mid, queries);
  const post = visit(
    `${b}.hook_resid_post`,
    fed(pass, layer, normed(layout.mlp.input, read, layout.mlp.inputWeights), mid, queries, normed),
    queries,
  );
  return layout.mlp.stream === undefined
    ? post
    : visit(`${b}.hook_normalized_resid_post`, normed(layout.mlp.stream, post), queries);
}

/** `mid` and what the MLP writes after reading `input`. */
function fed(
  pass: Pass,
  layer: number,
  input: tf.Tensor,
  mid: tf.Tensor,
  queries: readonly number[],
  normed: (name: BlockNorm | undefined, x: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  const b: `blocks.${number}` = `blocks.${layer}`;
  const { output } = layoutOf(pass.config).mlp;
  if (output === undefined && !pass.wants(`${b}.hook_mlp_out`) && input.shape[0] === mid.shape[0])
    return mlp(pass, layer, input, queries, mid);
  const out = pass.visit(`${b}.hook_mlp_out`, normed(output, mlp(pass, layer, input, queries)), queries);
  const [x, y] = [mid, out].toSorted((one, other) => one.shape[0] - other.shape[0]); // parallel blocks: either may have more rows
  return tf.add(pass.alike(x, y), y);
}
