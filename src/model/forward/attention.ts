/**
 * Attention of one layer: grouped heads, norms over queries and keys, turns, soft caps, masks.
 *
 * With grouped key/value heads (GQA) the consecutive query heads that share one are laid side by side as
 * more queries of it, so keys and values are never copied.
 */
import * as tf from '@tensorflow/tfjs-core';
import { kvHeads, type Norm } from '../config.ts';
import { layoutOf } from '../layout.ts';
import { fused, hasFused } from './fused.ts';
import { columnsOf, noHeads, planHeads, widened, writtenHeads, type HeadPlan } from './live-heads.ts';
import type { HookName } from '../hook-points.ts';
import { linear, perHeadOutput, perHeadProjection, softcap } from './layers.ts';
import { norm } from './norm.ts';
import { tensorOf, type Parameter } from '../weights/parameters.ts';
import { takePositions, type Pass } from './pass.ts';
import { turn } from './rotary.ts';

/**
 * Residual [B, S, d] -> what attention writes at `queries`, [B, |queries|, d] (before hook_attn_out), added to `onto`
 * where that is given: the residual at `queries`.
 */
export function attend(
  pass: Pass,
  layer: number,
  residual: tf.Tensor,
  queries: readonly number[],
  onto?: tf.Tensor,
): tf.Tensor {
  const { config, parameters, visit } = pass;
  const b: `blocks.${number}` = `blocks.${layer}`;
  const z = visit(`${b}.attn.hook_z`, heads(pass, layer, residual, queries), queries); // [B, Sq, H, e]
  const W_O = parameters[`${b}.attn.W_O`];
  const b_O = parameters[`${b}.attn.b_O`];
  const rest = onto === undefined ? undefined : pass.alike(onto, z);
  if (pass.wants(`${b}.attn.hook_result`)) {
    const result = visit(`${b}.attn.hook_result`, perHeadOutput(z, tensorOf(W_O)), queries); // [B, Sq, H, d]
    const sum = tf.sum(result, 2);
    const out = b_O === undefined ? sum : tf.add(sum, tensorOf(b_O));
    return rest === undefined ? out : tf.add(rest, out);
  }
  const flat = tf.reshape(z, [z.shape[0], z.shape[1] as number, config.nHeads * config.dHead]);
  const live = writtenHeads(pass, layer, queries.length);
  if (live?.shape[0] === z.shape[0])
    return fused(
      'SpexlensFromHeads',
      { x: flat, W: tensorOf(W_O), b: b_O === undefined ? undefined : tensorOf(b_O), residual: rest, live },
      {},
    );
  return linear(flat, W_O, b_O, { residual: rest });
}

/** What every head read, z [B, Sq, H, e]; zero for heads that are not needed. */
function heads(pass: Pass, layer: number, residual: tf.Tensor, queries: readonly number[]): tf.Tensor {
  const plan = planHeads(pass, layer, residual.shape[0]);
  if (plan.kind === 'none') return noHeads(pass, residual.shape[0], queries.length);
  const z = mix(pass, layer, keysAndQueries(pass, layer, residual, queries, plan), queries, plan);
  return plan.kind === 'groups' ? widened(pass, z, plan.groups) : z;
}

/** softmax(q·k) v by head: q [B, Sq, H, e], k and v [B, S, K, e] -> [B, Sq, H, e]. */
function mix(
  pass: Pass,
  layer: number,
  read: Record<'q' | 'k' | 'v', tf.Tensor>,
  queries: readonly number[],
  plan: HeadPlan,
): tf.Tensor {
  const { attention, positions } = pass.config;
  const along = pass.along[layer];
  if (along === undefined) return mixRows(pass, layer, read, queries, plan, maskOf(pass, layer, plan));
  return along.attend(read, {
    scale: attention.scales[layer],
    softcap: attention.softcap ?? 0,
    window: attention.windows?.[layer] ?? null,
    alibi: positions === 'alibi',
    rows: (copies, mask) => mixRows(pass, layer, copies, queries, plan, mask),
  });
}

