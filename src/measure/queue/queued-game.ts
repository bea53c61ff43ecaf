/**
 * A game whose masks are measured by workers of many machines: a Game like any other, over a study and a queue.
 *
 * What is asked goes as jobs of packed masks to the study's queue; answers are told of as they come. Workers hold the model; here is
 * none. A run that is stopped takes its jobs back; one that is killed leaves answers that the next one finds.
 */
import { fail, SpexlensError, throwIfAborted } from '../../errors.ts';
import { checkPlayers, type Game, type GradientOptions, type Player } from '../../game.ts';
import { METRICS, type MetricName } from '../../lens/metrics.ts';
import { textValueOf } from '../../lens/tokens/text-values.ts';
import type { Place } from '../../place.ts';
import { processName } from '../../platform/about.ts';
import { hashStudy, type Question, type Study } from '../../study.ts';
import { VERSION } from '../../version.ts';
import type { TakePart, Wanted } from '../mask-threads.ts';
import { createAskedMasks, type Conflict } from './asked-masks.ts';
import { connectQueue, refusalOf, type ConnectOptions, type QueueAddress } from './connection.ts';
import { openJobFlow, type FlowFacts } from './job-flow.ts';
import { startQueueWorker, type QueueWorker, type QueueWorkerOptions } from './queue-worker.ts';
import { BEAT_MS, createRegistry, type AskerRecord } from './registry.ts';

/** Which queue, how large a job is, and how long to wait for somebody who measures. */
export interface QueuedGameOptions extends ConnectOptions {
  /** Hears what a user should know, one sentence each: a worker that refuses, machines that differ, an outage. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** A hub id by which workers that may use the hub find the model. */
  readonly source?: string | undefined;
  /** Work here too, beside workers elsewhere. */
  readonly local?: QueueWorkerOptions | undefined;
  /** Milliseconds that nobody may be there to measure before that is an error. Default ten minutes. */
  readonly patienceMs?: number | undefined;
}

/** A game whose values are measured by the workers of a queue. */
export interface QueuedGame extends Game {
  readonly players: readonly (Player & { readonly place: Place })[];
  /** Masks that each worker answered, by its name. */
  readonly measuredBy: ReadonlyMap<string, number>;
  /** Takes jobs back and leaves the queue. */
  [Symbol.asyncDispose](): Promise<void>;
  /** Begins that. */
  [Symbol.dispose](): void;
}

const PATIENCE_MS = 600_000;
const CLOSE_MS = 5000;
let askers = 0;

/**
 * The game of `study`, measured by the workers of a queue; the caller disposes it.
 *
 * @example await using game = await createQueuedGame(study, 'redis://localhost:6379');
 * @throws 'input' for a study that holds a function of somebody's program, without bullmq and ioredis, and for a server that does
 * not answer; later 'backend' when the server takes no writes or nobody measures, and what a worker throws, which it names.
 */
