/** What enters the first block: token embedding, positions, token types, and BERT's norm over their sum. */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { linear } from './layers.ts';
import { norm } from './norm.ts';
import { rowsOf } from '../weights/parameters.ts';
import { hasPositionTable } from '../config.ts';
import { embeddingHook } from '../hook-points.ts';
import type { Pass } from './pass.ts';

export interface Embedded {
  /** [B, S, d] */
  readonly residual: tf.Tensor;
  /** W_pos at every token's position, [1 or B, S, d]; undefined for models without such a table. */
  readonly positional: tf.Tensor | undefined;
}

/** tokens [B, S] -> the first residual. `given` replaces the looked-up, projected, scaled (and in BLOOM normed) token embedding. */
export function embed(
  pass: Omit<Pass, 'positional'>,
  tokens: tf.Tensor2D,
  given: tf.Tensor | undefined,
  tokenTypes: readonly (readonly number[])[] | undefined,
): Embedded {
  const { config, parameters, visit, everywhere } = pass;
  const { width = config.dModel, scale = 1, tokenTypes: kinds, norm: normed } = config.embedding ?? {};
  const look = (): tf.Tensor => {
    const rows = tf.reshape(rowsOf(parameters['embed.W_E'], tf.reshape(tokens, [-1]) as tf.Tensor1D), [
      tokens.shape[0],
      everywhere.length,
      width,
    ]);
    const wide = width === config.dModel ? rows : linear(rows, parameters['embed.W_in'], undefined);
    const scaled = scale === 1 ? wide : tf.mul(wide, scale);
    return normed === 'token' ? norm(pass, 'embed.ln', scaled, everywhere) : scaled;
  };
  const embedding = visit(embeddingHook(config, 'hook_embed'), given ?? look(), everywhere); // [B, S, d]
  const positional = positionEmbedding(pass, tokens.shape[0]);
  let residual = config.positions === 'learned' && positional !== undefined ? tf.add(embedding, positional) : embedding;
  if (kinds !== undefined) {
    const types = tokenTypes ?? Array.from({ length: tokens.shape[0] }, () => everywhere.map(() => 0));
    checkTokenTypes(types, tokens.shape[0], everywhere.length, kinds);
    const looked = rowsOf(parameters['token_type_embed.W_token_type'], tf.tensor1d(types.flat(), 'int32'));
    const typed = tf.reshape(looked, [types.length, everywhere.length, config.dModel]);
    residual = tf.add(residual, visit(embeddingHook(config, 'hook_token_type_embed'), typed, everywhere));
  } else if (tokenTypes !== undefined) {
    throw fail('input', 'token types', `this ${config.family} model has none; leave them out.`);
  }
  if (normed !== 'sum') return { residual, positional };
  return { residual: visit('hook_full_embed', norm(pass, 'embed.ln', residual, everywhere), everywhere), positional };
}

/** W_pos at every token's position, [1 or B, S, d]; undefined for models without such a table. */
export function positionEmbedding(
  { config, parameters, visit, wants, everywhere, positions }: Omit<Pass, 'positional'>,
  batch: number,
): tf.Tensor | undefined {
  if (!hasPositionTable(config)) return undefined;
  const W_pos = parameters['pos_embed.W_pos'];
  const [rows, length, first] = [positions.length, everywhere.length, positions[0][0]];
  const rising = rows === 1 && positions[0].every((position, s) => position === first + s);
  const looked =
    rising && W_pos instanceof tf.Tensor
      ? tf.slice(W_pos, [first, 0], [length, config.dModel])
      : rowsOf(W_pos, tf.tensor1d(positions.flat(), 'int32'));
  const positional = tf.reshape(looked, [rows, length, config.dModel]);
  const hook = embeddingHook(config, 'hook_pos_embed');
  if (!wants(hook)) return positional;
  return visit(hook, rows === 1 ? tf.tile(positional, [batch, 1, 1]) : positional, everywhere); // [B, S, d]
}

function checkTokenTypes(types: readonly (readonly number[])[], rows: number, length: number, kinds: number): void {
  if (types.length !== rows || types.some((row) => row.length !== length))
    throw fail('input', 'token types', `must be ${rows} rows of ${length}, one for each token.`);
  const odd = types.flat().find((type) => !Number.isInteger(type) || type < 0 || type >= kinds);
  if (odd !== undefined) throw fail('input', 'token types', `${odd} is outside 0..${kinds - 1}.`);
}
