/**
 * From interactions to a circuit, and how faithful it is when measured.
 *
 * The spectrum proposes: for every size k the set S_k with the most of the metric by f̂. The game disposes:
 * those sets, what is left without them, and random sets of the same size are measured on it, and the
 * circuit is the smallest proposed size whose MEASURED share reaches the target. Faithfulness of a set is
 * (f(S) - f(∅)) / (f(all) - f(∅)): 0 like everything ablated, 1 like the whole model; it can leave [0, 1].
 * Sources: ProxySPEX (arXiv 2505.17495), section 6; completeness as in Marks et al. (arXiv 2403.19647).
 */
import { masksFromMembers, type Masks } from '../masks.ts';
import { fail } from '../errors.ts';
import { measureStage, type Game, type Player } from '../game.ts';
import { ledgerOf } from '../ledger.ts';
import { showsItself } from '../showing.ts';
import { energyInside } from '../spectrum/energy.ts';
import type { FourierSpectrum } from '../spectrum/spectrum.ts';
import { autoSelector } from './enumeration.ts';
import type { Selector } from './selector.ts';
import { sizesOfCurve, smallestSize, spread } from './sizes.ts';
import { createProposer, namedPlayers } from './proposer.ts';
import { createPointMeasurer, largestSpread, type CircuitPoint } from './points.ts';
import { verdictOf, type Verdict } from './verdict.ts';

export interface CircuitOptions {
  /** Share of the metric to keep, in (0, 1]; default 0.9. */
  readonly target?: number;
  readonly seed: number;
  /** Random sets measured beside the chosen set; default 50. */
  readonly randomSets?: number;
  /** Random sets measured beside every other size of the curve, the first of those `randomSets`; default 10. */
  readonly randomOnCurve?: number;
  /** Sizes on the measured curve, ∅ and all included, beside the predicted and the chosen one; default 33. More players: denser at small sizes. */
  readonly maxSizes?: number;
  /** Other spectra over the same players and what to call them: their sets of every size on the curve are measured too. */
  readonly rivals?: Readonly<Record<string, FourierSpectrum>>;
  /** Who proposes the sets; default enumeration up to 20 players, greedy with swaps above. */
  readonly selector?: Selector;
  /** Who proposes the rivals' sets; default the same. */
  readonly rivalSelector?: Selector | undefined;
  /**
   * Whether the metric is better when larger; where it is known, a metric that is worse with everything kept is no
   * signal.
   */
  readonly moreIsBetter?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?:
    | ((progress: { readonly stage: string; readonly done: number; readonly total: number }) => void)
    | undefined;
}

export interface CircuitMember extends Player {
  readonly player: number;
  /** Faithfulness lost when this player alone leaves the circuit; negative: the circuit is better without. Null beyond 64 members. */
  readonly necessity: number | null;
}

/** A circuit and the evidence for it; plain JSON. */
export interface Circuit {
  /** The game's name and number of players. */
  readonly game: string;
  readonly playerCount: number;
  readonly target: number;
  readonly seed: number;
  readonly selector: string;
  /** Whether the proposed sets are optimal for f̂. */
  readonly optimal: boolean;
  /** f(all) and f(∅), measured. */
  readonly full: number;
  readonly empty: number;
  /** Whether the chosen set deserves the name, and why (verdict.ts). */
  readonly verdict: Verdict;
  /** Players that some term of the spectrum names: no larger set is proposed. */
  readonly named: number;
  /** The smallest size whose PREDICTED faithfulness reaches the target; null when f̂ never gets there. */
  readonly predictedSize: number | null;
  /**
   * The smallest proposed size >= predictedSize whose MEASURED faithfulness does; the most faithful one where none
   * does.
   */
  readonly chosen: CircuitPoint;
  /** The smallest size on the measured curve that reaches the target, below `chosen.size` where f̂ was too careful. */
  readonly smallestMeasuredSize: number;
  readonly members: readonly CircuitMember[];
  /**
   * By size, increasing, up to `named`, and all players; `chosen` among them. Sets of neighbouring sizes need not be
   * nested.
   */
  readonly curve: readonly CircuitPoint[];
  /** Share of the spectrum's energy in terms of members only; 0 when there is no energy. */
  readonly energyInside: number;
  /** Distinct masks that were asked of the game here. */
  readonly masks: number;
}

/** Members up to which each is left out alone. */
const LEAVE_ONE_OUT = 64;
/** Players below which a set is proposed for every size. */
const ALL_SIZES = 256;
const TOLERANCE = 1e-9;

/**
 * The circuit that keeps `target` of the metric according to `spectrum`, re-measured on `game`.
 *
 * Masks: at most sizes x (2 + rivals + randomOnCurve) + randomSets + members, + 32 per halving step of a curve with
 * gaps. With f̂ wrong the circuit grows until the measured faithfulness holds; both sizes are in the record.
 * @throws 'input' when f(all) = f(∅) (faithfulness is 0/0), on a spectrum over other players, or a target outside
 * (0, 1].
 */
