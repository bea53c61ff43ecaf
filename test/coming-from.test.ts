/** docs/coming-from.md: every program of it runs, and prints what stands behind its console.log. */
import * as tf from '@tensorflow/tfjs-core';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { blocksOf } from '../scripts/markdown.ts';
import * as spexlens from '../src/index.ts';

const [prelude, ...programs] = blocksOf(
  readFileSync(resolve(import.meta.dirname, '../docs/coming-from.md'), 'utf8'),
  'ts',
);

/** What the comments say is printed. */
function expected(program: string): string[] {
  return [...program.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map(([, said]) => said);
}

/** A line as console.log prints it, as far as these programs need. */
function printed(values: readonly unknown[]): string {
  return values.map((value) => (Array.isArray(value) ? JSON.stringify(value) : String(value))).join(' ');
}

type Program = (said: (...values: unknown[]) => void, ...modules: readonly unknown[]) => Promise<void>;

/** Runs a program as the ES module that it is, but for its imports, which are given. */
async function run(program: string): Promise<string[]> {
  const source = `${prelude}${program}`.replace(/^import .*$/gm, '').replaceAll('console.log(', 'say(');
  const body = ts.transpile(source, { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext });
  const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => Program;
  const lines: string[] = [];
  await new AsyncFunction('say', 'tf', 'spexlens', body)((...values) => lines.push(printed(values)), tf, spexlens);
  return lines;
}

describe('docs/coming-from.md', () => {
  it('has twenty idioms or more, each with one of theirs beside it', () => {
    const theirs = blocksOf(readFileSync(resolve(import.meta.dirname, '../docs/coming-from.md'), 'utf8'), 'py');
    expect(programs.length).toBeGreaterThanOrEqual(20);
    expect(theirs.length).toBe(programs.length);
  });

  it.each(programs.map((program, k) => [k + 1, program] as const))(
    'idiom %i prints what it says',
    async (_, program) => {
      const said = expected(program);
      expect(said.length).toBeGreaterThan(0);
      expect(await run(program)).toEqual(said);
    },
  );
});
