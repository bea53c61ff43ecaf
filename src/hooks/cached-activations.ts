/** An owner of cached activations: named tensors that live until the cache is disposed. */
import * as tf from '@tensorflow/tfjs-core';
import { closest, fail } from '../errors.ts';
import type { ModelConfig } from '../model/config.ts';
import type { HookName } from '../model/hook-points.ts';

export interface CachedActivations {
  /** Cached names, in forward order. */
  readonly names: readonly HookName[];
  /** Bytes held. */
  readonly bytes: number;
  has(name: HookName): boolean;
  /**
   * The tensor of a full name (`blocks.0.attn.hook_z`), or of a shorthand and a layer (`'z', 0`, `'resid_post', -1`).
   * The cache keeps owning it. @throws for a name that was not cached, and after dispose.
   */
  get(name: string, layer?: number): tf.Tensor;
  [Symbol.dispose](): void;
}

/** Takes ownership of `tensors`. */
export function holdActivations(config: ModelConfig, tensors: ReadonlyMap<HookName, tf.Tensor>): CachedActivations {
  let disposed = false;
  const names = [...tensors.keys()];
  /** The layers in which a shorthand stands for a cached name. */
  const layersOf = (name: string): number[] =>
    Array.from({ length: config.nLayers }, (_, l) => l).filter((l) =>
      expand(name, l).some((full) => tensors.has(full as HookName)),
    );
  return {
    names,
    bytes: [...tensors.values()].reduce((sum, tensor) => sum + 4 * tensor.size, 0),
    has: (name) => tensors.has(name),
    get(name, layer) {
      if (disposed) throw fail('input', 'cache', `"${name}" was asked for after the cache was disposed.`);
      const wanted = layer === undefined ? [name] : expand(name, layer < 0 ? config.nLayers + layer : layer);
      for (const candidate of wanted) {
        const tensor = tensors.get(candidate as HookName);
        if (tensor !== undefined) return tensor;
      }
      const layers = layer === undefined ? layersOf(name) : [];
      if (layers.length > 0)
        throw fail(
          'input',
          'cache',
          `"${name}" is a name within a layer; say which one, get('${name}', ${layers[0]}): it was cached in ${layers.length === 1 ? 'layer' : 'layers'} ${layers.join(', ')}.`,
        );
      throw fail(
        'input',
        'cache',
        `"${wanted[0]}" was not cached; the closest of the ${names.length} cached names: ${closest(wanted[0], names).join(', ')}.`,
      );
    },
    [Symbol.dispose]() {
      disposed = true;
      tf.dispose([...tensors.values()]);
    },
  };
}

/** `z`, 0 -> blocks.0.attn.hook_z and the other places where such a name may stand. */
function expand(name: string, layer: number): string[] {
  const hook = /^(ln1|ln2|mlp\.ln|attn|mlp)\./.test(name) ? name : name.startsWith('hook_') ? name : `hook_${name}`;
  const bare = hook.replace(/^hook_/, '');
  return ['attn.', '', 'mlp.']
    .map((part) => `blocks.${layer}.${part}${hook}`)
    .concat(`blocks.${layer}.${bare}`, `blocks.${layer}.${name}`);
}

/** The activation at `positions` of its pos (or q_pos) axis; at all without them. A fresh tensor. */
export function atPositions(
  name: HookName,
  activation: tf.Tensor,
  positions: readonly number[] | undefined,
): tf.Tensor {
  if (positions === undefined) return tf.clone(activation);
  const axis = activation.rank === 4 && /hook_(attn_scores|pattern)$/.test(name) ? 2 : 1;
  return tf.tidy(() => tf.gather(activation, tf.tensor1d([...positions], 'int32'), axis));
}
