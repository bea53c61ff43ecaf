/** The other end of tune-threads.ts: a thread that runs the pairs it is sent, one after another. */
import { parentPort, workerData } from '../../platform/threads.ts';
import { pairSpace, runPair, type PairInput, type PairTask } from './tune-pair.ts';

const input = workerData as PairInput;
const space = pairSpace(input);

parentPort?.on('message', ({ pair, task }: { readonly pair: number; readonly task: PairTask }) => {
  void runPair(space, input, task, async (share) => parentPort?.postMessage({ pair, share })).then(
    (result) => parentPort?.postMessage({ pair, result }),
    (error: unknown) =>
      parentPort?.postMessage({ pair, error: error instanceof Error ? error.message : String(error) }),
  );
});
parentPort?.postMessage({ ready: true });
