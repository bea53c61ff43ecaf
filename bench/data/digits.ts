/** The digits that scikit-learn's wheel carries (UCI, CC BY 4.0), read where they lie: 1,797 of 8 by 8 numbers. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Example } from '../../src/lens/examples/data-set.ts';

/** @param python an interpreter that has scikit-learn. */
export function readDigits(python: string): Example[] {
  const folder = execFileSync(python, ['-c', 'import sklearn, os; print(os.path.dirname(sklearn.__file__))'])
    .toString()
    .trim();
  return gunzipSync(readFileSync(join(folder, 'datasets/data/digits.csv.gz')))
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.split(',').map(Number))
    .map((row) => ({ vector: row.slice(0, 64), label: String(row[64]), fields: {} }));
}
