/** Three rules planted in a trained model: what acts together is known, and is what the feature lens says first. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spexlens } from '../cli/spexlens.ts';
import { signOf, SURE, type Rule } from '../scripts/training/rules-data.ts';
import type { Backend } from '../src/backend/backend.ts';
import { explainPrompt, type ExplainPromptOptions } from '../src/explain-prompt.ts';
import { runWithHooks } from '../src/hooks/run.ts';
import { ABSENCES } from '../src/lens/tokens/absences.ts';
import { allMasks, keptPlayers } from '../src/masks.ts';
import { loadModel, tokenizerOf, type Model } from '../src/model/model.ts';
import type { Result } from '../src/report/result.ts';
import { createSpectrum, evaluate } from '../src/spectrum/spectrum.ts';
import { open } from './tensors.ts';

const MODEL = 'models/planted-rules';
let backend: Backend;
let model: Model;
beforeAll(async () => {
  backend = await open('wasm');
  model = await loadModel(MODEL);
});
afterAll(() => {
  model[Symbol.dispose]();
  backend.close();
});

interface Planted {
  readonly rule: Rule;
  readonly prompt: string;
  readonly template: string;
  readonly answers: readonly [string, string];
}
const NEGATION: Planted = {
  rule: 'negation',
  prompt: 'the music was not good and the plot was long.',
  template: '{} verdict:',
  answers: [' negative', ' positive'],
};
const BOTH: Planted = {
  rule: 'both',
  prompt: 'here is a cord. a bulb is there. will the lamp work?',
  template: '{} answer:',
  answers: [' yes', ' no'],
};
const EITHER: Planted = {
  rule: 'either',
  prompt: 'tom has a map. anna found a cup. a compass is there.',
  template: '{} will the hiker be fine? answer:',
  answers: [' yes', ' no'],
};

const ask = ({ prompt, template, answers }: Planted, options: Partial<ExplainPromptOptions> = {}): Promise<Result> =>
  explainPrompt(model, backend, {
    prompt,
    template,
    answer: answers[0],
    against: answers[1],
    absent: ABSENCES.remove,
    budget: 2 ** 14,
    heldOut: 0,
    ...options,
  });
/** What a sure rule is worth. */
const CERTAIN = Math.log(SURE / (1 - SURE));
/** By name, less the mark at its end. */
const bare = (names: readonly string[]): string[] => names.map((name) => name.replace(/[.?]$/, '')).sort();
const valueOf = (result: Result, word: string): number =>
  result.values[result.players.findIndex(({ name }) => bare([name])[0] === word)].banzhaf;

describe('negation', () => {
  it('is the largest interaction, and to first order the word that it turns round does nothing', async () => {
    const result = await ask(NEGATION);
    expect(result.solver.exact).toBe(true);
    const [first, second] = result.interactions;
    expect(bare(first.names)).toEqual(['good', 'not']);
    // f is -c with good, +c with not good, 0 without good: the discrete derivative of the two is 2c.
    expect(Math.abs(first.value / (2 * CERTAIN) - 1)).toBeLessThan(0.15);
    expect(Math.abs(second.fourier)).toBeLessThan(0.25 * Math.abs(first.fourier));
    expect(Math.abs(valueOf(result, 'good'))).toBeLessThan(0.1 * first.value);
    expect(result.energy.alone).toBeLessThan(0.55);
  });

  it('is found from a third of the masks, with more of the variance than first order can have', async () => {
    const result = await ask(NEGATION, { budget: 340, heldOut: 200 });
    expect(result.solver.exact).toBe(false);
    expect(bare(result.interactions[0].names)).toEqual(['good', 'not']);
    expect(result.heldOut?.r2).toBeGreaterThan(0.95);
    expect(result.heldOut?.firstOrder?.r2).toBeLessThan(0.6);
  });

  it.each([
    ['all masks', []],
    ['a third of them', ['--budget', '340', '--held-out', '100']],
  ])('is what the command says first, from %s', async (_masks, some) => {
    const folder = mkdtempSync(join(tmpdir(), 'spexlens-planted-'));
    let out = '';
    const { prompt, template, answers } = NEGATION;
    const ends = ['--answer', answers[0], '--against', answers[1], '--absent', 'remove', ...some];
    const asked = ['prompt', '--model', MODEL, '--prompt', prompt, '--template', template, ...ends];
    const code = await spexlens([...asked, '--backend', 'wasm', '--out', folder], {
      out: (text) => void (out += text),
      err: () => {},
    });
    rmSync(folder, { recursive: true });
    expect(code).toBe(0);
    expect(out).toMatch(/acting together .*\n +not × good +[\d.]+ %/);
  });
});

