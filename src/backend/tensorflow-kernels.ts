/**
 * The tensorflow backend's kernels beside TensorFlow.js's: linear layers, norms, attention and gates of a transformer.
 *
 * Products are TensorFlow's own MatMul; what stands between them runs in operations of ours (Spexlens...), written in C++
 * and compiled into the addon by scripts/install-tensorflow.ts (its kernels.cc). An addon that the package brought itself
 * lacks them, and on a GPU they do not exist: then nothing is registered and the forward pass takes stock operations.
 * Kernels are reached by name and know nothing of models; what each takes is said in model/fused.ts.
 */
import * as tf from '@tensorflow/tfjs-core';

/** What is used here of the backend that @tensorflow/tfjs-node-gpu 4.22 registers. */
interface NodeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: Binding;
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
  executeSingleOutput(name: string, attributes: readonly Attribute[], inputs: readonly tf.TensorInfo[]): tf.Tensor;
  executeMultipleOutputs(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly tf.TensorInfo[],
    outputs: number,
  ): tf.Tensor[];
}

interface Binding
  extends Readonly<Record<'TF_ATTR_TYPE' | 'TF_ATTR_BOOL' | 'TF_ATTR_INT' | 'TF_ATTR_FLOAT' | 'TF_FLOAT', number>> {
  createTensor(shape: readonly number[], dtype: number, values: Float32Array): number;
  deleteTensor(id: number): void;
  executeOp(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
  ): { readonly id: number }[];
}

interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean;
}

type Inputs = Readonly<Record<string, tf.Tensor | undefined>>;
type Attrs = Readonly<Record<string, string | number>>;

/** In the order of kernels.cc. */
const ACTIVATIONS = ['none', 'relu', 'silu', 'gelu', 'gelu_new'];

/** Registers the kernels where the addon has the operations, and says whether it has. The backend need not be the current one. */
export function registerTensorflowKernels(backend: unknown): boolean {
  const native = backend as NodeBackend;
  if (native.isUsingGpuDevice || !hasOperation(native.binding, 'SpexlensFinish', 3, 0)) return false;
  const all = hasOperation(native.binding, 'SpexlensBackActivate', 2, 1) ? { ...KERNELS, ...BACK_KERNELS } : KERNELS;
  for (const [kernelName, kernel] of Object.entries(all)) {
    if (tf.getKernel(kernelName, 'tensorflow') != null) continue;
    tf.registerKernel({
      kernelName,
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, attrs }) => kernel(native, inputs as unknown as Inputs, attrs as unknown as Attrs),
    });
  }
  return true;
}

/** Leaves the tensorflow backend with TensorFlow.js's kernels only. */
export function unregisterTensorflowKernels(): void {
  for (const name of Object.keys({ ...KERNELS, ...BACK_KERNELS }))
    if (tf.getKernel(name, 'tensorflow') != null) tf.unregisterKernel(name, 'tensorflow');
}

/** Whether the addon was built with an operation of kernels.cc (that of an older version lacks some): tries it on one number. */
function hasOperation(binding: Binding, name: string, inputs: number, outputs: number): boolean {
  const one = binding.createTensor([1], binding.TF_FLOAT, new Float32Array(1));
  try {
    const made = binding.executeOp(
      name,
      [],
      Array.from({ length: inputs }, () => one),
      outputs,
    );
    for (const { id } of made) binding.deleteTensor(id);
    return true;
  } catch {
    return false;
  } finally {
    binding.deleteTensor(one);
  }
}

type Kernel = (native: NodeBackend, inputs: Inputs, attrs: Attrs) => tf.Tensor | tf.Tensor[];

const KERNELS: Readonly<Record<string, Kernel>> = {
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

  SpexlensAttention(native, { q, k, v, mask }, { scale, softcap }) {
    const { binding } = native;
    const attributes = [
      number(binding, 'scale', scale),
      number(binding, 'softcap', softcap),
      truth(binding, 'has_b', mask !== undefined),
    ];
    return native.executeSingleOutput('SpexlensAttend', attributes, [
      q as tf.Tensor,
      k as tf.Tensor,
      v as tf.Tensor,
      mask ?? (q as tf.Tensor),
    ]);
  },

  SpexlensGate(native, { gate, up }, { activation }) {
    return native.executeSingleOutput(
      'SpexlensGated',
      [activationOf(native.binding, activation)],
      [gate as tf.Tensor, up as tf.Tensor],
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

const truth = ({ TF_ATTR_BOOL }: Binding, name: string, value: boolean): Attribute => ({
  name,
  type: TF_ATTR_BOOL,
  value,
});
const activationOf = (binding: Binding, activation: unknown): Attribute =>
  whole(binding, 'activation', ACTIVATIONS.indexOf(activation as string));
const whole = ({ TF_ATTR_INT }: Binding, name: string, value: number): Attribute => ({
  name,
  type: TF_ATTR_INT,
  value,
});
const number = ({ TF_ATTR_FLOAT }: Binding, name: string, value: string | number | undefined): Attribute => ({
  name,
  type: TF_ATTR_FLOAT,
  value: Number(value),
});
const float32 = ({ TF_ATTR_TYPE, TF_FLOAT }: Binding): Attribute => ({
  name: 'T',
  type: TF_ATTR_TYPE,
  value: TF_FLOAT,
});
