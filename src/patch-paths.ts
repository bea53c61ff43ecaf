/**
 * Path patching over senders: what the metric becomes when one part reaches some others as it was in another run, and reaches
 * nothing else.
 */
import type { Backend } from './backend/backend.ts';
import type { OpenedLog } from './find-circuits.ts';
import { openLedger } from './ledger.ts';
import { parsePlayers } from './lens/components/components.ts';
import { createPathGame, parseReceivers } from './lens/components/path-game.ts';
import { allButOne } from './masks.ts';
import { identifyModel } from './model/identity.ts';
import type { Model } from './model/model.ts';
import { inNotebook } from './notebook/progress-line.ts';
import { endsOf, patchedRuns, recordOfRuns, type PatchedRuns } from './patched-runs.ts';
import type { PatchAxis, PatchRecord } from './report/patch-record.ts';
import type { OwnStudy } from './study.ts';

/** Two runs, who sends, and who receives. */
export interface PathPatchOptions extends PatchedRuns {
  /** Heads or MLPs, each on its own. Default 'heads'. */
  readonly senders?: 'heads' | 'mlps' | undefined;
  /** Who reads: `L9H6.q,L9H9.q` (k, v), `MLP10`, all of them at once; or `logits`. */
  readonly receivers: string;
  /** Only the way straight from a sender to a receiver: MLPs between them are closed too. */
  readonly direct?: true | undefined;
  readonly layers?: readonly number[] | undefined;
  readonly openLog?: ((study: OwnStudy) => Promise<OpenedLog> | OpenedLog) | undefined;
}

/**
 * The metric with every sender in turn patched into the receivers alone, by layer and head.
 *
 * @example const paths = await patchPaths(model, backend, { clean, corrupted, correct: ' Mary', incorrect: ' John', receivers: 'L9H6.q,L9H9.q' });
 * @throws 'input' as patchSweep, and for parts that cannot send or receive; 'aborted'.
 */
export function patchPaths(
  model: Model,
  backend: Pick<Backend, 'name'>,
  options: PathPatchOptions,
): Promise<PatchRecord> {
  return inNotebook(options, (told) => patch(model, backend, told));
}

async function patch(model: Model, backend: Pick<Backend, 'name'>, options: PathPatchOptions): Promise<PatchRecord> {
  const { senders: kind = 'heads', receivers, direct, layers, openLog, signal, batchSize } = options;
  const runs = patchedRuns(model, options);
  const { metric, tasks } = runs;
  const senders = parsePlayers(kind, model.config, { layers });
  const started = performance.now();
  const game = createPathGame(model, {
    senders,
    receivers: parseReceivers(receivers, model),
    tasks,
    metric,
    direct,
    batchSize,
  });
  let log: OpenedLog | undefined;
  let done = 0;
  try {
    log =
      openLog &&
      (await openLog({
        players: senders.map(({ name }) => name),
        receivers,
        direct: direct === true,
        model: await identifyModel(model),
        backend: backend.name,
        metric: metric.name,
        prompts: tasks.map(({ tokens, corrupted, correct = null, incorrect = null }) => ({
          tokens,
          corrupted,
          correct,
          incorrect,
        })),
      }));
    const ledger = openLedger(game, log);
    const values = await ledger.value(allButOne(senders.length), {
      signal,
      onValues: (rows) =>
        options.onProgress?.({ stage: 'patching paths', done: (done += rows.length), total: senders.length }),
    });
    const rows = layers?.map(String) ?? Array.from({ length: model.config.nLayers }, (_, layer) => String(layer));
    const heads: PatchAxis = { name: 'head', labels: Array.from({ length: model.config.nHeads }, (_, h) => String(h)) };
    return {
      ...recordOfRuns(model, backend, options, runs),
      what: `${direct === true ? 'direct paths' : 'paths'} from ${kind} to ${receivers}`,
      axes: [{ name: 'layer', labels: rows }, ...(kind === 'heads' ? [heads] : [])],
      values: Array.from(values),
      ...(await endsOf(model, runs)),
      rows: ledger.measured * tasks.length,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    log?.close();
    game[Symbol.dispose]();
  }
}
