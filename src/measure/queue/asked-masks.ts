/**
 * The masks of one request on their way: which are still to be asked, which are with somebody, and what has been answered.
 *
 * A large request is gone through in windows, each sorted so that neighbours share their early layers; a job is a run of neighbours.
 * The first answer to a mask counts; later ones are compared with it.
 */
import { sortByStage } from '../../lens/components/mask-order.ts';
import { createMaskTable, type MaskTable } from '../../mask-table.ts';
import { maskHex, selectRows, type Masks } from '../../masks.ts';
import type { TakePart, Wanted } from '../mask-threads.ts';
import type { Answers, Result } from './messages.ts';

/** Two workers that differ over a mask. */
export interface Conflict {
  readonly mask: string;
  readonly said: readonly [
    { readonly worker: string; readonly value: number },
    { readonly worker: string; readonly value: number },
  ];
}

/** Masks of one window that are asked together; rows are places in the window, -1 for a mask that is not its. */
export interface Piece {
  readonly window: Window;
  readonly rows: Int32Array;
}

export interface AskedMasks {
  readonly wanted: Wanted;
  /** Masks without an answer. */
  readonly left: number;
  /** Masks that nobody is asked for yet. */
  readonly open: number;
  /** The next masks that nobody is asked for, at most `most`; undefined when there are none. */
  take(most: number): Piece | undefined;
  /** The piece will not be answered; its masks are to be asked again. */
  giveBack(piece: Piece): void;
  /** Those of `masks`, which somebody else asks, that are waited for here too; nobody needs to be asked for them meanwhile. */
  hold(masks: Masks): Piece[];
  /** Takes answers in; what the listener throws goes through. Returns a difference to an answer that was there. */
  accept(piece: Piece, result: Result): Conflict | undefined;
}

/** Answers of one mask that agree differ by less, relative to max(1, |value|). */
export const AGREEMENT = 1e-5;
/** Masks that are sorted together. */
const WINDOW = 2 ** 16;
const [OPEN, ASKED, DONE] = [0, 1, 2];

interface Window {
  /** Distinct and in order. */
  readonly masks: Masks;
  readonly state: Uint8Array;
  readonly values: Float64Array;
  /** Whose answer counts, by number of `workers`. */
  readonly by: Int32Array;
  /** The rows of the request that a mask answers. */
  readonly originals: (row: number) => Int32Array;
  readonly returned: Int32Array[];
  cursor: number;
  left: number;
  table?: MaskTable;
}

/** `stages` by player: where a forward pass meets it. `tell` hears of every row once. */
export function createAskedMasks(masks: Masks, wanted: Wanted, stages: ArrayLike<number>, tell: TakePart): AskedMasks {
  const { players } = masks;
  const workers: string[] = [];
  const windows: Window[] = [];
  let begun = 0;
  let unanswered = 0;
  let distinct = 0; // in the windows that are begun
  let taken = 0; // of those, the ones that are with somebody or answered
  const nextWindow = (): Window | undefined => {
    if (begun === masks.count) return undefined;
    const start = begun;
    begun = Math.min(masks.count, start + WINDOW);
    const window = windowOf(masks, start, begun, stages);
    windows.push(window);
    unanswered += window.left;
    distinct += window.left;
    return window;
  };
  const numberOf = (worker: string): number => {
    const known = workers.indexOf(worker);
    return known === -1 ? workers.push(worker) - 1 : known;
  };
  nextWindow();
  return {
    wanted,
    get left() {
      return unanswered + masks.count - begun;
    },
    get open() {
      return distinct - taken + masks.count - begun;
    },
    take(most) {
      for (let at = 0; ; at++) {
        const window = windows[at] ?? nextWindow();
        if (window === undefined) return undefined;
        const rows = openRows(window, most);
        if (rows === undefined) continue;
        taken += rows.length;
        return { window, rows };
      }
    },
    giveBack({ window, rows }) {
      const again = rows.filter((row) => row !== -1 && window.state[row] === ASKED);
      for (const row of again) window.state[row] = OPEN;
      taken -= again.length;
      if (again.length > 0) window.returned.push(again);
    },
    hold(others) {
      return windows.flatMap((window) => {
        const table = (window.table ??= tableFrom(window.masks));
        const rows = Int32Array.from({ length: others.count }, (_, row) => table.find(others, row));
        const news = rows.filter((row) => row !== -1 && window.state[row] === OPEN);
        for (const row of news) window.state[row] = ASKED;
        taken += news.length;
        return rows.some((row) => row !== -1 && window.state[row] !== DONE) ? [{ window, rows }] : [];
      });
    },
    accept({ window, rows }, result) {
      const by = numberOf(result.worker);
      const fresh: number[] = [];
      let conflict: Conflict | undefined;
      rows.forEach((row, k) => {
        if (row === -1) return;
        const value = result.values[k];
        if (window.state[row] !== DONE) {
          if (window.state[row] === OPEN) taken++; // it had come back
          window.state[row] = DONE;
          window.values[row] = value;
          window.by[row] = by;
          fresh.push(k);
        } else if (!agree(value, window.values[row])) {
          conflict ??= {
            mask: maskHex(window.masks, row),
            said: [
              { worker: workers[window.by[row]], value: window.values[row] },
              { worker: result.worker, value },
            ],
          };
        }
      });
      window.left -= fresh.length;
      unanswered -= fresh.length;
      if (window.left === 0) windows.splice(windows.indexOf(window), 1);
      if (fresh.length > 0) tellOf(window, rows, fresh, result, players, tell);
      return conflict;
    },
  };
}

