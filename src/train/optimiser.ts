/**
 * One step of an optimiser on K models at once, and its adjoint.
 *
 * SGD (with momentum, and weight decay added to the gradient) and AdamW (decoupled decay; Loshchilov, Hutter, ICLR 2019), as
 * PyTorch has them. The adjoint takes the derivatives of some number with respect to the state after a step to those with respect
 * to the state before it and to the step's gradient (Maclaurin, Duvenaud, Adams, ICML 2015, "Gradient-based hyperparameter
 * optimization through reversible learning", without the reversing: states are kept).
 */
import * as tf from '@tensorflow/tfjs-core';
import { fail } from '../errors.ts';

export type Optimiser =
  | {
      readonly kind: 'sgd';
      readonly learningRate: number;
      readonly momentum?: number | undefined;
      readonly weightDecay?: number | undefined;
    }
  | {
      readonly kind: 'adamw';
      readonly learningRate: number;
      readonly betas?: readonly [number, number] | undefined;
      readonly eps?: number | undefined;
      readonly weightDecay?: number | undefined;
    };

/** Parameters, then what the optimiser remembers; each [K, P]. */
export type State = readonly tf.Tensor2D[];

export interface Stepper {
  /** Tensors of a state. */
  readonly tensors: number;
  /** Whether the adjoint reads the state and the gradient. */
  readonly remembers: boolean;
  /** The state after step `t` (from 0) at rate `rate` times the learning rate. A pure operation: borrows, returns fresh tensors. */
  step(state: State, gradient: tf.Tensor2D, t: number, rate: number): tf.Tensor2D[];
  /**
   * From ∂f/∂(state after step t) to what does not go through the gradient of ∂f/∂(state before), and ∂f/∂gradient.
   * A pure operation; `gradient` may be anything where it does not remember.
   */
  adjoint(
    state: State,
    gradient: tf.Tensor2D,
    after: State,
    t: number,
    rate: number,
  ): { readonly before: tf.Tensor2D[]; readonly ofGradient: tf.Tensor2D };
}

export function stepperOf(optimiser: Optimiser): Stepper {
  const { kind, learningRate, weightDecay = 0 } = optimiser;
  if (!(learningRate > 0)) throw fail('input', 'learningRate', `${learningRate}; a number above 0 is needed.`);
  if (!(weightDecay >= 0)) throw fail('input', 'weightDecay', `${weightDecay}; a number >= 0 is needed.`);
  switch (kind) {
    case 'sgd':
      return sgd(learningRate, optimiser.momentum ?? 0, weightDecay);
    case 'adamw':
      return adamw(learningRate, optimiser.betas ?? [0.9, 0.999], optimiser.eps ?? 1e-8, weightDecay);
    default:
      return kind satisfies never;
  }
}

const MOMENTUM_STEP = 'SpexlensMomentumStep';

/** v' = μv + g + wd·θ, θ' = θ - η·v'. */
function sgd(learningRate: number, momentum: number, decay: number): Stepper {
  if (!(momentum >= 0 && momentum < 1)) throw fail('input', 'momentum', `${momentum}; a number in [0, 1) is needed.`);
  const decayed = (theta: tf.Tensor2D, g: tf.Tensor2D): tf.Tensor2D =>
    decay === 0 ? g : tf.add(g, tf.mul(theta, decay));
  if (momentum === 0)
    return {
      tensors: 1,
      remembers: false,
      step: ([theta], g, _t, rate) => [tf.sub(theta, tf.mul(decayed(theta, g), learningRate * rate))],
      adjoint: (_state, _g, [after], _t, rate) => {
        const ofGradient = tf.mul(after, -learningRate * rate) as tf.Tensor2D;
        return { before: [tf.add(after, tf.mul(ofGradient, decay))], ofGradient };
      },
    };
  return {
    tensors: 2,
    remembers: false,
    step([theta, velocity], g, _t, rate) {
      if (tf.getKernel(MOMENTUM_STEP, tf.getBackend()) != null)
        return tf
          .engine()
          .runKernel(
            MOMENTUM_STEP,
            { theta, velocity, gradient: g },
            { momentum, decay, rate: learningRate * rate },
          ) as unknown as tf.Tensor2D[];
      const next = tf.add(tf.mul(velocity, momentum), decayed(theta, g)) as tf.Tensor2D;
      return [tf.sub(theta, tf.mul(next, learningRate * rate)), next];
    },
    adjoint(_state, _g, [after, ofVelocity], _t, rate) {
      const ofGradient = tf.sub(ofVelocity, tf.mul(after, learningRate * rate)) as tf.Tensor2D;
      return { before: [tf.add(after, tf.mul(ofGradient, decay)), tf.mul(ofGradient, momentum)], ofGradient };
    },
  };
}

/** Below it a parameter counts as one that has not moved: its slope would overflow, and moves it by nothing. */
const LEAST_V = 1e-26;

/** m' = β₁m + (1-β₁)g, v' = β₂v + (1-β₂)g², θ' = (1 - η·wd)θ - η·m̂'/(√v̂' + ε), m̂ and v̂ with their start undone. */
function adamw(learningRate: number, [beta1, beta2]: readonly [number, number], eps: number, decay: number): Stepper {
  for (const beta of [beta1, beta2])
    if (!(beta >= 0 && beta < 1)) throw fail('input', 'betas', `${beta}; numbers in [0, 1) are needed.`);
  const moments = ([, m, v]: State, g: tf.Tensor2D): [tf.Tensor2D, tf.Tensor2D] => [
    tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1)),
    tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2)),
  ];
  return {
    tensors: 3,
    remembers: true,
    step(state, g, t, rate) {
      const [m, v] = moments(state, g);
      const root = Math.sqrt(1 - beta2 ** (t + 1));
      const size = (learningRate * rate * root) / (1 - beta1 ** (t + 1));
      // η·m̂/(√v̂ + ε), both undone at once.
      const move = tf.div(tf.mul(m, size), tf.add(tf.sqrt(v), eps * root));
      const theta = decay === 0 ? state[0] : tf.mul(state[0], 1 - learningRate * rate * decay);
      return [tf.sub(theta, move), m, v];
    },
    adjoint(state, g, [after, ofM, ofV], t, rate) {
      const [m, v] = moments(state, g);
      const root = Math.sqrt(1 - beta2 ** (t + 1));
      const size = (learningRate * rate * root) / (1 - beta1 ** (t + 1));
      const spread = tf.sqrt(v);
      const divisor = tf.add(spread, eps * root);
      const throughM = tf.sub(ofM, tf.div(tf.mul(after, size), divisor)) as tf.Tensor2D;
      // ∂/∂v of -size·m/(√v + ε'); where nothing has moved v is 0, and √ has no slope.
      const moving = tf.cast(tf.greater(v, LEAST_V), 'float32');
      const steep = tf.add(tf.mul(tf.square(divisor), spread), tf.sub(1, moving));
      const slope = tf.div(tf.mul(tf.mul(m, moving), 0.5 * size), steep);
      const throughV = tf.add(ofV, tf.mul(after, slope)) as tf.Tensor2D;
      return {
        before: [
          decay === 0 ? tf.clone(after) : tf.mul(after, 1 - learningRate * rate * decay),
          tf.mul(throughM, beta1),
          tf.mul(throughV, beta2),
        ],
        ofGradient: tf.add(tf.mul(throughM, 1 - beta1), tf.mul(tf.mul(throughV, g), 2 * (1 - beta2))),
      };
    },
  };
}
