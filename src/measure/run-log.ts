/**
 * Measured values on disk: append-only JSONL, so that a killed run resumes without measuring a mask twice.
 *
 * Line 1 says what was measured: {"spexlens":"run-log/1","players":[...],"identity":{...},"hash":"..."}. Every
 * further line is {"mask":hex,"value":number}. Each batch is one write and one fdatasync; a last line that a
 * crash tore is cut off on opening. A log of another configuration is refused, naming what differs.
 */
import { createHash } from 'node:crypto';
import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { fail } from '../errors.ts';
import type { ValueLog } from '../ledger.ts';
import { maskHex, masksFromHex } from '../masks.ts';

const VERSION = 'run-log/1';

/** Everything that a value depends on, as plain JSON: model hash, tokens, players, ablation, metric. */
export type RunIdentity = Readonly<Record<string, unknown>>;

export interface RunLog extends ValueLog {
  readonly path: string;
  readonly hash: string;
  /** Masks that were in the file when it was opened. */
  readonly resumed: number;
  readonly close: () => void;
}

/** SHA-256 of the identity's canonical JSON (keys sorted). */
export function identityHash(identity: RunIdentity): string {
  return createHash('sha256').update(canonical(identity)).digest('hex');
}

/**
 * Opens or begins the log at `path`.
 * @throws 'log' when the file cannot be written, is not a run log, or belongs to another configuration.
 */
export function openRunLog(path: string, players: readonly string[], identity: RunIdentity): RunLog {
  const hash = identityHash({ ...identity, players });
  const who = `run log ${path}`;
  let file: number;
  try {
    file = openSync(path, 'a+');
  } catch (error) {
    throw fail('log', who, `cannot be written (${(error as NodeJS.ErrnoException).code}).`);
  }
  try {
    const text = readFileSync(file, 'utf8');
    const known = new Map<string, number>();
    const header = `${JSON.stringify({ spexlens: VERSION, players, identity, hash })}\n`;
    if (header.startsWith(text)) {
      // New, or torn while its header was being written.
      ftruncateSync(file, 0);
      append(file, header);
    } else {
      const whole = text.slice(0, text.lastIndexOf('\n') + 1);
      if (whole === '')
        throw fail('log', who, 'does not begin with a run-log header; choose another --out folder or remove the file.');
      checkHeader(who, whole.slice(0, whole.indexOf('\n')), hash, { ...identity, players });
      readEntries(who, whole, known);
      // What a crash left behind the last newline is half a line.
      if (whole.length < text.length) ftruncateSync(file, Buffer.byteLength(whole));
    }
    return {
      path,
      hash,
      resumed: known.size,
      entries: () => [
        { masks: masksFromHex(players.length, [...known.keys()]), values: Float64Array.from(known.values()) },
      ],
      append({ masks, values }) {
        append(
          file,
          Array.from(values, (value, row) => `${JSON.stringify({ mask: maskHex(masks, row), value })}\n`).join(''),
        );
      },
      close: () => closeSync(file),
    };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function append(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  fdatasyncSync(file);
}

function checkHeader(who: string, line: string, hash: string, wanted: RunIdentity): void {
  let header: { spexlens?: unknown; hash?: unknown; identity?: Record<string, unknown>; players?: unknown };
  try {
    header = JSON.parse(line) as typeof header;
  } catch {
    throw fail('log', who, 'does not begin with a run-log header; choose another --out folder or remove the file.');
  }
  if (header.spexlens !== VERSION)
    throw fail('log', who, `is of version ${JSON.stringify(header.spexlens)}; this program reads ${VERSION}.`);
  if (header.hash === hash) return;
  const found: Record<string, unknown> = { ...header.identity, players: header.players };
  const different = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].filter(
    (key) => canonical(found[key]) !== canonical(wanted[key]),
  );
  const shown = different.slice(0, 2).map((key) => `${key} was ${brief(found[key])}, now ${brief(wanted[key])}`);
  throw fail(
    'log',
    who,
    `belongs to another run (${shown.join('; ') || 'the hash differs'}); choose another --out folder, or remove the log to start over.`,
  );
}

function readEntries(who: string, text: string, into: Map<string, number>): void {
  text.split('\n').forEach((line, i) => {
    if (i === 0 || line === '') return;
    let entry: { mask?: unknown; value?: unknown };
    try {
      entry = JSON.parse(line) as typeof entry;
    } catch {
      throw fail('log', who, `line ${i + 1} is not JSON; the file is damaged, remove that line to go on.`);
    }
    if (typeof entry.mask !== 'string' || typeof entry.value !== 'number')
      throw fail('log', who, `line ${i + 1} is not {"mask", "value"}; the file is damaged, remove that line to go on.`);
    into.set(entry.mask, entry.value);
  });
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'absent';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const record = value as Record<string, unknown>;
    return `{${Object.keys(record)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonical(record[key])}`)
      .join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
