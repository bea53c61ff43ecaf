/** Every public name says in a sentence what it is. */
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import ts from 'typescript';
import { readFileSync } from 'node:fs';

const ROOT = resolve(import.meta.dirname, '..');
const { exports } = JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, { readonly types?: string } | string>>;
};
/** The sources of what package.json exports: `./dist/src/index.d.ts` is that of src/index.ts. */
const ENTRIES = Object.values(exports).flatMap((entry) =>
  typeof entry === 'string' || entry.types === undefined
    ? []
    : [resolve(ROOT, entry.types.replace('./dist/', './').replace(/\.d\.ts$/, '.ts'))],
);

describe('every public name', () => {
  it('has a sentence in its docstring', { timeout: 120_000 }, () => {
    const { options } = ts.parseJsonConfigFileContent(
      ts.readConfigFile(resolve(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config,
      ts.sys,
      ROOT,
    );
    const program = ts.createProgram(ENTRIES, options);
    const checker = program.getTypeChecker();
    const bare = new Set<string>();
    let names = 0;
    for (const entry of ENTRIES) {
      const module = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile) as ts.Symbol;
      for (const exported of checker.getExportsOfModule(module)) {
        names++;
        const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
        // TensorFlow.js, which spexlens/browser hands on
        if (symbol.declarations?.every((each) => each.getSourceFile().fileName.includes('/node_modules/'))) continue;
        const said = ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
        if (said.length < 10)
          bare.add(`${exported.name} (${symbol.declarations?.[0].getSourceFile().fileName.replace(`${ROOT}/`, '')})`);
      }
    }
    expect(names).toBeGreaterThan(250);
    expect([...bare].sort()).toEqual([]);
  });
});
