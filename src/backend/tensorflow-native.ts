/** The tensorflow backend as our kernels see it: its binding, attributes of operations, and which operations its addon has. */
import * as tf from '@tensorflow/tfjs-core';

/** What is used here of the backend that @tensorflow/tfjs-node-gpu 4.22 registers. */
export interface NodeBackend {
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

export interface Binding
  extends Readonly<
    Record<'TF_ATTR_TYPE' | 'TF_ATTR_BOOL' | 'TF_ATTR_INT' | 'TF_ATTR_FLOAT' | 'TF_FLOAT' | 'TF_INT32', number>
  > {
  createTensor(shape: readonly number[], dtype: number, values: Float32Array | Int32Array): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): ArrayLike<number>;
  executeOp(
    name: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
  ): { readonly id: number }[];
}

export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean;
}

export type Inputs = Readonly<Record<string, tf.Tensor | undefined>>;
export type Attrs = Readonly<Record<string, string | number>>;

export type Kernel = (native: NodeBackend, inputs: Inputs, attrs: Attrs) => tf.Tensor | tf.Tensor[];

/** In the order of kernels.cc. */
const ACTIVATIONS = ['none', 'relu', 'silu', 'gelu', 'gelu_new'];

/** Whether the addon was built with an operation of kernels.cc (that of an older version lacks some): tries it on one number. */
export function hasOperation(binding: Binding, name: string, inputs: number, outputs: number): boolean {
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

/** Whether the addon was built with attention along paths: tries it on one query. */
export function hasPaths(binding: Binding): boolean {
  const ids = [
    binding.createTensor([1, 1, 1, 1], binding.TF_FLOAT, new Float32Array(1)),
    binding.createTensor([1, 1], binding.TF_INT32, new Int32Array(1)),
    binding.createTensor([1, 4], binding.TF_INT32, Int32Array.of(0, 0, 1, 0)),
  ];
  const [one, path, span] = ids;
  try {
    ids.push(binding.executeOp('SpexlensAttendPaths', [], [one, one, one, path, span, path], 1)[0].id);
    return true;
  } catch {
    return false;
  } finally {
    for (const id of ids) binding.deleteTensor(id);
  }
}

export const truth = ({ TF_ATTR_BOOL }: Binding, name: string, value: boolean): Attribute => ({
  name,
  type: TF_ATTR_BOOL,
  value,
});
export const activationOf = (binding: Binding, activation: unknown): Attribute =>
  whole(binding, 'activation', ACTIVATIONS.indexOf(activation as string));
export const whole = ({ TF_ATTR_INT }: Binding, name: string, value: number): Attribute => ({
  name,
  type: TF_ATTR_INT,
  value,
});
export const number = ({ TF_ATTR_FLOAT }: Binding, name: string, value: string | number | undefined): Attribute => ({
  name,
  type: TF_ATTR_FLOAT,
  value: Number(value),
});
export const float32 = ({ TF_ATTR_TYPE, TF_FLOAT }: Binding): Attribute => ({
  name: 'T',
  type: TF_ATTR_TYPE,
  value: TF_FLOAT,
});
