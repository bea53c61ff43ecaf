/**
 * What a notebook shows of a value, by MIME type.
 *
 * Values are plain records, told apart by the fields that only one kind has. What draws a kind is read when it is first drawn: a
 * program that shows nothing loads none of it.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Circuit } from '../circuit/find-circuit.ts';
import { fail } from '../errors.ts';
import type { Explanation } from '../explain.ts';
import type { ActivationCache } from '../hooks/cache.ts';
import type { LogitAttribution } from '../hooks/explain/logit-attribution.ts';
import type { LogitLens } from '../hooks/explain/logit-lens.ts';
import type { Attention } from '../hooks/heads/attention.ts';
import type { HeadScores } from '../hooks/heads/head-detector.ts';
import type { ModelDescription } from '../model/describe.ts';
import type { Model } from '../model/model.ts';
import type { PatchRecord } from '../report/patch-record.ts';
import type { Result } from '../report/result.ts';
import type { MimeBundle } from '../showing.ts';
import type { ScoredSolution } from '../solve/solve.ts';
import type { Spectrum } from '../spectrum/spectrum.ts';
import { bundleOf, type View } from './view.ts';

interface Kind {
  readonly name: string;
  readonly fields: readonly string[];
  readonly view: (value: never) => View | Promise<View>;
}

function kind<T>(name: string, fields: readonly (keyof T & string)[], view: (value: T) => Promise<View>): Kind {
  return { name, fields, view };
}

/** Every kind of value that is shown; the first whose fields a value has is its. */
const KINDS: readonly Kind[] = [
  kind('results', ['schema', 'players', 'values', 'interactions'], async (value: Result) =>
    (await import('./result-view.ts')).resultView(value),
  ),
  kind('patching sweeps', ['schema', 'axes', 'what', 'source'], async (value: PatchRecord) =>
    (await import('./patch-view.ts')).patchView(value),
  ),
  kind('explanations', ['ledger', 'settings', 'solution', 'findings'], async (value: Explanation) =>
    (await import('./result-view.ts')).explanationView(value),
  ),
  kind('scored solutions', ['solution', 'heldOut', 'firstOrder'], async (value: ScoredSolution) =>
    (await import('./spectrum-view.ts')).solutionView(value),
  ),
  kind('spectra', ['basis', 'players', 'terms'], async (value: Spectrum) =>
    (await import('./spectrum-view.ts')).spectrumView(value),
  ),
  kind('circuits', ['chosen', 'curve', 'members', 'verdict'], async (value: Circuit) =>
    (await import('./circuit-view.ts')).circuitView(value),
  ),
  kind('models', ['config', 'parameters', 'parameterCount'], async (value: Model) =>
    (await import('./model-view.ts')).modelView(value),
  ),
  kind('model descriptions', ['facts', 'hooks', 'text'], async (value: ModelDescription) =>
    (await import('./model-view.ts')).descriptionView(value),
  ),
  kind('activation caches', ['names', 'bytes', 'get', 'logitLens'], async (value: ActivationCache) =>
    (await import('./cache-view.ts')).cacheView(value),
  ),
  kind('attention patterns', ['tokens', 'heads'], async (value: Attention) =>
    (await import('./attention-view.ts')).attentionView(value),
  ),
  kind('logit lenses', ['labels', 'top'], async (value: LogitLens) =>
    (await import('./explanations-view.ts')).lensView(value),
  ),
  kind('logit attributions', ['labels', 'values'], async (value: LogitAttribution) =>
    (await import('./explanations-view.ts')).attributionView(value),
  ),
  kind('scores of heads', ['layers', 'heads', 'values'], async (value: HeadScores) =>
    (await import('./explanations-view.ts')).scoresView(value),
  ),
];

/**
 * The value by MIME type: `text/plain`, and where there is more to see `text/html` and `image/svg+xml`.
 * @throws 'input' for what is none of the kinds that are shown.
 */
export async function mimeBundle(value: object): Promise<MimeBundle> {
  if (value instanceof tf.Tensor) return bundleOf(await (await import('./tensor-view.ts')).tensorView(value));
  const found = KINDS.find(({ fields }) => fields.every((field) => field in value));
  if (found === undefined)
    throw fail(
      'input',
      'show',
      `knows no picture of {${Object.keys(value).slice(0, 8).join(', ')}}; it draws tensors, ${KINDS.map(({ name }) => name).join(', ')}.`,
    );
  return bundleOf(await found.view(value as never));
}
