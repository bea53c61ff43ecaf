/**
 * What was measured of a game: every mask once, what it was worth, what it cost, and the log it goes to.
 *
 * A ledger is itself a game, so that a solver, the held-out masks, the circuit and the removal curve draw on one record:
 * whoever asks for a mask again gets the value that is there. An account is a view of it for one asker, who may be held to a
 * budget of distinct masks and sees only what it asked for.
 */
import { fail, throwIfAborted } from './errors.ts';
import { checkPlayers, requireDistinctNames, type Game } from './game.ts';
import { openAccount, type Account } from './account.ts';
import { createMaskTable } from './mask-table.ts';
import { maskHex, selectRows, type Masks } from './masks.ts';

/** Masks with their values, and their gradients where those were measured. */
export interface Entries {
  readonly masks: Masks;
  readonly values: Float64Array;
  /** [masks.count · players]; absent where only values were measured. */
  readonly gradients?: Float32Array | undefined;
}

/** Where measured values outlive the process; see measure/run-log.ts for the one on disk. */
export interface ValueLog {
  /** What was there when it was opened, in pieces of bounded size. */
  entries(): Iterable<Entries>;
  /** Durable when it returns. */
  append(entries: Entries): void;
}

/** A game that measures no mask twice, and an account of what was measured, asked and logged. */
export interface Ledger extends Game {
  /** Masks measured by the game through this ledger; what came from the log is not counted. */
  readonly measured: number;
  /** Masks whose gradients were measured by it. */
  readonly differentiated: number;
  /** Masks that came from the log. */
  readonly resumed: number;
  /** Time that the game took for them. */
  readonly milliseconds: number;
  /** Every mask that has a value, in the order in which they came. */
  seen(): Omit<Entries, 'gradients'>;
  /** What mask `row` is worth; undefined where it was not measured. */
  known(masks: Masks, row: number): number | undefined;
  /** A view for one asker, who may ask for at most `budget` distinct masks. */
  account(budget?: number): Account;
}

/** What a game was asked for and has to answer. */
interface Request {
  readonly masks: Masks;
  /** Whether mask `number` (-1: unknown) has to be measured. */
  readonly lacks: (number: number) => boolean;
  /** Asks the game for `fresh`; `take` may tell of answers before the end. */
  readonly ask: (fresh: Masks, take: Take) => Promise<Answers>;
  /** Hears of rows of `masks` that have an answer now. */
  readonly tell: ((rows: ArrayLike<number>) => void) | undefined;
  readonly count: (measured: number) => void;
  readonly signal: AbortSignal | undefined;
}
type Answers = Omit<Entries, 'masks'>;
type Take = (rows: ArrayLike<number>, answers: Answers) => void;

/**
 * Opens the ledger of `game`, with what `log` holds; new values go to the log before anybody sees them.
 * @throws 'input' when two players have the same name; later, when a value is not finite, naming the mask.
 */
