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

/** What loading did that a reader of the record should know. */
function notesOf({ notes, unusedTensors: unused }: Model): string[] {
  const some = unused.slice(0, 3).join(', ') + (unused.length > 3 ? ', ..' : '');
  return [
    ...notes.map((note) => `model: ${note}`),
    ...(unused.length === 0 ? [] : [`model: ${unused.length} tensors of the checkpoint are not used: ${some}`]),
  ];
}

/** What a game was measured by. */
export type MeasuredBy =
  | { readonly model: Model; readonly study: Study; readonly game: MeasuredGame }
  | { readonly game: Pick<MeasuredGame, 'alone'> };

/** Where it was measured, and why not elsewhere; with the model for masks of a loaded one. */
export function backendFacts(
  backend: Backend,
  { fittedHere }: Pick<Explanation, 'fittedHere'>,
  by?: MeasuredBy,
): Result['backend'] {
  const own = `${backend.device}; ${backend.why}`;
  const passedOver = backend.passedOver.map(({ name, why }) => `${name}: ${why}`);
  const fit = fittedHere === undefined ? [] : [`a thread for the fit: ${fittedHere}`];
  const { selfCheckError } = backend;
  const threads = by?.game.alone === undefined ? [] : [`more threads: ${by.game.alone}`];
  if (by === undefined || !('model' in by))
    return { name: backend.name, reason: own, notes: [...threads, ...fit], passedOver, selfCheckError };
  const { model, study, game } = by;
  const halves = model.storage === 'float32' ? '' : `; weights in ${model.storage}`;
  return {
    name: study.backend,
    reason: reasonOf(game, own) + halves,
    notes: [...notesOf(model), ...measurersOf(game), ...threads, ...fit],
    passedOver,
    selfCheckError,
  };
}
