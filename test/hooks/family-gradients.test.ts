/** Gradients at every hook point of every family against PyTorch: golden/gradients.json, made by golden/make-gradients.py. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { runWithGradients } from '../../src/hooks/gradients.ts';
import { hookPoints, type HookName } from '../../src/model/hook-points.ts';
import { loadModel } from '../../src/model/model.ts';
import { availableBackends, open } from '../tensors.ts';

const FOLDER = 'test/golden/families';
/** By family and hook point: the gradient's norm, and its sums with three vectors of signs. */
const GOLDEN = JSON.parse(readFileSync('test/golden/gradients.json', 'utf8')) as Record<
  string,
  Record<HookName, readonly number[]>
>;
/** The inputs of heads, once they are split, cut off what they are made of: they are taken in a run of their own. */
const SPLIT = /\.hook_(attn_in|[qkv]_input)$/;

/** `count` signs, as make-gradients.py makes them. */
function signs(count: number, number: number): Float32Array {
  let x = 1 + number;
  return Float32Array.from({ length: count }, () =>
    (x = (Math.imul(1664525, x) + 1013904223) >>> 0) >= 2 ** 31 ? 1 : -1,
  );
}

/** The largest error of the four numbers, in norms of the gradient. */
function fault(gradient: ArrayLike<number>, [norm, ...sums]: readonly number[]): number {
  const values = Array.from(gradient);
  const ours = [
    Math.hypot(...values),
    ...[1, 2, 3].map((number) => {
      const with_ = signs(values.length, number);
      return values.reduce((sum, x, i) => sum + x * with_[i], 0);
    }),
  ];
  return Math.max(...[norm, ...sums].map((expected, k) => Math.abs(ours[k] - expected))) / norm;
}

describe.each(await availableBackends())('gradients of families on %s', (backend) => {
  let close: () => void;
  let worst = { fault: 0, at: '' };
  let points = 0;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => {
    close();
    console.info(
      `${points} hook points on ${backend}: within ${worst.fault.toExponential(1)} of PyTorch, worst ${worst.at}`,
    );
  });

  it.each(Object.keys(GOLDEN))('%s has those of PyTorch at every hook point', async (name) => {
    const model = await loadModel(join(FOLDER, name));
    const file = await openSafetensors(join(FOLDER, name, 'golden.safetensors'));
    const tokens = [...(await file.readIntegers('tokens.0'))];
    const types = file.tensors.has('types.0') ? [[...(await file.readIntegers('types.0'))]] : undefined;
    const all = hookPoints(model.config).map((point) => point.name);
    expect([...all].sort()).toEqual(Object.keys(GOLDEN[name]).sort());
    const metric = (logits: tf.Tensor3D): tf.Tensor =>
      tf.sum(tf.mul(logits, tf.tensor(signs(logits.size, 0), logits.shape)));
    const few = all.filter((each) => /hook_(embed|resid_pre|z|post|mlp_out)$/.test(each)); // kernels of our own run between them
    for (const names of [few, all.filter((each) => !SPLIT.test(each)), all.filter((each) => SPLIT.test(each))]) {
      const run = runWithGradients(model, tokens, metric, {
        names,
        ...(types === undefined ? {} : { tokenTypes: types }),
      });
      for (const each of names) {
        const error = fault(await run.gradients.get(each).data(), GOLDEN[name][each]);
        expect(error, each).toBeLessThan(1e-5);
        if (error > worst.fault) worst = { fault: error, at: `${name} ${each}` };
        points++;
      }
      run[Symbol.dispose]();
    }
    model[Symbol.dispose]();
  });
});
