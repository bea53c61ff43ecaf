/**
 * Players that a person names: character ranges from JSON, text between [[ and ]], and what is always kept (a pattern, a template).
 */
import { z } from 'zod';
import { fail } from '../../errors.ts';
import { trimmed, type Piece } from './cut-text.ts';

/** Pieces of a text with a name; spans of equal names are one player. */
export interface Span extends Piece {
  readonly name?: string | undefined;
}

/** Spans as JSON has them. */
export const spansSchema = z
  .array(z.strictObject({ start: z.int().min(0), end: z.int().min(0), name: z.string().min(1).optional() }))
  .min(1);

/** Spans from the text of a JSON file. @throws 'input' naming the first that is wrong. */
export function parseSpans(json: string, who = 'spans'): Span[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw fail('input', who, 'is not JSON; an array of {"start", "end", "name"?} is needed.');
  }
  const parsed = spansSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw fail(
    'input',
    who,
    `${issue.path.join('.') || 'the list'}: ${issue.message}; [{"start", "end", "name"?}] is needed.`,
  );
}

/** @throws 'input' for spans that are empty, overlap or leave the text, with their numbers. */
export function checkSpans(spans: readonly Span[], text: string, who = 'spans'): void {
  spans.forEach(({ start, end }, k) => {
    if (end <= start)
      throw fail('input', who, `span ${k} is [${start}, ${end}), which is empty; end must be above start.`);
    if (end > text.length)
      throw fail('input', who, `span ${k} is [${start}, ${end}), and the text has ${text.length} characters.`);
  });
  const order = spans.map((_, k) => k).sort((a, b) => spans[a].start - spans[b].start);
  for (let k = 1; k < order.length; k++) {
    const [a, b] = [spans[order[k - 1]], spans[order[k]]];
    if (b.start < a.end)
      throw fail(
        'input',
        who,
        `span ${order[k - 1]} [${a.start}, ${a.end}) and span ${order[k]} [${b.start}, ${b.end}) overlap; a character belongs to one.`,
      );
  }
}

/** A text without its marks, and the spans that stood between [[ and ]]. @throws 'input' for marks that do not pair up. */
export function unmark(marked: string): { readonly text: string; readonly spans: Span[] } {
  const spans: Span[] = [];
  let text = '';
  let open: number | undefined;
  let at = 0;
  for (const { 0: mark, index } of marked.matchAll(/\[\[|\]\]/gu)) {
    text += marked.slice(at, index);
    at = index + mark.length;
    if ((mark === '[[') === (open !== undefined))
      throw fail('input', 'marks', `"${mark}" at character ${index} has no partner; a part is [[marked]], not nested.`);
    if (open !== undefined) spans.push({ start: open, end: text.length });
    open = mark === '[[' ? text.length : undefined;
  }
  if (open !== undefined) throw fail('input', 'marks', 'a "[[" is never closed; write [[marked]].');
  if (spans.length === 0) throw fail('input', 'marks', 'the prompt has no [[marked]] part.');
  text += marked.slice(at);
  checkSpans(spans, text, 'marks');
  return { text, spans };
}

/** Where `pattern` matches, as ranges. @throws 'input' for a pattern that is none, or matches nothing. */
export function matchesOf(text: string, pattern: string, who = 'text to keep'): Piece[] {
  let expression: RegExp;
  try {
    expression = new RegExp(pattern, 'gu');
  } catch (error) {
    throw fail('input', who, `"${pattern}" is not a regular expression (${(error as Error).message}).`);
  }
  const found = [...text.matchAll(expression)]
    .filter((match) => match[0] !== '')
    .map((match) => ({ start: match.index, end: match.index + match[0].length }));
  if (found.length === 0) throw fail('input', who, `"${pattern}" matches nothing in the prompt.`);
  return found;
}

/** What of `pieces` lies outside `kept`, without white space at its ends. */
export function outside<P extends Piece>(text: string, pieces: readonly P[], kept: readonly Piece[]): P[] {
  const order = [...kept].sort((a, b) => a.start - b.start);
  return pieces.flatMap((piece) => {
    const left: P[] = [];
    let start = piece.start;
    for (const { start: from, end: to } of order) {
      if (to <= start || from >= piece.end) continue;
      left.push(...trimmed(text, { start, end: Math.max(start, from) }).map((part) => ({ ...piece, ...part })));
      start = Math.max(start, to);
    }
    if (start < piece.end)
      left.push(...trimmed(text, { start, end: piece.end }).map((part) => ({ ...piece, ...part })));
    return left;
  });
}

/** A template with `prompt` in its one place {}. @throws 'input' for none or several. */
export function fillTemplate(template: string, prompt: string): string {
  const parts = template.split('{}');
  if (parts.length !== 2)
    throw fail(
      'input',
      'template',
      `has ${parts.length - 1} places {}; exactly one is needed, where the prompt stands.`,
    );
  return parts.join(prompt);
}