export function openLedger(game: Game, log?: ValueLog): Ledger {
  requireDistinctNames(game);
  const { name, players, rowsPerMask, masksPerGradient, concurrent } = game;
  const n = players.length;
  const table = createMaskTable(n);
  let values = new Float64Array(64);
  const slopes: (Float32Array | undefined)[] = []; // by number
  let [measured, differentiated, milliseconds] = [0, 0, 0];

  const store = ({ masks, values: news, gradients }: Entries): void => {
    for (let row = 0; row < masks.count; row++) {
      const number = table.add(masks, row);
      if (number >= values.length) values = doubled(values);
      values[number] = news[row];
      if (gradients !== undefined) slopes[number] = gradients.slice(row * n, (row + 1) * n);
    }
  };
  for (const entries of log?.entries() ?? []) store(entries);
  const resumed = table.count;

  /** Logs and stores what of `answers` is new; returns its rows of `fresh`. */
  const accept = (fresh: Masks, done: Uint8Array, rows: ArrayLike<number>, answers: Answers): number[] => {
    const news = Array.from({ length: rows.length }, (_, k) => k).filter((k) => done[rows[k]] === 0);
    if (news.length === 0) return [];
    for (const k of news) requireFinite(name, fresh, rows[k], answers.values[k]);
    const at = news.map((k) => rows[k]);
    const gradients = answers.gradients === undefined ? undefined : rowsOf(answers.gradients, news, n);
    const entries = {
      masks: selectRows(fresh, at),
      // A mask whose gradients come later keeps the value it has: the two passes may differ in the last bit.
      values: Float64Array.from(news, (k) => {
        const number = table.find(fresh, rows[k]);
        return number === -1 ? answers.values[k] : values[number];
      }),
      gradients,
    };
    log?.append(entries);
    store(entries);
    for (const row of at) done[row] = 1;
    return at;
  };

  /** Has every mask that lacks an answer measured once. */
  const serve = async ({ masks, lacks, ask, tell, count, signal }: Request): Promise<void> => {
    checkPlayers(name, n, masks);
    throwIfAborted(signal, name); // a game need not know of signals
    const { first, rowsAt, known } = distinct(masks, (row) => lacks(table.find(masks, row)));
    if (known.length > 0) tell?.(known);
    if (first.length === 0) return;
    const fresh = first.length === masks.count ? masks : selectRows(masks, first);
    const done = new Uint8Array(fresh.count);
    const take: Take = (rows, answers) => {
      const news = accept(fresh, done, rows, answers);
      count(news.length);
      if (news.length > 0) tell?.(news.flatMap((place) => Array.from(rowsAt(place))));
    };
    const start = performance.now();
    try {
      const answers = await ask(fresh, take);
      const length = answers.values.length;
      if (length !== fresh.count)
        throw fail('input', name, `value() returned ${length} numbers for ${fresh.count} masks; one each is needed.`);
      take(
        Array.from({ length }, (_, row) => row),
        answers,
      );
    } finally {
      milliseconds += performance.now() - start;
    }
  };
  const read = (masks: Masks, rows: ArrayLike<number>): Float64Array =>
    Float64Array.from(rows, (row) => values[table.find(masks, row)]);
  const readSlopes = (masks: Masks, rows: ArrayLike<number>): Float32Array => {
    const all = new Float32Array(rows.length * n);
    for (let k = 0; k < rows.length; k++) all.set(slopes[table.find(masks, rows[k])] as Float32Array, k * n);
    return all;
  };
  const everyRow = ({ count }: Masks): number[] => Array.from({ length: count }, (_, row) => row);

  const differentiate: NonNullable<Game['gradients']> = async (masks, { signal, onGradients } = {}) => {
    await serve({
      signal,
      count: (some) => (differentiated += some),
      masks,
      lacks: (number) => number === -1 || slopes[number] === undefined,
      ask: async (fresh, take) => {
        const onPart = (rows: ArrayLike<number>, batch: Float64Array, gradients: Float32Array): void =>
          take(rows, { values: batch, gradients });
        return (await game.gradients?.(fresh, { signal, onGradients: onPart })) as Answers;
      },
      tell: onGradients && ((rows) => onGradients(rows, read(masks, rows), readSlopes(masks, rows))),
    });
    return { values: read(masks, everyRow(masks)), gradients: readSlopes(masks, everyRow(masks)) };
  };
  const ledger: Ledger = {
    name,
    players,
    ...(rowsPerMask === undefined ? {} : { rowsPerMask }),
    ...(masksPerGradient === undefined ? {} : { masksPerGradient }),
    ...(concurrent === undefined ? {} : { concurrent }),
    ...(game.gradients === undefined ? {} : { gradients: differentiate }),
    get measured() {
      return measured;
    },
    get differentiated() {
      return differentiated;
    },
    resumed,
    get milliseconds() {
      return milliseconds;
    },
    seen: () => ({ masks: table.all(), values: values.slice(0, table.count) }),
    known: (masks, row) => values[table.find(masks, row)],
    account: (budget) => openAccount(ledger, budget),
    async value(masks, { signal, onValues } = {}) {
      await serve({
        signal,
        count: (some) => (measured += some),
        masks,
        lacks: (number) => number === -1,
        ask: async (fresh, take) => {
          const onPart = (rows: ArrayLike<number>, batch: Float64Array): void => take(rows, { values: batch });
          return { values: await game.value(fresh, { signal, onValues: onPart }) };
        },
        tell: onValues && ((rows) => onValues(rows, read(masks, rows))),
      });
      return read(masks, everyRow(masks));
    },
  };
  return ledger;
}

/** `game` itself where it is a ledger, else a ledger of its own. */
export function ledgerOf(game: Game): Ledger {
  return 'account' in game && 'known' in game ? (game as Ledger) : openLedger(game);
}

/** The rows that are `open`: the first of every distinct mask, whom each answers; and the rows that are not open. */
function distinct(
  masks: Masks,
  isOpen: (row: number) => boolean,
): { readonly first: number[]; readonly rowsAt: (place: number) => ArrayLike<number>; readonly known: number[] } {
  const table = createMaskTable(masks.players);
  const first: number[] = [];
  const known: number[] = [];
  const twins = new Map<number, number[]>(); // the other rows of a mask that is asked for more than once
  for (let row = 0; row < masks.count; row++) {
    if (!isOpen(row)) {
      known.push(row);
      continue;
    }
    const place = table.add(masks, row);
    if (place === first.length) first.push(row);
    else twins.set(place, [...(twins.get(place) ?? []), row]);
  }
  return { first, known, rowsAt: (place) => [first[place], ...(twins.get(place) ?? [])] };
}

function requireFinite(who: string, masks: Masks, row: number, value: number): void {
  if (Number.isFinite(value)) return;
  const mask = `the value of mask ${maskHex(masks, row)} (hex, player 0 = lowest bit of the first byte)`;
  throw fail('input', who, `${mask} is ${value}; values must be finite numbers.`);
}

function rowsOf(matrix: Float32Array, rows: readonly number[], width: number): Float32Array {
  const some = new Float32Array(rows.length * width);
  rows.forEach((row, k) => some.set(matrix.subarray(row * width, (row + 1) * width), k * width));
  return some;
}

function doubled(values: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * values.length);
  larger.set(values);
  return larger;
}
