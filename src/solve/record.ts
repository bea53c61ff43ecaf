/** A game that remembers which masks it was asked for and what they were worth, in order, each once. */
import { masksFromHex, maskHex, type Masks } from '../masks.ts';
import type { Game } from '../game.ts';

export interface RecordedGame extends Game {
  /** The distinct masks so far, in the order of asking, and their values. */
  seen(): { readonly masks: Masks; readonly values: Float64Array };
}

export function record(game: Game): RecordedGame {
  const known = new Map<string, number>();
  return {
    name: game.name,
    players: game.players,
    async value(masks, options) {
      const values = await game.value(masks, options);
      values.forEach((value, row) => known.set(maskHex(masks, row), value));
      return values;
    },
    seen: () => ({
      masks: masksFromHex(game.players.length, [...known.keys()]),
      values: Float64Array.from(known.values()),
    }),
  };
}