export async function createQueuedGame(
  study: Study,
  connection: QueueAddress,
  options: QueuedGameOptions = {},
): Promise<QueuedGame> {
  const { onNote = () => undefined, source = null, patienceMs = PATIENCE_MS } = options;
  const { name, rowsPerMask, differentiable } = factsOf(study);
  const { players } = study.question;
  const n = players.length;
  const hash = hashStudy(study);
  const asker = `${processName()}.${++askers}.${Date.now().toString(36)}`;
  const way = await connectQueue(connection, options);
  const who = `queue ${way.shown}`;
  const registry = createRegistry(way);
  const said = new Set<string>();
  const note = (text: string): void => {
    if (said.has(text) || said.size >= 1000) return;
    said.add(text);
    onNote(text);
  };
  for (const text of way.notes) note(text);
  let facts: FlowFacts = { serving: [], rates: new Map(), shared: false };
  const measuredBy = new Map<string, number>();
  const counts = { asked: 0, done: 0, began: 0 };
  const record = (): AskerRecord => ({
    id: asker,
    asked: counts.asked,
    done: counts.done,
    rate: counts.done === 0 ? 0 : (1000 * counts.done) / Math.max(1, performance.now() - counts.began),
  });
  const onConflict = ({ mask, said: [a, b] }: Conflict): void => {
    const pair = [a.worker, b.worker].sort().join(' and ');
    if (said.has(pair)) return;
    said.add(pair);
    note(
      `two machines differ: for mask ${mask}, ${a.worker} measured ${a.value} and ${b.worker} ${b.value}; the first is kept. Ones that compute right differ by less than 1e-5.`,
    );
  };
  let worker: QueueWorker | undefined;
  try {
    await registry.announce(hash, { version: VERSION, source, study }, record());
    if (options.local !== undefined)
      worker = await startQueueWorker(connection, { ...options.local, prefix: options.prefix, only: hash });
  } catch (error) {
    await way.close();
    throw refusalOf(error as Error, who) ?? error;
  }
  const flow = await openJobFlow({
    connection: way,
    hash,
    players: n,
    asker,
    facts: () => facts,
    onConflict,
    onResult({ worker: id, values }) {
      measuredBy.set(id, (measuredBy.get(id) ?? 0) + values.length);
    },
  });
  let aloneSince = performance.now();
  const waiting = { count: 0 };
  const beat = async (): Promise<void> => {
    await registry.announce(hash, { version: VERSION, source, study }, record());
    const [workers, all] = await Promise.all([registry.workers(), registry.askersOf(hash)]);
    const rates = new Map<string, number>();
    const serving: string[] = [];
    let opening = false;
    for (const { id, studies } of workers) {
      const own = Object.hasOwn(studies, hash) ? studies[hash] : undefined;
      if (own?.state === 'serving') serving.push(id);
      opening ||= own?.state === 'opening';
      if (own?.rate !== undefined && own.rate > 0) rates.set(id, own.rate);
      if (own?.state === 'refused')
        note(`worker ${id} does not measure this study: ${own.why ?? 'it does not say why'}`);
    }
    facts = { serving, rates, shared: all.some(({ id }) => id !== asker) };
    if (serving.length > 0 || opening || waiting.count === 0) aloneSince = performance.now();
    const alone = performance.now() - aloneSince;
    const there = `${workers.length} ${workers.length === 1 ? 'worker is' : 'workers are'} there`;
    if (alone > 3 * BEAT_MS)
      note(`nobody measures this study yet (${there}); start one: spexlens worker --queue ${way.shown}`);
    if (alone > patienceMs)
      flow.stop(
        fail(
          'backend',
          who,
          `nobody measured this study for ${Math.round(alone / 1000)} s (${there}); start workers that have ${study.model.id}.`,
        ),
      );
    flow.pump();
  };
  let beating = false;
  const safeBeat = async (): Promise<void> => {
    if (beating) return; // an outage, which is waited out
    beating = true;
    try {
      await beat();
    } catch (error) {
      const refusal = error instanceof SpexlensError ? error : refusalOf(error as Error, who);
      if (refusal !== undefined) flow.stop(refusal);
    } finally {
      beating = false;
    }
  };
  await safeBeat();
  const timer = setInterval(() => void safeBeat(), BEAT_MS);
  way.onTurn((there) => {
    onNote(there ? `${who} is there again; going on.` : `${who} is not there; waiting for it.`);
    if (there) void safeBeat();
  });

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    clearInterval(timer);
    const work = (async () => {
      await flow.close(async () => registry.leave(hash, asker));
      await worker?.[Symbol.asyncDispose]();
    })().catch(() => undefined);
    await Promise.race([work, new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())]);
    await way.close();
  };
  const stages = stagesOf(study.question);
  const measure = async (
    masks: Parameters<Game['value']>[0],
    wanted: Wanted,
    signal: AbortSignal | undefined,
    tell: TakePart,
  ): Promise<void> => {
    checkPlayers(name, n, masks);
    if (closing !== undefined) throw fail('input', name, 'was disposed; make a new one.');
    throwIfAborted(signal, name);
    if (masks.count === 0) return;
    if (counts.asked === 0) counts.began = performance.now();
    counts.asked += masks.count;
    waiting.count++;
    try {
      const asked = createAskedMasks(masks, wanted, stages, (rows, values, slopes) => {
        counts.done += rows.length;
        tell(rows, values, slopes);
      });
      await flow.ask(asked, signal);
    } catch (error) {
      counts.asked = counts.done;
      throwIfAborted(signal, name);
      throw error;
    } finally {
      waiting.count--;
    }
  };
  const gradients: NonNullable<Game['gradients']> = async (masks, { signal, onGradients }: GradientOptions = {}) => {
    const values = new Float64Array(masks.count);
    const all = new Float32Array(masks.count * n);
    await measure(masks, 'gradients', signal, (rows, part, slopes) => {
      const each = slopes as Float32Array;
      rows.forEach((row, k) => {
        values[row] = part[k];
        all.set(each.subarray(k * n, (k + 1) * n), row * n);
      });
      onGradients?.(rows, part, each);
    });
    return { values, gradients: all };
  };
  return {
    name,
    players,
    rowsPerMask,
    measuredBy,
    ...(differentiable ? { gradients } : {}),
    async value(masks, { signal, onValues } = {}) {
      const values = new Float64Array(masks.count);
      await measure(masks, 'values', signal, (rows, part) => {
        rows.forEach((row, k) => (values[row] = part[k]));
        onValues?.(rows, part);
      });
      return values;
    },
    async [Symbol.asyncDispose]() {
      await (closing ??= close());
    },
    [Symbol.dispose]() {
      closing ??= close();
    },
  };
}

/** What a game of the question says of itself. @throws 'input' for one that cannot be made again from it. */
function factsOf({ model, question }: Study): {
  readonly name: string;
  readonly rowsPerMask: number;
  readonly differentiable: boolean;
} {
  const own =
    question.lens === 'components'
      ? { metric: question.metric, ablation: question.ablation }
      : { value: question.value };
  for (const [what, { name, definition }] of Object.entries(own))
    if (definition !== null)
      throw fail('input', what, `"${name}" is a function of this program, which no worker has; use one known by name.`);
  if (question.lens === 'components') {
    const { metric, prompts } = question;
    const named = Object.hasOwn(METRICS, metric.name) ? METRICS[metric.name as MetricName] : undefined;
    return {
      name: `${model.id} ${metric.name}`,
      rowsPerMask: prompts.length,
      differentiable: named?.differentiable !== false,
    };
  }
  const { value, answer, against } = question;
  const { readings } = textValueOf(value.name).open(answer, against);
  return { name: `${model.id} ${value.name}`, rowsPerMask: readings.length, differentiable: false };
}

/** By player, about where a forward pass meets it: enough to sort by. */
function stagesOf({ players }: Question): number[] {
  return players.map(({ place }) => stageOf(place));
}

function stageOf(place: Place): number {
  switch (place.kind) {
    case 'head':
    case 'attn':
      return 2 * place.layer + 1;
    case 'neuron':
    case 'mlp':
      return 2 * place.layer + 2;
    case 'edge':
      return place.to.kind === 'logits'
        ? Number.MAX_SAFE_INTEGER
        : 2 * place.to.layer + (place.to.kind === 'mlp' ? 1 : 0);
    case 'group':
    case 'edges':
      return place.parts.reduce((first, part) => Math.min(first, stageOf(part)), Number.MAX_SAFE_INTEGER);
    default:
      return 0;
  }
}
