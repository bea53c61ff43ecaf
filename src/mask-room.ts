/** Whether masks have room in memory: asked before any is drawn. */
import { fail } from './errors.ts';
import { freeMemory } from './platform/threads.ts';

/** Copies of a mask's words that a run holds at its peak (drawn, selected, in the table, in the fit), and bytes beside them. */
const COPIES = 4;
const BESIDE = 64;
/** Share of the free memory that masks may take: the model and the fit take theirs. */
const SHARE = 1 / 2;

/** Bytes that a run over `masks` masks of `players` players takes for them. */
export function bytesOfMasks(players: number, masks: number): number {
  return masks * (COPIES * 4 * Math.max(1, Math.ceil(players / 32)) + BESIDE);
}

/**
 * Of `players` players there are 2^n masks; fewer are taken where fewer are asked for.
 * @throws 'budget' naming `who`, what the masks would take, what is free, and how many have room.
 */
export function requireRoomForMasks(who: string, players: number, asked: number, free: number = freeMemory()): void {
  const masks = Math.min(asked, 2 ** players);
  const needed = bytesOfMasks(players, masks);
  if (needed <= SHARE * free) return;
  const most = Math.floor((SHARE * free) / bytesOfMasks(players, 1));
  const number = (value: number): string => value.toLocaleString('en');
  throw fail(
    'budget',
    who,
    `${number(masks)} masks of ${players} players would take about ${size(needed)} of memory, and ${size(free)} are free; at most ${number(most)} have room.`,
  );
}

/** `3.2 GB`, `320 TB`: three digits. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return `${Number((bytes / 1000 ** unit).toPrecision(3))} ${units[unit]}`;
}
