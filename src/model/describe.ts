/**
 * describeModel: what this model computes, as the table hook -> shape -> formula.
 *
 * One row per kind of hook point, with the layers that have it; formulas are this model's own (its norm, its
 * activation, its masks), in the order in which the forward pass reaches them. Purely a reading of the record.
 */
import { beyondEmbeddingText } from './beyond-embedding.ts';
import { bosOf } from './bos.ts';
import {
  hasFinalNorm,
  hasWeights,
  kvHeads,
  parameterCount,
  type ModelConfig,
  type Norm,
  type Rotary,
  type RotaryScaling,
} from './config.ts';
import { hookPoints, hookShape } from './hook-points.ts';
import { handedOn, layoutOf, type Layout } from './layout.ts';
import { showsItself } from '../showing.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** A hook point, its shape, and the formula of what stands there. */
export interface HookRow {
  /** The hook's name, with {l} for the layer. */
  readonly hook: string;
  /** Axes and sizes: `[batch, pos, head 4, d_head 8]`. */
  readonly shape: string;
  /** What stands there, from what stands before. */
  readonly formula: string;
}

/** What a model computes, in words and as a table of its hook points. */
export interface ModelDescription {
  /** The sizes, and what is unusual about this model, one line each. */
  readonly facts: readonly string[];
  readonly hooks: readonly HookRow[];
  /** Everything as aligned text. */
  readonly text: string;
}

/** The hook table of a model (then also what its tokenizer puts before a text) or of a configuration alone. */
export function describeModel({
  config,
  notes = [],
  tokenizer,
}: {
  readonly config: ModelConfig;
  readonly notes?: readonly string[];
  readonly tokenizer?: Tokenizer | undefined;
}): ModelDescription {
  const beyond = tokenizer === undefined ? undefined : beyondEmbeddingText(tokenizer, config.dVocab);
  const facts = [
    ...factsOf(config),
    ...(beyond === undefined ? [] : [beyond]),
    ...(tokenizer === undefined ? [] : [bosOf({ config, tokenizer }).text]),
  ];
  const rows = new Map<string, HookRow>();
  for (const point of hookPoints(config)) {
    const hook = point.name.replace(/^blocks\.\d+\./, 'blocks.{l}.');
    if (rows.has(hook)) continue;
    const sizes = hookShape(point, config, 0, 0);
    const axes = point.axes.map((axis, i) => (axis === '1' || sizes[i] === 0 ? axis : `${axis} ${sizes[i]}`));
    rows.set(hook, { hook, shape: `[${axes.join(', ')}]`, formula: formulaOf(hook, config) });
  }
  const hooks = [...rows.values()];
  const width = (key: 'hook' | 'shape'): number => Math.max(...hooks.map((row) => row[key].length));
  const table = hooks.map(
    ({ hook, shape, formula }) => `${hook.padEnd(width('hook'))}  ${shape.padEnd(width('shape'))}  ${formula}`,
  );
  const all = [...facts, ...notes];
  return showsItself({ facts: all, hooks, text: [...all, '', ...table, ''].join('\n') });
}

function normsText(config: ModelConfig): string {
  const { text, parallel } = layoutOf(config);
  if (config.norm.kind !== 'none') return text;
  return parallel ? 'no norms; attention and MLP read the same input' : 'no norms';
}

function factsOf(config: ModelConfig): string[] {
  const { nLayers, dModel, nHeads, dHead, dMlp, dVocab, dVocabOut, nCtx, embedding = {}, attention, rotary } = config;
  const heads =
    kvHeads(config) === nHeads ? `${nHeads} heads` : `${nHeads} heads on ${kvHeads(config)} key/value heads`;
  const facts = [
    `${config.family}: ${nLayers} layers, ${heads} of ${dHead}, d_model ${dModel}, ${dMlp === 0 ? 'attention only' : `d_mlp ${dMlp}${expertsText(config)}`}, vocabulary ${dVocab}${dVocabOut === dVocab ? '' : ` -> ${dVocabOut}`}, context ${nCtx}`,
    `${parameterCount(config)} parameters; ${attention.causal ? 'causal' : 'bidirectional'}; ${normsText(config)}`,
  ];
  if (rotary !== undefined) {
    const kinds = groupLayers(rotary.map(rotaryText));
    facts.push(...kinds.map(([text, layers]) => `rotary positions${layers}: ${text}`));
  }
  if (attention.windows !== undefined) {
    facts.push(
      ...groupLayers(
        attention.windows.map((window) =>
          window === null ? 'every key' : `keys i - ${window} < j${attention.causal ? ' <= i' : ''}`,
        ),
      ).map(([text, layers]) => `a query at i sees${layers}: ${text}`),
    );
  }
  if (embedding.width !== undefined && embedding.width !== dModel)
    facts.push(`token embeddings are ${embedding.width} wide; a matrix takes them to d_model and another back`);
  if (attention.clip !== undefined) facts.push(`queries, keys and values are cut to ±${attention.clip}`);
  facts.push(`logits = ${logitFormula(config)}`);
  return facts;
}