/** The same of rows, with what is added to their scores. */
function mixRows(
  pass: Pass,
  layer: number,
  read: Record<'q' | 'k' | 'v', tf.Tensor>,
  queries: readonly number[],
  plan: HeadPlan,
  mask: tf.Tensor | undefined,
): tf.Tensor {
  const { q, k, v } = evened(pass, read);
  const { config, visit, wants } = pass;
  const attn: `blocks.${number}.attn` = `blocks.${layer}.attn`;
  const { softcap: cap, scales } = config.attention;
  const alike = mask === undefined || mask.shape[1] === 1; // one mask for all heads is all that the kernel takes
  if (alike && !wants(`${attn}.hook_attn_scores`) && !wants(`${attn}.hook_pattern`) && hasFused('SpexlensAttention')) {
    return fused(
      'SpexlensAttention',
      { q, k, v, mask, live: plan.kind === 'rows' ? plan.heads : undefined },
      { scale: scales[layer], softcap: cap ?? 0 },
    );
  }
  const shared = (q.shape[2] as number) / (k.shape[2] as number);
  // scores [B, H, Sq, S] = q [B, H, Sq, e] · k [B, H, e, S]
  const product = spread(
    tf.matMul(grouped(tf.transpose(q, [0, 2, 1, 3]), shared), tf.transpose(k, [0, 2, 3, 1])),
    shared,
  );
  const scaled = scales[layer] === 1 ? product : tf.mul(product, scales[layer]);
  const raw = cap === undefined ? scaled : softcap(scaled, cap);
  const scores = visit(`${attn}.hook_attn_scores`, mask === undefined ? raw : tf.add(raw, mask), queries);
  const pattern = visit(`${attn}.hook_pattern`, tf.softmax(scores), queries); // [B, H, Sq, S]
  const { v: values } = evened(pass, { v, pattern }); // a tap may have made more rows of the pattern
  const mixed = spread(tf.matMul(grouped(pattern, shared), tf.transpose(values, [0, 2, 1, 3])), shared); // [B, H, Sq, e]
  return tf.transpose(mixed, [0, 2, 1, 3]);
}

/** Each with as many rows as the one with most: a tap may have made more of one of them. */
function evened<K extends string>(pass: Pass, given: Readonly<Record<K, tf.Tensor>>): Readonly<Record<K, tf.Tensor>> {
  const all: readonly tf.Tensor[] = Object.values(given);
  const most = all.reduce((x, y) => (y.shape[0] > x.shape[0] ? y : x));
  if (all.every(({ shape }) => shape[0] === most.shape[0])) return given;
  const even = (x: tf.Tensor): tf.Tensor => {
    const aligned = pass.alike(x, most);
    return aligned.shape[0] === most.shape[0] ? aligned : tf.tile(aligned, [most.shape[0], 1, 1, 1]);
  };
  return Object.fromEntries(Object.entries<tf.Tensor>(given).map(([name, x]) => [name, even(x)])) as Record<
    K,
    tf.Tensor
  >;
}

/** What is added to the scores of the plan's heads. */
function maskOf(pass: Pass, layer: number, plan: HeadPlan): tf.Tensor | undefined {
  const mask = pass.masks[layer];
  if (mask === undefined || mask.shape[1] === 1 || plan.kind !== 'groups') return mask;
  return tf.gather(mask, tf.tensor1d(headsIn(pass, plan.groups), 'int32'), 1);
}

/** The query heads that read these key/value heads. */
function headsIn({ config }: Pass, groups: readonly number[]): number[] {
  const copies = config.nHeads / kvHeads(config);
  return groups.flatMap((group) => Array.from({ length: copies }, (_, c) => group * copies + c));
}

/** x [B, H, n, c] -> [B, K, shared·n, c]: the heads of one key/value head as more rows. */
function grouped(x: tf.Tensor, shared: number): tf.Tensor {
  const [batch, heads, rows, columns] = x.shape as [number, number, number, number];
  return shared === 1 ? x : tf.reshape(x, [batch, heads / shared, shared * rows, columns]);
}

