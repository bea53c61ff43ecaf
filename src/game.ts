/**
 * The seam: a Game is n players and value(masks) -> one number a mask.
 *
 * Left of this file live tensors, right of it only numbers. Any function of masks is a game; the solvers, the circuit and
 * the report know nothing else. A game that only returns values is a whole game: gradients, telling of values before the
 * end and costs are extras. What was measured, asked and logged is one ledger (ledger.ts).
 */
import { masksFromMembers, type Masks } from './masks.ts';
import { fail, throwIfAborted } from './errors.ts';
import type { Place } from './place.ts';

/** Somebody who is kept or absent. */
export interface Player {
  /** How reports call it: `L1H2`, `MLP0`, a word. Unique within a game. */
  readonly name: string;
  /** Where it lives, where that has a meaning. */
  readonly place?: Place | undefined;
}

/** How values are measured: a signal that stops, and who hears of them before the end. */
export interface ValueOptions {
  /** Stops between batches with an 'aborted' error. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Tells of values before all are there, in whatever order a game measures: values[k] belongs to mask rows[k]; a mask is told
   * of at most once. What logs and progress live on; a game may leave it out.
   */
  readonly onValues?: ((rows: ArrayLike<number>, values: Float64Array) => void) | undefined;
}

/**
 * Masks of a budget that the gradients of one mask count for: a forward and a backward pass with respect to masks take some three
 * forward passes (docs/gradients-cost.md has what was measured).
 */
export const GRADIENT_ROWS = 3;

/** Values and gradients of masks, in their order. */
export interface MaskGradients {
  /** f(m), [count]. */
  readonly values: Float64Array;
  /** ∂f/∂m_i where each player's activation is m_i·z + (1 - m_i)·baseline, [count · n]. */
  readonly gradients: Float32Array;
}

export interface GradientOptions {
  readonly signal?: AbortSignal | undefined;
  /** As ValueOptions.onValues; `gradients` holds the rows' n each. */
  readonly onGradients?: ((rows: ArrayLike<number>, values: Float64Array, gradients: Float32Array) => void) | undefined;
}

/** n players and what every set of them is worth. */
export interface Game {
  readonly name: string;
  readonly players: readonly Player[];
  /** f(m) of every mask, in order. 1 = kept. @throws on masks over another number of players. */
  value(masks: Masks, options?: ValueOptions): Promise<Float64Array>;
  /** f(m) and ∂f/∂m of every mask, for games that can be differentiated. */
  readonly gradients?: ((masks: Masks, options?: GradientOptions) => Promise<MaskGradients>) | undefined;
  /** Forward rows that one mask costs; 1 when absent. */
  readonly rowsPerMask?: number;
  /** Masks of a budget that the gradients of one mask count for; GRADIENT_ROWS when absent. */
  readonly masksPerGradient?: number;
  /** Whether it measures while its caller computes, as on another thread: then it may be asked before an answer is needed. */
  readonly concurrent?: boolean;
}

/** Masks that the gradients of one of `game`'s count for. */
export function gradientCost({ masksPerGradient = GRADIENT_ROWS }: Pick<Game, 'masksPerGradient'>): number {
  return masksPerGradient;
}

/** `game` without its gradients, for who wants answers from values alone. */
export function valuesOnly(game: Game): Game {
  const { name, players, rowsPerMask } = game;
  return { name, players, value: game.value.bind(game), ...(rowsPerMask === undefined ? {} : { rowsPerMask }) };
}

/** Hears how far a stage of the work is: `done` of `total` masks or steps; 0 when it begins. */
export type OnProgress = (progress: { readonly stage: string; readonly done: number; readonly total: number }) => void;

/** The values of `masks`, told of as progress of `stage` from before the first batch on. */
export function measureStage(
  game: Pick<Game, 'value'>,
  masks: Masks,
  stage: string,
  { signal, onProgress }: Pick<ValueOptions, 'signal'> & { readonly onProgress?: OnProgress | undefined },
): Promise<Float64Array> {
  const total = masks.count;
  let done = 0;
  if (total > 0) onProgress?.({ stage, done, total });
  return game.value(masks, {
    signal,
    onValues: (_rows, values) => onProgress?.({ stage, done: (done += values.length), total }),
  });
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
      if (masks.count > 0) options.onValues?.(Array.from(values.keys()), values);
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

/** @throws 'input' when two players have the same name. */
export function requireDistinctNames({ name: who, players }: Pick<Game, 'name' | 'players'>): void {
  const names = new Set<string>();
  for (const { name } of players) {
    if (names.has(name)) throw fail('input', who, `two players are called "${name}"; names must be distinct.`);
    names.add(name);
  }
}