describe('two facts that must both be there', () => {
  it('and what is asked about are a triple, the strongest interaction of all', async () => {
    const result = await ask(BOTH);
    expect(result.solver.exact).toBe(true);
    // f is +c with all three, -c with the lamp but not both facts, 0 without the lamp: seven equal coefficients, four of interactions.
    const largest = result.interactions.slice(0, 4);
    expect(largest.map(({ names }) => bare(names).join(' ')).sort()).toEqual([
      'bulb cord',
      'bulb cord lamp',
      'bulb lamp',
      'cord lamp',
    ]);
    expect(Math.abs(result.interactions[4].fourier)).toBeLessThan(0.25 * Math.abs(largest[3].fourier));
    // The discrete derivative of the triple is 2c everywhere, those of the pairs are c on average.
    const [strongest, next] = [...largest].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    expect(bare(strongest.names)).toEqual(['bulb', 'cord', 'lamp']);
    expect(Math.abs(strongest.value / (2 * CERTAIN) - 1)).toBeLessThan(0.15);
    expect(Math.abs(next.value)).toBeLessThan(0.7 * strongest.value);
    // Of the seven equal coefficients three are of single words; the lamp, without which nothing is known, counts against.
    expect(result.energy.alone).toBeLessThan(0.48);
    expect(valueOf(result, 'lamp')).toBeLessThan(0);
  });

  it('are a triple of sentences too', async () => {
    const { prompt, template } = BOTH;
    const spans = [...prompt.matchAll(/[a-z][^.?]*[.?]/g)].map(({ index, 0: { length } }) => ({
      start: index,
      end: index + length,
    }));
    const result = await ask(
      { ...BOTH, prompt: template.replace('{}', prompt) },
      { template: undefined, players: spans },
    );
    expect(result.players).toHaveLength(3);
    const [strongest] = [...result.interactions].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    expect(strongest.members).toEqual([0, 1, 2]);
  });

  it('are a pair where the question is kept', async () => {
    const result = await ask(BOTH, { keepText: 'will the lamp work\\?' });
    expect(bare(result.interactions[0].names)).toEqual(['bulb', 'cord']);
    expect(result.interactions[0].meaning).toBe('synergy');
  });
});

describe('either of two facts', () => {
  it('is a redundancy, the largest interaction', async () => {
    const result = await ask(EITHER);
    expect(result.solver.exact).toBe(true);
    const [first, second] = result.interactions;
    expect(bare(first.names)).toEqual(['compass', 'map']);
    expect(first.meaning).toBe('redundancy');
    expect(Math.abs(first.value / (-2 * CERTAIN) - 1)).toBeLessThan(0.15);
    expect(Math.abs(second.fourier)).toBeLessThan(0.25 * Math.abs(first.fourier));
    expect(result.energy.alone).toBeLessThan(0.72);
  });
});

describe('the spectrum of few words', () => {
  it('is the sum over every subset, each run by itself as a text of its own', async () => {
    const { prompt, template, answers } = NEGATION;
    const result = await ask(NEGATION);
    const n = result.players.length;
    const words = prompt.split(' ');
    expect(words).toHaveLength(n);
    const masks = allMasks(n);
    const tokenizer = tokenizerOf(model);
    const [first, second] = answers.map((answer) => tokenizer.toSingleToken(answer));
    const values: number[] = [];
    for (let row = 0; row < masks.count; row++) {
      const left = keptPlayers(masks, row).map((player) => words[player]);
      const logits = runWithHooks(model, template.replace('{}', left.join(' ')), []);
      const last = (await logits.data()).slice(-model.config.dVocabOut);
      logits.dispose();
      values.push(last[first] - last[second]);
    }
    const sets = Array.from({ length: masks.count }, (_, row) => keptPlayers(masks, row));
    const listed = new Map(result.spectrum.terms.map(({ members, value }) => [members.join(), value]));
    const smallest = Math.min(...[...listed.values()].map(Math.abs));
    expect(listed.size + result.spectrum.omitted).toBe(masks.count);
    for (const [s, members] of sets.entries()) {
      let sum = 0;
      for (let m = 0; m < masks.count; m++) sum += parity(masks.words[s] & masks.words[m]) * values[m];
      const told = listed.get(members.join());
      if (told === undefined) expect(Math.abs(sum / masks.count)).toBeLessThan(smallest + 1e-5);
      else expect(told).toBeCloseTo(sum / masks.count, 5);
    }
  });

  it.each([NEGATION, BOTH, EITHER])('is near the planted rule everywhere: $rule', async (planted) => {
    const result = await ask(planted);
    const masks = allMasks(result.players.length);
    const names = result.players.map(({ name }) => name.replace(/[.?]$/, '').replace(/ \(\d+\)$/, ''));
    const kept = planted.template.match(/\w+/g) ?? [];
    const towards = planted === NEGATION ? -CERTAIN : CERTAIN;
    const found = evaluate(createSpectrum('fourier', masks.players, result.spectrum.terms), masks);
    const squares = Array.from(found, (value, row) => {
      const left = [...keptPlayers(masks, row).map((player) => names[player]), ...kept];
      return (value - towards * signOf(planted.rule, left)) ** 2;
    });
    expect(Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length)).toBeLessThan(0.5);
  });
});

function parity(word: number): number {
  let odd = 0;
  for (let left = word; left !== 0; left &= left - 1) odd ^= 1;
  return odd === 1 ? -1 : 1;
}
