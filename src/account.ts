/**
 * A view of a ledger for one asker: what it asked for, and how much more it may.
 *
 * A budget counts distinct masks, whoever measured them before; one with its gradients counts what the game says (gradientCost).
 */
import { fail } from './errors.ts';
import { checkPlayers, gradientCost, type Game, type GradientOptions } from './game.ts';
import { createMaskTable } from './mask-table.ts';
import type { Masks } from './masks.ts';

export interface Account extends Game {
  /** Distinct masks it was asked for. */
  readonly asked: number;
  /** Of those, masks whose gradients it was asked for. */
  readonly differentiated: number;
  /** Distinct masks it may still be asked for; Infinity without a budget. */
  readonly remaining: number;
  /** Takes `masks` of the budget for what no ledger holds, as gradients between masks. @throws 'budget' when there are not as many left. */
  charge(masks: number): void;
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
  const { name, players, rowsPerMask, masksPerGradient, gradients } = ledger;
  const cost = gradientCost(ledger);
  const table = createMaskTable(players.length);
  const sloped = createMaskTable(players.length);
  let charged = 0;
  const spent = (): number => table.count + (cost - 1) * sloped.count + charged;
  const admit = (masks: Masks, gradients: boolean): void => {
    checkPlayers(name, players.length, masks);
    const [fresh, steep] = [createMaskTable(masks.players), createMaskTable(masks.players)];
    for (let row = 0; row < masks.count; row++) {
      if (table.find(masks, row) === -1) fresh.add(masks, row);
      if (gradients && sloped.find(masks, row) === -1) steep.add(masks, row);
    }
    const total = spent() + fresh.count + (cost - 1) * steep.count;
    if (total <= budget) return;
    const left = `${budget - spent()} of ${budget} left`;
    const what = gradients ? `${steep.count} more gradients, ${cost} masks each,` : `${fresh.count} more masks`;
    throw fail('budget', name, `${what} asked for with ${left}; raise the budget to at least ${total}.`);
  };
  const enter = (masks: Masks, gradients: boolean): void => {
    for (let row = 0; row < masks.count; row++) {
      table.add(masks, row);
      if (gradients) sloped.add(masks, row);
    }
  };
  return {
    name,
    players,
    ...(rowsPerMask === undefined ? {} : { rowsPerMask }),
    ...(masksPerGradient === undefined ? {} : { masksPerGradient }),
    get asked() {
      return table.count;
    },
    get differentiated() {
      return sloped.count;
    },
    get remaining() {
      return budget - spent();
    },
    async value(masks, options) {
      admit(masks, false);
      const values = await ledger.value(masks, options);
      enter(masks, false);
      return values;
    },
    ...(gradients === undefined
      ? {}
      : {
          gradients: async (masks: Masks, options?: GradientOptions) => {
            admit(masks, true);
            const answer = await gradients(masks, options);
            enter(masks, true);
            return answer;
          },
        }),
    charge(masks) {
      const total = spent() + masks;
      if (total > budget)
        throw fail(
          'budget',
          name,
          `${masks} more masks' worth asked for with ${budget - spent()} of ${budget} left; raise the budget to at least ${total}.`,
        );
      charged += masks;
    },
    seen() {
      const masks = table.all();
      return {
        masks,
        values: Float64Array.from({ length: masks.count }, (_, row) => ledger.known(masks, row) as number),
      };
    },
  };
}
