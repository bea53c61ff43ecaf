/**
 * From masks to the factors of activations, and from the gradients of factors to those of masks; only numbers.
 *
 * A site (a hook point that holds players) has cells: elements (heads, neurons, or the whole) by position. A cell's factor is its
 * player's m, or 1 where nobody holds it; with the rescale, m · H / max(1, Σ m) over the layer's H heads. Masks may be anything between
 * 0 and 1 here. Where a layer keeps exactly one head the rescale has a kink; a player's slope is then the one towards
 * the other value of its bit.
 */

/** For every cell of a site the player that holds it, -1 where nobody does. */
export type Cells = Int32Array;

/** m [rows · players] -> the factors [rows · cells]. */
export function factorsOf(cells: Cells, m: ArrayLike<number>, players: number, rescale: boolean): Float32Array {
  const rows = m.length / players;
  const factors = new Float32Array(rows * cells.length);
  for (let r = 0; r < rows; r++) {
    const at = r * cells.length;
    let on = 0;
    cells.forEach((player, c) => {
      const here = player === -1 ? 1 : m[r * players + player];
      factors[at + c] = here;
      on += here;
    });
    if (!rescale) continue;
    const share = cells.length / Math.max(1, on);
    for (let c = 0; c < cells.length; c++) factors[at + c] *= share;
  }
  return factors;
}

/** Adds to `into` [rows · players] what `slopes` [rows · cells], the gradients of the factors, say of m. */
export function addSlopes(
  cells: Cells,
  m: ArrayLike<number>,
  players: number,
  rescale: boolean,
  slopes: ArrayLike<number>,
  into: Float64Array,
): void {
  const rows = m.length / players;
  for (let r = 0; r < rows; r++) {
    const at = r * cells.length;
    const kept = (player: number): number => (player === -1 ? 1 : m[r * players + player]);
    let [share, on, along] = [1, 0, 0];
    if (rescale) {
      cells.forEach((player, c) => {
        on += kept(player);
        along += slopes[at + c] * kept(player);
      });
      share = cells.length / Math.max(1, on);
    }
    const shrink = (along * cells.length) / (on * on); // what one more head takes from the others
    cells.forEach((player, c) => {
      if (player === -1) return;
      const bends = rescale && (on > 1 || (on === 1 && kept(player) === 0));
      into[r * players + player] += slopes[at + c] * share - (bends ? shrink : 0);
    });
  }
}
