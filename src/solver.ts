/**
 * The contract that exact, SPEX and ProxySPEX keep: a game and a budget in, a Fourier spectrum and its
 * provenance out. test/solver-contract.ts runs the same laws on every implementation.
 */
import type { Game } from './game.ts';
import type { Keep } from './keep.ts';
import type { R2Interval } from './spectrum/r2.ts';
import type { FourierSpectrum } from './spectrum/spectrum.ts';

/** What a solver may spend, and who hears how far it is. */
export interface SolveOptions {
  /** Distinct masks the solver may measure. A solver that needs more throws a 'budget' error that says how many. */
  readonly budget: number;
  /** Seed of every random choice. */
  readonly seed: number;
  /**
   * Probability with which masks keep a player, one for all or one each; default ½. The spectrum, its indices and R²
   * are then those of such masks (spectrum/measure.ts). SPEX needs ½ and says so.
   */
  readonly keep?: Keep | undefined;
  /**
   * What rounding may do to one value, in units of f: no larger interaction is claimed for it. Default 2^-23 of the
   * largest |value|, float32's own; see measureFloor (solve/float-floor.ts) for what a game's arithmetic does.
   */
  readonly floor?: number | undefined;
  /** Called when the solver has every value that it asks for, before it fits them. */
  readonly onMeasured?: (() => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Progress: stage names the work, done of total in masks (sampling) or steps. */
  readonly onProgress?:
    | ((progress: { readonly stage: string; readonly done: number; readonly total: number }) => void)
    | undefined;
}

/** A solver's answer: a spectrum, and how it came about. */
export interface Solution {
  /** The solver's name: 'exact', 'proxyspex', 'spex'. */
  readonly solver: string;
  readonly spectrum: FourierSpectrum;
  /** Distinct masks that were measured for it. */
  readonly masks: number;
  /** True when the spectrum is the game's own, not an estimate. */
  readonly exact: boolean;
  /** How well its parts are known. */
  readonly evidence?: Evidence | undefined;
  /** Plain JSON: chosen settings, cross-validation tables, warnings; enough to explain the answer. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** What a solver knows of its answer beside the answer; all of it optional. */
export interface Evidence {
  /** Standard error of every term's F(S), in the order of `spectrum.terms`; NaN where there is none. */
  readonly standardErrors?: ArrayLike<number> | undefined;
  /** The sets of the spectrum that could not be told from noise. */
  readonly belowNoise?: readonly (readonly number[])[] | undefined;
  /** Where masks were measured in rounds: each round's score, and why it stopped. */
  readonly adaptive?: Adaptive | undefined;
}

/** Rounds of masks until the answer was good enough, or would not become so. */
export interface Adaptive {
  /** R² whose lower confidence bound was to be passed. */
  readonly target: number;
  readonly outcome: 'reached' | 'hopeless' | 'spent';
  /** One sentence with the numbers. */
  readonly why: string;
  readonly rounds: readonly Round[];
}

export interface Round extends R2Interval {
  /** Masks fitted. */
  readonly fitted: number;
  readonly solver: string;
}

/** A game and a budget in, a spectrum out. */
export interface Solver {
  readonly name: string;
  solve(game: Game, options: SolveOptions): Promise<Solution>;
}
