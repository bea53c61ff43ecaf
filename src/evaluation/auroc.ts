/** How well scores tell the players of a known circuit from the others: the area under the ROC curve. */
import { fail } from '../errors.ts';

/**
 * P(score of a member > score of another) + ½ P(they are equal): the area under the ROC curve whose points of equal score are joined,
 * 1 where every member is above every other player, ½ for chance.
 * Source: Hanley, McNeil, The meaning and use of the area under a ROC curve (1982). Cost n log n.
 * @throws 'input' where the circuit is nobody, everybody, or names players that are not there.
 */
export function auroc(scores: ArrayLike<number>, circuit: readonly number[]): number {
  const members = new Set(circuit);
  const n = scores.length;
  const odd = circuit.find((player) => !Number.isInteger(player) || player < 0 || player >= n);
  if (odd !== undefined) throw fail('input', 'auroc', `the circuit names player ${odd}; players are 0..${n - 1}.`);
  if (members.size === 0 || members.size === n)
    throw fail(
      'input',
      'auroc',
      `${members.size} of ${n} players are in the circuit; some in it and some not are needed.`,
    );
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
  let [below, wins] = [0, 0]; // others that are lower; pairs that are right
  for (let start = 0; start < n; ) {
    let [end, inside] = [start, 0];
    for (; end < n && scores[order[end]] === scores[order[start]]; end++) if (members.has(order[end])) inside++;
    const outside = end - start - inside;
    wins += inside * (below + outside / 2);
    below += outside;
    start = end;
  }
  return wins / (members.size * (n - members.size));
}
