/**
 * Errors a caller can act on.
 *
 * Every deliberate failure of spexlens is a `SpexlensError` whose message is one line of the form
 * `who: what was wrong, with the numbers; what would be right.` The `kind` lets a program branch
 * without reading the text. Anything else that is thrown is a defect of ours.
 */
import { printable } from './printable.ts';

/** What sort of thing went wrong: decides nothing by itself, lets a caller branch. */
export type ErrorKind =
  | 'input' // an argument, option or file content that cannot be used
  | 'checkpoint' // a model folder or weight file that is missing, damaged or not supported
  | 'backend' // a tensor backend that is absent or computes wrong numbers
  | 'budget' // the masks allowed do not suffice
  | 'log' // a run log that cannot be read, written or belongs to another run
  | 'aborted'; // stopped by the caller's AbortSignal

/** A failure that its caller can act on: one line that says who, what was wrong and what would be right. */
export class SpexlensError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, who: string, what: string) {
    super(oneLine(`${who}: ${what}`));
    this.name = 'SpexlensError';
    this.kind = kind;
  }
}

/** Messages quote names and values of files, which may be of any length and hold anything. */
const MESSAGE_LIMIT = 1000;

function oneLine(message: string): string {
  const text =
    message.length <= MESSAGE_LIMIT ? message : `${message.slice(0, MESSAGE_LIMIT - 201)}…${message.slice(-200)}`;
  return printable(text);
}

/** The error for `kind`, `who` and `what`; `throw fail(...)` keeps control flow visible to the type checker. */
export function fail(kind: ErrorKind, who: string, what: string): SpexlensError {
  return new SpexlensError(kind, who, what);
}

/** An error as it goes from one thread to another. */
export interface PlainError {
  /** Absent: a defect. */
  readonly kind: ErrorKind | undefined;
  readonly message: string;
  readonly stack: string | undefined;
}

export function toPlainError(error: unknown): PlainError {
  return error instanceof Error
    ? { kind: error instanceof SpexlensError ? error.kind : undefined, message: error.message, stack: error.stack }
    : { kind: undefined, message: String(error), stack: undefined };
}

/** The error again, with the stack of where it was thrown. */
export function fromPlainError({ kind, message, stack }: PlainError): Error {
  const colon = message.indexOf(': ');
  const error =
    kind === undefined || colon < 0
      ? new Error(message)
      : new SpexlensError(kind, message.slice(0, colon), message.slice(colon + 2));
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** Throws the 'aborted' error when `signal` has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, who: string): void {
  if (signal?.aborted) throw fail('aborted', who, 'stopped on request; what was measured so far is in the run log.');
}

/**
 * The candidates closest to `wanted` by edit distance, best first, for "did you mean" in messages.
 * Cost O(|candidates| · |wanted|²).
 */
export function closest(wanted: string, candidates: Iterable<string>, count = 3): string[] {
  return [...candidates]
    .map((name) => ({ name, distance: editDistance(wanted.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map((c) => c.name);
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(swap, previous[j] + 1, row[j - 1] + 1));
    }
    previous = row;
  }
  return previous[b.length];
}
