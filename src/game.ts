/**
 * The seam: a Game is n players and value(masks) -> Float64Array.
 *
 * Left of this file live tensors, right of it only numbers. Any function of masks is a game; the
 * solvers, the circuit and the report know nothing else. Two wrappers compose: `memoise` measures
 * each mask once (and writes it to a log, so that a killed run resumes), `meter` holds a budget,
 * counted in distinct masks.
 */
import { masksFromMembers, maskHex, selectRows, type Masks } from './masks.ts';
import { fail, throwIfAborted } from './errors.ts';

export interface Player {
  /** How reports call it: `L1H2`, `MLP0`, a token. Unique within a game. */
  readonly name: string;
  /** The layer it lives in, where that has a meaning. */
  readonly layer?: number;
}

export interface ValueOptions {
  /** Stops between batches with an 'aborted' error. */
  readonly signal?: AbortSignal | undefined;
  /** Called as values arrive: `values` belong to masks start .. start + values.length - 1; each mask is reported once, in order. */
  readonly onBatch?: ((start: number, values: Float64Array) => void) | undefined;
  /**
   * Called at once when values are there, in whatever order a game measures: values[k] belongs to mask rows[k]; each mask
   * is reported once. What logs and progress need. A game that measures in order may leave it out.
   */
  readonly onValues?: ((rows: ArrayLike<number>, values: Float64Array) => void) | undefined;
}

export interface Game {
  readonly name: string;
  readonly players: readonly Player[];
  /** f(m) of every mask, in order. 1 = kept. @throws on masks over another number of players. */
  value(masks: Masks, options?: ValueOptions): Promise<Float64Array>;
}

/** Where measured values outlive the process; see games/run-log.ts for the one on disk. */
export interface ValueLog {
  entries(): Iterable<readonly [hex: string, value: number]>;
  append(hexes: readonly string[], values: Float64Array): void;
}

export interface MemoisedGame extends Game {
  /** Masks measured by the inner game through this wrapper (log entries not counted). */
  readonly measured: number;
  /** Masks that came from the log. */
  readonly resumed: number;
}

export interface MeteredGame extends Game {
  /** Distinct masks this game may still be asked for. */
  readonly remaining: number;
  /** Distinct masks it has been asked for. */
  readonly spent: number;
}

/** A game from a plain function of one mask; for tests, synthetic truths and tables. */
export function gameFromFunction(
  name: string,
  players: number | readonly Player[],
  f: (row: number, masks: Masks) => number,
): Game {
  const list = typeof players === 'number' ? Array.from({ length: players }, (_, i) => ({ name: `x${i}` })) : players;
  return {
    name,
    players: list,
    async value(masks, options = {}) {
      checkPlayers(name, list.length, masks);
      throwIfAborted(options.signal, name);
      const values = Float64Array.from({ length: masks.count }, (_, row) => f(row, masks));
      if (masks.count === 0) return values;
      options.onValues?.(Array.from(values.keys()), values);
      options.onBatch?.(0, values);
      return values;
    },
  };
}

/**
 * Measures every distinct mask once, whatever is asked; reads and feeds `log`.
 * @throws 'input' when two players have the same name, and when a value is NaN or infinite, naming the mask.
 */
