/** Measured tables put where a page of the documentation has room for them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fail } from '../src/errors.ts';

/** Writes `text` between the comments `<!-- name -->` and `<!-- /name -->` of a page. @throws 'input' where it has none. */
export function putTables(path: string, text: string, name = 'measured'): void {
  const between = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*(<!-- /${name} -->)`);
  const page = readFileSync(path, 'utf8');
  if (!between.test(page)) throw fail('input', '--write', `${path} has no <!-- ${name} --> to write into.`);
  writeFileSync(
    path,
    page.replace(between, (_, before: string, after: string) => `${before}\n${text}\n\n${after}`),
  );
}
