/** Kernels of ours for TensorFlow.js's wasm backend on the way forward: a product with what follows it, norms, attention, masks, gates. */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { activationOf, type Kernel } from './wasm-tensors.ts';

/** @throws 'input' unless live is int32 [batch, heads]. */
function expectLive(live: tf.TensorInfo | undefined, batch: number, heads: number, who: string): tf.TensorInfo {
  if (live?.dtype !== 'int32' || live.shape[0] !== batch || live.shape[1] !== heads) {
    throw fail(
      'input',
      who,
      `live is ${live === undefined ? 'missing' : `${live.dtype} [${live.shape.join(', ')}]`}; int32 [${batch}, ${heads}] is needed.`,
    );
  }
  return live;
}

/** The width of each of `heads` heads. @throws 'input' unless it is a multiple of 8 from 8 to 256. */
function widthOf(columns: number, heads: number, who: string): number {
  const width = columns / heads;
  if (width % 8 !== 0 || width < 8 || width > 256)
    throw fail('input', who, `heads of ${width} numbers; a multiple of 8 from 8 to 256 is needed.`);
  return width;
}

export const FORWARD_KERNELS: Readonly<Record<string, Kernel>> = {
  SpexlensLinear: ({ run, scratch, output, at, expect }, inputs, attributes) => {
    const x = expect('x', inputs['x']);
    const inner = x.shape[x.shape.length - 1];
    const columns = inputs['W']?.shape[1] ?? 0;
    const rows = tf.util.sizeFromShape(x.shape.slice(0, -1));
    const W = expect('W', inputs['W'], inner * columns);
    const bias = inputs['b'] === undefined ? undefined : expect('b', inputs['b'], columns);
    const residual = inputs['residual'] === undefined ? undefined : expect('residual', inputs['residual']);
    const residualRows =
      residual === undefined || rows * columns === 0 ? rows : tf.util.sizeFromShape(residual.shape) / columns;
    if (rows > 0 && rows % residualRows !== 0)
      throw fail(
        'input',
        'SpexlensLinear',
        `a residual of ${residualRows} rows goes onto ${rows}; its rows have to divide them.`,
      );
    const activation = activationOf(attributes, 'SpexlensLinear');
    const free = scratch(run.linearScratch());
    const out = output([...x.shape.slice(0, -1), columns]);
    run.linear(at(x), at(W), at(bias), at(residual), residualRows, at(out), rows, inner, columns, activation, free);
    return out;
  },
  SpexlensNorm: ({ run, output, at, expect }, inputs, { kind, eps, offset }) => {
    const x = expect('x', inputs['x']);
    const width = x.shape[x.shape.length - 1];
    const w = inputs['w'] === undefined ? undefined : expect('w', inputs['w'], width);
    const b = inputs['b'] === undefined ? undefined : expect('b', inputs['b'], width);
    const out = output(x.shape);
    run.norm(
      at(x),
      at(w),
      at(b),
      at(out),
      tf.util.sizeFromShape(x.shape.slice(0, -1)),
      width,
      Number(eps),
      Number(offset),
      kind === 'layer',
    );
    return out;
  },
  SpexlensAttention: ({ run, scratch, output, at, expect }, inputs, { scale, softcap }) => {
    const q = expect('q', inputs['q']);
    const [batch, queries, heads, width] = q.shape;
    const [, keys, groups] = expect('k', inputs['k']).shape;
    const k = expect('k', inputs['k'], batch * keys * groups * width);
    const v = expect('v', inputs['v'], batch * keys * groups * width);
    if (heads % groups !== 0)
      throw fail(
        'input',
        'SpexlensAttention',
        `${heads} query heads cannot share ${groups} key heads; these have to divide them.`,
      );
    const maskBatch = inputs['mask']?.shape[0] ?? 1;
    if (maskBatch !== 1 && maskBatch !== batch)
      throw fail(
        'input',
        'SpexlensAttention',
        `a mask of batch ${maskBatch} meets a batch of ${batch}; it has to be 1 or ${batch}.`,
      );
    const mask = inputs['mask'] === undefined ? undefined : expect('mask', inputs['mask'], maskBatch * queries * keys);
    const live =
      inputs['live'] === undefined ? undefined : expectLive(inputs['live'], batch, heads, 'SpexlensAttention');
    const free = scratch(run.attentionScratch(queries, keys, width));
    const out = output(q.shape);
    run.attention(
      at(q),
      at(k),
      at(v),
      at(mask),
      maskBatch,
      at(out),
      batch,
      queries,
      keys,
      heads,
      groups,
      width,
      Number(scale),
      Number(softcap),
      at(live),
      free,
    );
    return out;
  },
  SpexlensAttentionPaths: ({ run, scratch, output, at, expect }, inputs, { scale, softcap }) => {
    const q = expect('q', inputs['q']);
    const [, , heads, width] = q.shape;
    const [rows, columns, groups] = expect('k', inputs['k']).shape;
    const k = expect('k', inputs['k'], columns * groups * width);
    const v = expect('v', inputs['v'], columns * groups * width);
    const [paths, spans] = [inputs['paths'] as tf.TensorInfo, inputs['spans'] as tf.TensorInfo];
    const whole = [paths, spans, inputs['seen'] ?? paths].every(({ dtype }) => dtype === 'int32');
    if (rows !== 1 || q.shape[0] !== 1 || heads % groups !== 0 || spans.shape[1] !== 4 || !whole)
      throw fail(
        'input',
        'SpexlensAttentionPaths',
        `q [${q.shape.join(', ')}] does not go with k [${k.shape.join(', ')}] and ${spans.dtype} spans [${spans.shape.join(', ')}]; one row each, heads that share those of k, and int32 [.., 4] are needed.`,
      );
    const [, longest] = paths.shape;
    const free = scratch(run.pathAttentionScratch(longest, width));
    const out = output(q.shape);
    run.pathAttention(
      at(q),
      at(k),
      at(v),
      at(paths),
      longest,
      at(spans),
      spans.shape[0],
      at(inputs['seen']),
      at(out),
      heads,
      groups,
      width,
      Number(scale),
      Number(softcap),
      free,
    );
    return out;
  },
  SpexlensToHeads: ({ run, scratch, output, at, expect }, inputs) => {
    const x = expect('x', inputs['x']);
    const [batch, span, inner] = x.shape;
    const heads = inputs['live']?.shape[1] ?? 0;
    const columns = inputs['W']?.shape[1] ?? 0;
    const W = expect('W', inputs['W'], inner * columns);
    const bias = inputs['b'] === undefined ? undefined : expect('b', inputs['b'], columns);
    const live = expectLive(inputs['live'], batch, heads, 'SpexlensToHeads');
    const width = widthOf(columns, heads, 'SpexlensToHeads');
    const free = scratch(run.headsScratch());
    const out = output([batch, span, columns]);
    run.toHeads(at(x), at(W), at(bias), at(live), at(out), batch, span, inner, heads, width, free);
    return out;
  },
  SpexlensFromHeads: ({ run, scratch, output, at, expect }, inputs) => {
    const z = expect('x', inputs['x']);
    const [batch, span, inner] = z.shape;
    const heads = inputs['live']?.shape[1] ?? 0;
    const columns = inputs['W']?.shape[1] ?? 0;
    const W = expect('W', inputs['W'], inner * columns);
    const bias = inputs['b'] === undefined ? undefined : expect('b', inputs['b'], columns);
    const residual = inputs['residual'] === undefined ? undefined : expect('residual', inputs['residual']);
    const residualRows = residual === undefined ? batch * span : tf.util.sizeFromShape(residual.shape) / columns;
    if ((batch * span) % residualRows !== 0)
      throw fail(
        'input',
        'SpexlensFromHeads',
        `a residual of ${residualRows} rows goes onto ${batch * span}; its rows have to divide them.`,
      );
    const live = expectLive(inputs['live'], batch, heads, 'SpexlensFromHeads');
    const width = widthOf(inner, heads, 'SpexlensFromHeads');
    if (columns % 8 !== 0)
      throw fail('input', 'SpexlensFromHeads', `W has ${columns} columns; a multiple of 8 is needed.`);
    const free = scratch(run.headsScratch());
    const out = output([batch, span, columns]);
    run.fromHeads(
      at(z),
      at(W),
      at(bias),
      at(residual),
      residualRows,
      at(live),
      at(out),
      batch,
      span,
      heads,
      width,
      columns,
      free,
    );
    return out;
  },
  SpexlensMaskRows: ({ run, output, at, expect }, inputs) => {
    const x = expect('x', inputs['x']);
    const { parents, factors, base } = inputs;
    const rows = parents?.shape[0] ?? factors?.shape[0] ?? x.shape[0];
    if (parents !== undefined && parents.dtype !== 'int32')
      throw fail('input', 'SpexlensMaskRows', `parents are ${parents.dtype}; int32 is needed.`);
    if (parents === undefined && x.shape[0] !== 1 && x.shape[0] !== rows)
      throw fail('input', 'SpexlensMaskRows', `${x.shape[0]} rows become ${rows}; parents have to say which.`);
    const [, positions, ...rest] = x.shape;
    const [, factorPositions, elements] = factors?.shape ?? [rows, 1, 1];
    const width = tf.util.sizeFromShape(rest) / elements;
    if (!Number.isInteger(width))
      throw fail(
        'input',
        'SpexlensMaskRows',
        `factors for ${elements} elements meet positions of ${tf.util.sizeFromShape(rest)} numbers; these have to divide them.`,
      );
    if (factors !== undefined) expect('factors', factors, rows * factorPositions * elements);
    const basePositions = base?.shape[1] ?? 1;
    if (base !== undefined) expect('base', base, basePositions * elements * width);
    if (![factorPositions, basePositions].every((count) => count === 1 || count === positions))
      throw fail(
        'input',
        'SpexlensMaskRows',
        `factors have ${factorPositions} positions and the base ${basePositions}; 1 or ${positions} are needed.`,
      );
    const out = output([rows, ...x.shape.slice(1)]);
    run.maskRows(
      at(x),
      x.shape[0] === 1,
      at(parents),
      at(factors),
      factorPositions,
      at(base),
      basePositions,
      at(out),
      rows,
      positions,
      elements,
      width,
    );
    return out;
  },
  SpexlensActivation: ({ run, output, at, expect }, inputs, attributes) => {
    const x = expect('x', inputs['x']);
    const activation = activationOf(attributes, 'SpexlensActivation');
    const out = output(x.shape);
    run.pointwise(at(x), at(out), tf.util.sizeFromShape(x.shape), 0, 0, 0, activation);
    return out;
  },
  SpexlensTurn: ({ run, output, at, expect }, inputs, { dims }) => {
    const x = expect('x', inputs['x']);
    const [batch, positions, heads, width] = x.shape;
    const tables = inputs['cos']?.shape[0] ?? 1;
    if (tables !== 1 && tables !== batch)
      throw fail(
        'input',
        'SpexlensTurn',
        `tables of batch ${tables} meet a batch of ${batch}; it has to be 1 or ${batch}.`,
      );
    const cos = expect('cos', inputs['cos'], tables * positions * width);
    const sin = expect('sin', inputs['sin'], tables * positions * width);
    const out = output(x.shape);
    run.turn(at(x), at(cos), at(sin), at(out), batch, positions, heads, width, Number(dims), tables);
    return out;
  },
  SpexlensGate: ({ run, output, at, expect }, inputs, attributes) => {
    const gate = expect('gate', inputs['gate']);
    const size = tf.util.sizeFromShape(gate.shape);
    const up = expect('up', inputs['up'], size);
    const activation = activationOf(attributes, 'SpexlensGate');
    const out = output(gate.shape);
    run.pointwise(at(gate), at(out), size, 0, at(up), 0, activation);
    return out;
  },
};
