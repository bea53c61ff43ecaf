/** The time a section has: it asks before each step whether there is enough left, and says when it left something out. */
export interface Clock {
  /** Whether `seconds` more fit; once false, the section counts as cut. */
  has(seconds: number): boolean;
  readonly cut: boolean;
}

export function startClock(seconds: number, now: () => number = () => performance.now()): Clock {
  const end = now() + 1000 * seconds;
  let cut = false;
  return {
    has(more) {
      const fits = now() + 1000 * more <= end;
      if (!fits) cut = true;
      return fits;
    },
    get cut() {
      return cut;
    },
  };
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];
