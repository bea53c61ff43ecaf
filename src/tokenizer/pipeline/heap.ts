/** A binary heap: push any, pop the one that comes before all others. */
export interface Heap<T> {
  push(value: T): void;
  pop(): T | undefined;
}

export function createHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  const values: T[] = [];
  return {
    push: (value) => {
      let at = values.push(value) - 1;
      for (; at > 0; ) {
        const parent = (at - 1) >> 1;
        if (!before(value, values[parent])) break;
        values[at] = values[parent];
        at = parent;
      }
      values[at] = value;
    },
    pop: () => {
      const top = values[0];
      const last = values.pop();
      if (last === undefined || values.length === 0) return top;
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= values.length) break;
        if (child + 1 < values.length && before(values[child + 1], values[child])) child++;
        if (!before(values[child], last)) break;
        values[at] = values[child];
        at = child;
      }
      values[at] = last;
      return top;
    },
  };
}
