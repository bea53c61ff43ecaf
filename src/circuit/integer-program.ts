/**
 * For every size k the best set, proven: branch and cut over the hull program, by HiGHS in WebAssembly.
 *
 * Greedy's sets are the starting points, so a size costs what the proof costs: seconds on 144 players and 500 terms
 * of which half the energy or more is in single players (bench/circuit.ts). With independent random signs on
 * sets of up to four (a spin glass) the bound stays 10 to 35 % above after 10 s, and the answer says so.
 * HiGHS is loaded on first use and blocks the thread while it works.
 */
import type { Highs } from 'highs';
import { masksFromMembers, keptPlayers } from '../masks.ts';
import { fail } from '../errors.ts';
import { evaluate } from '../spectrum/spectrum.ts';
import { greedySelector } from './greedy.ts';
import { hullProgram, type HullProgram } from './interaction-hulls.ts';
import { loadHighs } from './load-highs.ts';
import type { Selection, Selector } from './selector.ts';

/** How long the integer program may take. */
export interface IntegerProgramOptions {
  /** Seconds a size may take; default 60. With a limit that is reached the answer depends on the machine. */
  readonly secondsPerSize?: number;
}

/** The best set found of one size, and how good any could be. */
export interface BestOfSize {
  readonly size: number;
  /** The players kept, increasing. */
  readonly players: readonly number[];
  /** f̂ of them. */
  readonly value: number;
  /** What no set of this size can better: >= value (direction -1: <= value), equal to it where `proven`. */
  readonly bound: number;
  /** Optimal, to 1e-6 of the largest coefficient of the program. */
  readonly proven: boolean;
  /** f̂ of the set that greedy proposed. */
  readonly greedy: number;
  readonly seconds: number;
}

/** Slack of HiGHS's arithmetic, relative to the largest cost. */
const TOLERANCE = 1e-6;

/**
 * The best set of every size of `selection`, each with its bound.
 * @throws 'input' on a term of more than 12 players, or seconds that are not positive.
 */
export async function solveBySize(selection: Selection, options: IntegerProgramOptions = {}): Promise<BestOfSize[]> {
  const { spectrum, sizes, direction } = selection;
  const { secondsPerSize = 60 } = options;
  if (!(secondsPerSize > 0))
    throw fail('input', 'solveBySize', `${secondsPerSize} seconds a size; more than 0 are needed.`);
  const program = hullProgram(spectrum, direction);
  const scale = program.cost.reduce((max, value) => Math.max(max, Math.abs(value)), 0) || 1;
  const start = await greedySelector.select(selection);
  const greedy = evaluate(spectrum, start);
  const highs = await loadHighs();
  return sizes.map((size, row) => {
    const began = performance.now();
    const players = keptPlayers(start, row);
    const known = { size, players, value: greedy[row], greedy: greedy[row] };
    if (size === 0 || size === program.players) return { ...known, bound: greedy[row], proven: true, seconds: 0 };
    const { chosen, excess, proven } = runHighs(highs, program, size, players, scale, secondsPerSize);
    const seconds = (performance.now() - began) / 1000;
    const value = evaluate(spectrum, masksFromMembers(spectrum.players, [chosen]))[0];
    // Equal but for the solver's arithmetic is a tie, and greedy breaks ties towards the lowest players.
    const better = direction * (value - greedy[row]) > TOLERANCE * scale;
    const best = better ? { ...known, players: chosen, value } : known;
    return { ...best, bound: proven ? best.value : value + direction * excess, proven, seconds };
  });
}

/** Every size proven optimal for f̂, or an error that says which is not. */
export function createIntegerProgramSelector(options: IntegerProgramOptions = {}): Selector {
  return {
    name: 'integer program',
    optimal: true,
    async select(selection) {
      const best = await solveBySize(selection, options);
      const open = best.find(({ proven }) => !proven);
      if (open !== undefined) {
        throw fail(
          'input',
          'integer program',
          `size ${open.size} of ${selection.spectrum.players} is not proven after ${open.seconds.toFixed(0)} s: f̂ is ${open.value} and might reach ${open.bound}; raise secondsPerSize, keep fewer terms, or use greedy.`,
        );
      }
      return masksFromMembers(
        selection.spectrum.players,
        best.map(({ players }) => players),
      );
    },
  };
}

/** The exact 0/1 integer program, 60 s a size at most. */
export const integerProgramSelector: Selector = createIntegerProgramSelector();

interface HighsAnswer {
  readonly chosen: readonly number[];
  /** By how much the bound exceeds the objective of `chosen`, >= 0. */
  readonly excess: number;
  readonly proven: boolean;
}

function runHighs(
  highs: Highs,
  { players: n, cost, rows }: HullProgram,
  size: number,
  start: readonly number[],
  scale: number,
  seconds: number,
): HighsAnswer {
  const { constants, infinity } = highs;
  const all = Array.from({ length: n }, (_, i) => i);
  const withSize = [...rows, { lower: size, upper: size, indices: all, values: all.map(() => 1) }];
  const starts = [0];
  for (const { indices } of withSize) starts.push(starts[starts.length - 1] + indices.length);
  const data = {
    numCols: cost.length,
    numRows: withSize.length,
    sense: constants.objectiveSense.maximize,
    colCost: cost.map((value) => value / scale),
    colLower: cost.map(() => 0),
    colUpper: cost.map((_, j) => (j < n ? 1 : infinity)),
    rowLower: withSize.map(({ lower }) => lower),
    rowUpper: withSize.map(({ upper }) => upper),
    integrality: cost.map((_, j) => (j < n ? constants.variableType.integer : constants.variableType.continuous)),
    matrix: {
      format: 'csr',
      numRows: withSize.length,
      numCols: cost.length,
      starts,
      indices: withSize.flatMap(({ indices }) => indices),
      values: withSize.flatMap(({ values }) => values),
    },
  } as const;
  return highs.withModel(data, (model) => {
    model.options.set({ output_flag: false, time_limit: seconds, mip_rel_gap: 0, mip_abs_gap: TOLERANCE / 10 });
    const kept = new Set(start);
    model.setSolution({ indices: all, values: all.map((i) => (kept.has(i) ? 1 : 0)) });
    model.run();
    const solution = model.getSolution().colValue;
    const reached = Number(model.info.get('mip_dual_bound')) - model.getObjectiveValue();
    // Stopped before the starting point was read, there is no solution: greedy's set stands, nothing bounds it.
    const found = all.filter((i) => solution[i] > 0.5);
    const valid = found.length === size && Number.isFinite(reached);
    return {
      chosen: valid ? found : start,
      excess: valid ? Math.max(0, reached * scale) : Infinity,
      proven: model.getModelStatus() === constants.modelStatus.optimal,
    };
  });
}
