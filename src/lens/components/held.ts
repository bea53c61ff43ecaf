/** What passes over one prompt share: its tokens, the columns of the unembedding that a metric reads, the clean logits. */
import * as tf from '@tensorflow/tfjs-core';
import { forward } from '../../model/forward/forward.ts';
import type { Model } from '../../model/model.ts';
import { columnsOf } from '../../model/weights/parameters.ts';
import type { Metric } from '../metrics.ts';
import type { Task } from '../prompts.ts';

/** The caller owns it. */
export interface Held {
  readonly tokens: tf.Tensor2D;
  readonly unembed: ReturnType<typeof selectColumns> | undefined;
  readonly clean: tf.Tensor3D | undefined;
}

export function heldOf(model: Model, metric: Metric, task: Task, scored: readonly number[], narrowed: boolean): Held {
  const { config, parameters } = model;
  const columns = metric.columns(task);
  return tf.tidy(() => {
    const tokens = tf.tensor2d([[...task.tokens]], undefined, 'int32');
    const unembed = columns === undefined || !narrowed ? undefined : selectColumns(model, columns);
    const clean = metric.needs.clean ? forward(config, parameters, tokens, { scored }) : undefined;
    for (const tensor of [tokens, unembed?.W, unembed?.b, clean]) if (tensor !== undefined) tf.keep(tensor);
    return { tokens, unembed, clean };
  });
}

export function disposeHeld({ tokens, unembed, clean }: Held): void {
  tf.dispose([tokens, unembed?.W, unembed?.b, clean].filter((tensor) => tensor !== undefined));
}

function selectColumns(
  model: Model,
  columns: readonly number[],
): { readonly W: tf.Tensor; readonly b?: tf.Tensor | undefined } {
  const bias = model.parameters['unembed.b_U'];
  return {
    W: columnsOf(model.parameters['unembed.W_U'], columns),
    b: bias === undefined ? undefined : columnsOf(bias, columns),
  };
}
