/**
 * Direct logit attribution: how much each part of a run adds to a token's logit through the residual stream.
 *
 * The way from the stream to a logit is linear once the last norm has the scale that it had: the norm with its weights, BERT's
 * masked-LM head (whose activation keeps the factor act(u) / u that it had), a narrow unembedding, the column of W_U. What no part
 * of the stream brings (the norm's bias, b_U) is one row of its own, `unembed`, so that attributions sum to the logit. A soft cap
 * on the logits (Gemma 2) comes after it: attributions are of what is capped, unembed.hook_out.
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../../errors.ts';
import { hasFinalNorm } from '../../model/config.ts';
import { activate, linear } from '../../model/forward/layers.ts';
import { tokenizerOf } from '../../model/model.ts';
import { columnsOf, tensorOf } from '../../model/weights/parameters.ts';
import { showsItself } from '../../showing.ts';
import { decomposeResid, fullResidDecomposition, neuronsOf } from './decompositions.ts';
import { frozenNorm, normBias, residualAt, tidied, type ExplainedRun, type Where } from './explained-run.ts';
import { residualParts } from './residual-parts.ts';

/** A token, as id or text: one for all, one for each row of the batch, or one for each position of each row. */
export type Answers = Answer | readonly Answer[] | readonly (readonly Answer[])[];
type Answer = number | string;

/** `layers`: embeddings, attentions, MLPs. `heads`: heads in place of attentions. `neurons`: neurons in place of MLPs too. */
export const ATTRIBUTIONS = ['layers', 'heads', 'neurons'] as const;

export interface AttributionOptions extends Where {
  readonly by: (typeof ATTRIBUTIONS)[number];
  /** Whose logit. */
  readonly tokens: Answers;
  /** Less whose; none when absent. */
  readonly incorrectTokens?: Answers | undefined;
}

/** What each component adds to a logit, or to the difference of two. */
export interface LogitAttribution {
  /** By component; the last is `unembed`: what the stream does not bring. */
  readonly labels: readonly string[];
  /** [components, batch, pos]; their sum is the logit (or the difference). The caller's to dispose. */
  readonly values: tf.Tensor3D;
}

/** Logits of each component, [components, batch, pos]: what the rest of the model makes of a stack as one of its parts. */
export function logitAttrs(
  run: ExplainedRun,
  stack: tf.Tensor4D,
  tokens: Answers,
  { incorrectTokens, ...where }: Where & { readonly incorrectTokens?: Answers | undefined } = {},
): tf.Tensor3D {
  return tf.tidy(() => dot(readOut(run, stack, where), directions(run, stack.shape, tokens, incorrectTokens)));
}

/** Where a logit comes from, part by part. @throws 'input' for parts that were not cached, and tokens the model has not. */
export function logitAttribution(run: ExplainedRun, options: AttributionOptions): LogitAttribution {
  const { by, tokens, incorrectTokens, ...where } = options;
  const attribution = tidied((): LogitAttribution => {
    const { labels, stack } =
      by === 'layers' ? decomposeResid(run, where) : fullResidDecomposition(run, { ...where, mlpsWhole: true });
    const toward = directions(run, stack.shape, tokens, incorrectTokens);
    const values = dot(readOut(run, stack, where), toward);
    const rest = unembedRow(run, stack.shape, where, toward, tokens, incorrectTokens);
    if (by !== 'neurons' || run.model.config.dMlp === 0)
      return { labels: [...labels, 'unembed'], values: tf.concat([values, rest]) };
    const neurons = neuronRows(run, where, toward);
    const [, batch, length] = values.shape;
    const bias = residualParts(run, {}, where).bias('heads and neurons').stack;
    const whole = tf.add(bias, tf.zeros([1, batch, length, 1])) as tf.Tensor4D;
    const kept = labels.map((label, i) => ({ label, i })).filter(({ label }) => !/^\d+_mlp_out$|^bias$/.test(label));
    return {
      labels: [...kept.map(({ label }) => label), ...neurons.flatMap((layer) => layer.labels), 'bias', 'unembed'],
      values: tf.concat([
        tf.gather(
          values,
          tf.tensor1d(
            kept.map(({ i }) => i),
            'int32',
          ),
        ) as tf.Tensor3D,
        ...neurons.map((layer) => layer.values),
        dot(readOut(run, whole, where), toward),
        rest,
      ]),
    };
  });
  return showsItself(attribution);
}

/** Neurons of every layer, a few at a time: whole they would take d_mlp times the stream. */
function neuronRows(run: ExplainedRun, where: Where, toward: tf.Tensor): LogitAttribution[] {
  const { nLayers, dModel } = run.model.config;
  const [batch, length] = residualAt(run, 0, where).shape as [number, number];
  const some = Math.max(1, Math.floor(2 ** 26 / (batch * length * dModel)));
  const all = neuronsOf(run, undefined);
  return Array.from({ length: nLayers }, (_, layer) => {
    const pieces: LogitAttribution[] = [];
    for (let start = 0; start < all.length; start += some) {
      const piece = tidied(() => {
        const [{ labels, stack }] = residualParts(run, {}, where).neurons(layer, all.slice(start, start + some));
        return { labels, values: dot(readOut(run, stack as tf.Tensor4D, where), toward) };
      });
      pieces.push(piece);
    }
    return { labels: pieces.flatMap(({ labels }) => labels), values: tf.concat(pieces.map(({ values }) => values)) };
  });
}

