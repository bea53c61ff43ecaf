/** Adam on plain numbers: Kingma, Ba, arXiv 1412.6980, algorithm 1. */

export interface AdamOptions {
  readonly rate: number;
  readonly betas?: readonly [number, number] | undefined;
  readonly eps?: number | undefined;
}

/** One step at a time: moves `parameters` in place against `gradient`. */
export function createAdam(
  length: number,
  { rate, betas: [first, second] = [0.9, 0.999], eps = 1e-8 }: AdamOptions,
): (parameters: Float64Array, gradient: Float64Array) => void {
  const mean = new Float64Array(length);
  const square = new Float64Array(length);
  let step = 0;
  return (parameters, gradient) => {
    step++;
    for (let i = 0; i < length; i++) {
      mean[i] = first * mean[i] + (1 - first) * gradient[i];
      square[i] = second * square[i] + (1 - second) * gradient[i] ** 2;
      const root = Math.sqrt(square[i] / (1 - second ** step));
      parameters[i] -= (rate * mean[i]) / (1 - first ** step) / (root + eps);
    }
  };
}
