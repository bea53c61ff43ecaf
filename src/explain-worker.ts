/** The entry of the thread that explain-on-thread.ts starts: explain() over a game whose values come from the other side. */
import { toPlainError } from './errors.ts';
import { explain } from './explain.ts';
import type { ExplainJob, FromExplainer, ToExplainer } from './explain-on-thread.ts';
import type { Game } from './game.ts';
import type { Masks } from './masks.ts';
import { SELECTORS } from './circuit/selectors.ts';
import { parentPort, workerData, type MessagePort } from './platform/threads.ts';
import { SOLVERS } from './solve/solve.ts';

/** A request under way. */
interface Asked {
  readonly part: (rows: Int32Array, values: Float64Array, gradients?: Float32Array) => void;
  readonly complete: () => void;
}

function gameOf(
  { name, players, rowsPerMask, masksPerGradient, gradients: sloped }: ExplainJob,
  port: MessagePort,
): Game {
  const open = new Map<number, Asked>();
  let next = 0;
  port.on('message', (message: ToExplainer) => {
    const asked = open.get(message.ask) as Asked;
    if ('complete' in message) {
      open.delete(message.ask);
      asked.complete();
    } else asked.part(message.rows, message.values, message.gradients);
  });
  const send = (message: FromExplainer): void => port.postMessage(message);
  const request = (masks: Masks, wanted: 'values' | 'gradients', part: Asked['part']): Promise<void> =>
    new Promise((complete) => {
      const ask = next++;
      open.set(ask, { part, complete });
      send({ ask, wanted, masks });
    });
  const gradients: NonNullable<Game['gradients']> = async (masks, { onGradients } = {}) => {
    const n = players.length;
    const [values, all] = [new Float64Array(masks.count), new Float32Array(masks.count * n)];
    await request(masks, 'gradients', (rows, some, slopes) => {
      const each = slopes as Float32Array;
      rows.forEach((row, k) => {
        values[row] = some[k];
        all.set(each.subarray(k * n, (k + 1) * n), row * n);
      });
      onGradients?.(rows, some, each);
    });
    return { values, gradients: all };
  };
  return {
    name,
    players,
    concurrent: true,
    ...(rowsPerMask === undefined ? {} : { rowsPerMask }),
    ...(masksPerGradient === undefined ? {} : { masksPerGradient }),
    ...(sloped ? { gradients } : {}),
    async value(masks, { onValues } = {}) {
      const values = new Float64Array(masks.count);
      await request(masks, 'values', (rows, some) => {
        rows.forEach((row, k) => (values[row] = some[k]));
        onValues?.(rows, some);
      });
      return values;
    },
  };
}

if (parentPort !== null) {
  const port = parentPort;
  const send = (message: FromExplainer): void => port.postMessage(message);
  const job = workerData as ExplainJob;
  send({ ready: true });
  try {
    const {
      ledger: _ledger,
      settings: { budget, heldOut },
      ...explained
    } = await explain(gameOf(job, port), {
      ...job.options,
      solver: SOLVERS[job.solver],
      selector: job.selector && SELECTORS[job.selector],
      onProgress: (progress) => send({ progress }),
    });
    send({ explained, settings: { budget, heldOut } });
  } catch (error) {
    send({ failed: toPlainError(error) });
  }
}