/** Back from grouped. */
function spread(x: tf.Tensor, shared: number): tf.Tensor {
  const [batch, heads, rows, columns] = x.shape as [number, number, number, number];
  return shared === 1 ? x : tf.reshape(x, [batch, heads * shared, rows / shared, columns]);
}

/** q [B, Sq, H, e], and k and v [B, P + S, K, e] (H in place of K when ungrouped), of the heads in the plan only: projected, normed and turned. */
function keysAndQueries(
  pass: Pass,
  layer: number,
  residual: tf.Tensor,
  queries: readonly number[],
  plan: HeadPlan,
): Record<'q' | 'k' | 'v', tf.Tensor> {
  const { config, visit, everywhere } = pass;
  const attn: `blocks.${number}.attn` = `blocks.${layer}.attn`;
  const { qkNorm, clip } = config.attention;
  const cut = (x: tf.Tensor): tf.Tensor => (clip === undefined ? x : tf.clipByValue(x, -clip, clip));
  const projected = projections(pass, layer, residual, queries, plan);
  const finish = (letter: 'q' | 'k'): tf.Tensor => {
    const at = letter === 'q' ? queries : everywhere;
    let x = projected[letter];
    if (qkNorm !== undefined) x = normedHeads(pass, `${attn}.${letter}_norm`, x, at, qkNorm);
    x = cut(x);
    const table = pass.turns[layer];
    if (table === undefined || config.rotary === undefined) return x;
    const here = { cos: takePositions(table.cos, at, everywhere), sin: takePositions(table.sin, at, everywhere) };
    const { dims, pairs } = config.rotary[layer];
    return visit(`${attn}.hook_rot_${letter}`, turn(x, dims, here, pairs), at);
  };
  const [q, k, v] = [finish('q'), finish('k'), cut(projected.v)];
  return { q, ...(pass.cache?.extend(layer, k, v, plan.kind === 'groups' ? plan.groups : undefined) ?? { k, v }) };
}

/** q or k [B, S, heads, e] normed over each head, or over all heads together. */
function normedHeads(
  pass: Pass,
  name: `blocks.${number}.attn.${'q' | 'k'}_norm`,
  x: tf.Tensor,
  at: readonly number[],
  kind: Norm,
): tf.Tensor {
  if (pass.config.attention.qkNormAcrossHeads !== true) return norm(pass, name, x, at, { kind });
  const flat = tf.reshape(x, [x.shape[0], x.shape[1] as number, -1]);
  const groups = kvHeads(pass.config);
  const copies = name.endsWith('.k_norm') ? (flat.shape[2] as number) / (groups * pass.config.dHead) : 1;
  const parameters = { ...pass.parameters };
  for (const part of [`${name}.w`, `${name}.b`]) {
    const weights = pass.parameters[part] as Parameter | undefined;
    if (copies > 1 && weights !== undefined) parameters[part] = repeatColumns(tensorOf(weights), groups, copies); // ungrouped
  }
  return tf.reshape(norm({ ...pass, parameters }, name, flat, at, { kind }), x.shape);
}