/** A stack at the end of the stream -> what it brings to unembed.hook_in, both [components, batch, pos, d_model]. */
function readOut(run: ExplainedRun, stack: tf.Tensor, where: Where): tf.Tensor {
  const { config, parameters } = run.model;
  const normed = hasFinalNorm(config) ? frozenNorm(run, 'ln_final', stack, where) : stack;
  if (config.mlmHead !== true) return normed;
  const dense = linear(normed, parameters['mlm_head.W'], undefined);
  return frozenNorm(run, 'mlm_head.ln', tf.mul(dense, headFactor(run, where)), where);
}

/** act(u) / u of the masked-LM head, u [batch, pos, d]. */
function headFactor(run: ExplainedRun, where: Where): tf.Tensor {
  const { config, parameters } = run.model;
  const end = residualAt(run, config.nLayers, where);
  const read = hasFinalNorm(config)
    ? withBias(frozenNorm(run, 'ln_final', end, where), normBias(run, 'ln_final'))
    : end;
  const u = linear(read, parameters['mlm_head.W'], parameters['mlm_head.b']);
  return tf.divNoNan(activate(u, config.mlmActivation ?? config.activation), u);
}

function withBias(x: tf.Tensor, bias: tf.Tensor | undefined): tf.Tensor {
  return bias === undefined ? x : tf.add(x, bias);
}

/** What reaches the logit without coming from the stream, [1, batch, pos]. */
function unembedRow(
  run: ExplainedRun,
  [, batch, length]: readonly number[],
  where: Where,
  toward: tf.Tensor,
  tokens: Answers,
  incorrectTokens: Answers | undefined,
): tf.Tensor3D {
  const { config, parameters } = run.model;
  let x: tf.Tensor = tf.zeros([1, batch, length, config.dModel]);
  if (hasFinalNorm(config)) x = withBias(x, normBias(run, 'ln_final'));
  if (config.mlmHead === true) {
    const dense = linear(x, parameters['mlm_head.W'], parameters['mlm_head.b']);
    x = frozenNorm(run, 'mlm_head.ln', tf.mul(dense, headFactor(run, where)), where);
    x = withBias(x, normBias(run, 'mlm_head.ln'));
  }
  const b_U = parameters['unembed.b_U'];
  const row = dot(x, toward);
  if (b_U === undefined) return row;
  const of = (answers: Answers): tf.Tensor => {
    const { ids, shape } = idsOf(run, answers, batch, length);
    return tf.reshape(columnsOf(b_U, ids), [1, ...shape]);
  };
  const added = incorrectTokens === undefined ? of(tokens) : tf.sub(of(tokens), of(incorrectTokens));
  return tf.add(row, added);
}

/** x [n, batch, pos, d] · directions [1 or batch, 1 or pos, d] -> [n, batch, pos]. */
function dot(x: tf.Tensor, toward: tf.Tensor): tf.Tensor3D {
  return tf.sum(tf.mul(x, toward), -1);
}

/** The directions in unembed.hook_in that raise the tokens' logits, [1 or batch, 1 or pos, d]. */
function directions(
  run: ExplainedRun,
  [, batch, length]: readonly number[],
  tokens: Answers,
  incorrectTokens: Answers | undefined,
): tf.Tensor {
  const { parameters } = run.model;
  const of = (answers: Answers): tf.Tensor => {
    const { ids, shape } = idsOf(run, answers, batch, length);
    const columns = columnsOf(parameters['unembed.W_U'], ids) as tf.Tensor2D; // [width, n]
    const W_in = parameters['unembed.W_in'];
    const wide = W_in === undefined ? columns : tf.matMul(tensorOf(W_in) as tf.Tensor2D, columns);
    return tf.reshape(tf.transpose(wide), [...shape, wide.shape[0]]);
  };
  return incorrectTokens === undefined ? of(tokens) : tf.sub(of(tokens), of(incorrectTokens));
}

function idsOf(
  { model }: ExplainedRun,
  answers: Answers,
  batch: number,
  length: number,
): { readonly ids: readonly number[]; readonly shape: readonly [number, number] } {
  const id = (answer: Answer): number => {
    const token = typeof answer === 'string' ? tokenizerOf(model).toSingleToken(answer) : answer;
    if (Number.isInteger(token) && token >= 0 && token < model.config.dVocabOut) return token;
    throw fail('input', 'logit attribution', `${answer} is no token; the logits are 0..${model.config.dVocabOut - 1}.`);
  };
  if (typeof answers === 'number' || typeof answers === 'string') return { ids: [id(answers)], shape: [1, 1] };
  const rows = answers.map((row) => (typeof row === 'object' ? row.map(id) : [id(row)]));
  const columns = rows[0]?.length ?? 0;
  const fits =
    rows.length === batch && (columns === 1 || columns === length) && rows.every((r) => r.length === columns);
  if (fits) return { ids: rows.flat(), shape: [batch, columns] };
  throw fail(
    'input',
    'logit attribution',
    `${rows.length} rows of ${columns} tokens were given for ${batch} x ${length} positions; one token, one a row, or one a position are needed.`,
  );
}