export async function findCircuit(spectrum: FourierSpectrum, game: Game, options: CircuitOptions): Promise<Circuit> {
  const n = game.players.length;
  const {
    target = 0.9,
    seed,
    randomSets: randomCount = 50,
    randomOnCurve: onCurve = 10,
    maxSizes = 33,
    rivals = {},
    moreIsBetter,
    signal,
    onProgress,
  } = options;
  for (const { players } of [spectrum, ...Object.values(rivals)])
    if (players !== n)
      throw fail('input', 'findCircuit', `a spectrum over ${players} players was given for a game of ${n}.`);
  if (!(target > 0 && target <= 1))
    throw fail('input', 'findCircuit', `target ${target}; a share in (0, 1] is needed.`);
  for (const [name, value, least] of [
    ['randomSets', randomCount, 1],
    ['randomOnCurve', onCurve, 1],
    ['maxSizes', maxSizes, 2],
  ] as const) {
    if (!Number.isInteger(value) || value < least)
      throw fail('input', 'findCircuit', `${name} ${value}; a whole number >= ${least} is needed.`);
  }
  const account = ledgerOf(game).account(); // measures no mask twice, and refuses NaN by name
  const measure = (stage: string, masks: Masks): Promise<Float64Array> =>
    measureStage(account, masks, stage, { signal, onProgress });

  // The two ends give the unit.
  const all = Array.from({ length: n }, (_, i) => i);
  const [empty, full] = await measure('clean and ablated', masksFromMembers(n, [[], all]));
  const unit = full - empty;
  if (Math.abs(unit) <= TOLERANCE * Math.max(Math.abs(full), Math.abs(empty))) {
    throw fail(
      'input',
      'findCircuit',
      `the metric is ${full} with all ${n} players kept and ${empty} with none, so there is nothing to keep a share of; choose another metric, ablation or prompt.`,
    );
  }
  const share = (value: number): number => (value - empty) / unit + 0; // + 0: never -0

  // The spectrum proposes one set per size, for all sizes at once where that is cheap.
  const direction = unit > 0 ? 1 : -1;
  const named = namedPlayers(spectrum);
  const selector = options.selector ?? autoSelector(named.length);
  const propose = createProposer(spectrum, named, selector, direction);
  const rivalNames = Object.keys(rivals);
  const rivalSelector = options.rivalSelector ?? options.selector ?? autoSelector(n);
  const proposeRival = rivalNames.map((name) => createProposer(rivals[name], all, rivalSelector, direction));
  const reaches = (faithfulness: number): boolean => faithfulness >= target - TOLERANCE;
  const predictedSize = await smallestSize(
    named.length < ALL_SIZES ? spread(0, named.length, ALL_SIZES) : sizesOfCurve(named.length, maxSizes),
    async (sizes) => (await propose(sizes)).map(({ estimate }) => reaches(share(estimate))),
  );

  const points = createPointMeasurer({
    players: n,
    seed,
    share,
    propose,
    rivals: Object.fromEntries(rivalNames.map((name, r) => [name, proposeRival[r]])),
    measure,
  });

  // The game disposes.
  const sizes = sizesOfCurve(named.length, maxSizes, predictedSize);
  const curve = await points('curve', [...new Set([...sizes, n])], Math.min(onCurve, randomCount));
  const eligible = sizes.filter((size) => size >= (predictedSize ?? 0));
  const chosenSize = await smallestSize(eligible, async (some) => {
    const sets = (await propose(some)).map(({ players }) => players);
    return Array.from(await measure('refine', masksFromMembers(n, sets)), (value) => reaches(share(value)));
  });
  const proposed = curve.filter(({ size }) => size <= named.length).map(({ point }) => point);
  const likeliest = proposed.reduce((best, point) => (point.kept.faithfulness > best.kept.faithfulness ? point : best));
  const [{ point: chosen, others }] = await points('circuit', [chosenSize ?? likeliest.size], randomCount);
  const measured = [...curve.filter(({ size }) => size !== chosen.size), { size: chosen.size, point: chosen, others }];
  measured.sort((a, b) => a.size - b.size);
  const reached = measured.filter(({ point }) => reaches(point.kept.faithfulness));
  const verdict = verdictOf({
    players: n,
    named: named.length,
    target,
    full,
    empty,
    moreIsBetter,
    size: chosen.size,
    kept: chosen.kept.faithfulness,
    removed: chosen.removed.faithfulness,
    others,
    spread: largestSpread(measured.map((each) => each.others)),
  });

  const necessity = await leaveOneOut(chosen, (lists) => measure('members', masksFromMembers(n, lists)), share);
  return showsItself({
    game: game.name,
    playerCount: n,
    target,
    seed,
    selector: selector.name,
    optimal: selector.optimal,
    full,
    empty,
    verdict,
    named: named.length,
    predictedSize,
    chosen,
    smallestMeasuredSize: reached[0].size,
    members: chosen.players.map((player, k) => ({
      player,
      ...game.players[player],
      necessity: necessity?.[k] ?? null,
    })),
    curve: measured.map(({ point }) => point),
    energyInside: energyInside(spectrum, chosen.players),
    masks: account.asked,
  });
}

/** Faithfulness lost per member when it alone is ablated too; null for circuits of more than 64. */
async function leaveOneOut(
  { players, kept }: CircuitPoint,
  measure: (lists: number[][]) => Promise<Float64Array>,
  share: (value: number) => number,
): Promise<Float64Array | null> {
  if (players.length > LEAVE_ONE_OUT) return null;
  const values = await measure(players.map((left) => players.filter((player) => player !== left)));
  return values.map((value) => kept.faithfulness - share(value));
}
