import { expect } from 'vitest';

interface CloseMatchers<R> {
  /** Every |actual_i - expected_i| <= tolerance · max(1, |expected_i|). */
  toBeAllClose(expected: ArrayLike<number>, tolerance: number): R;
}
declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type
  interface Matchers<T = any> extends CloseMatchers<T> {}
}

expect.extend({
  toBeAllClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number) {
    let worst = 0;
    let at = -1;
    for (let i = 0; i < expected.length; i++) {
      const error = Math.abs(actual[i] - expected[i]) / Math.max(1, Math.abs(expected[i]));
      if (!(error <= worst)) {
        worst = error;
        at = i;
      }
    }
    const pass = actual.length === expected.length && worst <= tolerance;
    return {
      pass,
      message: () =>
        actual.length !== expected.length
          ? `lengths differ: ${actual.length} and ${expected.length}`
          : `largest relative error ${worst} at ${at} (${actual[at]} for ${expected[at]}), tolerance ${tolerance}`,
    };
  },
});
