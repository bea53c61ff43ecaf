/** Every string of a record, an inspection and an error, made hostile one at a time: nothing a terminal or a page acts on comes out. */
import { resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { inspect, type Inspection } from '../../cli/inspect/inspection.ts';
import { inspectionText } from '../../cli/inspect/text.ts';
import { runCommand, type Streams } from '../../cli/command.ts';
import { fail, SpexlensError } from '../../src/errors.ts';
import { loadModel } from '../../src/model/model.ts';
import { openBackend } from '../../src/open-backend.ts';
import { printableJson, terminalText } from '../../src/printable.ts';
import { interactionCsv, playerCsv } from '../../src/report/csv.ts';
import { renderReport } from '../../src/report/html.ts';
import { formatResult, parseResult, type Result } from '../../src/report/result.ts';
import { terminalReport } from '../../src/report/terminal.ts';
import { Command } from 'commander';
import { heads, madeUpResult, tokens } from './made-up-result.ts';

/** ESC, OSC with its end, BEL, CSI of one byte, an override of direction, an isolate, a separator of lines, a mark, NUL. */
const HOSTILE = '\u001B[31m\u001B]0;title\u0007\u009B2J\u202Eevil\u2066\u2028\u200F\u0000</script><b>';
const ACTS = /[^\P{Cc}\n\t]|[\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/u;
const PAGE_ACTS = /[^\P{Cc}\n\t]|[\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]|<\/script><b>/u;

type Path = readonly (string | number)[];

/** The paths of every string in a plain value; of a long list the first two. */
function stringsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value === 'string') return [path];
  if (Array.isArray(value)) return value.slice(0, 2).flatMap((each, k) => stringsOf(each, [...path, k]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => stringsOf(each, [...path, key]));
}

function withHostile<T>(value: T, [first, ...rest]: Path): T {
  if (first === undefined) return `${HOSTILE}${String(value)}${HOSTILE}` as T;
  const copy: unknown = Array.isArray(value) ? [...(value as unknown[])] : { ...value };
  const fields = copy as Record<string | number, unknown>;
  fields[first] = withHostile(fields[first], rest);
  return copy as T;
}

/** A record with every section that there is. */
async function fullResult(): Promise<Result> {
  const result = await madeUpResult({ players: [...heads(2, 2), ...tokens(['a', 'b'])], layers: 2, heads: 2 });
  return parseResult({
    ...result,
    run: { ...result.run, options: { players: 'heads', nested: { of: ['a'] } } },
    solver: { ...result.solver, details: { kind: 'trees', auto: { why: 'because' } } },
    files: [{ path: 'out/report.html', what: 'the page' }],
    findings: [{ kind: 'one prompt', text: 'One prompt.' }, ...result.findings],
  });
}

describe('every string of a record', async () => {
  const result = await fullResult();
  const paths = stringsOf(result);

  it.each(paths.map((path) => [path.join('.'), path] as const))('%s', (_name, path) => {
    const hostile = withHostile(result, path);
    let accepted: Result;
    try {
      accepted = parseResult(hostile);
    } catch (error) {
      // A string that only some words may be: the error that says so quotes it.
      expect(error).toBeInstanceOf(SpexlensError);
      expect((error as Error).message).not.toMatch(ACTS);
      return;
    }
    expect(terminalReport(accepted, { color: false })).not.toMatch(ACTS);
    expect(stripVTControlCharacters(terminalReport(accepted, { color: true }))).not.toMatch(ACTS);
    expect(formatResult(accepted)).not.toMatch(ACTS);
    expect(JSON.parse(formatResult(accepted))).toEqual(JSON.parse(JSON.stringify(accepted)));
    expect(renderReport(accepted)).not.toMatch(PAGE_ACTS);
    for (const table of [playerCsv(accepted), interactionCsv(accepted)])
      expect(terminalText(table, { color: false })).not.toMatch(ACTS);
  });

  it('is looked at: names, texts, prompts, options, findings and files are among them', () => {
    expect(paths.map((path) => path.filter((part) => typeof part === 'string').join('.'))).toEqual(
      expect.arrayContaining([
        'name',
        'task.players',
        'task.prompts.text',
        'players.name',
        'findings.text',
        'files.path',
        'run.command',
        'run.options.nested.of',
      ]),
    );
  });
});

describe('every string of an inspection', async () => {
  const backend = await openBackend('wasm');
  const model = await loadModel(resolve(import.meta.dirname, '../../models/ioi-tiny'));
  const inspection: Inspection = await inspect(model, backend, { numTensors: 0, numBytes: 0 });
  model[Symbol.dispose]();
  backend.close();

  it.each(stringsOf(inspection).map((path) => [path.join('.'), path] as const))('%s', (_name, path) => {
    const hostile = withHostile(inspection, path);
    expect(inspectionText(hostile)).not.toMatch(ACTS);
    const json = printableJson(JSON.stringify(hostile));
    expect(json).not.toMatch(ACTS);
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(hostile)));
  });
});

describe('every error of a command', () => {
  const errors: Readonly<Record<string, (() => never) | readonly string[]>> = {
    'one of ours': () => {
      throw fail('input', `model ${HOSTILE}`, `is ${HOSTILE}.`);
    },
    "a defect's message and stack": () => {
      throw new Error(HOSTILE);
    },
    'what is no error at all': () => {
      throw HOSTILE as unknown as Error;
    },
    'an option that there is not': [`--${HOSTILE}`],
    'an argument too many': [HOSTILE, HOSTILE],
  };
  it.each(Object.entries(errors))('%s', async (_what, cause) => {
    let text = '';
    const streams: Streams = { out: (some) => (text += some), err: (some) => (text += some) };
    const command = new Command('probe').option('--debug');
    const args = typeof cause === 'function' ? ['--debug'] : cause;
    const code = await runCommand(command, args, streams, async () =>
      typeof cause === 'function' ? cause() : undefined,
    );
    expect(code).toBe(1);
    expect(text).toMatch(/evil|too many arguments/);
    expect(text).not.toMatch(ACTS);
  });
});
