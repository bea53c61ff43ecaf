/** Who measures a study in place of this process: the workers of a queue, or whatever a program has. */
import type { Game } from '../game.ts';
import type { PromptGame } from '../lens/tokens/prompt-game.ts';
import type { Study } from '../study.ts';
import type { PooledGame } from './pooled-game.ts';

/** Who measures in place of this process. */
export interface Elsewhere {
  /** The backend that computes there, which the study names; default this process's. */
  readonly backend?: string | undefined;
  /** Opens the game of a study; who asked for it disposes it. */
  open(study: Study): Promise<ElsewhereGame>;
}

export interface ElsewhereGame extends Game, AsyncDisposable {
  /** Masks that each of them answered, by name. */
  readonly measuredBy: ReadonlyMap<string, number>;
}

/** A game that was opened to be measured, here or elsewhere. */
export type MeasuredGame = Game &
  Partial<
    Pick<PooledGame, 'threads' | 'alone' | 'gradientsAt' | 'slopesAlong'> &
      Pick<PromptGame, 'byToken' | 'outputs'> &
      Pick<ElsewhereGame, 'measuredBy'> &
      Disposable &
      AsyncDisposable
  >;

/** Ends the game, whatever it holds. */
export async function disposeMeasured(game: MeasuredGame): Promise<void> {
  if (game[Symbol.asyncDispose] !== undefined) await game[Symbol.asyncDispose]?.();
  else game[Symbol.dispose]?.();
}

/** Who measured, a sentence for a record; none for this process. */
export function measurersOf({ measuredBy }: MeasuredGame): string[] {
  if (measuredBy === undefined) return [];
  const each = [...measuredBy].map(([name, masks]) => `${name} ${masks.toLocaleString('en')}`);
  const shown = each.length > 20 ? [...each.slice(0, 20), `${each.length - 20} more`] : each;
  return [`masks by worker: ${shown.join(', ') || 'none was needed'}`];
}

/** Why it computes where it does, for a record: `own` for this process. */
export function reasonOf({ measuredBy }: MeasuredGame, own: string): string {
  return measuredBy === undefined ? own : 'of the workers of a queue';
}
