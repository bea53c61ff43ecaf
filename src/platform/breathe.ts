/** A pause in which signals, timers and drawing get their turn. */

/** Resolves once the event loop went round. */
export function breathe(): Promise<void> {
  const { setImmediate } = globalThis as { readonly setImmediate?: (then: () => void) => void };
  return new Promise((resolve) => {
    if (setImmediate !== undefined) {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel(); // a timer waits 4 ms where they are nested
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
