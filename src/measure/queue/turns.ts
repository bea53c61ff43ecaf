/** One at a time, first come first served. */
export interface Turns {
  /** Waits for its turn; what it resolves to ends it. Rejects when the signal fires first. */
  next(signal: AbortSignal): Promise<() => void>;
}

export function createTurns(): Turns {
  let last: Promise<void> = Promise.resolve();
  return {
    async next(signal) {
      const before = last;
      let end = (): void => undefined;
      last = new Promise((resolve) => (end = resolve));
      let stop = (): void => undefined;
      try {
        await new Promise<void>((resolve, reject) => {
          stop = () => reject(new Error('stopped'));
          if (signal.aborted) stop();
          else signal.addEventListener('abort', stop, { once: true });
          void before.then(resolve);
        });
      } catch (error) {
        void before.then(end); // whoever comes next waits for those before, not for this one
        throw error;
      } finally {
        signal.removeEventListener('abort', stop);
      }
      return end;
    },
  };
}
