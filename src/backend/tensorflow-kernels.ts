/**
 * The tensorflow backend's kernels beside TensorFlow.js's: linear layers, norms, attention and gates of a transformer.
 *
 * Products are TensorFlow's own MatMul, or run on tiles (tensorflow-tiles.ts); what stands between them runs in operations of ours (Spexlens...), written in C++
 * and compiled into the addon by scripts/install-tensorflow.ts (its kernels.cc). An addon that the package brought itself
 * lacks them, and on a GPU they do not exist: then nothing is registered and the forward pass takes stock operations.
 * Kernels are reached by name and know nothing of models; what each takes is said in model/fused.ts.
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  activationOf,
  float32,
  hasOperation,
  hasPaths,
  number,
  truth,
  whole,
  type Attrs,
  type Inputs,
  type Kernel,
  type NodeBackend,
} from './tensorflow-native.ts';
import { hasTiles, tileKernels } from './tensorflow-tiles.ts';

/**
 * Registers the kernels where the addon has the operations, and says with what; undefined where it has none. The backend need
 * not be the current one. `tiles`: whether products may run on the processor's tile unit.
 */
export function registerTensorflowKernels(
  backend: unknown,
  { tiles = true }: { readonly tiles?: boolean } = {},
): string | undefined {
  const native = backend as NodeBackend;
  unregisterTensorflowKernels();
  if (native.isUsingGpuDevice || !hasOperation(native.binding, 'SpexlensFinish', 3, 0)) return undefined;
  const onTiles = tiles && hasTiles(native);
  const all = {
    ...KERNELS,
    ...(hasOperation(native.binding, 'SpexlensBackActivate', 2, 1) ? BACK_KERNELS : {}),
    ...(hasPaths(native.binding) ? PATH_KERNELS : {}),
    ...(onTiles ? tileKernels(3, KERNELS) : {}),
  };
  for (const [kernelName, kernel] of Object.entries(all))
    tf.registerKernel({
      kernelName,
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, attrs }) => kernel(native, inputs as unknown as Inputs, attrs as unknown as Attrs),
    });
  return onTiles ? 'own kernels, products on tiles (AMX)' : 'own kernels';
}

/** Leaves the tensorflow backend with TensorFlow.js's kernels only. */
export function unregisterTensorflowKernels(): void {
  for (const { kernelName } of tf.getKernelsForBackend('tensorflow'))
    if (kernelName.startsWith('Spexlens')) tf.unregisterKernel(kernelName, 'tensorflow');
}

const KERNELS = {
  /** dy [..., c] with W [a, c] -> [..., a], by the same MatMul. */
  SpexlensBackLinear(native, { dy, W }) {
    const [from, weights] = [dy as tf.Tensor, W as tf.Tensor];
    const { binding } = native;
    const flat = from.rank === 2 ? from : tf.reshape(from, [-1, weights.shape[1] as number]);
    const product = native.executeSingleOutput(
      'MatMul',
      [truth(binding, 'transpose_a', false), truth(binding, 'transpose_b', true), float32(binding)],
      [flat, weights],
    );
    if (from.rank === 2) return product;
    flat.dispose();
    const shaped = tf.reshape(product, [...from.shape.slice(0, -1), weights.shape[0]]);
    product.dispose();
    return shaped;
  },

  SpexlensLinear(native, { x, W, b, residual }, { activation }) {
    const [from, weights] = [x as tf.Tensor, W as tf.Tensor];
    const flat = from.rank === 2 ? from : tf.reshape(from, [-1, weights.shape[0]]);
    const { binding } = native;
    const product = native.executeSingleOutput(
      'MatMul',
      [truth(binding, 'transpose_a', false), truth(binding, 'transpose_b', false), float32(binding)],
      [flat, weights],
    );
    if (flat !== from) flat.dispose();
    if (b !== undefined || residual !== undefined || activation !== 'none') {
      // Into the product itself, which nobody else has seen: no memory is taken anew.
      const attributes = [
        activationOf(binding, activation),
        truth(binding, 'has_b', b !== undefined),
        truth(binding, 'has_rest', residual !== undefined),
      ];
      binding.executeOp(
        'SpexlensFinish',
        attributes,
        native.getInputTensorIds([product, b ?? product, residual ?? product]),
        0,
      );
    }
    if (from.rank === 2) return product;
    const shaped = tf.reshape(product, [...from.shape.slice(0, -1), weights.shape[1] as number]);
    product.dispose();
    return shaped;
  },

  SpexlensNorm(native, { x, w, b }, { kind, eps, offset }) {
    const { binding } = native;
    const from = x as tf.Tensor;
    const attributes = [
      truth(binding, 'centred', kind === 'layer'),
      number(binding, 'eps', eps),
      number(binding, 'offset', offset),
      truth(binding, 'has_rest', w !== undefined),
      truth(binding, 'has_b', b !== undefined),
    ];
    return native.executeSingleOutput('SpexlensNormalise', attributes, [from, w ?? from, b ?? from]);
  },

  SpexlensAttention(native, { q, k, v, mask, live }, { scale, softcap }) {
    const { binding } = native;
    const attributes = [
      number(binding, 'scale', scale),
      number(binding, 'softcap', softcap),
      truth(binding, 'has_b', mask !== undefined),
    ];
    const read = [q, k, v, mask ?? q] as tf.Tensor[];
    return live === undefined
      ? native.executeSingleOutput('SpexlensAttend', attributes, read)
      : native.executeSingleOutput('SpexlensAttendHeads', attributes, [...read, live]);
  },

  SpexlensGate(native, { gate, up }, { activation }) {
    return native.executeSingleOutput(
      'SpexlensGated',
      [activationOf(native.binding, activation)],
      [gate as tf.Tensor, up as tf.Tensor],
    );
  },
} satisfies Readonly<Record<string, Kernel>>;

