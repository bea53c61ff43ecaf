/**
 * A view of a ledger for one asker: what it asked for, and how much more it may.
 *
 * A budget counts distinct masks, whoever measured them before.
 */
import { fail } from './errors.ts';
import { checkPlayers, type Game, type GradientOptions } from './game.ts';
import { createMaskTable } from './mask-table.ts';
import type { Masks } from './masks.ts';

export interface Account extends Game {
  /** Distinct masks it was asked for. */
  readonly asked: number;
  /** Distinct masks it may still be asked for; Infinity without a budget. */
  readonly remaining: number;
  /** The distinct masks it was asked for, in the order of asking, and their values. */
  seen(): { readonly masks: Masks; readonly values: Float64Array };
}

/** A game that remembers what its masks are worth. */
interface Remembering extends Game {
  known(masks: Masks, row: number): number | undefined;
}

/** @throws 'budget' on a budget that is no whole number >= 1; later, before measuring, when a request would pass it. */
export function openAccount(ledger: Remembering, budget = Infinity): Account {
  if (budget !== Infinity && (!Number.isInteger(budget) || budget < 1))
    throw fail('budget', 'budget', `${budget} masks; a whole number >= 1 is needed.`);
  const { name, players, rowsPerMask, gradients } = ledger;
  const table = createMaskTable(players.length);
  const admit = (masks: Masks): void => {
    checkPlayers(name, players.length, masks);
    const fresh = createMaskTable(masks.players);
    for (let row = 0; row < masks.count; row++) if (table.find(masks, row) === -1) fresh.add(masks, row);
    const total = table.count + fresh.count;
    if (total <= budget) return;
    const left = `${budget - table.count} of ${budget} left`;
    throw fail(
      'budget',
      name,
      `${fresh.count} more masks asked for with ${left}; raise the budget to at least ${total}.`,
    );
  };
  const enter = (masks: Masks): void => {
    for (let row = 0; row < masks.count; row++) table.add(masks, row);
  };
  return {
    name,
    players,
    ...(rowsPerMask === undefined ? {} : { rowsPerMask }),
    get asked() {
      return table.count;
    },
    get remaining() {
      return budget - table.count;
    },
    async value(masks, options) {
      admit(masks);
      const values = await ledger.value(masks, options);
      enter(masks);
      return values;
    },
    ...(gradients === undefined
      ? {}
      : {
          gradients: async (masks: Masks, options?: GradientOptions) => {
            admit(masks);
            const answer = await gradients(masks, options);
            enter(masks);
            return answer;
          },
        }),
    seen() {
      const masks = table.all();
      return {
        masks,
        values: Float64Array.from({ length: masks.count }, (_, row) => ledger.known(masks, row) as number),
      };
    },
  };
}
