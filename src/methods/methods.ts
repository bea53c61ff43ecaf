/** The methods by name, and a run of one within a budget. */
import { closest, fail } from '../errors.ts';
import type { CircuitMethod, Found, MethodInput } from './circuit-method.ts';
import { meterOf, type ComparedGame, type Rows } from './metered-game.ts';
import {
  activationPatchingMethod,
  attributionPatchingMethod,
  eapIgActivations,
  eapIgInputs,
  expectedGradientsMethod,
  integratedGradientsMethod,
  narrowing,
  random,
} from './ranking-methods.ts';
import { acdcMethod, greedyRemovalMethod, spectrum, steered, subnetworkProbingMethod } from './search-methods.ts';

/** All of them, what costs least first. */
export const METHODS: Readonly<Record<string, CircuitMethod>> = Object.fromEntries(
  [
    random,
    attributionPatchingMethod,
    eapIgInputs,
    eapIgActivations,
    integratedGradientsMethod,
    activationPatchingMethod,
    acdcMethod,
    subnetworkProbingMethod,
    greedyRemovalMethod,
    expectedGradientsMethod,
    narrowing,
    spectrum,
    steered,
  ].map((method) => [method.name, method]),
);

/** The method of a name. @throws 'input' for an unknown one, with a suggestion. */
export function methodOf(name: string): CircuitMethod {
  if (Object.hasOwn(METHODS, name)) return METHODS[name];
  const names = Object.keys(METHODS);
  throw fail(
    'input',
    'method',
    `"${name}" is unknown; did you mean ${closest(name, names)[0]}? There are ${names.join(', ')}.`,
  );
}

export interface Spent {
  readonly rows: Rows;
  /** Masks of the budget. */
  readonly masks: number;
  /** Wall time, the method's own arithmetic included. */
  readonly seconds: number;
}

/** What `method` finds of `game` for at most `budget` masks, and what it spent. Nothing that others measured is given to it. */
export async function runMethod(
  method: CircuitMethod,
  game: ComparedGame,
  { budget, ...input }: Omit<MethodInput, 'game'> & { readonly budget: number },
): Promise<{ readonly found: Found; readonly spent: Spent }> {
  const metered = meterOf(game, budget);
  const started = performance.now();
  const found = await method.find({ ...input, game: metered });
  const { rows, spent: masks } = metered;
  return { found, spent: { rows, masks, seconds: (performance.now() - started) / 1000 } };
}
