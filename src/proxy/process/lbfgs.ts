/**
 * L-BFGS with backtracking (Nocedal, Wright, Numerical Optimization, algorithms 7.4, 7.5): minimise a smooth
 * function of a few dozen parameters from its gradient.
 */

export interface Point {
  readonly value: number;
  readonly gradient: Float64Array;
}

export interface Minimum {
  readonly at: Float64Array;
  readonly value: number;
  /** Steps taken. */
  readonly steps: number;
}

const MEMORY = 10;
const HALVINGS = 25;
/** Armijo: the share of the promised decrease that a step must bring. */
const DECREASE = 1e-4;
const CONVERGED = 1e-7;

/**
 * Walks downhill from `start` for at most `maxSteps` steps. `measure` may return a value that is not finite:
 * the step is then halved.
 */
export function minimise(measure: (at: Float64Array) => Point, start: Float64Array, maxSteps: number): Minimum {
  let at: Float64Array = start.slice();
  let here = measure(at);
  const moves: { s: Float64Array; y: Float64Array; rho: number }[] = [];
  let steps = 0;
  for (; steps < maxSteps; steps++) {
    const direction = descent(here.gradient, moves);
    let slope = dot(direction, here.gradient);
    if (!(slope < 0)) {
      moves.length = 0;
      direction.set(here.gradient.map((g) => -g));
      slope = dot(direction, here.gradient);
      if (slope === 0) break;
    }
    // The first step has no scale yet: at most a tenth in any parameter.
    let length =
      moves.length === 0 ? Math.min(1, 0.1 / direction.reduce((most, d) => Math.max(most, Math.abs(d)), 0)) : 1;
    let next: Float64Array | undefined;
    let there = here;
    for (let tries = 0; tries < HALVINGS && next === undefined; tries++, length /= 2) {
      const candidate = at.map((x, i) => x + length * direction[i]);
      there = measure(candidate);
      if (there.value <= here.value + DECREASE * length * slope) next = candidate;
    }
    if (next === undefined) break;
    const s = next.map((x, i) => x - at[i]);
    const y = there.gradient.map((g, i) => g - here.gradient[i]);
    const curvature = dot(s, y);
    if (curvature > 1e-12 * dot(y, y)) {
      moves.push({ s, y, rho: 1 / curvature });
      if (moves.length > MEMORY) moves.shift();
    }
    const gained = here.value - there.value;
    at = next;
    here = there;
    if (gained < CONVERGED * Math.max(1, Math.abs(here.value))) {
      steps++;
      break;
    }
  }
  return { at, value: here.value, steps };
}

/** -H·gradient by the two-loop recursion. */
function descent(
  gradient: Float64Array,
  moves: readonly { s: Float64Array; y: Float64Array; rho: number }[],
): Float64Array {
  const q = gradient.map((g) => -g);
  const weights: number[] = [];
  for (let k = moves.length - 1; k >= 0; k--) {
    const { s, y, rho } = moves[k];
    weights[k] = rho * dot(s, q);
    for (let i = 0; i < q.length; i++) q[i] -= weights[k] * y[i];
  }
  const last = moves.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    for (let i = 0; i < q.length; i++) q[i] *= scale;
  }
  moves.forEach(({ s, y, rho }, k) => {
    const back = rho * dot(y, q);
    for (let i = 0; i < q.length; i++) q[i] += (weights[k] - back) * s[i];
  });
  return q;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
