/** Compiled transformers: their shapes, and their answers on every input of their size. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forward } from '../../src/model/forward/forward.ts';
import { loadModel } from '../../src/model/model.ts';
import { compile, type CompiledProgram } from '../../src/rasp/compile.ts';
import { inputsOf } from '../../src/rasp/inputs.ts';
import { interpret } from '../../src/rasp/interpret.ts';
import { indices, map, select, selectorWidth, tokens, type Value } from '../../src/rasp/language.ts';
import { PROGRAMS, programOf, type NamedProgram } from '../../src/rasp/programs.ts';
import { answersOf, decode, idsOf, runCompiled } from '../../src/rasp/run-compiled.ts';
import { truthOf } from '../../src/rasp/truth.ts';
import { writeProgram } from '../../src/write-program.ts';
import { open, TEST_BACKEND } from '../tensors.ts';

const spelled = (text: string): string[] => text.split('');
const NAMES = Object.keys(PROGRAMS);
const compiledOf = (known: NamedProgram): CompiledProgram => compile(known.make(known), known);

/** @throws where an answer is not the program's. */
function expectAnswers(
  compiled: CompiledProgram,
  input: readonly Value[],
  answers: readonly (Value | undefined)[],
): void {
  const expected = interpret(compiled.program, input, compiled);
  const same = expected.every((value, k) =>
    compiled.encoding === 'numerical' ? Math.abs(Number(value) - Number(answers[k])) < 1e-4 : value === answers[k],
  );
  if (!same) expect(answers, JSON.stringify(input)).toEqual(expected);
}

describe('the shape of a compiled program', () => {
  // Tracr's own, of the same programs at length 5: d_model, layers, d_mlp, heads.
  it.each<[string, number, number, number, number]>([
    ['shift_by_1', 15, 1, 0, 1],
    ['hist', 18, 1, 11, 1], // 12 there: one unit more, which clears BOS
    ['length', 18, 1, 11, 1], // 12
    ['frac_prevs', 13, 2, 1, 1],
    ['detect_pattern', 17, 2, 4, 1],
    ['sort_unique', 22, 2, 11, 1], // 12
    ['pair_balance', 16, 2, 4, 2],
    ['sort', 42, 3, 20, 1],
    ['reverse', 40, 4, 30, 1],
    ['sort_freq', 63, 5, 30, 1],
  ])('%s has d_model %i, %i layers, d_mlp %i, %i heads', (name, dModel, layers, dMlp, heads) => {
    expect(compiledOf(programOf(name)).sizes).toMatchObject({ dModel, layers, dMlp, heads });
  });

  it('is as deep as its inputs ask and no deeper: shuffle_dyck2 has 6 layers, of which Tracr makes 8', () => {
    expect(compiledOf(programOf('shuffle_dyck2')).sizes).toMatchObject({ dModel: 52, layers: 6, heads: 4 });
  });

  it('grows with what is asked', () => {
    const size = { vocabulary: ['a', 'b'], maxLength: 12 };
    const compiled = compile(programOf('reverse').make(size), size);
    for (const input of [spelled('abbaabababab'), spelled('ab'), spelled('abaaabbbab')])
      expectAnswers(compiled, input, answersOf(compiled, runCompiled(compiled, idsOf(compiled, input))));
  });

  it('refuses what cannot be compiled, saying why', () => {
    const size = { vocabulary: ['a', 'b'], maxLength: 5 };
    expect(() => compile(tokens, size)).toThrow(/tokens: computes nothing/);
    expect(() =>
      compile(
        map((value) => value, tokens),
        { ...size, vocabulary: [] },
      ),
    ).toThrow(/vocabulary: is empty/);
    expect(() =>
      compile(
        map((value) => value, tokens),
        { ...size, vocabulary: ['a', 'a'] },
      ),
    ).toThrow(/has a twice/);
    expect(() =>
      compile(
        map((value) => value, tokens),
        { ...size, maxLength: 0 },
      ),
    ).toThrow(/max length: 0; a whole/);
    expect(() =>
      compile(
        map((value) => value, tokens),
        { ...size, vocabulary: [1, '1'] },
      ),
    ).toThrow(/the same text/);
    const dice = map(() => Math.random(), selectorWidth(select(tokens, indices, (_, query) => query === 0)));
    expect(() => compile(dice, size)).toThrow(/should give the same value each time it is asked/);
  });
});

describe('the arithmetic of a compiled program, in Float64', () => {
  it.each(NAMES)("%s gives the program's answer to all inputs", (name) => {
    const known = programOf(name);
    const compiled = compiledOf(known);
    const { inputs, all } = inputsOf(known);
    expect(all).toBe(true);
    for (const input of inputs)
      expectAnswers(compiled, input, answersOf(compiled, runCompiled(compiled, idsOf(compiled, input))));
  });
});

describe.each([TEST_BACKEND])('the folder of a compiled program, on %s', (backend) => {
  const folder = mkdtempSync(join(tmpdir(), 'spexlens-compile-'));
  let close: () => void;
  beforeAll(async () => {
    close = (await open(backend)).close;
  });
  afterAll(() => {
    close();
    rmSync(folder, { recursive: true });
  });

  it.each(NAMES)(
    "%s loads, and its model gives the program's answer to all inputs",
    async (name) => {
      const known = programOf(name);
      const compiled = compiledOf(known);
      const { inputs } = inputsOf(known);
      const truth = truthOf(compiled, { inputs: inputs.slice(0, 200) });
      await writeProgram(join(folder, name), compiled, { truth, name, about: known.about });
      using model = await loadModel(join(folder, name));
      expect(model.unusedTensors).toEqual([]);
      const [text] = inputs.filter(({ length }) => length === known.maxLength);
      if (text !== undefined) expect(model.tokenizer?.encode(text.join(' '))).toEqual(idsOf(compiled, text));
      for (let length = 1; length <= known.maxLength; length++) {
        const rows = inputs.filter((input) => input.length === length);
        for (let start = 0; start < rows.length; start += 512) {
          const batch = rows.slice(start, start + 512);
          const ids = batch.map((input) => idsOf(compiled, input));
          const logits = tf.tidy(
            () =>
              forward(model.config, model.parameters, tf.tensor2d(ids, undefined, 'int32')).arraySync() as number[][][],
          );
          batch.forEach((input, row) =>
            expectAnswers(
              compiled,
              input,
              logits[row].slice(1).map((position) => decode(compiled, position)),
            ),
          );
        }
      }
    },
    60_000,
  );
});
