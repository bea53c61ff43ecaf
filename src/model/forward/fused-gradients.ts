/**
 * The gradients of the kernels of our own with respect to activations: what each holds for the way back, and how its inputs'
 * gradients come from its result's. Where the backend has a kernel for the way back it is taken, else stock operations.
 *
 * Nothing is held that can be had otherwise: a linear layer holds nothing at all, attention its queries, keys and values but not the pattern.
 */
import * as tf from '@tensorflow/tfjs-core';
import { hasKernel, runKernel, type FusedName, type PointwiseActivation } from './fused-kernels.ts';

/** By input, what makes its gradient; run at most once each, inside tf.tidy. */
export type Closures = Record<string, () => tf.Tensor>;

export interface Passed {
  readonly dy: tf.Tensor;
  /** The inputs that were saved. */
  readonly of: Readonly<Record<string, tf.Tensor>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly attrs: Readonly<Record<string, unknown>>;
}

export interface FusedGradient {
  /** Inputs to hold. */
  readonly saves: readonly string[];
  readonly gradient: (passed: Passed) => Closures;
}

/**
 * Several gradients that are made together, on the first demand of one; and again where those that were not asked for are gone by then, as
 * tf.grads tidies after each.
 */
function together(inputs: readonly string[], make: () => readonly tf.Tensor[]): Closures {
  let made: readonly tf.Tensor[] | undefined;
  const one = (i: number): tf.Tensor => {
    if (made === undefined || made[i].isDisposed) made = make();
    return made[i];
  };
  return Object.fromEntries(inputs.map((input, i) => [input, () => one(i)]));
}

/** dy [..., c] of a product with W [a, c] -> [..., a]. */
function backLinear(dy: tf.Tensor, W: tf.Tensor): tf.Tensor {
  if (hasKernel('SpexlensBackLinear')) return runKernel('SpexlensBackLinear', { dy, W }, {}) as tf.Tensor;
  const flat = tf.reshape(dy, [-1, W.shape[1] as number]);
  // On wasm a transposed operand takes a naive loop.
  const dx =
    tf.getBackend() === 'wasm' ? tf.matMul(flat, tf.transpose(W)) : tf.matMul(flat, W as tf.Tensor2D, false, true);
  return tf.reshape(dx, [...dy.shape.slice(0, -1), W.shape[0]]);
}

/** dy [rows..., c], summed onto a residual of fewer rows, of which row r went to rows r, r + n, ... */
function ontoResidual(dy: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const size = tf.util.sizeFromShape([...shape]);
  const sum = size === dy.size ? dy : tf.sum(tf.reshape(dy, [dy.size / size, size]), 0);
  return tf.reshape(sum, [...shape]);
}

/** g = dy·w, x̂ the normed x: dx = (g - mean g - x̂ · mean(g x̂)) / scale, the first mean only where x was centred. */
function backNorm(x: tf.Tensor, w: tf.Tensor | undefined, dy: tf.Tensor, attrs: Passed['attrs']): tf.Tensor {
  const { kind, eps, offset } = attrs as { kind: 'layer' | 'rms'; eps: number; offset: number };
  if (hasKernel('SpexlensBackNorm'))
    return runKernel('SpexlensBackNorm', { x, w, dy }, { kind, eps, offset }) as tf.Tensor;
  const centred = kind === 'rms' ? x : tf.sub(x, tf.mean(x, -1, true));
  const scale = tf.sqrt(tf.add(tf.mean(tf.square(centred), -1, true), eps));
  const normed = tf.div(centred, scale);
  const g = w === undefined ? dy : tf.mul(dy, offset === 0 ? w : tf.add(w, offset));
  const along = tf.mul(normed, tf.mean(tf.mul(g, normed), -1, true));
  const rest = kind === 'rms' ? g : tf.sub(g, tf.mean(g, -1, true));
  return tf.div(tf.sub(rest, along), scale);
}

/** act'(x). */
function slopeOf(x: tf.Tensor, activation: PointwiseActivation): tf.Tensor {
  switch (activation) {
    case 'relu':
      return tf.step(x);
    case 'silu': {
      const s = tf.sigmoid(x);
      return tf.add(s, tf.mul(tf.mul(x, s), tf.sub(1, s)));
    }
    case 'gelu': {
      const below = tf.add(tf.mul(tf.erf(tf.mul(x, Math.SQRT1_2)), 0.5), 0.5);
      return tf.add(below, tf.mul(tf.mul(x, tf.exp(tf.mul(tf.square(x), -0.5))), 1 / Math.sqrt(2 * Math.PI)));
    }
    case 'gelu_new': {
      const [first, third] = [Math.sqrt(8 / Math.PI), 0.044715 * Math.sqrt(8 / Math.PI)];
      const square = tf.square(x);
      const s = tf.sigmoid(tf.mul(x, tf.add(tf.mul(square, third), first)));
      const inner = tf.add(tf.mul(square, 3 * third), first);
      return tf.add(s, tf.mul(tf.mul(tf.mul(x, s), tf.sub(1, s)), inner));
    }
    default:
      return activation satisfies never;
  }
}

function act(x: tf.Tensor, activation: PointwiseActivation): tf.Tensor {
  if (hasKernel('SpexlensActivation')) return runKernel('SpexlensActivation', { x }, { activation });
  return runKernel('SpexlensGate', { gate: x, up: tf.onesLike(x) }, { activation });
}