/** What an addon of before attention along paths lacks. */
const PATH_KERNELS: Readonly<Record<string, Kernel>> = {
  SpexlensAttentionPaths(native, { q, k, v, paths, spans, seen }, { scale, softcap }) {
    const { binding } = native;
    return native.executeSingleOutput(
      'SpexlensAttendPaths',
      [
        number(binding, 'scale', scale),
        number(binding, 'softcap', softcap),
        truth(binding, 'has_b', seen !== undefined),
      ],
      [q, k, v, paths, spans, seen ?? paths] as tf.Tensor[],
    );
  },
};

/** What an addon of before the way back lacks: gradients, and what is as well done without while none are taken. */
const BACK_KERNELS: Readonly<Record<string, Kernel>> = {
  SpexlensMaskRows(native, { x, parents, factors, base }) {
    const rows = parents === undefined ? (x as tf.Tensor) : tf.gather(x as tf.Tensor, parents as tf.Tensor1D);
    if (factors === undefined) return parents === undefined ? tf.clone(rows) : rows;
    const out = native.executeSingleOutput(
      'SpexlensBlend',
      [truth(native.binding, 'has_b', base !== undefined)],
      [rows, factors, base ?? factors],
    );
    if (parents !== undefined) rows.dispose();
    return out;
  },

  SpexlensTurn: (native, { x, cos, sin }, { dims }) =>
    native.executeSingleOutput(
      'SpexlensTurned',
      [whole(native.binding, 'dims', Number(dims))],
      [x as tf.Tensor, cos as tf.Tensor, sin as tf.Tensor],
    ),

  SpexlensActivation: (native, { x }, { activation }) =>
    native.executeSingleOutput('SpexlensActivate', [activationOf(native.binding, activation)], [x as tf.Tensor]),

  SpexlensBackActivation: (native, { x, dy }, { activation }) =>
    native.executeSingleOutput(
      'SpexlensBackActivate',
      [activationOf(native.binding, activation)],
      [x as tf.Tensor, dy as tf.Tensor],
    ),

  SpexlensBackGate: (native, { gate, up, dy }, { activation }) =>
    native.executeMultipleOutputs(
      'SpexlensBackGated',
      [activationOf(native.binding, activation)],
      [gate as tf.Tensor, up as tf.Tensor, dy as tf.Tensor],
      2,
    ),

  SpexlensBackNorm(native, { x, w, dy }, { kind, eps, offset }) {
    const { binding } = native;
    const attributes = [
      truth(binding, 'centred', kind === 'layer'),
      number(binding, 'eps', eps),
      number(binding, 'offset', offset),
      truth(binding, 'has_rest', w !== undefined),
    ];
    const from = x as tf.Tensor;
    return native.executeSingleOutput('SpexlensBackNormalise', attributes, [from, w ?? from, dy as tf.Tensor]);
  },

  SpexlensBackAttention(native, { q, k, v, mask, dy }, { scale, softcap }) {
    const { binding } = native;
    const attributes = [
      number(binding, 'scale', scale),
      number(binding, 'softcap', softcap),
      truth(binding, 'has_b', mask !== undefined),
    ];
    const inputs = [q, k, v, mask ?? q, dy] as tf.Tensor[];
    return native.executeMultipleOutputs('SpexlensBackAttend', attributes, inputs, 3);
  },

  SpexlensMaskSlopes(native, { x, base, dy }, { positions, elements }) {
    const { binding } = native;
    const attributes = [
      whole(binding, 'positions', Number(positions)),
      whole(binding, 'elements', Number(elements)),
      truth(binding, 'has_b', base !== undefined),
    ];
    const from = x as tf.Tensor;
    return native.executeSingleOutput('SpexlensBlendSlopes', attributes, [from, base ?? from, dy as tf.Tensor]);
  },
};
