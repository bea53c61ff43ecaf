/** What a text is asked is a study: every field changes its hash, and the game it opens has the same values. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backend/backend.ts';
import { ABSENCES } from '../../../src/lens/tokens/absences.ts';
import { createPromptGame, type PromptGameOptions } from '../../../src/lens/tokens/prompt-game.ts';
import { promptOptionsOf, promptQuestionOf } from '../../../src/lens/tokens/question.ts';
import { toPlayers } from '../../../src/lens/tokens/text-players.ts';
import { TEXT_VALUES } from '../../../src/lens/tokens/text-values.ts';
import { allMasks } from '../../../src/masks.ts';
import { openGame } from '../../../src/measure/open-game.ts';
import { loadModel, type Model } from '../../../src/model/model.ts';
import { hashStudy, parseStudy, STUDY_VERSION, type Study } from '../../../src/study.ts';
import { open } from '../../tensors.ts';

let backend: Backend;
let model: Model;
let options: PromptGameOptions;
beforeAll(async () => {
  backend = await open('wasm');
  model = await loadModel(join('models', 'induction-2l-h2'));
  const played = toPlayers(model, 'q m s q', { kept: [{ start: 6, end: 7 }] });
  options = {
    ...played,
    standIn: ABSENCES.mean.open({ model, played }),
    value: TEXT_VALUES.contrast,
    answer: [5],
    against: [6],
  };
});
afterAll(() => {
  model[Symbol.dispose]();
  backend.close();
});

const SHA = (digit: string): string => digit.repeat(64);
const studyOf = (asked: PromptGameOptions, absence = 'mean'): Study => ({
  spexlens: STUDY_VERSION,
  model: { id: 'm', weights: SHA('1'), configuration: SHA('2'), tokenizer: SHA('3'), storage: 'float32' },
  backend: 'wasm',
  question: promptQuestionOf(asked, absence),
});

describe('a question about a text', () => {
  it('reads back from JSON and opens the same game', async () => {
    const parsed = parseStudy(JSON.parse(JSON.stringify(studyOf(options))));
    expect(parsed).toEqual(studyOf(options));
    const [own, opened] = [createPromptGame(model, options), openGame(parsed.question, model)];
    expect(await opened.value(allMasks(3))).toEqual(await own.value(allMasks(3)));
    own[Symbol.dispose]();
    opened[Symbol.dispose]();
  });

  it('is another one when any part of it changes', () => {
    const changes: Record<string, Partial<PromptGameOptions>> = {
      players: { players: options.players.map((player) => ({ ...player, name: `${player.name}'` })) },
      tokens: { tokens: options.tokens.toReversed() },
      owners: { owners: options.owners.toReversed() },
      position: { position: 1 },
      'mean over': { standIn: { kind: 'embedding', data: [[1, 2]] } },
      attention: { standIn: { kind: 'attention' } },
      'stand-in ids': { standIn: { kind: 'tokens', tokens: options.tokens.map(() => [3]) } },
      'no ids': { standIn: { kind: 'tokens', tokens: options.tokens.map(() => []) } },
      value: { value: TEXT_VALUES.prob },
      definition: { value: { ...TEXT_VALUES.contrast } },
      answer: { answer: [7] },
      against: { against: [5, 6] },
    };
    const hashes = Object.values(changes).map((change) => hashStudy(studyOf({ ...options, ...change })));
    expect(new Set([hashStudy(studyOf(options)), hashStudy(studyOf(options, 'own')), ...hashes]).size).toBe(
      hashes.length + 2,
    );
  });

  it('cannot be opened with a value that is a function of a program, or owners that are no players', () => {
    const own = promptQuestionOf({ ...options, value: { ...TEXT_VALUES.contrast, name: 'mine' } }, 'mean');
    expect(() => promptOptionsOf(own)).toThrow(/"mine" is a function of somebody's program/);
    const question = promptQuestionOf(options, 'mean');
    expect(() => promptOptionsOf({ ...question, owners: question.owners.map(() => 9) })).toThrow(
      /owners among 3 players/,
    );
  });
});
