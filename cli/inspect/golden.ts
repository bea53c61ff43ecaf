/**
 * A folder's golden numbers against ours: golden.safetensors, as test/golden/make-families.py writes it.
 *
 * For every row r: tokens.r [S], types.r [S] where tokens have kinds, logits.r [S, V], and residuals.r
 * [layers + 1, S, d], what enters each block and what the last one hands on.
 */
import { join } from 'node:path';
import { fail } from '../../src/errors.ts';
import { runWithCache } from '../../src/hooks/run.ts';
import { hasFile } from '../../src/checkpoint/model-folder.ts';
import type { Model } from '../../src/model/model.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';

const FILE = 'golden.safetensors';

export interface GoldenCheck {
  readonly rows: number;
  readonly tokens: number;
  /** max |ours - golden| / max(1, |golden|) over all logits. */
  readonly logits: number;
  /** The same over every layer's residual; undefined where the file has none. */
  readonly residuals: number | undefined;
  /** What made the file, in its own words. */
  readonly made: string | undefined;
}

/** undefined when the folder has no golden numbers. @throws 'checkpoint' when they are not of this model's shape. */
export async function checkGolden(model: Model, folder: string): Promise<GoldenCheck | undefined> {
  if (!(await hasFile(folder, FILE, `golden ${folder}`))) return undefined;
  const path = join(folder, FILE);
  const file = await openSafetensors(path);
  const { nLayers, layout, dModel, dVocabOut } = model.config;
  let [rows, tokens, logits, residuals]: [number, number, number, number | undefined] = [0, 0, 0, undefined];
  for (; file.tensors.has(`tokens.${rows}`); rows++) {
    const ids = [...(await file.readIntegers(`tokens.${rows}`))];
    const types = file.tensors.has(`types.${rows}`) ? [...(await file.readIntegers(`types.${rows}`))] : undefined;
    const handedOn = layout === 'post' ? 'normalized_resid_post' : 'resid_post';
    const ours = runWithCache(model, ids, {
      names: (name) => name.endsWith('hook_resid_pre') || name === `blocks.${nLayers - 1}.hook_${handedOn}`,
      ...(types === undefined ? {} : { tokenTypes: [types] }),
    });
    try {
      const read = async (name: string, shape: readonly number[]): Promise<Float32Array> => {
        const stored = file.tensors.get(name)?.shape;
        if (String(stored) !== String(shape))
          throw fail(
            'checkpoint',
            path,
            `"${name}" is ${stored === undefined ? 'missing' : `[${stored.join()}]`}; for ${ids.length} tokens this model gives [${shape.join()}].`,
          );
        return file.read(name);
      };
      const size = ids.length * dModel;
      logits = Math.max(
        logits,
        largestError(await ours.logits.data(), await read(`logits.${rows}`, [ids.length, dVocabOut])),
      );
      const layers = file.tensors.has(`residuals.${rows}`)
        ? await read(`residuals.${rows}`, [nLayers + 1, ids.length, dModel])
        : undefined;
      for (let l = 0; layers !== undefined && l <= nLayers; l++) {
        const layer = l < nLayers ? ours.cache.get('resid_pre', l) : ours.cache.get(handedOn, -1);
        residuals = Math.max(
          residuals ?? 0,
          largestError(await layer.data(), layers.subarray(l * size, (l + 1) * size)),
        );
      }
      tokens += ids.length;
    } finally {
      ours.logits.dispose();
      ours.cache[Symbol.dispose]();
    }
  }
  if (rows === 0)
    throw fail(
      'checkpoint',
      path,
      'has no tensor "tokens.0"; golden rows are tokens.0, logits.0, residuals.0, tokens.1, ...',
    );
  return { rows, tokens, logits, residuals, made: file.metadata.get('made') };
}

/** NaN anywhere is an infinite error. */
function largestError(ours: ArrayLike<number>, expected: ArrayLike<number>): number {
  return Array.from(expected).reduce((worst, x, i) => {
    const error = Math.abs(ours[i] - x) / Math.max(1, Math.abs(x));
    return Number.isNaN(error) ? Infinity : Math.max(worst, error);
  }, 0);
}
