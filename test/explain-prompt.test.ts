/** The driver: what a template and a chat template bring is kept, a weak question is said to be one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../src/backend/backend.ts';
import { explainPrompt, type ExplainPromptOptions } from '../src/explain-prompt.ts';
import { ABSENCES } from '../src/lens/tokens/absences.ts';
import type { Elsewhere } from '../src/measure/elsewhere.ts';
import { openGame } from '../src/measure/open-game.ts';
import { loadModel, type Model } from '../src/model/model.ts';
import type { Result } from '../src/report/result.ts';
import { SOLVERS } from '../src/solve/solve.ts';
import type { Tokenizer } from '../src/tokenizer/tokenizer.ts';
import { open } from './tensors.ts';

let backend: Backend;
let model: Model;
beforeAll(async () => {
  backend = await open('wasm');
  model = await loadModel('models/induction-2l-h2');
});
afterAll(() => {
  model[Symbol.dispose]();
  backend.close();
});

const ASK = { answer: ' m', budget: 64, heldOut: 0, absent: ABSENCES.remove };
const ask = (options: Partial<ExplainPromptOptions>, of = model): Promise<Result> =>
  explainPrompt(of, backend, { ...ASK, prompt: 'e q m s', ...options });

describe('the frame of a prompt', () => {
  it('is kept: a template, a chat template or a pattern ask the same', async () => {
    const chatTemplates = new Map([['default', "{{ bos_token }}b {{ messages[0]['content'] }} q"]]);
    const chatty = { ...model, tokenizer: { ...(model.tokenizer as Tokenizer), chatTemplates } };
    const [template, both, pattern] = [
      await ask({ template: 'b {} q' }),
      await ask({ chat: true }, chatty),
      await ask({ prompt: 'b e q m s q', keepText: '^b|q$' }),
    ];
    expect(pattern.players.map(({ name }) => name)).toEqual(['e', 'q', 'm', 's']);
    for (const each of [template, both]) {
      expect(each.players.map(({ name }) => name)).toEqual(['e', 'q', 'm', 's']);
      expect(each.task.prompts[0].tokens.filter((token) => !token.startsWith('<'))).toEqual(
        pattern.task.prompts[0].tokens.filter((token) => !token.startsWith('<')),
      );
      expect(each.spectrum.terms).toEqual(pattern.spectrum.terms);
    }
    const { text } = both.task.prompts[0];
    const place = both.players[1].place;
    expect(place?.kind === 'span' && text.slice(place.pieces[0].start, place.pieces[0].end)).toBe('q');
  });

  it('cannot stand around spans, which count its characters, or say the prompt twice', async () => {
    await expect(ask({ players: [{ start: 0, end: 1 }], template: 'b {}' })).rejects.toThrow(
      /^spans: count characters/,
    );
    const chatTemplates = new Map([['default', "{{ messages[0]['content'] }} {{ messages[0]['content'] }}"]]);
    const loud = { ...model, tokenizer: { ...(model.tokenizer as Tokenizer), chatTemplates } };
    await expect(ask({ chat: true }, loud)).rejects.toThrow(/changes the prompt's text/);
  });
});

describe('gradients', () => {
  const long = { prompt: 'b e q m s v k d f q', budget: 120, heldOut: 64, answer: ' m', absent: ABSENCES.attention };

  it('are taken where GradSPEX is asked for, of a text whose parts stay in their places', async () => {
    const { solver } = await ask({ ...long, solver: SOLVERS.gradspex });
    expect(solver.details).toMatchObject({ kind: 'gradient process', measuredGradients: 30 });
    await expect(ask({ ...long, absent: ABSENCES.remove, solver: SOLVERS.gradspex })).rejects.toThrow(/gradients/);
  });

  it('are not tried by auto, which predicts masks better without', async () => {
    const [auto, gradspex] = [await ask(long), await ask({ ...long, solver: SOLVERS.gradspex })];
    expect(JSON.stringify(auto.solver.details)).not.toContain('radient');
    expect(auto.heldOut?.r2).toBeGreaterThan(gradspex.heldOut?.r2 as number);
  });
});

describe('the map by token of an answer', () => {
  it('is measured here too where others measure, who tell of whole values alone', async () => {
    const asked = { answer: ' m q', budget: 16 };
    const elsewhere: Elsewhere = {
      async open({ question }) {
        const game = openGame(question, model);
        const { name, players } = game;
        return {
          name,
          players,
          value: (masks, options) => game.value(masks, options),
          measuredBy: new Map([['there', 16]]),
          [Symbol.asyncDispose]: () => Promise.resolve(game[Symbol.dispose]()),
        };
      },
    };
    const [here, there] = [await ask(asked), await ask({ ...asked, elsewhere })];
    expect(there.outputs?.tokens).toHaveLength(2);
    expect(there.outputs).toEqual(here.outputs);
    expect((await ask({ elsewhere })).outputs).toBeUndefined();
    await expect(() => ask({ ...asked, elsewhere })).toLeakNoTensors();
  });
});

describe('a question', () => {
  it('whose answer the text makes less likely is said to be broken, and gets no circuit', async () => {
    const result = await ask({ template: '{} q', answer: ' v', against: ' m', absent: undefined });
    expect(result.findings[0].kind).toBe('broken question');
    expect(result.circuit).toBeUndefined();
    expect(result.pilot?.why).toMatch(/^none that the prompt allows is sound/);
    expect(result.pilot?.tried.map(({ ablation }) => ablation)).toEqual(['remove', 'attention', 'mean']);
  });

  it('leaves no tensors behind, also where it is refused', async () => {
    await expect(() => ask({ template: '{} q' })).toLeakNoTensors();
    await expect(() => ask({ answer: '' })).toLeakNoTensors();
  });
});