function rotaryText({ dims, theta, pairs = 'halves', amplitude = 1, scaling }: Rotary): string {
  const base = `${dims} dimensions${pairs === 'halves' ? '' : ' in adjacent pairs'}, theta ${theta}`;
  return `${base}${scalingText(scaling)}${amplitude === 1 ? '' : `, times ${Number(amplitude.toPrecision(6))}`}`;
}

function scalingText(scaling: RotaryScaling | undefined): string {
  switch (scaling?.kind) {
    case undefined:
      return '';
    case 'linear':
      return `, frequencies / ${scaling.factor}`;
    case 'llama3':
      return `, llama3 scaling by ${scaling.factor} from a context of ${scaling.originalContext}`;
    case 'yarn':
      return `, yarn: frequencies / ${scaling.factor} from pair ${scaling.high} on, kept before ${scaling.low}`;
    case 'dynamic':
      return `, a larger theta in rows longer than ${scaling.originalContext} (dynamic, factor ${scaling.factor})`;
    case 'longrope':
      return `, longrope: each frequency over a factor of its own, others in rows longer than ${scaling.originalContext}`;
    default:
      return scaling satisfies never;
  }
}

/** Equal texts together, each with its layers (none named where all are equal). */
function groupLayers(texts: readonly string[]): [text: string, layers: string][] {
  const groups = new Map<string, number[]>();
  texts.forEach((text, l) => groups.set(text, [...(groups.get(text) ?? []), l]));
  return [...groups].map(([text, layers]) => [
    text,
    groups.size === 1 ? '' : ` in layer${layers.length === 1 ? '' : 's'} ${ranges(layers)}`,
  ]);
}

/** Increasing numbers with runs of three and more as `0-4`. */
function ranges(layers: readonly number[]): string {
  const runs: number[][] = [];
  for (const layer of layers) {
    const run = runs.at(-1);
    if (run !== undefined && layer === run[run.length - 1] + 1) run.push(layer);
    else runs.push([layer]);
  }
  return runs.map((run) => (run.length < 3 ? run.join(', ') : `${run[0]}-${run[run.length - 1]}`)).join(', ');
}

const ACTIVATION_TEXT = {
  relu: 'relu',
  relu2: 'relu²',
  gelu: 'gelu',
  gelu_new: 'gelu_tanh',
  quick_gelu: 'quick_gelu',
  silu: 'silu',
  solu: 'solu',
  solu_ln: 'solu',
} as const;

function formulaOf(hook: string, config: ModelConfig): string {
  const { biases, embedding = {}, attention, positions } = config;
  const layout = layoutOf(config);
  const name = hook.replace(/^(blocks\.\{l\}|embed)\.(?!ln\.)/, '');
  const bias = (present: boolean, text: string): string => (present ? ` + ${text}` : '');
  /** `x` behind the norm, where there is one. */
  const under = (norm: string | undefined, x: string): string =>
    norm === undefined || config.norm.kind === 'none' ? x : `${norm}(${x})`;
  const input = under(layout.attn.input, 'resid_pre');
  const project = (letter: string): string =>
    `${positions === 'shortformer' && letter !== 'V' ? `(${input} + pos_embed)` : input}·W_${letter}${bias(biases.qkv, `b_${letter}`)}`;
  const normed = /^(.*)\.hook_(scale|normalized)$/.exec(name);
  if (normed !== null)
    return normFormula(
      normed[1],
      normed[2],
      normed[1].endsWith('_norm') ? (attention.qkNorm ?? config.norm) : config.norm,
      layout,
    );
  const turned = (letter: string): string => (attention.qkNorm === undefined ? letter : `${letter}_norm(${letter})`);
  const q = positions === 'rotary' ? 'rot_q' : turned('q');
  const k = positions === 'rotary' ? 'rot_k' : turned('k');
  const [scale] = attention.scales;
  const scores = `${q}·${k}${attention.scales.every((other) => other === scale) ? (scale === 1 ? '' : ` · ${Number(scale.toPrecision(6))}`) : ' · scale of the layer'}`;
  const read = under(layout.mlp.input, 'mlp_in');
  const mid = under(layout.attn.stream, 'resid_mid');
  const into = config.gated === true ? 'gate' : 'in';
  const sums = [
    'hook_embed',
    ...(positions === 'learned' ? ['hook_pos_embed'] : []),
    ...(embedding.tokenTypes === undefined ? [] : ['hook_token_type_embed']),
  ]
    .map((part) => part.replace('hook_', ''))
    .join(' + ');
  const looked = `W_E[token]${embedding.width === undefined || embedding.width === config.dModel ? '' : '·embed.W_in'}${embedding.scale === undefined ? '' : ` · ${embedding.scale.toFixed(4)}`}`;
  const formulas: Record<string, string> = {
    hook_embed: embedding.norm === 'token' ? under('embed.ln', looked) : looked,
    hook_full_embed: under('embed.ln', sums),
    hook_pos_embed: 'W_pos[position]',
    hook_token_type_embed: 'W_token_type[type]',
    hook_resid_pre: `${embedding.norm === 'sum' ? 'full_embed' : sums} in layer 0, then ${handedOn(layout).replace('hook_', '')} of the layer before`,
    hook_attn_in: 'resid_pre, a copy for each head',
    hook_q_input: 'resid_pre, a copy for each head',
    hook_k_input: 'resid_pre, a copy for each head',
    hook_v_input: 'resid_pre, a copy for each head',
    'attn.hook_q': project('Q'),
    'attn.hook_k': project('K'),
    'attn.hook_v': project('V'),
    'attn.hook_rot_q': `${turned('q')} turned by its position`,
    'attn.hook_rot_k': `${turned('k')} turned by its position`,
    'attn.hook_attn_scores': `${attention.softcap === undefined ? scores : `${attention.softcap}·tanh(${scores} / ${attention.softcap})`}${positions === 'alibi' ? ' - slope of the head · distance' : ''}, -1e30 where hidden`,
    'attn.hook_pattern': 'softmax(attn_scores) over k_pos',
    'attn.hook_z': 'pattern·v',
    'attn.hook_result': 'z·W_O, head by head',
    hook_attn_out: under(layout.attn.output, `z·W_O${bias(biases.attnOut, 'b_O')}`),
    hook_resid_mid: 'resid_pre + attn_out',
    hook_mlp_in: layout.parallel ? 'resid_pre' : mid,
    'mlp.hook_pre': `${read}·W_${into}${bias(biases.mlp, `b_${into}`)}`,
    'mlp.hook_pre_linear': `${read}·W_in${bias(biases.mlp, 'b_in')}`,
    'mlp.hook_mid': 'pre · softmax(pre)',
    'mlp.hook_post':
      config.activation === 'solu_ln'
        ? 'mlp.ln(mid)'
        : `${ACTIVATION_TEXT[config.activation]}(pre)${config.gated === true ? ' · pre_linear' : ''}${config.experts === undefined ? '' : ' · weight of its expert'}`,
    hook_mlp_out: under(layout.mlp.output, `post·W_out${bias(biases.mlp, 'b_out')}`),
    hook_resid_post: `${config.dMlp === 0 || layout.parallel ? 'resid_pre + attn_out' : mid}${config.dMlp === 0 ? '' : ' + mlp_out'}`,
    'unembed.hook_in': `what the logits are read from: ${readOut(config)}`,
    'unembed.hook_out': 'the logits, before any soft cap',
    hook_normalized_resid_post: under(layout.mlp.stream, 'resid_post'),
  };
  return formulas[name];
}