/** Raw q, k, v from the shared normalised residual or, when someone hooks them, from per-head inputs. */
function projections(
  pass: Pass,
  layer: number,
  residual: tf.Tensor,
  queries: readonly number[],
  plan: HeadPlan,
): Record<'q' | 'k' | 'v', tf.Tensor> {
  const { config, parameters, visit, wants, everywhere } = pass;
  const b: `blocks.${number}` = `blocks.${layer}`;
  const { nHeads, dHead } = config;
  const groups = kvHeads(config);
  const copies = nHeads / groups;
  const ungroups = config.attention.ungrouped === true && copies > 1;
  const perHead = (x: tf.Tensor, heads: number): tf.Tensor => tf.tile(tf.expandDims(x, 2), [1, 1, heads, 1]); // [B, S, H, d]
  const { input: first } = layoutOf(config).attn;
  const before = (silent: boolean, x: tf.Tensor): tf.Tensor =>
    first === undefined
      ? x
      : norm(silent ? { ...pass, visit: (_name, y) => y, wants: () => false } : pass, `${b}.${first}`, x, everywhere);
  const normed = before(false, residual);
  const single = copies === 1 || ungroups; // each head then has keys and values of its own
  const shared =
    single && wants(`${b}.hook_attn_in`)
      ? visit(`${b}.hook_attn_in`, perHead(residual, nHeads), everywhere)
      : undefined;
  const part = (letter: 'q' | 'k' | 'v'): tf.Tensor => {
    const W = parameters[`${b}.attn.W_${letter.toUpperCase()}`];
    const bias = parameters[`${b}.attn.b_${letter.toUpperCase()}`];
    const at = letter === 'q' ? queries : everywhere;
    const shift = config.positions === 'shortformer' && letter !== 'v' ? pass.positional : undefined;
    const input: HookName = `${b}.hook_${letter}_input`;
    const heads = letter === 'q' || ungroups ? nHeads : groups;
    const hooked = wants(input) ? visit(input, shared ?? perHead(residual, heads), everywhere) : shared;
    let projected: tf.Tensor;
    if (hooked === undefined) {
      const x = shift === undefined ? normed : tf.add(normed, shift);
      const read = takePositions(x, at, everywhere);
      if (plan.kind === 'groups') {
        const some = letter === 'q' ? headsIn(pass, plan.groups) : plan.groups;
        const flat = linear(
          read,
          columnsOf(tensorOf(W), some, dHead),
          bias === undefined ? undefined : columnsOf(tensorOf(bias), some, dHead),
        );
        return tf.reshape(flat, [flat.shape[0], at.length, some.length, dHead]);
      }
      const byRow = plan.kind === 'rows' && (letter !== 'q' || queries.length === everywhere.length) ? plan : undefined; // a few positions are quicker whole
      const live = letter === 'q' ? byRow?.heads : byRow?.groups;
      const flat =
        live === undefined
          ? linear(read, W, bias)
          : fused(
              'SpexlensToHeads',
              { x: read, W: tensorOf(W), b: bias === undefined ? undefined : tensorOf(bias), live },
              {},
            );
      const split = tf.reshape(flat, [flat.shape[0], at.length, letter === 'q' ? nHeads : groups, dHead]);
      projected = letter !== 'q' && ungroups ? repeatHeads(split, copies) : split;
    } else {
      // ln1's own hooks fire once, on the shared residual; here each head's copy is normalised silently.
      const own = before(true, hooked);
      const x = shift === undefined ? own : tf.add(own, tf.expandDims(shift, 2));
      const each = (matrix: tf.Tensor): tf.Tensor =>
        letter !== 'q' && ungroups ? repeatColumns(matrix, groups, copies) : matrix;
      projected = perHeadProjection(
        takePositions(x, at, everywhere),
        each(tensorOf(W)),
        bias === undefined ? undefined : each(tensorOf(bias)),
      );
    }
    return visit(`${b}.attn.hook_${letter}`, projected, at);
  };
  return { q: part('q'), k: part('k'), v: part('v') };
}

/** [B, S, K, e] -> [B, S, K·copies, e], each head `copies` times in a row (a rank-5 tile would leave the GPU on webgpu). */
function repeatHeads(x: tf.Tensor, copies: number): tf.Tensor {
  const heads = Array.from({ length: (x.shape[2] as number) * copies }, (_, h) => Math.floor(h / copies));
  return tf.gather(x, tf.tensor1d(heads, 'int32'), 2);
}

/** [..., K·e] -> [..., K·copies·e], each group's columns `copies` times in a row. */
function repeatColumns(matrix: tf.Tensor, groups: number, copies: number): tf.Tensor {
  const lead = matrix.rank === 1 ? 1 : matrix.shape[0];
  const width = (matrix.shape[matrix.rank - 1] as number) / groups;
  const repeated = tf.tile(tf.reshape(matrix, [lead, groups, 1, width]), [1, 1, copies, 1]);
  return tf.reshape(repeated, matrix.rank === 1 ? [groups * copies * width] : [lead, groups * copies * width]);
}
