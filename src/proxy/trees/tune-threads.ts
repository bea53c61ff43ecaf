/**
 * Pairs of depth and rate on worker threads: each takes the next pair when it is done with one.
 *
 * A thread has a copy of the masks and a kernel memory of its own. The result of a pair does not depend on where it
 * ran. Threads end with the work, also when it is stopped or one of them fails.
 */
import { startThread } from '../../platform/threads.ts';
import type { PairInput, PairResult, PairTask } from './tune-pair.ts';

type Report =
  | { readonly ready: true }
  | ({ readonly pair: number } & (
      | { readonly share: number }
      | { readonly result: PairResult }
      | { readonly error: string }
    ));

/** The results in the order of `pairs`. `onShare` hears of progress; when it throws, everything stops. */
export async function runOnThreads(
  input: PairInput,
  pairs: readonly PairTask[],
  threads: number,
  onShare: (pair: number, share: number) => Promise<void>,
): Promise<PairResult[]> {
  const workers = Array.from({ length: threads }, () =>
    startThread('./tune-worker', import.meta.url, { workerData: input }),
  );
  try {
    return await new Promise<PairResult[]>((resolve, reject) => {
      const results: PairResult[] = [];
      let next = 0;
      let open = pairs.length;
      for (const worker of workers) {
        const give = (): void => {
          if (next < pairs.length) worker.postMessage({ pair: next, task: pairs[next++] });
        };
        worker.on('error', reject);
        worker.on('message', (report: Report) => {
          if ('ready' in report) return give(); // not before: Deno drops what is sent to a thread that does not listen yet
          if ('error' in report) return reject(new Error(report.error));
          onShare(report.pair, 'share' in report ? report.share : 1).catch(reject);
          if (!('result' in report)) return;
          results[report.pair] = report.result;
          if (--open === 0) resolve(results);
          else give();
        });
      }
    });
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
