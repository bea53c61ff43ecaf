/** Every family against Hugging Face transformers: golden files made by test/golden/make-families.py. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runWithCache } from '../../src/hooks/run.ts';
import { padRows } from '../../src/model/forward/attention-mask.ts';
import { families } from '../../src/model/families/families.ts';
import { forward } from '../../src/model/forward/forward.ts';
import { handedOn, layoutOf } from '../../src/model/layout.ts';
import { loadModel } from '../../src/model/model.ts';
import { float32Parameters } from '../../src/model/weights/parameters.ts';
import { referenceForward } from '../../src/model/reference/reference.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { availableBackends, open } from '../tensors.ts';

const FOLDER = 'test/golden/families';
const CASES = readdirSync(FOLDER);

interface GoldenRow {
  readonly tokens: number[];
  readonly types: number[] | undefined;
  readonly logits: Float32Array;
  /** [layers + 1, S, d] */
  readonly residuals: Float32Array;
}

async function goldenRows(name: string): Promise<GoldenRow[]> {
  const file = await openSafetensors(join(FOLDER, name, 'golden.safetensors'));
  return Promise.all(
    [0, 1].map(async (r) => ({
      tokens: [...(await file.readIntegers(`tokens.${r}`))],
      types: file.tensors.has(`types.${r}`) ? [...(await file.readIntegers(`types.${r}`))] : undefined,
      logits: await file.read(`logits.${r}`),
      residuals: await file.read(`residuals.${r}`),
    })),
  );
}

/** The largest |ours - expected| / max(1, |expected|), as toBeAllClose has it. */
const largestError = (ours: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Array.from(expected).reduce((worst, x, i) => Math.max(worst, Math.abs(ours[i] - x) / Math.max(1, Math.abs(x))), 0);
const tolerance = (backend: string): number => (backend === 'webgpu' ? 1e-3 : 1e-5);
const backends = await availableBackends();

describe.each(backends)('families on %s', (backend) => {
  let close: () => void;
  let worst = 0;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => {
    close();
    console.info(`${CASES.length} checkpoints on ${backend}: within ${worst.toExponential(1)} of transformers`);
  });

  it.each(CASES)('%s has the logits and every residual of transformers', async (name) => {
    const model = await loadModel(join(FOLDER, name));
    expect(model.unusedTensors).toEqual([]);
    const { nLayers } = model.config;
    for (const { tokens, types, logits, residuals } of await goldenRows(name)) {
      const ours = runWithCache(model, tokens, {
        names: (hook) => /_resid_(pre|post)$/.test(hook),
        ...(types === undefined ? {} : { tokenTypes: [types] }),
      });
      const size = tokens.length * model.config.dModel;
      for (let l = 0; l <= nLayers; l++) {
        const layer =
          l < nLayers ? ours.cache.get('resid_pre', l) : ours.cache.get(handedOn(layoutOf(model.config)), -1);
        const [values, expected] = [await layer.data(), residuals.subarray(l * size, (l + 1) * size)];
        expect(values, `layer ${l}`).toBeAllClose(expected, tolerance(backend));
        worst = Math.max(worst, largestError(values, expected));
      }
      const values = await ours.logits.data();
      expect(values).toBeAllClose(logits, tolerance(backend));
      worst = Math.max(worst, largestError(values, logits));
      ours.logits.dispose();
      ours.cache[Symbol.dispose]();
    }
    model[Symbol.dispose]();
  });

  it.each(CASES)('%s gives a row these logits whatever its batch, its place there and its padding', async (name) => {
    const model = await loadModel(join(FOLDER, name));
    const rows = await goldenRows(name);
    const V = model.config.dVocabOut;
    for (const side of ['left', 'right'] as const) {
      for (const order of [
        [0, 1],
        [1, 0, 1, 1],
      ]) {
        const { tokens, attentionMask } = padRows(
          order.map((r) => rows[r].tokens),
          side,
          1,
        );
        const tokenTypes =
          rows[0].types === undefined
            ? undefined
            : padRows(
                order.map((r) => rows[r].types ?? []),
                side,
              ).tokens;
        const logits = tf.tidy(() =>
          forward(model.config, model.parameters, tf.tensor2d(tokens, undefined, 'int32'), {
            attentionMask,
            tokenTypes,
          }),
        );
        const values = await logits.data();
        const length = tokens[0].length;
        order.forEach((r, b) => {
          const first = b * length + attentionMask[b].indexOf(1);
          expect(
            values.subarray(first * V, (first + rows[r].tokens.length) * V),
            `${side} ${order.join()} ${b}`,
          ).toBeAllClose(rows[r].logits, tolerance(backend));
        });
        logits.dispose();
      }
    }
    model[Symbol.dispose]();
  });
});

describe('the golden files', () => {
  it('cover every family but the TransformerLens format, which has no model in transformers', async () => {
    const named = new Set(CASES.map((name) => name.split('-')[0]));
    expect([...named].sort()).toEqual(
      families
        .map((family) => family.name)
        .filter((name) => name !== 'transformer-lens')
        .sort(),
    );
  });

  it('are under 3 MB together and say what made them', async () => {
    const bytes = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).reduce(
      (sum, file) => sum + statSync(join(FOLDER, file)).size,
      0,
    );
    expect(bytes).toBeLessThan(3e6);
    for (const name of CASES)
      expect((await openSafetensors(join(FOLDER, name, 'golden.safetensors'))).metadata.get('made')).toMatch(
        /make-families\.py; torch [\d.]+, transformers [\d.]+, float32, eager/,
      );
  });

  it.each(CASES)('%s: the Float64 twin agrees with transformers too', async (name) => {
    await open('cpu');
    const model = await loadModel(join(FOLDER, name));
    const parameters = Object.fromEntries(
      Object.entries(float32Parameters(model.parameters, 'test')).map(([key, tensor]) => [
        key,
        { shape: tensor.shape, values: tensor.dataSync() },
      ]),
    );
    for (const { tokens, types, logits, residuals } of await goldenRows(name)) {
      const truth = referenceForward(
        model.config,
        parameters,
        tokens,
        types === undefined ? {} : { tokenTypes: types },
      );
      expect(truth.logits).toBeAllClose(logits, 1e-5);
      expect(truth.residuals.flatMap((layer) => [...layer])).toBeAllClose(residuals, 1e-5);
    }
    model[Symbol.dispose]();
  });
});
