/**
 * A game that counts what it is asked for, in the same way for every method, and refuses more than the budget.
 *
 * A budget is in masks; a mask with its gradients counts gradientCost (three, as a forward and a backward pass take), between masks as
 * at them. Rows are what it came to: a forward row for each prompt of a distinct mask, and a backward row for each of its gradients.
 */
import type { Interpolated, Traversed } from '../attribution/rankings.ts';
import { gradientCost, type Game } from '../game.ts';
import { openLedger } from '../ledger.ts';

/** A game as a comparison is given it; gradients between masks, and on the way of a model's activations, are extras. */
export interface ComparedGame extends Game {
  readonly gradientsAt?: Interpolated['gradientsAt'] | undefined;
  readonly slopesAlong?: Traversed['slopesAlong'] | undefined;
}

export interface MeteredGame extends ComparedGame {
  /** Masks of the budget that are left. */
  readonly remaining: number;
  /** Masks of the budget that were spent. */
  readonly spent: number;
  /** Rows that went through the model, forward and backward. */
  readonly rows: Rows;
}

export interface Rows {
  readonly forward: number;
  readonly backward: number;
}

/** `game` behind a ledger of its own, with at most `budget` masks to ask for. */
export function meterOf(game: ComparedGame, budget: number): MeteredGame {
  const account = openLedger(game).account(budget);
  const cost = gradientCost(game);
  const n = game.players.length;
  const { gradientsAt, slopesAlong } = game;
  let between = 0;
  return {
    name: account.name,
    players: account.players,
    ...(account.rowsPerMask === undefined ? {} : { rowsPerMask: account.rowsPerMask }),
    ...(account.masksPerGradient === undefined ? {} : { masksPerGradient: account.masksPerGradient }),
    value: (masks, options) => account.value(masks, options),
    ...(account.gradients === undefined ? {} : { gradients: account.gradients }),
    ...(gradientsAt === undefined
      ? {}
      : {
          gradientsAt: async (m, options) => {
            const count = m.length / n;
            account.charge(count * cost);
            between += count;
            return gradientsAt(m, options);
          },
        }),
    ...(slopesAlong === undefined
      ? {}
      : {
          slopesAlong: async (path, steps, options) => {
            const answer = await slopesAlong(path, steps, options); // how many points there are is only known then
            account.charge(answer.points * cost);
            between += answer.points;
            return answer;
          },
        }),
    get remaining() {
      return account.remaining;
    },
    get spent() {
      return budget - account.remaining;
    },
    get rows() {
      const rows = game.rowsPerMask ?? 1;
      return {
        forward: rows * (account.asked + between),
        backward: rows * (account.differentiated + between),
      };
    },
  };
}
