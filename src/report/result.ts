/**
 * What a run leaves behind: the record of `result.json`, and the reader that checks it.
 *
 * One record feeds the terminal story and the page, and holds everything needed to repeat the run; its fields are those of
 * result-schema.ts.
 */
import type { z } from 'zod';
import { fail } from '../errors.ts';
import type { Frozen } from '../frozen.ts';
import { printableJson } from '../printable.ts';
import { RESULT_SCHEMA, resultSchema } from './result-schema.ts';
import { upgradeResult } from './upgrade.ts';

export { RESULT_SCHEMA };

/** The record of a run: the content of result.json. */
export type Result = Frozen<z.infer<typeof resultSchema>>;
export type ResultPlayer = Result['players'][number];
export type ResultInteraction = Result['interactions'][number];
export type ResultCircuit = NonNullable<Result['circuit']>;

/**
 * The record in the text of a `result.json`, or in a value already parsed from one.
 * @throws a one-line 'input' error that names the first field that is wrong and how many more are.
 */
export function parseResult(json: unknown, who = 'result.json'): Result {
  const value = typeof json === 'string' ? parseJson(json, who) : json;
  const version = typeof value === 'object' && value !== null && 'schema' in value ? value.schema : undefined;
  if (version === 'spexlens.result/2') return parseResult(upgradeResult(value as Record<string, unknown>), who);
  if (version !== RESULT_SCHEMA) {
    const found = version === undefined ? 'no schema field' : `schema ${JSON.stringify(version)}`;
    throw fail('input', who, `${found} was found; this version reads "${RESULT_SCHEMA}".`);
  }
  const parsed = resultSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [first, ...others] = parsed.error.issues;
  const path = first.path.map(String).join('.') || 'the record';
  const more = others.length === 0 ? '' : ` (and ${others.length} more problem${others.length === 1 ? '' : 's'})`;
  throw fail(
    'input',
    who,
    `${path}: ${first.message.replace(/\s+/g, ' ')}${more}; the fields are those of ${RESULT_SCHEMA}.`,
  );
}

/**
 * The text of `result.json`, checked before it is written.
 * @throws as `parseResult`, also on NaN or an infinity, which JSON would turn into null.
 */
export function formatResult(result: Result): string {
  return `${printableJson(JSON.stringify(parseResult(result), null, 1))}\n`;
}

function parseJson(json: string, who: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/\s+/g, ' ') : String(error);
    throw fail('input', who, `${json.length} characters are not JSON (${why}); a file written by spexlens is needed.`);
  }
}
