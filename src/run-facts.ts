/** What the drivers of every lens write down of the model and the backend. */
import type { Backend } from './backend/backend.ts';
import type { Explanation } from './explain.ts';
import { measurersOf, reasonOf, type MeasuredGame } from './measure/elsewhere.ts';
import type { Model } from './model/model.ts';
import type { Result } from './report/result.ts';
import type { Study } from './study.ts';

export function modelFacts({ config, parameterCount }: Model, study: Study): Result['model'] {
  const { family, nLayers, nHeads } = config;
  return { family, layers: nLayers, heads: nHeads, parameters: parameterCount, weightsHash: study.model.weights };
}

/** Where it was measured, and why not elsewhere. */
export function backendFacts(
  backend: Backend,
  model: Model,
  study: Study,
  game: MeasuredGame,
  { fittedHere }: Explanation,
): Result['backend'] {
  const halves = model.storage === 'float32' ? '' : `; weights in ${model.storage}`;
  return {
    name: study.backend,
    reason: reasonOf(game, `${backend.device}; ${backend.why}`) + halves,
    notes: [
      ...measurersOf(game),
      ...backend.passedOver.map(({ name, why }) => `${name}: ${why}`),
      ...(game.alone === undefined ? [] : [`more threads: ${game.alone}`]),
      ...(fittedHere === undefined ? [] : [`a thread for the fit: ${fittedHere}`]),
    ],
    selfCheckError: backend.selfCheckError,
  };
}
