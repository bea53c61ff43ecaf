/**
 * Scores as they come, one JSON line each: a benchmark of hours can be stopped and goes on where it was.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

const Line = z.object({
  game: z.string(),
  family: z.string(),
  alpha: z.number(),
  seed: z.number(),
  method: z.string(),
  /** Null where the method gave no answer; it then counts as 0, the mean's. */
  r2: z.number().nullable(),
  recall: z.number().nullable(),
  seconds: z.number().nullable(),
  error: z.string().optional(),
});
export type Score = z.infer<typeof Line>;

export interface Results {
  readonly scores: readonly Score[];
  has(game: string, alpha: number, seed: number, method: string): boolean;
  add(score: Score): void;
}

/** The scores in `path` (in memory alone when absent), without those of the methods in `redo`. */
export function openResults(path: string | undefined, redo: ReadonlySet<string> = new Set()): Results {
  const text = path !== undefined && existsSync(path) ? readFileSync(path, 'utf8') : '';
  // A torn last line is a score that will be measured again.
  const complete = text.slice(0, text.lastIndexOf('\n') + 1);
  const byKey = new Map<string, Score>();
  const keyOf = (game: string, alpha: number, seed: number, method: string): string =>
    [game, alpha, seed, method].join(' ');
  for (const line of complete.split('\n')) {
    if (line === '') continue;
    const score = Line.parse(JSON.parse(line));
    if (!redo.has(score.method)) byKey.set(keyOf(score.game, score.alpha, score.seed, score.method), score);
  }
  return {
    get scores() {
      return [...byKey.values()];
    },
    has: (...cell) => byKey.has(keyOf(...cell)),
    add(score) {
      byKey.set(keyOf(score.game, score.alpha, score.seed, score.method), score);
      if (path !== undefined) appendFileSync(path, `${JSON.stringify(score)}\n`);
    },
  };
}
