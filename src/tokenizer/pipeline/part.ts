/**
 * A part of tokenizer.json by its type: one table a room of the format, each row a schema and what it builds.
 *
 * A type that is no row is refused by name, with the rows there are; a field that is not as it should be is named; a
 * pattern that cannot be matched is quoted.
 */
import { z } from 'zod';
import { quote } from '../../checkpoint/strict-json.ts';
import { fail, SpexlensError } from '../../errors.ts';
import type { Pattern } from '../pattern/pattern.ts';

/** Builds what a part's JSON describes. @throws ZodError where it does not. */
export type Row<T> = (json: unknown) => T;

export function row<S extends z.ZodType, T>(schema: S, build: (given: z.infer<S>) => T): Row<T> {
  return (json) => build(schema.parse(json));
}

/** @throws 'checkpoint' naming the type, the field or the pattern. */
export function partOf<T>(room: string, json: unknown, who: string, rows: Readonly<Record<string, Row<T>>>): T {
  const typed = z.looseObject({ type: z.string() }).safeParse(json);
  if (!typed.success) throw fail('checkpoint', who, `tokenizer.json has a ${room} without a type; it should name one.`);
  const { type } = typed.data;
  if (!Object.hasOwn(rows, type)) {
    const known = Object.keys(rows).join(', ');
    throw fail('checkpoint', who, `the ${room} ${quote(type)} is not supported; ${known} are.`);
  }
  try {
    return rows[type](json);
  } catch (error) {
    if (error instanceof SpexlensError) throw error;
    if (error instanceof z.ZodError) {
      const [issue] = error.issues;
      const place = issue.path.length === 0 ? 'its top' : quote(issue.path.join('.'));
      const what = issue.message.replaceAll(/\s+/g, ' ').slice(0, 200);
      throw fail('checkpoint', who, `the ${room} ${type} of tokenizer.json, at ${place}: ${what}.`);
    }
    throw fail('checkpoint', who, `the ${room} ${type} of tokenizer.json cannot be used: ${messageOf(error)}.`);
  }
}

export const patternSchema = z.union([
  z.object({ String: z.string() }).strict(),
  z.object({ Regex: z.string() }).strict(),
]);

/** @throws Error quoting the pattern and saying what in it is not supported. */
export function patternOf(
  given: z.infer<typeof patternSchema>,
  compile: (source: string) => Pattern,
  literal: (text: string) => Pattern,
): Pattern {
  if ('String' in given) return literal(given.String);
  try {
    return compile(given.Regex);
  } catch (error) {
    throw new Error(`the pattern ${quote(given.Regex)} has ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 300);
}
