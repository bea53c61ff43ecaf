/**
 * Compiles page/, the script of a report's page, into src/report/page-script.ts.
 *
 *     npx tsx scripts/build-page.ts [--check]
 *
 * The compiled script is committed, so that nothing needs the compiler to install or run; a test compiles anew and fails when
 * the committed text is not that of the source.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { build } from 'esbuild';
import { fail } from '../src/errors.ts';
import { runCommand, terminal } from '../cli/command.ts';
import { fromRoot } from '../cli/package-root.ts';

const TARGET = fromRoot('src/report/page-script.ts');

/** The text of src/report/page-script.ts. */
export async function pageScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fromRoot('page/main.ts')],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: ['chrome111', 'firefox115', 'safari16.4'],
    legalComments: 'none',
  });
  const script = outputFiles[0].text.trimEnd();
  const hash = createHash('sha256').update(script).digest('base64');
  return `/**
 * The script of a report's page: page/ as one text, ${script.length} bytes, and the hash by which the page's policy lets it run.
 * Written by scripts/build-page.ts; a test holds that it is the source's; do not edit.
 */
export const PAGE_SCRIPT =
  ${JSON.stringify(script)};
export const PAGE_SCRIPT_HASH = 'sha256-${hash}';
`;
}

const command = new Command('build-page')
  .description("Compile the page's script.")
  .option('--check', 'compare with the committed file instead of writing it')
  .option('--debug', 'show stack traces');

if (import.meta.filename === process.argv[1])
  process.exitCode = await runCommand<{ check?: boolean; debug?: boolean }>(
    command,
    process.argv.slice(2),
    terminal,
    async ({ check }) => {
      const text = await pageScript();
      if (check !== true) writeFileSync(TARGET, text);
      else if (readFileSync(TARGET, 'utf8') !== text)
        throw fail(
          'input',
          'build-page',
          `${TARGET} is not what page/ compiles to; run npx tsx scripts/build-page.ts.`,
        );
      terminal.out(check === true ? "the committed script is the source's\n" : `wrote ${TARGET}\n`);
    },
  );
