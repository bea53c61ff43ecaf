/**
 * Which words of a prompt act together: a model, a prompt and an answer in, a Result out.
 *
 * frame (template, chat) -> players -> the answer's tokens -> what absence means (by a pilot) -> open the game -> its ledger ->
 * explain -> record. The command line (cli/prompt) and notebooks call this; it writes nothing but the run log.
 */
import type { Backend } from './backend/backend.ts';
import type { Doubt } from './circuit/findings.ts';
import { fail } from './errors.ts';
import { settingsOf, type ExplainOptions } from './explain.ts';
import { explainOnThread } from './explain-on-thread.ts';
import type { OpenedLog } from './find-circuits.ts';
import { framePrompt, type FramedPrompt, type FramingOptions } from './framed-prompt.ts';
import { valuesOnly, type Game } from './game.ts';
import { generate as generateText } from './hooks/generate.ts';
import { openLedger } from './ledger.ts';
import { behaviourOf } from './lens/behaviour.ts';
import type { Absence } from './lens/tokens/absences.ts';
import { answerTokens, checkAnswers } from './lens/tokens/answers.ts';
import { brokenText } from './lens/tokens/broken-text.ts';
import { chooseAbsence, type AbsenceChoice } from './lens/tokens/choose-absence.ts';
import type { PromptGameOptions } from './lens/tokens/prompt-game.ts';
import { promptQuestionOf } from './lens/tokens/question.ts';
import { maskedToken, toPlayers, type PlayedText, type TextPlayersOptions } from './lens/tokens/text-players.ts';
import { TEXT_VALUES, type TextValue } from './lens/tokens/text-values.ts';
import type { Masks } from './masks.ts';
import { disposeMeasured, type Elsewhere, type MeasuredGame } from './measure/elsewhere.ts';
import { openPrompt, type Execution } from './measure/open-game.ts';
import { identifyModel } from './model/identity.ts';
import { tokenizerOf, type Model } from './model/model.ts';
import { toSequences } from './model/tokens.ts';
import { inNotebook } from './notebook/progress-line.ts';
import { rememberOutputs, type OutputMap, type SummedGame } from './output-map.ts';
import { recordOf } from './report/record.ts';
import type { Result } from './report/result.ts';
import { measureFloor } from './solve/float-floor.ts';
import { backendFacts, modelFacts } from './run-facts.ts';
import { STUDY_VERSION, type Study } from './study.ts';

/** What explainPrompt is asked: the prompt, its parts, the answer, and what the absence of a part means. */
export interface ExplainPromptOptions
  extends ExplainOptions,
    Execution,
    FramingOptions,
    Pick<TextPlayersOptions, 'players' | 'separator'> {
  /** What should follow, e.g. " positive": one token or several. */
  readonly answer?: string | undefined;
  /** What it is compared with, e.g. " negative". */
  readonly against?: string | undefined;
  /** Instead of an answer: so many tokens that the model itself says after the whole prompt. */
  readonly generate?: number | undefined;
  /** Default: contrast with two answers, else logprob. */
  readonly value?: TextValue | undefined;
  /** What a part's absence means; default: by a pilot, the first sound one of what the prompt allows. */
  readonly absent?: Absence | undefined;
  /** What `replace` puts in the place of an absent part. */
  readonly replacement?: string | undefined;
  /** A prompt of as many tokens, whose tokens `resample` puts in. */
  readonly corrupted?: string | undefined;
  /** Texts whose tokens `mean` averages over; default the prompt's own. */
  readonly meanTexts?: readonly string[] | undefined;
  /** Who measures in place of this process; the pilot and the map by token of the answer are measured here all the same. */
  readonly elsewhere?: Elsewhere | undefined;
  readonly command?: string | undefined;
  /** Opens the log that measured values go to, for this study. */
  readonly openLog?: ((study: Study) => Promise<OpenedLog> | OpenedLog) | undefined;
}

/**
 * Takes a prompt apart into words (or tokens, sentences, ...) and finds which act together on the answer.
 *
 * @example const result = await explainPrompt(model, backend, { prompt: 'The plot is not great. It is', answer: ' bad' });
 * @throws SpexlensError on input that cannot be used, a budget too small, a log of another run, or an abort.
 */
export function explainPrompt(model: Model, backend: Backend, options: ExplainPromptOptions): Promise<Result> {
  return inNotebook(options, (told) => takeApart(model, backend, told));
}

