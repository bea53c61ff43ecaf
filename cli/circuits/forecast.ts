/**
 * How long a phase will still take, and a whole run, from what was measured so far.
 *
 * A phase's rate is that of its own steps; a run's that of all masks measured so far, each with its gradients counted as
 * GRADIENT_ROWS, towards the masks that it is known to need.
 */
import { GRADIENT_ROWS } from '../../src/game.ts';

export interface Step {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
}

export interface Forecast {
  /** Steps a second in this phase, seconds left of it; absent before its first batch. */
  readonly rate: number | undefined;
  readonly phase: number | undefined;
  /** Seconds from the first step to the end of the run; absent before the first masks. */
  readonly run: number | undefined;
}

/** Masks that circuit and removal take beside the budget, about. */
const CIRCUIT_MASKS = 700;

/** What a mask of this phase counts; 0 where its steps are no masks. */
function weightOf(stage: string): number {
  if (stage === 'measure gradients') return GRADIENT_ROWS;
  return /^(measure|held out|circuit: (curve|circuit)|removal)/.test(stage) ? 1 : 0;
}

/** Follows the steps of one run that fits and holds out `masks` masks; `now` in milliseconds. */
export function createForecast(masks: number, now: () => number = () => performance.now()): (step: Step) => Forecast {
  const begun = now();
  let phase = { stage: '', begun, masks: 0, milliseconds: 0 };
  let over = { masks: 0, milliseconds: 0 }; // phases of masks that are over
  return ({ stage, done, total }) => {
    const time = now();
    if (stage !== phase.stage || done === 0) {
      over = { masks: over.masks + phase.masks, milliseconds: over.milliseconds + phase.milliseconds };
      phase = { stage, begun: time, masks: 0, milliseconds: 0 };
    }
    const elapsed = time - phase.begun;
    const rate = done > 0 && elapsed > 0 ? (1000 * done) / elapsed : undefined;
    const left = rate === undefined ? undefined : Math.max(0, total - done) / rate;
    if (weightOf(stage) > 0) phase = { ...phase, masks: weightOf(stage) * done, milliseconds: elapsed };
    const [all, spent] = [over.masks + phase.masks, over.milliseconds + phase.milliseconds];
    if (all === 0 || spent === 0) return { rate, phase: left, run: undefined };
    const unmeasured = (Math.max(0, masks + CIRCUIT_MASKS - all) * spent) / all / 1000;
    return { rate, phase: left, run: (time - begun) / 1000 + Math.max(left ?? 0, unmeasured) };
  };
}

/** `4 s`, `3 min 20 s`, `2 h 5 min`. */
export function timeLeft(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
