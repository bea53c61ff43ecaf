/** A text of the benchmark as a game whose values are measured once and logged, one file a text. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { openLedger, type Ledger } from '../../src/ledger.ts';
import { ABSENCES, type AbsenceName } from '../../src/lens/tokens/absences.ts';
import { answerTokens } from '../../src/lens/tokens/answers.ts';
import { createPromptGame } from '../../src/lens/tokens/prompt-game.ts';
import { promptQuestionOf } from '../../src/lens/tokens/question.ts';
import { toPlayers } from '../../src/lens/tokens/text-players.ts';
import { TEXT_VALUES } from '../../src/lens/tokens/text-values.ts';
import { openRunLog } from '../../src/measure/run-log.ts';
import type { Model } from '../../src/model/model.ts';
import { STUDY_VERSION, type Study } from '../../src/study.ts';
import type { BenchText } from './texts.ts';

export interface TextGame {
  readonly ledger: Ledger;
  /** Players that carry the answer. */
  readonly evidence: readonly number[];
  /** Tokens of the answer. */
  readonly answerLength: number;
  close(): void;
}

export interface TextGameOptions {
  readonly model: Model;
  readonly identity: Study['model'];
  readonly backend: string;
  readonly absence: AbsenceName;
  readonly path: string;
}

/**
 * The game of a text: log-odds of the answer to a question, the contrast of both answers elsewhere; what stands around the text is
 * kept.
 */
export function openText(asked: BenchText, options: TextGameOptions): TextGame {
  const { model, identity, backend, absence, path } = options;
  const whole = asked.before + asked.text + asked.after;
  const played = toPlayers(model, whole, {
    players: asked.players,
    separator: '\n',
    kept: [
      { start: 0, end: asked.before.length },
      { start: whole.length - asked.after.length, end: whole.length },
    ],
  });
  const answer = (text: string): readonly number[] => answerTokens(model, played, text, 'answer');
  const one = asked.task === 'question';
  const game = {
    players: played.players,
    tokens: played.tokens,
    owners: played.owners,
    standIn: ABSENCES[absence].open({ model, played }),
    value: one ? TEXT_VALUES['log-odds'] : TEXT_VALUES.contrast,
    answer: answer(asked.answer),
    against: one ? [] : answer(asked.against),
  };
  const question = promptQuestionOf(game, absence);
  mkdirSync(dirname(path), { recursive: true });
  const log = openRunLog(path, { spexlens: STUDY_VERSION, model: identity, backend, question });
  const opened = createPromptGame(model, game);
  const evidence = played.players.flatMap(({ place: { pieces } }, player) =>
    pieces.some(({ start }) =>
      asked.evidence.some(([from, to]) => start >= asked.before.length + from && start < asked.before.length + to),
    )
      ? [player]
      : [],
  );
  return {
    ledger: openLedger(opened, log),
    evidence,
    answerLength: game.answer.length,
    close() {
      log.close();
      opened[Symbol.dispose]();
    },
  };
}
