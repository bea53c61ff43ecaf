/**
 * The contract that exact, SPEX and ProxySPEX keep: a game and a budget in, a Fourier spectrum and its
 * provenance out. test/solver-contract.ts runs the same laws on every implementation.
 */
import type { Game } from './game.ts';
import type { FourierSpectrum } from './spectrum/spectrum.ts';

export interface SolveOptions {
  /** Distinct masks the solver may measure. A solver that needs more throws a 'budget' error that says how many. */
  readonly budget: number;
  /** Seed of every random choice. */
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** Progress: stage names the work, done of total in masks (sampling) or steps. */
  readonly onProgress?:
    | ((progress: { readonly stage: string; readonly done: number; readonly total: number }) => void)
    | undefined;
}

export interface Solution {
  /** The solver's name: 'exact', 'proxyspex', 'spex'. */
  readonly solver: string;
  readonly spectrum: FourierSpectrum;
  /** Distinct masks that were measured for it. */
  readonly masks: number;
  /** True when the spectrum is the game's own, not an estimate. */
  readonly exact: boolean;
  /** Plain JSON: chosen settings, cross-validation tables, warnings; enough to explain the answer. */
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Solver {
  readonly name: string;
  solve(game: Game, options: SolveOptions): Promise<Solution>;
}
