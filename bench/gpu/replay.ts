/**
 * Where a forward pass spends its time on the device, without timers on it: every kernel call of one batch is kept with its
 * inputs, and each different one is then run by itself, many times over, and waited for once.
 *
 * That is the time of a kernel that has the device to itself; what a pass takes beyond the sum of them is launching.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Clock } from './clock.ts';

export interface KernelTime {
  readonly name: string;
  /** Of the inputs, in order. */
  readonly shapes: string;
  readonly calls: number;
  readonly msEach: number;
}

type Inputs = Readonly<Record<string, tf.Tensor | undefined>>;
interface Engine {
  runKernel(name: string, inputs: Inputs, attrs?: Readonly<Record<string, unknown>>): tf.Tensor | tf.Tensor[];
}
interface Call {
  readonly name: string;
  readonly shapes: string;
  readonly inputs: Record<string, tf.Tensor> | tf.Tensor[];
  readonly attrs: Readonly<Record<string, unknown>>;
  calls: number;
}

const LEAST_MS = 15;
const FREE = new Set(['Identity', 'Reshape']);

/** `work` is one forward pass of a batch (or a few). By total time, longest first. */
export async function replay(work: () => Promise<unknown>, clock: Clock): Promise<KernelTime[]> {
  const calls = await record(work);
  try {
    const times: KernelTime[] = [];
    for (const call of calls) {
      if (!clock.has(0.5)) break;
      await timed(call, 1);
      const once = await timed(call, 4);
      const repeats = Math.min(200, Math.max(10, Math.ceil((4 * LEAST_MS) / Math.max(once, 0.1))));
      const [few, many] = [await timed(call, repeats), await timed(call, 2 * repeats)];
      times.push({
        name: call.name,
        shapes: call.shapes,
        calls: call.calls,
        msEach: Math.max(many - few, many / 4) / repeats, // the difference leaves the readback out, if it is no noise
      });
    }
    return times.sort((a, b) => b.calls * b.msEach - a.calls * a.msEach);
  } finally {
    tf.dispose(calls.map(({ inputs }) => inputs));
  }
}

async function timed({ name, inputs, attrs }: Call, times: number): Promise<number> {
  const started = performance.now();
  let last: tf.Tensor | undefined;
  for (let t = 0; t < times; t++) {
    last?.dispose();
    const out = tf.engine().runKernel(name, inputs as Record<string, tf.Tensor>, { ...attrs } as tf.NamedAttrMap);
    last = (Array.isArray(out) ? out[0] : out) as tf.Tensor;
  }
  const flat = tf.tidy(() => tf.slice(tf.reshape(last as tf.Tensor, [-1]), [0], [1]));
  await flat.data();
  tf.dispose([last as tf.Tensor, flat]);
  return performance.now() - started;
}

async function record(work: () => Promise<unknown>): Promise<Call[]> {
  const engine = tf.engine() as unknown as Engine;
  const run = engine.runKernel.bind(engine);
  const calls = new Map<string, Call>();
  let depth = 0;
  engine.runKernel = (name, inputs, attrs = {}) => {
    depth++;
    try {
      if (depth === 1 && !FREE.has(name)) note(calls, name, inputs, attrs);
      return run(name, inputs, attrs);
    } finally {
      depth--;
    }
  };
  try {
    await work();
  } finally {
    Reflect.deleteProperty(engine, 'runKernel');
  }
  return [...calls.values()];
}

function note(calls: Map<string, Call>, name: string, inputs: Inputs, attrs: Readonly<Record<string, unknown>>): void {
  const given = Object.entries(inputs).filter((input): input is [string, tf.Tensor] => input[1] instanceof tf.Tensor);
  const shapes = given.map(([key, tensor]) => `${key}[${tensor.shape.join()}]`).join(' ');
  const key = `${name} ${shapes} ${JSON.stringify(attrs)}`;
  const call = calls.get(key);
  if (call !== undefined) call.calls++;
  else if (given.length > 0)
    calls.set(key, {
      name,
      shapes,
      inputs: Array.isArray(inputs)
        ? given.map(([, tensor]) => tf.keep(tf.clone(tensor)))
        : Object.fromEntries(given.map(([letter, tensor]) => [letter, tf.keep(tf.clone(tensor))])),
      attrs: { ...attrs },
      calls: 1,
    });
}
