/**
 * What a worker measures with: a study opened in a thread of its own, so that the process that holds the jobs is never kept busy.
 */
import { fail, SpexlensError } from '../../errors.ts';
import type { Game } from '../../game.ts';
import type { Masks } from '../../masks.ts';
import { startThread } from '../../platform/threads.ts';
import type { Study } from '../../study.ts';
import { createMaskThreads, type Wanted } from '../mask-threads.ts';
import type { Answers } from './messages.ts';

export interface StudyHost {
  /** What measures, for a reader: `wasm (CPU ...), self-check within 2e-6`. */
  readonly about: string;
  answer(masks: Masks, wanted: Wanted, signal: AbortSignal): Promise<Answers>;
  close(): void;
}

/** Opens a study, or refuses: what it throws is what the asker is told. */
export type OpenStudy = (study: Study, source: string | null) => Promise<StudyHost>;

/** What the thread is started with (study-thread.ts). */
export interface StudySetting {
  readonly study: Study;
  /** A folder or a file, or a hub id where it is `fromHub`. */
  readonly model: string;
  readonly fromHub: boolean;
  readonly threads: number | 'auto';
}
/** What it says before it serves. */
export interface StudyOpened {
  readonly about: string;
}

/** A host in a thread, over the model at `model`. @throws what the model and the study do not agree on; 'backend' for one that fails. */
export async function openInThread(setting: StudySetting): Promise<StudyHost> {
  const name = `study of ${setting.study.model.id}`;
  let about = '';
  const threads = createMaskThreads(
    () => {
      const worker = startThread('./study-thread', import.meta.url, { workerData: setting });
      worker.on('message', (message: StudyOpened) => (about ||= message.about ?? ''));
      return worker;
    },
    1,
    name,
  );
  try {
    await threads.ready;
  } catch (error) {
    threads.close();
    throw error;
  }
  const { players } = setting.study.question;
  return {
    about,
    async answer(masks, wanted, signal) {
      const values = new Float64Array(masks.count);
      const gradients = wanted === 'gradients' ? new Float32Array(masks.count * players.length) : undefined;
      let left = masks.count;
      await threads.answer(
        masks,
        wanted,
        (rows, part, slopes) => {
          left -= rows.length;
          rows.forEach((row, k) => {
            values[row] = part[k];
            const n = players.length;
            if (slopes !== undefined) gradients?.set(slopes.subarray(k * n, (k + 1) * n), row * n);
          });
        },
        signal,
      );
      if (left > 0) throw fail('backend', name, `left ${left} of ${masks.count} masks without an answer.`);
      return { values, gradients };
    },
    close: () => threads.close(),
  };
}

/** A host over a game that lives in this thread; for games that wait rather than compute, and for tests. */
export function hostOf(game: Game, about = 'this thread'): StudyHost {
  return {
    about,
    async answer(masks, wanted, signal) {
      if (wanted === 'values') return { values: await game.value(masks, { signal }) };
      if (game.gradients === undefined) throw new SpexlensError('input', game.name, 'has no gradients.');
      return game.gradients(masks, { signal });
    },
    close: () => undefined,
  };
}
