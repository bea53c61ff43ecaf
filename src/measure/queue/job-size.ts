/** How many masks the next job takes: some seconds of work for whoever gets it, and less towards the end; and what is kept of it. */
import type { Wanted } from '../mask-threads.ts';
import { MOST_BYTES, MOST_MASKS } from './messages.ts';

/** What a job should take, and the most for the slowest. */
const WANTED_SECONDS = 5;
const MOST_SECONDS = 10;
/** The least, so that the queue's own time stays small. */
const LEAST_SECONDS = 0.25;
/** Jobs that what is open is cut into for each worker, so that all end together. */
const SHARE = 2;
/** The first jobs, before anything is known. */
const FIRST = 16;

export interface JobSizeFacts {
  /** Masks that nobody is asked for yet. */
  readonly open: number;
  /** Masks a second, by worker; workers that have not measured yet are not among them. */
  readonly rates: readonly number[];
  readonly workers: number;
  /** The most that a message takes. */
  readonly most: number;
}

/** Masks of the next job, at least 1: 5 s for the middle one of the workers, 10 s at most for the slowest. */
export function jobSize({ open, rates, workers, most }: JobSizeFacts): number {
  if (rates.length === 0) return Math.max(1, Math.min(open, FIRST, most));
  const sorted = [...rates].sort((a, b) => a - b);
  const middle = sorted[sorted.length >>> 1];
  const wanted = Math.min(WANTED_SECONDS * middle, MOST_SECONDS * sorted[0]);
  const least = Math.max(FIRST, LEAST_SECONDS * middle);
  const share = Math.max(least, open / (SHARE * Math.max(1, workers)));
  return Math.max(1, Math.floor(Math.min(open, wanted, share, most)));
}

/** Bytes of finished jobs, and of their events, that a server keeps, about. */
const KEPT_BYTES = 2 ** 25;
/** An event of each that a job goes through: added, waiting, active, completed. */
const EVENTS = 4;

/** The most masks of a job, by the bytes of its masks and of its answers. */
export function mostMasks(players: number, wanted: Wanted): number {
  return Math.min(MOST_MASKS, Math.max(1, Math.floor(MOST_BYTES / bytesEach(players, wanted))));
}

/** How many finished jobs of so many masks the server keeps, and how many events. */
export function keptOf(
  masks: number,
  players: number,
  wanted: Wanted,
): { readonly jobs: number; readonly events: number } {
  const bytes = 1000 + masks * bytesEach(players, wanted) * 2.5; // there, back, in base64
  const jobs = Math.max(8, Math.min(1000, Math.floor(KEPT_BYTES / bytes)));
  return { jobs, events: Math.max(100, EVENTS * jobs) };
}

function bytesEach(players: number, wanted: Wanted): number {
  return Math.max(players / 8, wanted === 'values' ? 8 : 8 + 4 * players);
}
