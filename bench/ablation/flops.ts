/**
 * Counting multiplications: what one whole forward pass needs, and what a computation really did.
 *
 * Only matrix products are counted, 2 FLOPs a multiply-add, as is the custom; pointwise work, norms and softmax are not.
 * Scores of masked keys count, also where an attention kernel skips them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { kvHeads, type ModelConfig } from '../../src/model/config.ts';

/**
 * FLOPs of one forward pass of one row of `length` tokens, every position and every logit:
 * 2S(d·He + 2·d·Ke + He·d) + 4·S²·He a layer for attention, 2S·d·m·(2, or 3 gated) for its MLP, 2S·d·V at the end; with narrow
 * embeddings (width w) also 2S·w·d on each side, with a masked-LM head 2S·d².
 */
export function forwardFlops(config: ModelConfig, length: number): number {
  const { nLayers, dModel: d, nHeads, dHead, dMlp, gated, embedding = {}, mlmHead, dVocabOut } = config;
  const heads = nHeads * dHead;
  const projections = 2 * length * d * (heads + 2 * kvHeads(config) * dHead + heads);
  const attention = 4 * length * length * heads; // scores and the mixing of values
  const mlp = 2 * length * d * dMlp * (gated === true ? 3 : 2);
  const width = embedding.width ?? d;
  const narrow = width === d ? 0 : 2 * 2 * length * width * d;
  const head = mlmHead === true ? 2 * length * d * d : 0;
  return nLayers * (projections + attention + mlp) + narrow + head + 2 * length * width * dVocabOut;
}

/** What a kernel did in a profiled computation. */
export interface KernelUse {
  readonly name: string;
  readonly calls: number;
  /** Milliseconds inside it, which mean something only where kernels run to their end when called (see Profile). */
  readonly ms: number;
  readonly flops: number;
}

export interface Profile {
  /** Milliseconds of the whole computation. */
  readonly ms: number;
  readonly flops: number;
  /** By time, longest first. */
  readonly kernels: readonly KernelUse[];
}

type Inputs = Readonly<Record<string, tf.Tensor | undefined>>;
type Count = (output: number, inputs: Inputs, attrs: Readonly<Record<string, unknown>>) => number;

const inner = ({ a }: Inputs, { transposeA }: Readonly<Record<string, unknown>>): number =>
  a?.shape.at(transposeA === true ? -2 : -1) ?? 0;
/** The part of the heads that is computed. */
const shareOf = (live: tf.Tensor | undefined): number =>
  live === undefined ? 1 : [...live.dataSync<'int32'>()].reduce((sum, is) => sum + is, 0) / live.size;
/** FLOPs by kernel from the number of values it gave; all others have none. */
const FLOPS: Readonly<Record<string, Count>> = {
  BatchMatMul: (output, inputs, attrs) => 2 * output * inner(inputs, attrs),
  _FusedMatMul: (output, inputs, attrs) => 2 * output * inner(inputs, attrs),
  SpexlensLinear: (output, { W }) => 2 * output * (W?.shape[0] ?? 0),
  SpexlensAttention: (output, { k, live }) => 4 * output * (k?.shape[1] ?? 0) * shareOf(live),
  SpexlensToHeads: (output, { W, live }) => 2 * output * (W?.shape[0] ?? 0) * shareOf(live),
  SpexlensFromHeads: (output, { W, live }) => 2 * output * (W?.shape[0] ?? 0) * shareOf(live),
};
/** Kernels that are mostly a matrix product. */
export const MATMUL_KERNELS: readonly string[] = Object.keys(FLOPS);

/** The part of the tfjs-core 4.22 engine that every operation goes through. */
interface Engine {
  runKernel(name: string, inputs: Inputs, attrs?: Readonly<Record<string, unknown>>): tf.Tensor | tf.Tensor[];
}

/** Runs `work` and counts every kernel that TensorFlow.js runs meanwhile in this thread. */
export async function profile(work: () => Promise<unknown>): Promise<Profile> {
  const engine = tf.engine() as unknown as Engine;
  const run = engine.runKernel.bind(engine); // the class's own: `engine` has no such property of itself
  const uses = new Map<string, { calls: number; ms: number; flops: number }>();
  let depth = 0;
  engine.runKernel = (name, inputs, attrs) => {
    const started = performance.now();
    depth++;
    try {
      const result = run(name, inputs, attrs);
      if (depth > 1) return result; // inside another kernel, which counts whole
      const use = uses.get(name) ?? { calls: 0, ms: 0, flops: 0 };
      use.calls++;
      use.ms += performance.now() - started;
      use.flops += Object.hasOwn(FLOPS, name)
        ? FLOPS[name]((Array.isArray(result) ? result[0] : result).size, inputs, attrs ?? {})
        : 0;
      uses.set(name, use);
      return result;
    } finally {
      depth--;
    }
  };
  const started = performance.now();
  try {
    await work();
  } finally {
    Reflect.deleteProperty(engine, 'runKernel');
  }
  const kernels = [...uses].map(([name, use]) => ({ name, ...use })).sort((a, b) => b.ms - a.ms);
  return { ms: performance.now() - started, flops: kernels.reduce((sum, { flops }) => sum + flops, 0), kernels };
}

/** The part of a profile's time outside matrix products. */
export function shareOutside({ ms, kernels }: Profile): number {
  const inside = kernels
    .filter(({ name }) => MATMUL_KERNELS.includes(name))
    .reduce((sum, kernel) => sum + kernel.ms, 0);
  return 1 - inside / ms;
}
