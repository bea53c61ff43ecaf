/** A progress bar with a rate on a terminal; silence elsewhere. */
import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  readonly update: (progress: { readonly stage: string; readonly done: number; readonly total: number }) => void;
  readonly stop: () => void;
}

export function createProgress(stream: NodeJS.WriteStream): Progress {
  if (!stream.isTTY) return { update: () => {}, stop: () => {} };
  let bar: SingleBar | undefined;
  let stage = '';
  let started = 0;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    stop,
    update(progress) {
      if (progress.stage !== stage || bar === undefined) {
        stop();
        stage = progress.stage;
        started = performance.now();
        bar = new SingleBar(
          {
            stream,
            format: `{stage} {bar} {value}/{total}  {rate}/s`,
            hideCursor: true,
            clearOnComplete: true,
            barsize: 30,
          },
          Presets.shades_classic,
        );
        bar.start(progress.total, 0, { stage: stage.padEnd(24), rate: '-' });
      }
      const rate = progress.done / Math.max(1e-3, (performance.now() - started) / 1000);
      bar.update(progress.done, { stage: stage.padEnd(24), rate: rate.toFixed(0) });
      if (progress.done >= progress.total) stop();
    },
  };
}
