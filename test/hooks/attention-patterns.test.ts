import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { attentionPatterns } from '../../src/hooks/heads/attention-patterns.ts';
import { runWithCache } from '../../src/hooks/run.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { toTokens } from '../../src/model/tokens.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

const PROMPTS = ['When Mary and John went to the store, John gave a drink to', 'When Mary and John'];

describe('attention patterns', () => {
  let backend: Backend;
  let model: Model;
  let prompts: readonly (readonly number[])[];
  beforeAll(async () => {
    backend = await open(TEST_BACKEND);
    model = await loadModel(resolve(import.meta.dirname, '../../models/ioi-tiny'));
    prompts = PROMPTS.map((text) => toTokens(model, text).tokens[0]);
  });
  afterAll(() => {
    model[Symbol.dispose]();
    backend.close();
  });

  it('are those of a cached run, to three decimals, each row as long as its query', async () => {
    const heads = [
      { layer: 2, head: 1 },
      { layer: 0, head: 3 },
    ];
    const found = await attentionPatterns(model, prompts, heads);
    expect(found.map(({ prompt, layer, head }) => [prompt, layer, head])).toEqual([
      [0, 2, 1],
      [0, 0, 3],
      [1, 2, 1],
      [1, 0, 3],
    ]);
    const { logits, cache } = runWithCache(model, PROMPTS[0]);
    logits.dispose();
    const size = prompts[0].length;
    const pattern = (await cache.get('pattern', 2).data()).slice(size * size, 2 * size * size);
    cache[Symbol.dispose]();
    const { from, weights } = found[0];
    expect([from, weights.length]).toEqual([0, size]);
    weights.forEach((row, q) => {
      expect(row.length).toBeLessThanOrEqual(q + 1);
      for (let k = 0; k < size; k++)
        expect(Math.abs((row[k] ?? 0) - pattern[q * size + k])).toBeLessThanOrEqual(5.1e-4);
    });
  });

  it('keep the last queries where all would be too many', async () => {
    const [only] = await attentionPatterns(model, [prompts[0]], [{ layer: 1, head: 0 }], { mostWeights: 40 });
    expect(only.from).toBe(prompts[0].length - Math.floor(40 / prompts[0].length));
    const [least] = await attentionPatterns(model, [prompts[0]], [{ layer: 1, head: 0 }], { mostWeights: 1 });
    expect(least.weights.length).toBe(1);
  });

  it('leave no tensor behind, and refuse a layer that is not there', async () => {
    await expect(() => attentionPatterns(model, prompts, [{ layer: 3, head: 0 }])).toLeakNoTensors();
    await expect(attentionPatterns(model, prompts, [{ layer: 9, head: 0 }])).rejects.toThrow(/blocks\.9/);
  });
});
