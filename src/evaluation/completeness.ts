/**
 * Completeness and minimality of a circuit: whether it does as the model does also when parts of it are knocked out, and whether
 * each of its players is needed.
 *
 * Wang et al. (arXiv 2211.00593), section 4, choose the knock-outs by hand and by a greedy search; here they are drawn, the same way
 * for every circuit: each member is in K with probability ½.
 */
import type { Game } from '../game.ts';
import { masksFromMembers } from '../masks.ts';
import { createRandom } from '../random.ts';
import { measureFaithfulness, type Ends, type MeasureOptions } from './faithfulness.ts';

export interface KnockOutOptions extends MeasureOptions {
  readonly seed: number;
  /** Sets K that are drawn; default 10. */
  readonly knockOuts?: number | undefined;
}

/** Whether the circuit does what the model does when parts of it are knocked out (Wang et al., arXiv 2211.00593). */
export interface Completeness {
  /** |F(C \\ K) - F(M \\ K)| over the sets K, in shares of f(all) - f(none): 0 where the circuit is all there is. */
  readonly mean: number;
  readonly most: number;
  readonly knockOuts: number;
}

/** Whether every member of the circuit is needed (Wang et al., arXiv 2211.00593). */
export interface Minimality {
  /** Of each member, in the circuit's order: the largest |F(C \\ K) - F(C \\ (K ∪ v))| over K = ∅ and the sets K without v. */
  readonly members: readonly number[];
  readonly least: number;
  /** Members whose number is below 1 %: nothing that was looked at needs them. */
  readonly needless: number;
}

/** A change of faithfulness that counts as one, after the paper's 1 %. */
const NEEDED = 0.01;

/** How far the circuit and the whole model part when the same players of it are knocked out. Masks: 2 a knock-out. */
export async function completenessOf(
  game: Game,
  circuit: readonly number[],
  ends: Ends,
  options: KnockOutOptions,
): Promise<Completeness> {
  const sets = knockOuts(circuit, options);
  const everyone = game.players.map((_, i) => i);
  const masks = masksFromMembers(everyone.length, [
    ...sets.map((out) => without(circuit, out)),
    ...sets.map((out) => without(everyone, out)),
  ]);
  const shares = await measureFaithfulness(game, masks, ends, 'completeness', options);
  const gaps = sets.map((_, k) => Math.abs(shares[k] - shares[sets.length + k]));
  return {
    mean: gaps.reduce((sum, gap) => sum + gap / gaps.length, 0),
    most: Math.max(...gaps),
    knockOuts: sets.length,
  };
}

/** How much of the metric each member carries, alone or once others are out. Masks: (1 + members) for each knock-out and for none, at most. */
export async function minimalityOf(
  game: Game,
  circuit: readonly number[],
  ends: Ends,
  options: KnockOutOptions,
): Promise<Minimality> {
  const contexts = [new Set<number>(), ...knockOuts(circuit, options)].map((out) => without(circuit, out));
  const lists = contexts.flatMap((kept) => [kept, ...kept.map((left) => kept.filter((player) => player !== left))]);
  const masks = masksFromMembers(game.players.length, lists);
  const shares = await measureFaithfulness(game, masks, ends, 'minimality', options);
  const most = new Map<number, number>(circuit.map((player) => [player, 0]));
  let at = 0;
  for (const kept of contexts) {
    const whole = shares[at++];
    for (const player of kept) most.set(player, Math.max(most.get(player) as number, Math.abs(whole - shares[at++])));
  }
  const members = circuit.map((player) => most.get(player) as number);
  return {
    members,
    least: Math.min(...members),
    needless: members.filter((change) => change < NEEDED).length,
  };
}

function knockOuts(circuit: readonly number[], { seed, knockOuts: count = 10 }: KnockOutOptions): Set<number>[] {
  const random = createRandom(seed, 'knock-outs');
  return Array.from({ length: count }, () => new Set(circuit.filter(() => random.uniform() < 0.5)));
}

function without(players: readonly number[], out: ReadonlySet<number>): number[] {
  return players.filter((player) => !out.has(player));
}
