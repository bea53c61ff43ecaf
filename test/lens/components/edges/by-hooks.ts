/** Cut edges by plain hooks, one edge after another in JavaScript's numbers: what every row of the game is held to. */
import * as tf from '@tensorflow/tfjs-core';
import { runWithCache, runWithHooks, type Hook } from '../../../../src/hooks/run.ts';
import type { AblationName } from '../../../../src/lens/components/ablations.ts';
import type { EdgePlayer } from '../../../../src/lens/components/edges/edge-players.ts';
import { embeddingHook, type HookName } from '../../../../src/model/hook-points.ts';
import type { Model } from '../../../../src/model/model.ts';
import type { EdgePlace, ReceiverPlace, SenderPlace } from '../../../../src/place.ts';

interface Numbers {
  readonly values: Float32Array;
  /** [1, S, elements, d] */
  readonly shape: readonly number[];
}

const senderHook = (model: Model, from: SenderPlace): HookName =>
  from.kind === 'embed'
    ? embeddingHook(model.config, 'hook_embed')
    : from.kind === 'head'
      ? `blocks.${from.layer}.attn.hook_result`
      : `blocks.${from.layer}.hook_mlp_out`;
const receiverHook = (model: Model, to: ReceiverPlace): HookName =>
  to.kind === 'logits'
    ? `blocks.${model.config.nLayers - 1}.hook_resid_post`
    : to.kind === 'mlp'
      ? `blocks.${to.layer}.hook_mlp_in`
      : `blocks.${to.layer}.hook_${to.kind}_input`;
const elementOf = (place: SenderPlace | ReceiverPlace): number => ('head' in place ? place.head : 0);

function numbersOf(x: tf.Tensor): Numbers {
  const [rows, length, ...rest] = x.shape;
  return {
    values: x.dataSync() as Float32Array,
    shape: rest.length === 1 ? [rows, length, 1, rest[0]] : [rows, length, ...rest],
  };
}

/** What each sender writes in the place of what it wrote, by hook: the corrupted run's, or a mean over `data`. */
function baselines(
  model: Model,
  hooks: readonly HookName[],
  ablation: AblationName,
  corrupted: readonly number[],
  data: readonly (readonly number[])[],
): ReadonlyMap<HookName, (position: number, element: number, k: number) => number> {
  const found = new Map<HookName, (position: number, element: number, k: number) => number>();
  if (ablation === 'zero') return found;
  const rows = ablation === 'resample' ? [corrupted] : data;
  const runs = rows.map((row) => {
    const { logits, cache } = runWithCache(model, row, { names: hooks });
    logits.dispose();
    const read = new Map(hooks.map((hook) => [hook, numbersOf(cache.get(hook))]));
    cache[Symbol.dispose]();
    return read;
  });
  for (const hook of hooks)
    found.set(hook, (position, element, k) => {
      let [sum, count] = [0, 0];
      for (const run of runs) {
        const { values, shape } = run.get(hook) as Numbers;
        for (let p = 0; p < shape[1]; p++) {
          if (ablation !== 'mean' && p !== position) continue;
          sum += values[(p * shape[2] + element) * shape[3] + k];
          count++;
        }
      }
      return sum / count;
    });
  return found;
}

export interface CutOptions {
  readonly players: readonly EdgePlayer[];
  readonly kept: readonly number[];
  readonly ablation: AblationName;
  readonly tokens: readonly number[];
  readonly corrupted: readonly number[];
  /** Token rows that means are over. */
  readonly data: readonly (readonly number[])[];
}

/** logit[5] - logit[2] at the last position of a run in which the edges of players that are not `kept` are cut. */
export function byHooks(model: Model, { players, kept, ablation, tokens, corrupted, data }: CutOptions): number {
  const cut = players.filter((_, i) => !kept.includes(i)).flatMap(({ edges }) => edges);
  const senders = [...new Set(cut.map(({ from }) => senderHook(model, from)))];
  const base = baselines(model, senders, ablation, corrupted, data);
  const wrote = new Map<HookName, Numbers>();
  const byReceiver = new Map<HookName, EdgePlace[]>();
  for (const edge of cut) {
    const hook = receiverHook(model, edge.to);
    byReceiver.set(hook, [...(byReceiver.get(hook) ?? []), edge]);
  }
  const hooks: Hook[] = [
    ...senders.map((hook): Hook => [hook, (x) => void wrote.set(hook, numbersOf(x))]),
    ...[...byReceiver].map(
      ([hook, edges]): Hook => [
        hook,
        (x) => {
          const { values, shape } = numbersOf(x);
          const read = Float64Array.from(values);
          for (const { from, to, position } of edges) {
            const name = senderHook(model, from);
            const sent = wrote.get(name) as Numbers;
            for (let p = 0; p < shape[1]; p++) {
              if (position !== undefined && position !== p) continue;
              for (let k = 0; k < shape[3]; k++) {
                const was = sent.values[(p * sent.shape[2] + elementOf(from)) * shape[3] + k];
                const instead = base.get(name)?.(p, elementOf(from), k) ?? 0;
                read[(p * shape[2] + elementOf(to)) * shape[3] + k] += instead - was;
              }
            }
          }
          return tf.tensor(Float32Array.from(read), x.shape);
        },
      ],
    ),
  ];
  return tf.tidy(() => {
    const logits = runWithHooks(model, tokens, hooks).dataSync();
    const width = model.config.dVocabOut;
    return logits[(tokens.length - 1) * width + 5] - logits[(tokens.length - 1) * width + 2];
  });
}
