/** The probability with which masks keep each player: one number for all, or one a player. */
import { fail } from './errors.ts';

/** The probability with which masks keep a player: one number for all, or one each. */
export type Keep = number | readonly number[];

/** That of player i. */
export function keepOf(keep: Keep, player: number): number {
  return typeof keep === 'number' ? keep : keep[player];
}

/** Whether every mask is as likely as any other. */
export function isFair(keep: Keep | undefined): boolean {
  return keep === undefined || (typeof keep === 'number' ? keep === 0.5 : keep.every((p) => p === 0.5));
}

/** @throws 'input' on a probability outside (0, 1), or a list of another length. */
export function checkKeep(who: string, players: number, keep: Keep): void {
  const list = typeof keep === 'number' ? [keep] : keep;
  if (typeof keep !== 'number' && keep.length !== players)
    throw fail('input', who, `${keep.length} probabilities for ${players} players; one each is needed.`);
  const wrong = list.find((p) => !(p > 0 && p < 1));
  if (wrong !== undefined)
    throw fail('input', who, `a player kept with probability ${wrong}; a number between 0 and 1 is needed, e.g. 0.9.`);
}

/** χ_i of an absent and of a present player: √(p/(1-p)) and -√((1-p)/p); 1 and -1 at ½. */
export function characterOf(keep: Keep, player: number): { readonly absent: number; readonly present: number } {
  const p = keepOf(keep, player);
  return p === 0.5 ? { absent: 1, present: -1 } : { absent: Math.sqrt(p / (1 - p)), present: -Math.sqrt((1 - p) / p) };
}

/** dχ_i/dm_i = -1/√(p(1-p)); -2 at ½. */
export function slopeOf(keep: Keep, player: number): number {
  const p = keepOf(keep, player);
  return p === 0.5 ? -2 : -1 / Math.sqrt(p * (1 - p));
}
