/** What the figures of players and interactions are drawn from: part of a record, which a page can draw anew from its own data. */
import type { Result } from './result.ts';

export interface Drawn extends Pick<Result, 'players' | 'values' | 'interactions'> {
  readonly task: Pick<Result['task'], 'metric' | 'units' | 'players'>;
  /** The variance, of which interactions have shares. */
  readonly energy: Pick<Result['energy'], 'total'>;
  /** The players that are ringed. */
  readonly circuit?: { readonly chosen: { readonly players: readonly number[] } } | undefined;
}
