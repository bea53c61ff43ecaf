/**
 * Reverse mode over TensorFlow.js's tape: which tensors a result depends on, and its gradient with respect to them.
 *
 * tf.grad keeps what the forward pass saved and every gradient until it ends, cannot be asked about a tensor in between, and
 * loses what it saved when something throws. Here a gradient is freed as soon as the operation before has it, what the forward pass saved goes with
 * the operation that saved it, only operations that lead to what is asked for run at all, and `see` may read or replace a gradient on its way.
 * The tape itself (tfjs-core 4.22: startTape, endTape, state.activeTape) is what tf.grad records on.
 */
import * as tf from '@tensorflow/tfjs-core';
import { withOurGradients } from '../backend/gradients/register.ts';
import { fail } from '../errors.ts';
import { withFixedParameters } from '../model/forward/fused.ts';

interface TapeNode {
  readonly kernelName: string;
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly outputs: readonly tf.Tensor[];
  readonly saved?: readonly tf.Tensor[];
  readonly gradient?: (dys: readonly (tf.Tensor | null)[]) => Readonly<Record<string, () => tf.Tensor>>;
}

/** The parts of the tfjs-core 4.22 engine that are used. */
interface Engine {
  readonly state: { activeTape: TapeNode[] | null; readonly gradientDepth: number };
  startTape(): void;
  endTape(): void;
}

export interface Recording<T> {
  readonly value: T;
  /**
   * The gradients of `y`, summed over its entries, with respect to `sources`, tensors that took part in the recording, in order;
   * undefined for one on which y does not depend. The caller owns them. May be called once; frees what was saved.
   * `see` hears of the gradient of every tensor of `watched` once it is complete, before it goes on to what that was made
   * from, and may return another of its shape.
   */
  gradients(
    y: tf.Tensor,
    sources: readonly tf.Tensor[],
    watched?: ReadonlyMap<number, (gradient: tf.Tensor) => tf.Tensor | void>,
  ): (tf.Tensor | undefined)[];
  /** Frees what was saved, if gradients() was not called. */
  [Symbol.dispose](): void;
}

/** Runs `f`, in which parameters are constants, and records what it does. What f returns is the caller's. @throws what f throws, with nothing left behind. */
export function record<T extends tf.TensorContainer>(f: () => T): Recording<T> {
  const engine = tf.engine() as unknown as Engine;
  if (engine.state.gradientDepth > 0)
    throw fail('input', 'gradients', 'are being taken already; gradients of gradients are not supported.');
  engine.startTape();
  const tape = engine.state.activeTape as TapeNode[];
  const forget = (): void => {
    for (const node of tape.splice(0)) tf.dispose([...(node.saved ?? [])]);
  };
  let value: T;
  try {
    value = withOurGradients(() => withFixedParameters(() => tf.tidy(f)));
  } catch (error) {
    forget();
    throw error;
  } finally {
    engine.endTape();
    engine.state.activeTape = null;
  }
  return {
    value,
    gradients(y, sources, watched = new Map()) {
      try {
        return walkBack(tape, y, sources, watched);
      } finally {
        forget();
      }
    },
    [Symbol.dispose]: forget,
  };
}

function walkBack(
  tape: TapeNode[],
  y: tf.Tensor,
  sources: readonly tf.Tensor[],
  watched: ReadonlyMap<number, (gradient: tf.Tensor) => tf.Tensor | void>,
): (tf.Tensor | undefined)[] {
  const wanted = new Set(sources.map(({ id }) => id));
  const varying = reached(tape, wanted);
  const gradients = new Map<number, tf.Tensor>(); // owned, by id of the tensor
  const put = (id: number, gradient: tf.Tensor): void => {
    const before = gradients.get(id);
    const sum = before === undefined ? tf.keep(tf.clone(gradient)) : tf.keep(tf.tidy(() => tf.add(before, gradient)));
    before?.dispose();
    gradients.set(id, sum);
  };
  const finished = new Set<number>();
  const finish = (tensor: tf.Tensor): void => {
    const gradient = gradients.get(tensor.id);
    if (gradient === undefined || finished.has(tensor.id)) return;
    finished.add(tensor.id);
    const other = watched.get(tensor.id)?.(gradient);
    if (other === undefined || other === gradient) return;
    gradients.set(tensor.id, tf.keep(tf.clone(other)));
    gradient.dispose();
  };
  try {
    tf.tidy(() => {
      if (varying.has(y.id)) put(y.id, tf.ones(y.shape));
      for (let node = tape.pop(); node !== undefined; node = tape.pop()) {
        const last = node;
        try {
          if (last.outputs.some(({ id }) => gradients.has(id)))
            tf.tidy(() => step(last, varying, gradients, put, finish));
        } finally {
          tf.dispose([...(last.saved ?? [])]);
        }
        for (const { id } of last.outputs) {
          if (wanted.has(id)) continue;
          gradients.get(id)?.dispose();
          gradients.delete(id);
        }
      }
      for (const source of sources) tf.tidy(() => finish(source));
    });
    return sources.map(({ id }) => {
      const gradient = gradients.get(id);
      return gradient === undefined ? undefined : tf.clone(gradient);
    });
  } finally {
    tf.dispose([...gradients.values()]);
  }
}

/** Operations of which only the shape of an input matters. */
const CONSTANT = new Set(['OnesLike', 'ZerosLike']);

/** Ids of the tensors that vary with the sources. What is not of float32 (an index, a comparison) does not vary. */
function reached(tape: readonly TapeNode[], sources: ReadonlySet<number>): ReadonlySet<number> {
  const varying = new Set(sources);
  for (const { kernelName, inputs, outputs } of tape) {
    if (CONSTANT.has(kernelName) || !Object.values(inputs).some(({ id }) => varying.has(id))) continue;
    for (const { id, dtype } of outputs) if (dtype === 'float32') varying.add(id);
  }
  return varying;
}

/** One operation backwards. */
function step(
  node: TapeNode,
  varying: ReadonlySet<number>,
  gradients: ReadonlyMap<number, tf.Tensor>,
  put: (id: number, gradient: tf.Tensor) => void,
  finish: (tensor: tf.Tensor) => void,
): void {
  for (const output of node.outputs) finish(output);
  const inputs = Object.entries(node.inputs).filter(([, { id }]) => varying.has(id));
  if (inputs.length === 0) return;
  if (node.gradient === undefined)
    throw fail(
      'input',
      'gradients',
      `the operation ${node.kernelName} has none, and the result depends on it; use operations that have, or keep it off the way with tf.customGrad.`,
    );
  const closures = node.gradient(node.outputs.map(({ id }) => gradients.get(id) ?? null));
  for (const [name, input] of inputs) {
    const gradient = closures[name]?.();
    if (gradient === undefined)
      throw fail('input', 'gradients', `the operation ${node.kernelName} has none for its input ${name}.`);
    put(input.id, gradient);
  }
}