async function takeApart(model: Model, backend: Backend, options: ExplainPromptOptions): Promise<Result> {
  const startedAt = new Date();
  const { signal, onProgress, seed = 0 } = options;
  const framed = framePrompt(model, options);
  const played = toPlayers(model, framed.text, { ...options, kept: framed.kept, prependBos: framed.bos });
  settingsOf(options, played.players.length); // refuses what cannot be paid for before a pilot runs
  const answers = await answersOf(model, played, framed, options);
  const draft: Omit<PromptGameOptions, 'standIn'> = {
    players: played.players,
    tokens: played.tokens,
    owners: played.owners,
    position: model.config.mlmHead === true ? maskedToken(model, played.tokens) : undefined,
    value: answers.value,
    answer: answers.answer,
    against: answers.against,
    batchSize: options.batchSize,
  };
  const context = { model, played, ...standInsOf(model, framed, options) };
  const choice = await chooseAbsence(context, draft, { seed, signal, onProgress, asked: options.absent });
  const asked = { ...draft, standIn: choice.standIn };
  const study: Study = {
    spexlens: STUDY_VERSION,
    model: await identifyModel(model),
    backend: options.elsewhere?.backend ?? backend.name,
    question: promptQuestionOf(asked, choice.absence.name),
  };
  const game: MeasuredGame =
    options.elsewhere === undefined ? openPrompt(asked, model, options) : await options.elsewhere.open(study);
  const remembered = game.byToken === undefined ? undefined : rememberOutputs(game as SummedGame);
  let log: OpenedLog | undefined;
  try {
    log = await options.openLog?.(study);
    const { moreIsBetter } = answers.value;
    const findings = findingsOf(choice, answers.value);
    const floor = await measureFloor(game, { seed, signal });
    const ledger = openLedger(asAsked(remembered?.game ?? game, options), log);
    const explanation = await explainOnThread(ledger, { ...options, floor, findings, moreIsBetter });
    const seen = ledger.seen().masks;
    const outputs =
      options.elsewhere === undefined
        ? await remembered?.map(seen, { seed, signal })
        : await mapHere(model, asked, options, seen);
    return recordOf(explanation, {
      name: model.name,
      study,
      startedAt,
      command: options.command,
      options: optionsForRecord(options, choice, answers.value, played),
      model: modelFacts(model, study),
      backend: backendFacts(backend, explanation, { model, study, game }),
      task: {
        prompts: [{ text: played.text, tokens: [...played.strTokens], ...answers.texts }],
        metric: answers.value.name,
        units: answers.value.unit,
        ablation: choice.absence.name,
        players: played.unit,
      },
      threads: game.threads,
      ...(outputs === undefined ? {} : { outputs: outputFacts(model, answers.answer, outputs) }),
      behaviour: await behaviourFacts(model, draft),
      pilot: pilotFacts(choice, floor),
    });
  } finally {
    log?.close();
    await disposeMeasured(game);
  }
}

interface Answers {
  readonly value: TextValue;
  readonly answer: readonly number[];
  readonly against: readonly number[];
  /** For the reader. */
  readonly texts: { readonly correct?: string; readonly incorrect?: string; readonly corrupted?: string };
}

async function answersOf(
  model: Model,
  played: PlayedText,
  { bos }: FramedPrompt,
  { answer: given, against: other, generate, value, corrupted, signal }: ExplainPromptOptions,
): Promise<Answers> {
  if (generate !== undefined && (given !== undefined || other !== undefined))
    throw fail('input', 'generate', 'has the model say the answer itself; leave answer and against out.');
  const of = (text: string | undefined, who: string): readonly number[] =>
    text === undefined ? [] : answerTokens(model, played, text, who, bos);
  const said =
    generate === undefined
      ? undefined
      : await generateText(model, [played.tokens], { maxNewTokens: generate, stopTokens: [], signal });
  const answer = said?.tokens[0] ?? of(given, 'answer');
  const against = of(other, 'against');
  const chosen = value ?? (against.length > 0 ? TEXT_VALUES.contrast : TEXT_VALUES.logprob);
  checkAnswers(chosen.needs, chosen.name, answer, against);
  const correct = said?.texts?.[0] ?? given;
  return {
    value: chosen,
    answer: chosen.needs.answer ? answer : [],
    against,
    texts: {
      ...(correct === undefined ? {} : { correct }),
      ...(other === undefined ? {} : { incorrect: other }),
      ...(corrupted === undefined ? {} : { corrupted }),
    },
  };
}