/** dq, dk, dv by heads: P the pattern, dP = dz·vᵀ, dS = P (dP - Σ P dP), through the cap and the scale. */
function backAttention({ dy, of: { q, k, v, mask }, attrs }: Passed): tf.Tensor[] {
  const { scale, softcap } = attrs as { scale: number; softcap: number };
  if (hasKernel('SpexlensBackAttention'))
    return runKernel('SpexlensBackAttention', { q, k, v, mask, dy }, { scale, softcap }) as tf.Tensor[];
  const [batch, queries, heads, width] = q.shape as [number, number, number, number];
  const [, keys, groups] = k.shape as [number, number, number];
  const shared = heads / groups;
  /** [B, n, K·r, e] -> [B·K, r·n, e]. */
  const grouped = (x: tf.Tensor): tf.Tensor => {
    const each = (x.shape[2] as number) / groups;
    return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [batch * groups, each * (x.shape[1] as number), width]);
  };
  const back = (x: tf.Tensor, n: number, each: number): tf.Tensor =>
    tf.transpose(tf.reshape(x, [batch, groups * each, n, width]), [0, 2, 1, 3]);
  const flip = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 2, 1]);
  const [Q, K, V, dZ] = [q, k, v, dy].map(grouped);
  const raw = tf.mul(tf.matMul(Q, flip(K)), scale);
  const cap = softcap === 0 ? undefined : tf.tanh(tf.div(raw, softcap));
  const scores = tf.reshape(cap === undefined ? raw : tf.mul(cap, softcap), [batch, heads, queries, keys]);
  const P = tf.reshape(tf.softmax(mask === undefined ? scores : tf.add(scores, mask)), [
    batch * groups,
    shared * queries,
    keys,
  ]);
  const weighted = tf.mul(P, tf.matMul(dZ, flip(V)));
  const dS = tf.sub(weighted, tf.mul(P, tf.sum(weighted, -1, true)));
  const capped = cap === undefined ? dS : tf.mul(dS, tf.sub(1, tf.square(cap)));
  const scaled = tf.mul(capped, scale);
  return [
    back(tf.matMul(scaled, K), queries, shared),
    back(tf.matMul(flip(scaled), Q), keys, 1),
    back(tf.matMul(flip(P), dZ), keys, 1),
  ];
}

/** What SpexlensMaskSlopes makes, [rows, positions, elements]. */
function maskSlopes(
  x: tf.Tensor,
  base: tf.Tensor | undefined,
  dy: tf.Tensor,
  [rows, positions, elements]: readonly number[],
): tf.Tensor {
  if (hasKernel('SpexlensMaskSlopes'))
    return runKernel('SpexlensMaskSlopes', { x, base, dy }, { positions, elements }) as tf.Tensor;
  const moved = tf.mul(dy, base === undefined ? x : tf.sub(x, base));
  const [, span] = moved.shape as [number, number];
  const each = tf.sum(tf.reshape(moved, [rows * span, elements, moved.size / (rows * span * elements)]), 2);
  return positions === span
    ? tf.reshape(each, [rows, span, elements])
    : tf.sum(tf.reshape(each, [rows, span, elements]), 1, true);
}

export const FUSED_GRADIENTS: Partial<Record<FusedName, FusedGradient>> = {
  /** Without an activation: layers.ts takes that apart while gradients are taken. */
  SpexlensLinear: {
    saves: ['W'],
    gradient: ({ dy, of, shapes }) => ({
      x: () => backLinear(dy, of['W']),
      residual: () => ontoResidual(dy, shapes['residual']),
    }),
  },
  SpexlensNorm: {
    saves: ['x', 'w'],
    gradient: ({ dy, of, attrs }) => ({ x: () => backNorm(of['x'], of['w'], dy, attrs) }),
  },
  SpexlensAttention: {
    saves: ['q', 'k', 'v', 'mask'],
    gradient: (passed) => together(['q', 'k', 'v'], () => backAttention(passed)),
  },
  SpexlensActivation: {
    saves: ['x'],
    gradient: ({ dy, of: { x }, attrs }) => {
      const { activation } = attrs as { activation: PointwiseActivation };
      return {
        x: () =>
          hasKernel('SpexlensBackActivation')
            ? (runKernel('SpexlensBackActivation', { x, dy }, { activation }) as tf.Tensor)
            : tf.mul(dy, slopeOf(x, activation)),
      };
    },
  },
  SpexlensGate: {
    saves: ['gate', 'up'],
    gradient: ({ dy, of: { gate, up }, attrs }) => {
      const { activation } = attrs as { activation: PointwiseActivation };
      if (hasKernel('SpexlensBackGate'))
        return together(
          ['gate', 'up'],
          () => runKernel('SpexlensBackGate', { gate, up, dy }, { activation }) as tf.Tensor[],
        );
      return {
        gate: () => tf.mul(tf.mul(dy, up), slopeOf(gate, activation)),
        up: () => tf.mul(dy, act(gate, activation)),
      };
    },
  },
  /** The turn by the opposite angle. */
  SpexlensTurn: {
    saves: ['cos', 'sin'],
    gradient: ({ dy, of: { cos, sin }, attrs }) => ({
      x: () => runKernel('SpexlensTurn', { x: dy, cos, sin: tf.neg(sin) }, { dims: attrs['dims'] as number }),
    }),
  },
  /** For rows that stay as they are or are all made of one; not for a choice of parents. */
  SpexlensMaskRows: {
    saves: ['x', 'factors', 'base'],
    gradient: ({ dy, of: { x, factors, base }, shapes }) => ({
      x() {
        const dx = runKernel('SpexlensMaskRows', { x: dy, factors }, {});
        return x.shape[0] === dx.shape[0] ? dx : tf.sum(dx, 0, true);
      },
      factors: () => maskSlopes(x, base, dy, shapes['factors']),
    }),
  },
};
