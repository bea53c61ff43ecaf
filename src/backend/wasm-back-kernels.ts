/** Kernels of ours for TensorFlow.js's wasm backend on the way back: what wasm/tensors/back.ts and back-attention.ts compute. */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';
import { activationOf, type Kernel } from './wasm-tensors.ts';

export const BACK_KERNELS: Readonly<Record<string, Kernel>> = {
  SpexlensBackLinear: ({ run, scratch, output, at, expect }, inputs) => {
    const dy = expect('dy', inputs['dy']);
    const columns = dy.shape[dy.shape.length - 1];
    const inner = inputs['W']?.shape[0] ?? 0;
    const W = expect('W', inputs['W'], inner * columns);
    const free = scratch(run.backLinearScratch());
    const out = output([...dy.shape.slice(0, -1), inner]);
    run.backLinear(at(dy), at(W), at(out), tf.util.sizeFromShape(dy.shape.slice(0, -1)), inner, columns, free);
    return out;
  },
  SpexlensBackNorm: ({ run, output, at, expect }, inputs, { kind, eps, offset }) => {
    const x = expect('x', inputs['x']);
    const width = x.shape[x.shape.length - 1];
    const rows = tf.util.sizeFromShape(x.shape.slice(0, -1));
    const w = inputs['w'] === undefined ? undefined : expect('w', inputs['w'], width);
    const dy = expect('dy', inputs['dy'], rows * width);
    const out = output(x.shape);
    run.backNorm(at(x), at(w), at(dy), at(out), rows, width, Number(eps), Number(offset), kind === 'layer');
    return out;
  },
  SpexlensBackAttention: ({ run, scratch, output, at, expect }, inputs, { scale, softcap }) => {
    const q = expect('q', inputs['q']);
    const [batch, queries, heads, width] = q.shape;
    const [, keys, groups] = expect('k', inputs['k']).shape;
    const k = expect('k', inputs['k'], batch * keys * groups * width);
    const v = expect('v', inputs['v'], batch * keys * groups * width);
    const dy = expect('dy', inputs['dy'], batch * queries * heads * width);
    const maskBatch = inputs['mask']?.shape[0] ?? 1;
    if (heads % groups !== 0 || (maskBatch !== 1 && maskBatch !== batch))
      throw fail(
        'input',
        'SpexlensBackAttention',
        `${heads} query heads, ${groups} key heads and a mask of batch ${maskBatch} with a batch of ${batch} do not go together.`,
      );
    const mask = inputs['mask'] === undefined ? undefined : expect('mask', inputs['mask'], maskBatch * queries * keys);
    const free = scratch(run.backAttentionScratch(queries, keys, width));
    const outs = [output(q.shape), output(k.shape), output(v.shape)];
    run.backAttention(
      at(q),
      at(k),
      at(v),
      at(mask),
      maskBatch,
      at(dy),
      at(outs[0]),
      at(outs[1]),
      at(outs[2]),
      batch,
      queries,
      keys,
      heads,
      groups,
      width,
      Number(scale),
      Number(softcap),
      free,
    );
    return outs;
  },
  SpexlensBackActivation: ({ run, output, at, expect }, inputs, attributes) => {
    const x = expect('x', inputs['x']);
    const size = tf.util.sizeFromShape(x.shape);
    const dy = expect('dy', inputs['dy'], size);
    const activation = activationOf(attributes, 'SpexlensBackActivation');
    const out = output(x.shape);
    run.backPointwise(at(x), 0, at(dy), at(out), 0, size, activation);
    return out;
  },
  SpexlensBackGate: ({ run, output, at, expect }, inputs, attributes) => {
    const gate = expect('gate', inputs['gate']);
    const size = tf.util.sizeFromShape(gate.shape);
    const up = expect('up', inputs['up'], size);
    const dy = expect('dy', inputs['dy'], size);
    const activation = activationOf(attributes, 'SpexlensBackGate');
    const outs = [output(gate.shape), output(gate.shape)];
    run.backPointwise(at(gate), at(up), at(dy), at(outs[0]), at(outs[1]), size, activation);
    return outs;
  },
  SpexlensMaskSlopes: ({ run, output, at, expect }, inputs, attributes) => {
    const dy = expect('dy', inputs['dy']);
    const [rows, positions, ...rest] = dy.shape;
    const line = tf.util.sizeFromShape(rest);
    const [wanted, elements] = [Number(attributes['positions']), Number(attributes['elements'])];
    const single = inputs['x']?.shape[0] === 1;
    const x = expect('x', inputs['x'], (single ? 1 : rows) * positions * line);
    const basePositions = inputs['base']?.shape[1] ?? 1;
    const base = inputs['base'] === undefined ? undefined : expect('base', inputs['base'], basePositions * line);
    if ((wanted !== 1 && wanted !== positions) || line % elements !== 0)
      throw fail(
        'input',
        'SpexlensMaskSlopes',
        `slopes of ${wanted} positions and ${elements} elements are asked of ${positions} positions of ${line} numbers.`,
      );
    const out = output([rows, wanted, elements]);
    run.maskSlopes(
      at(x),
      single,
      at(base),
      basePositions,
      at(dy),
      at(out),
      rows,
      positions,
      wanted,
      elements,
      line / elements,
    );
    return out;
  },
};
