/** Models that do not do what they are asked get no circuit, whatever is measured: one trained too little, one asked for else. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/backend.ts';
import { findCircuits } from '../../src/find-circuits.ts';
import { behaviourOf, isGuessing, type Behaviour } from '../../src/lens/behaviour.ts';
import { ABLATIONS } from '../../src/lens/components/ablations.ts';
import { METRICS, type MetricName } from '../../src/lens/metrics.ts';
import { readPrompts, toTasks, type Prompt } from '../../src/lens/prompts.ts';
import { loadModel, type Model } from '../../src/model/model.ts';
import { terminalReport } from '../../src/report/terminal.ts';
import type { Result } from '../../src/report/result.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

let folder: string;
let backend: Backend;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spexlens-'));
  const script = ['scripts/train-induction.ts', '--heads', '2', '--steps', '20', '--out', folder];
  execFileSync(process.execPath, ['--import', 'tsx', ...script], { stdio: 'ignore' });
  backend = await open(TEST_BACKEND);
}, 120_000);
afterAll(() => {
  backend.close();
  rmSync(folder, { recursive: true, force: true });
});

function hasNoCircuit(result: Result): void {
  expect(result.findings[0].kind).toBe('broken question');
  expect(result.circuit).toBeUndefined();
  expect(result.removal).toBeUndefined();
  expect(terminalReport(result, { color: false })).not.toMatch(/^circuit/m);
}

describe('an induction model trained for 20 steps', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(folder);
  });
  afterAll(() => model[Symbol.dispose]());
  const promptsOf = async (): Promise<Prompt[]> => readPrompts(join(folder, 'prompts.jsonl'));

  it('continues at most one sequence in ten', () => {
    const card = readFileSync(join(folder, 'README.md'), 'utf8');
    expect(Number(/Held-out accuracy\*\* ([\d.]+)/.exec(card)?.[1])).toBeLessThan(0.1);
  });

  const asked = (['logit-diff', 'logprob', 'prob', 'cross-entropy', 'accuracy'] as const).flatMap((metric) =>
    ([undefined, 'resample', 'mean', 'zero'] as const).map((ablation) => [metric, ablation ?? 'auto'] as const),
  );
  it.each<readonly [MetricName, 'auto' | 'resample' | 'mean' | 'zero']>(asked)(
    'has no circuit by %s under %s ablation',
    async (metric, name) => {
      const ablation = name === 'auto' ? undefined : ABLATIONS[name];
      const prompts = await promptsOf();
      hasNoCircuit(await findCircuits(model, backend, { prompts, metric: METRICS[metric], ablation }));
    },
  );

  it('has none without wrong answers to compare with', async () => {
    const prompts = (await promptsOf()).map((prompt) => ({ ...prompt, incorrect: undefined }));
    const result = await findCircuits(model, backend, { prompts, metric: METRICS.logprob });
    hasNoCircuit(result);
    expect(result.findings[0].text).toMatch(/right on \d % of 64 prompts, and gives it rank \d+/);
  });
});

describe('a model that does something else', () => {
  it('has no circuit for an answer that it always prefers, whatever the prompt says', async () => {
    const model = await loadModel('models/ioi-tiny');
    const ask = (giver: string, correct: string, incorrect: string): Prompt => ({
      prompt: `When Mary and John went to the store, ${giver} gave a drink to`,
      correct,
      incorrect,
    });
    // the other way round than the model was trained: the one who gives is to be given
    const wrong = [ask('John', ' John', ' Mary'), ask('Mary', ' Mary', ' John')];
    const biased = [ask('John', ' Mary', ' Tom'), ask('Mary', ' Tom', ' Mary')];
    for (const prompts of [wrong, biased])
      hasNoCircuit(await findCircuits(model, backend, { prompts, budget: 150, heldOut: 50 }));
    model[Symbol.dispose]();
  });

  it('still has one for what it does', async () => {
    const model = await loadModel('models/induction-2l-h2');
    const prompts = await readPrompts('models/induction-2l-h2/prompts.jsonl');
    const result = await findCircuits(model, backend, { prompts, metric: METRICS.accuracy });
    expect(result.circuit?.verdict?.kind).toBe('found');
    expect(result.pilot?.floor).toBeGreaterThan(0); // what batches do to a value, measured
    model[Symbol.dispose]();
  });
});

describe('guessing', () => {
  const behaviour = (about: Partial<Behaviour>): Behaviour => ({
    prompts: 2,
    contrasts: about.prompts ?? 2,
    accuracy: 1,
    vocabulary: 50_000,
    rank: 1,
    probability: 0.5,
    answers: [],
    ...about,
  });
  it.each<[string, Partial<Behaviour>, boolean]>([
    ['one of a pair', { accuracy: 0.5 }, true],
    ['both of a pair', {}, false],
    ['six of eight', { prompts: 8, accuracy: 6 / 8 }, false],
    ['37 of 64: a half and chance', { prompts: 64, accuracy: 37 / 64 }, true],
    ['40 of 64', { prompts: 64, accuracy: 40 / 64 }, false],
    ['rank 300 without a wrong answer', { contrasts: 0, accuracy: 0, rank: 300 }, true],
    ['rank 30 of 50,000', { contrasts: 0, accuracy: 0, rank: 30 }, false],
    ['rank 12 of 34', { contrasts: 0, accuracy: 0.05, rank: 12, vocabulary: 34 }, true],
  ])('is told from doing: %s', (_, about, guesses) => {
    expect(isGuessing(behaviour(about))).toBe(guesses);
  });

  it('counts the prompts that have a wrong answer, and the vocabulary', async () => {
    const model = await loadModel('models/ioi-tiny');
    const prompts = [
      { prompt: 'Mary gave a drink to', correct: ' John', incorrect: ' Tom' },
      { prompt: 'Mary gave a drink to', correct: ' John' },
    ];
    const tasks = toTasks(model, prompts, { metric: METRICS.logprob, corrupted: false });
    const { contrasts, vocabulary } = (await behaviourOf(model, tasks))!;
    expect([contrasts, vocabulary]).toEqual([1, model.config.dVocabOut]);
    model[Symbol.dispose]();
  });
});