/** What stands at a norm's two hooks. */
function normFormula(norm: string, part: string, kind: Norm, layout: Layout): string {
  const inputs: Record<string, string> = {
    'embed.ln': 'the embedding',
    'attn.q_norm': 'q',
    'attn.k_norm': 'k',
    'mlp.ln': 'mid',
    ln_final: 'the last resid_post',
    'mlm_head.ln': 'the masked-LM head',
  };
  for (const [{ input, output, stream }, read, written, after] of [
    [layout.attn, 'resid_pre', 'z·W_O', 'resid_mid'],
    [layout.mlp, 'mlp_in', 'post·W_out', 'resid_post'],
  ] as const) {
    if (input !== undefined) inputs[input] = read;
    if (output !== undefined) inputs[output] = written;
    if (stream !== undefined) inputs[stream] = after;
  }
  const x = inputs[norm];
  if (kind.kind === 'none') return x;
  const { mlp } = layout;
  const whose = mlp.inputWeights !== undefined && norm === mlp.input ? `${mlp.inputWeights}'s ` : '';
  if (part === 'scale')
    return `sqrt(${kind.kind === 'rms' ? 'mean(x²)' : 'var(x)'} + ${kind.eps.toExponential()}), x = ${x}`;
  const quotient = kind.kind === 'rms' ? 'x / scale' : '(x - mean(x)) / scale';
  if (!hasWeights(kind)) return quotient;
  return `${quotient}, before ·${whose}${kind.kind === 'layer' ? 'w + b' : kind.offset === 0 ? 'w' : '(1 + w)'}`;
}

/** From the last residual to the logits. */
function logitFormula(config: ModelConfig): string {
  const { embedding = {}, dModel } = config;
  let x = readOut(config);
  if (embedding.width !== undefined && embedding.width !== dModel) x = `${x}·unembed.W_in`;
  const logits = `${x}·W_U${config.biases.unembed ? ' + b_U' : ''}`;
  return config.logitSoftcap === undefined
    ? logits
    : `${config.logitSoftcap}·tanh((${logits}) / ${config.logitSoftcap})`;
}

/** What stands at unembed.hook_in. */
function readOut(config: ModelConfig): string {
  let x: string = handedOn(layoutOf(config)).replace('hook_', '');
  if (hasFinalNorm(config) && config.norm.kind !== 'none') x = `ln_final(${x})`;
  if (config.mlmHead === true)
    x = `mlm_head.ln(${ACTIVATION_TEXT[config.mlmActivation ?? config.activation]}(${x}·W + b))`;
  return x;
}

function expertsText({ experts }: ModelConfig): string {
  if (experts === undefined) return '';
  const { count, active, normalised } = experts;
  return ` of ${count} experts, ${active} active${normalised ? ', their scores normalised' : ''}`;
}
