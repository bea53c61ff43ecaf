/** What was scored, a JSON line each as it comes: a benchmark of hours can be stopped and goes on where it was. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

const Line = z.object({
  model: z.string(),
  absence: z.string(),
  /** The text's. */
  id: z.string(),
  players: z.number(),
  job: z.enum(['r2', 'gain', 'removal', 'recovery', 'cite']),
  /** Masks are alpha·n·log2(n); of `cite` their number. */
  alpha: z.number(),
  method: z.string(),
  /** By name; null where the masks do not allow the method. */
  values: z.record(z.string(), z.number().nullable()),
});
export type Score = z.infer<typeof Line>;
export type Job = Score['job'];

export interface Scores {
  readonly all: readonly Score[];
  has(of: Omit<Score, 'values' | 'players'>): boolean;
  add(score: Score): void;
}

/** The scores in `path`; a torn last line is left out. */
export function openScores(path: string): Scores {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const keyOf = ({ model, absence, id, job, alpha, method }: Omit<Score, 'values' | 'players'>): string =>
    JSON.stringify([model, absence, id, job, alpha, method]);
  const byKey = new Map<string, Score>();
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line === '') continue;
    const score = Line.parse(JSON.parse(line));
    byKey.set(keyOf(score), score);
  }
  mkdirSync(dirname(path), { recursive: true });
  return {
    get all() {
      return [...byKey.values()];
    },
    has: (of) => byKey.has(keyOf(of)),
    add(score) {
      byKey.set(keyOf(score), score);
      appendFileSync(path, `${JSON.stringify(score)}\n`);
    },
  };
}
