/**
 * --prompts: many prompts from a file, a folder with its record, page and log each, and an index with what they have in common.
 *
 * A prompt that was finished before by the same command, model and program is read from its folder; one that was begun goes on from
 * its log.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Backend } from '../../src/backend/backend.ts';
import { fail, SpexlensError } from '../../src/errors.ts';
import { explainPrompt, type ExplainPromptOptions } from '../../src/explain-prompt.ts';
import type { OnProgress } from '../../src/game.ts';
import { checkSpans, spansSchema, type Span } from '../../src/lens/tokens/spans.ts';
import { identifyModel } from '../../src/model/identity.ts';
import type { Model } from '../../src/model/model.ts';
import { sha256 } from '../../src/platform/hash.ts';
import { printableJson } from '../../src/printable.ts';
import { promptsPage } from '../../src/report/prompts-page.ts';
import { promptsRecord, type AskedPrompt } from '../../src/report/prompts-record.ts';
import { promptsText } from '../../src/report/prompts-text.ts';
import { parseResult, type Result } from '../../src/report/result.ts';
import { VERSION } from '../../src/version.ts';
import { createOutput } from '../circuits/output.ts';
import { storyOptions, type Streams } from '../command.ts';
import { makeFolder, writeFile } from '../files.ts';
import { writeTables } from '../tables.ts';
import { readInput, textOf, type PromptFlags } from './asked.ts';

const line = z.strictObject({
  prompt: z.string(),
  name: z
    .string()
    .regex(/^[\w-][\w.-]{0,99}$/, 'a name of letters, digits, - _ and . is needed, for it is a folder too')
    .optional(),
  answer: z.string().optional(),
  against: z.string().optional(),
  template: z.string().optional(),
  corrupted: z.string().optional(),
  spans: spansSchema.optional(),
  /** Kinds of parts, by their names. */
  labels: z.record(z.string(), z.string()).optional(),
});

/** A prompt of the list, as it is asked. */
export interface ListedPrompt {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly asked: ExplainPromptOptions;
}

/** The prompts of a file. @throws 'input' naming the line that is wrong. */
export function readPromptList(
  flags: PromptFlags,
  asked: Omit<ExplainPromptOptions, 'prompt' | 'players'>,
  spans: readonly Span[] | undefined,
): ListedPrompt[] {
  const path = flags.prompts as string;
  if (flags.prompt !== undefined || flags.promptFile !== undefined)
    throw fail('input', '--prompts', 'has the prompts; leave --prompt and --prompt-file out.');
  const lines = readInput('--prompts', path).split(/\r?\n/);
  const list = lines.flatMap((text, k): ListedPrompt[] => {
    if (text.trim() === '') return [];
    const who = `${path} line ${k + 1}`;
    const { prompt, name = String(k + 1).padStart(4, '0'), labels, spans: own, ...rest } = parseLine(text, who);
    const parts = own ?? spans;
    if (parts !== undefined) checkSpans(parts, prompt, who);
    return [{ name, labels, asked: { ...asked, ...rest, ...textOf(prompt, flags, parts) } }];
  });
  if (list.length === 0) throw fail('input', '--prompts', `${path} has no prompts; a line of JSON each is needed.`);
  const names = new Set<string>();
  for (const { name } of list) {
    if (names.has(name)) throw fail('input', '--prompts', `two prompts of ${path} are called "${name}".`);
    names.add(name);
  }
  return list;
}

function parseLine(text: string, who: string): z.infer<typeof line> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail('input', who, 'is not JSON; {"prompt": "...", "answer": "..."} is needed.');
  }
  const parsed = line.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw fail('input', who, `${issue.path.join('.') || 'the line'}: ${issue.message}.`);
}

export interface ListRun {
  readonly flags: PromptFlags;
  readonly streams: Streams;
  /** What every prompt is run with. */
  readonly shared: Pick<ExplainPromptOptions, 'elsewhere' | 'command' | 'signal'>;
  readonly onProgress: OnProgress;
}

/** Asks every prompt, writes its folder, then the index; says what was found. */
export async function runPromptList(
  list: readonly ListedPrompt[],
  model: Model,
  backend: Backend,
  { flags, streams, shared, onProgress }: ListRun,
): Promise<void> {
  const folder = flags.out ?? join('out', `${model.name}-prompts`);
  const { weights, configuration } = await identifyModel(model);
  const found: AskedPrompt[] = [];
  for (const [k, { name, labels, asked }] of list.entries()) {
    const at = join(folder, name);
    const asking = sha256(JSON.stringify([VERSION, weights, configuration, backend.name, asked, solverOf(asked)]));
    const finished = finishedIn(at, asking);
    const result =
      finished ??
      (await askOne(model, backend, at, asking, {
        ...asked,
        ...shared,
        onProgress: (step) => onProgress({ ...step, stage: `${k + 1}/${list.length} ${step.stage}` }),
      }).catch((error: unknown) => {
        if (!(error instanceof SpexlensError) || error.kind === 'aborted') throw error;
        throw fail(error.kind, `prompt ${name}`, error.message);
      }));
    if (flags.csv !== undefined) writeTables(join(flags.csv, name), result);
    found.push({ name, folder: name, result, labels });
  }
  const record = promptsRecord(model.name, shared.command ?? '', found);
  const json = `${printableJson(JSON.stringify(record, null, 1))}\n`;
  makeFolder('--out', folder);
  writeFile('--out', join(folder, 'prompts.json'), json);
  writeFile('--out', join(folder, 'index.html'), promptsPage(record));
  streams.out(flags.json === true ? json : promptsText(record, storyOptions(streams).width));
  if (flags.json !== true) streams.out(`\nthe index  ${join(folder, 'index.html')}\n`);
}

/** What JSON leaves out of options: functions by their names. */
function solverOf({ solver, value, absent }: ExplainPromptOptions): unknown {
  return [solver?.name, value?.name, absent?.name];
}

async function askOne(
  model: Model,
  backend: Backend,
  at: string,
  asking: string,
  asked: ExplainPromptOptions,
): Promise<Result> {
  const output = createOutput(at);
  try {
    const result = await output.write(await explainPrompt(model, backend, { ...asked, openLog: output.openLog }));
    writeFile('--out', join(at, ASKED), `${JSON.stringify({ asked: asking })}\n`);
    return result;
  } finally {
    await output.settle();
  }
}

/** What was asked when a folder's record was written. */
const ASKED = 'asked.json';

/** The record of a folder that was finished for the same question; undefined for none, or another one's. */
function finishedIn(folder: string, asking: string): Result | undefined {
  const [note, json] = [join(folder, ASKED), join(folder, 'result.json')];
  if (!existsSync(note) || !existsSync(json)) return undefined;
  try {
    const { asked } = JSON.parse(readFileSync(note, 'utf8')) as { asked?: unknown };
    return asked === asking ? parseResult(readFileSync(json, 'utf8'), json) : undefined;
  } catch {
    return undefined; // it is asked again
  }
}
