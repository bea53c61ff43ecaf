/** Roles of heads, on models whose circuits are known. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { headRoles, roleOf, type RoleScores } from '../../src/hooks/heads/head-roles.ts';
import { runWithCache } from '../../src/hooks/run.ts';
import { METRICS } from '../../src/lens/metrics.ts';
import { readPrompts, toTasks } from '../../src/lens/prompts.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await open(TEST_BACKEND);
});
afterAll(() => backend.close());

describe('roles of heads', () => {
  let model: Model;
  let scores: readonly RoleScores[][];
  beforeAll(async () => {
    model = await loadModel('models/induction-2l-h1');
    const prompts = (await readPrompts('models/induction-2l-h1/prompts.jsonl')).slice(0, 8);
    scores = await headRoles(model, toTasks(model, prompts, { metric: METRICS.accuracy, corrupted: false }));
  });
  afterAll(() => model[Symbol.dispose]());

  it('show the known circuit of an induction model: a previous-token head feeds an induction head', () => {
    expect(roleOf(scores[0][0])).toMatchObject({ role: 'previous token' });
    expect(roleOf(scores[1][0])).toMatchObject({ role: 'induction' });
    expect(scores[1][0]['previous token']).toBeLessThan(0.2);
  });

  it('call no head a mover where induction is what brings the answer', () => {
    expect(scores[1][0]['answer mover'] ?? 0).toBeLessThan(0.3);
  });

  it('are null where a prompt has no place for them, and there is no role then', async () => {
    const [[first]] = await headRoles(model, [{ tokens: [0, 5, 6, 7] }]);
    expect(first).toMatchObject({ 'duplicate token': null, induction: null, 'answer mover': null, inhibition: null });
    expect(roleOf({ ...first, 'previous token': 0.1 })).toBeUndefined();
  });

  it('are shares of the attention pattern, summed by hand', async () => {
    const tokens = [0, 5, 6, 7, 5, 9, 6]; // 5 and 6 twice
    const prompt = { tokens, correct: 7, incorrect: 5 };
    const [, [own]] = await headRoles(model, [prompt]);
    const { logits, cache } = runWithCache(model, tokens, { names: (name) => name.endsWith('hook_pattern') });
    const pattern = await cache.get('pattern', 1).data();
    const at = (q: number, k: number): number => pattern[q * tokens.length + k];
    expect(own['duplicate token']).toBeCloseTo((at(4, 1) + at(6, 2)) / 2, 6);
    expect(own['induction']).toBeCloseTo((at(4, 2) + at(6, 3)) / 2, 6);
    expect(own['inhibition']).toBeCloseTo(at(6, 4), 6);
    expect(own['answer mover']).toBeNull(); // 7 follows the earlier 6: that is induction
    expect(own['previous token']).toBeCloseTo(
      [2, 3, 4, 5, 6].reduce((sum, q) => sum + at(q, q - 1) / 5, 0),
      6,
    );
    logits.dispose();
    cache[Symbol.dispose]();
  });

  it('need a prompt', async () => {
    await expect(headRoles(model, [])).rejects.toThrow('headRoles: no prompts; at least one is needed.');
  });
});