/** What an absence may draw on, as tokens. */
function standInsOf(
  model: Model,
  { bos }: FramedPrompt,
  { replacement, corrupted, meanTexts }: ExplainPromptOptions,
): {
  readonly replacement?: string;
  readonly corrupted?: readonly number[];
  readonly data?: readonly (readonly number[])[];
} {
  const rows = (texts: readonly string[]): readonly (readonly number[])[] =>
    toSequences(model, texts, bos === undefined ? {} : { prependBos: bos });
  return {
    ...(replacement === undefined ? {} : { replacement }),
    ...(corrupted === undefined ? {} : { corrupted: rows([corrupted])[0] }),
    ...(meanTexts === undefined ? {} : { data: rows(meanTexts) }),
  };
}

/**
 * The game with its gradients where GradSPEX is asked for. `auto` would pay for a dozen to see whether they help, which is much of a
 * budget for words, and they have not been seen to help there.
 */
function asAsked(game: Game, { solver }: ExplainPromptOptions): Game {
  return solver?.name === 'gradspex' ? game : valuesOnly(game);
}

/** The map of a run that was measured elsewhere, where only whole values are told of: some of its masks are measured here too. */
async function mapHere(
  model: Model,
  asked: PromptGameOptions,
  options: ExplainPromptOptions,
  seen: Masks,
): Promise<OutputMap | undefined> {
  const { seed = 0, signal } = options;
  const game = openPrompt(asked, model, options);
  try {
    if (game.byToken === undefined) return undefined;
    return await rememberOutputs(game as SummedGame).map(seen, { seed, signal });
  } finally {
    await disposeMeasured(game);
  }
}

/** What the pilot says against the question. */
function findingsOf(choice: AbsenceChoice, value: TextValue): Doubt[] {
  const broken = brokenText(choice, value);
  return broken === undefined ? [] : [{ kind: 'broken question', ...broken }];
}

/** What each token of the answer owes to the players. */
function outputFacts(model: Model, answer: readonly number[], { masks, outputs }: OutputMap): Result['outputs'] {
  const texts = tokenizerOf(model).toStrTokens([...answer]);
  return { masks, tokens: outputs.map((each, j) => ({ text: texts[j], ...each, values: [...each.values] })) };
}

/** Rank and probability of an answer of one token. */
async function behaviourFacts(
  model: Model,
  { tokens, position, answer, against }: Omit<PromptGameOptions, 'standIn'>,
): Promise<Result['behaviour']> {
  if (answer.length !== 1 || against.length > 1) return undefined;
  const task = { tokens, position, correct: answer[0], incorrect: against[0] as number | undefined };
  const found = await behaviourOf(model, [
    { ...task, label: 'prompt', text: { prompt: '' }, strTokens: [], corrupted: undefined },
  ]);
  if (found === undefined) return undefined;
  const { prompts, accuracy, rank, probability } = found;
  return { prompts, accuracy, rank, probability };
}

function pilotFacts({ absence, why, tried, rows }: AbsenceChoice, floor: number): Result['pilot'] {
  const plain = tried.map(({ ablation, pilot: { distance, ...rest } }) => ({
    ablation,
    pilot: { ...rest, distance: Number.isFinite(distance) ? distance : null },
  }));
  return { ablation: absence.name, why, rows, floor, tried: plain };
}

/** What was asked for, with defaults filled in, as JSON. */
function optionsForRecord(
  options: ExplainPromptOptions,
  { absence }: AbsenceChoice,
  value: TextValue,
  { unit }: PlayedText,
): Readonly<Record<string, unknown>> {
  const { budget = 1024, heldOut = 512, target = 0.9, seed = 0, adaptive, solver } = options;
  return {
    players: unit,
    template: options.template ?? null,
    chat: options.chat === true,
    keepText: options.keepText ?? null,
    answer: options.answer ?? null,
    against: options.against ?? null,
    generate: options.generate ?? null,
    absent: absence.name,
    replacement: options.replacement ?? null,
    value: value.name,
    solver: solver?.name ?? 'auto',
    selector: options.selector?.name ?? 'auto',
    budget,
    insist: options.insist ?? false,
    adaptive: adaptive ?? null,
    heldOut,
    target,
    seed,
    batchSize: options.batchSize ?? null,
    threads: options.threads ?? 'auto',
  };
}