export function memoise(game: Game, log?: ValueLog): MemoisedGame {
  const n = game.players.length;
  const names = new Set<string>();
  for (const { name } of game.players) {
    if (names.has(name)) throw fail('input', game.name, `two players are called "${name}"; names must be distinct.`);
    names.add(name);
  }
  const known = new Map<string, number>();
  for (const [hex, value] of log?.entries() ?? []) known.set(hex, value);
  const resumed = known.size;
  let measured = 0;
  return {
    name: game.name,
    players: game.players,
    get measured() {
      return measured;
    },
    resumed,
    async value(masks, options = {}) {
      checkPlayers(game.name, n, masks);
      const hexes = Array.from({ length: masks.count }, (_, row) => maskHex(masks, row));
      const waiting = new Map<string, number[]>(); // the rows of every mask that is not known yet
      hexes.forEach((hex, row) => {
        const rows = waiting.get(hex);
        if (rows !== undefined) rows.push(row);
        else if (!known.has(hex)) waiting.set(hex, [row]);
      });
      const fresh = [...waiting.values()].map(([first]) => first);
      const values = new Float64Array(masks.count);
      let reported = 0;
      const report = (): void => {
        const start = reported;
        for (let value; reported < masks.count && (value = known.get(hexes[reported])) !== undefined; reported++)
          values[reported] = value;
        if (reported > start) options.onBatch?.(start, values.subarray(start, reported));
      };
      const told = (rows: number[]): void => {
        if (rows.length > 0)
          options.onValues?.(
            rows,
            Float64Array.from(rows, (row) => known.get(hexes[row]) as number),
          );
      };
      told(hexes.flatMap((hex, row) => (known.has(hex) ? [row] : [])));
      report();
      const accept = (rows: ArrayLike<number>, batch: Float64Array): void => {
        const names = Array.from(rows, (row) => hexes[fresh[row]]);
        const news = names.flatMap((name, k) => (known.has(name) ? [] : [k])); // onValues may have told what onBatch tells
        if (news.length === 0) return;
        for (const k of news) {
          if (!Number.isFinite(batch[k]))
            throw fail(
              'input',
              game.name,
              `the value of mask ${names[k]} (hex, player 0 = lowest bit of the first byte) is ${batch[k]}; values must be finite numbers.`,
            );
        }
        log?.append(
          news.map((k) => names[k]),
          Float64Array.from(news, (k) => batch[k]),
        );
        for (const k of news) known.set(names[k], batch[k]);
        measured += news.length;
        told(news.flatMap((k) => waiting.get(names[k]) ?? []));
        report();
      };
      if (fresh.length > 0) {
        await game.value(selectRows(masks, fresh), {
          signal: options.signal,
          onValues: accept,
          onBatch: (start, batch) =>
            accept(
              Array.from(batch, (_, k) => start + k),
              batch,
            ),
        });
        if (reported < masks.count)
          throw fail(
            'input',
            game.name,
            `${masks.count - reported} of ${masks.count} masks got no value; value() must report every mask through onBatch.`,
          );
      }
      return values;
    },
  };
}

/**
 * Lets through at most `budget` distinct masks.
 * @throws before measuring anything when a request would pass the budget.
 */
export function meter(game: Game, budget: number): MeteredGame {
  if (!Number.isInteger(budget) || budget < 1)
    throw fail('budget', 'budget', `${budget} masks; a whole number >= 1 is needed.`);
  const asked = new Set<string>();
  return {
    name: game.name,
    players: game.players,
    get spent() {
      return asked.size;
    },
    get remaining() {
      return budget - asked.size;
    },
    async value(masks, options) {
      const fresh = new Set<string>();
      for (let row = 0; row < masks.count; row++) {
        const hex = maskHex(masks, row);
        if (!asked.has(hex)) fresh.add(hex);
      }
      if (asked.size + fresh.size > budget) {
        throw fail(
          'budget',
          game.name,
          `${fresh.size} more masks asked for with ${budget - asked.size} of ${budget} left; raise the budget to at least ${asked.size + fresh.size}.`,
        );
      }
      const values = await game.value(masks, options);
      for (const hex of fresh) asked.add(hex);
      return values;
    },
  };
}

/** The value of one mask given by its kept players. */
export async function valueOf(game: Game, kept: readonly number[], options?: ValueOptions): Promise<number> {
  return (await game.value(masksFromMembers(game.players.length, [kept]), options))[0];
}

/** @throws when `masks` are over another number of players than the game's. */
export function checkPlayers(who: string, players: number, masks: Masks): void {
  if (masks.players !== players)
    throw fail('input', who, `masks over ${masks.players} players were given; this game has ${players}.`);
}
