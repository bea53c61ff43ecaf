/**
 * Faithfulness, the unit of every comparison: what share of f(all) - f(none) a set keeps.
 *
 * 0 like everything ablated, 1 like the whole model; it can leave [0, 1]. Wang et al. (arXiv 2211.00593) and MIB (Mueller et al.,
 * arXiv 2504.13151) have it so.
 */
import { fail } from '../errors.ts';
import { measureStage, type Game, type OnProgress } from '../game.ts';
import { masksFromMembers, type Masks } from '../masks.ts';

/** f(all) and f(none). */
export interface Ends {
  readonly full: number;
  readonly empty: number;
}

export interface MeasureOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Differences of f below this share of its size are rounding. */
const TOLERANCE = 1e-9;

/** Measures both ends. @throws 'input' where they are the same: there is no share to keep. */
export async function measureEnds(game: Game, { signal }: MeasureOptions = {}): Promise<Ends> {
  const n = game.players.length;
  const everyone = Array.from({ length: n }, (_, i) => i);
  const [empty, full] = await game.value(masksFromMembers(n, [[], everyone]), { signal });
  if (Math.abs(full - empty) > TOLERANCE * Math.max(Math.abs(full), Math.abs(empty))) return { full, empty };
  throw fail(
    'input',
    'faithfulness',
    `the metric is ${full} with all ${n} players kept and ${empty} with none, so there is no share to keep; choose another metric, ablation or prompt.`,
  );
}

/** (value - f(none)) / (f(all) - f(none)). */
export function faithfulnessOf(value: number, { full, empty }: Ends): number {
  return (value - empty) / (full - empty) + 0; // + 0: never -0
}

/** The faithfulness of every mask. */
export async function measureFaithfulness(
  game: Game,
  masks: Masks,
  ends: Ends,
  stage: string,
  options: MeasureOptions = {},
): Promise<Float64Array> {
  const values = await measureStage(game, masks, stage, options);
  return values.map((value) => faithfulnessOf(value, ends));
}