function agree(a: number, b: number): boolean {
  return Math.abs(a - b) <= AGREEMENT * Math.max(1, Math.abs(a)) || (Number.isNaN(a) && Number.isNaN(b));
}

function windowOf(all: Masks, start: number, end: number, stages: ArrayLike<number>): Window {
  const own =
    end - start === all.count
      ? all
      : selectRows(
          all,
          Int32Array.from({ length: end - start }, (_, k) => start + k),
        );
  const { masks, origins, from } = sortByStage(own, stages);
  return {
    masks,
    state: new Uint8Array(masks.count),
    values: new Float64Array(masks.count),
    by: new Int32Array(masks.count),
    originals: (row) => origins.subarray(from[row], from[row + 1]).map((origin) => start + origin),
    returned: [],
    cursor: 0,
    left: masks.count,
  };
}

/** Up to `most` open rows, now asked: those that came back first, else the next neighbours. */
function openRows(window: Window, most: number): Int32Array | undefined {
  const { state, returned, masks } = window;
  while (returned.length > 0) {
    const rows = (returned.pop() as Int32Array).filter((row) => state[row] === OPEN);
    if (rows.length > most) returned.push(rows.slice(most));
    if (rows.length > 0) return asked(window, rows.slice(0, most));
  }
  const rows: number[] = [];
  for (; window.cursor < masks.count && rows.length < most; window.cursor++)
    if (state[window.cursor] === OPEN) rows.push(window.cursor);
  return rows.length === 0 ? undefined : asked(window, Int32Array.from(rows));
}

function asked({ state }: Window, rows: Int32Array): Int32Array {
  for (const row of rows) state[row] = ASKED;
  return rows;
}

function tableFrom(masks: Masks): MaskTable {
  const table = createMaskTable(masks.players);
  for (let row = 0; row < masks.count; row++) table.add(masks, row);
  return table;
}

/** Tells of the answers `fresh` (places in `rows`), for every row of the request that has such a mask. */
function tellOf(
  { originals }: Window,
  rows: Int32Array,
  fresh: readonly number[],
  { values, gradients }: Answers,
  players: number,
  tell: TakePart,
): void {
  const places: number[] = [];
  const told: number[] = [];
  for (const k of fresh)
    for (const original of originals(rows[k])) {
      told.push(original);
      places.push(k);
    }
  const slopes = gradients === undefined ? undefined : new Float32Array(places.length * players);
  if (gradients !== undefined)
    places.forEach((k, at) => slopes?.set(gradients.subarray(k * players, (k + 1) * players), at * players));
  tell(
    Int32Array.from(told),
    Float64Array.from(places, (k) => values[k]),
    slopes,
  );
}
