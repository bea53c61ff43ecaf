/**
 * Every field of every golden configuration edited, and ours beside transformers': no silent mismatch.
 *
 *     npx tsx bench/config-fuzz.ts FOLDER     after     python bench/config_fuzz_reference.py FOLDER
 *
 * An edit ends well when our logits are transformers' (largest |ours - theirs| / max(1, |theirs|) up to 1e-4), or when either side
 * refuses it. Prints the counts, why we refused, and every mismatch; exit code 1 when there is one.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openBackend } from '../src/open-backend.ts';
import { SpexlensError } from '../src/errors.ts';
import { runWithHooks } from '../src/hooks/run.ts';
import { loadModel } from '../src/model/model.ts';

const TOLERANCE = 1e-4;

interface Expected {
  readonly case: string;
  readonly edit: string;
  readonly tokens: number[];
  readonly logits?: number[];
  readonly refused?: string;
}

/** Our logits of the edited checkpoint, or why there are none. */
async function ours(folder: string, tokens: number[]): Promise<Float32Array | string> {
  try {
    using model = await loadModel(folder);
    const logits = runWithHooks(model, tokens, []);
    const values = (await logits.data()) as Float32Array;
    logits.dispose();
    return values;
  } catch (error) {
    if (error instanceof SpexlensError) return error.message;
    throw new Error(folder, { cause: error }); // anything else is a fault
  }
}

const largestError = (values: ArrayLike<number>, expected: readonly number[]): number =>
  values.length === expected.length
    ? expected.reduce((worst, x, i) => Math.max(worst, Math.abs(values[i] - x) / Math.max(1, Math.abs(x))), 0)
    : Infinity;

const [root] = process.argv.slice(2);
if (root === undefined) throw new Error('config-fuzz: name the folder that config_fuzz_reference.py wrote.');
const backend = await openBackend('wasm');
const counts = {
  same: 0,
  'refused by both': 0,
  'refused by us alone': 0,
  'refused by transformers alone': 0,
  mismatch: 0,
};
const reasons = new Map<string, number>();
const mismatches: string[] = [];
let worst = 0;
for (const name of readdirSync(root).toSorted((a, b) => Number(a) - Number(b))) {
  const folder = join(root, name);
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected;
  const answer = await ours(folder, expected.tokens);
  const refused = typeof answer === 'string';
  if (expected.logits === undefined) {
    counts[refused ? 'refused by both' : 'refused by transformers alone']++;
  } else if (refused) {
    counts['refused by us alone']++;
    const field = expected.edit.replace(/ = .*| taken away/, '');
    const reason = `${field}: ${answer.replace(/^(config\.json|checkpoint \S+): /, '').slice(0, 110)}`;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  } else {
    const error = largestError(answer, expected.logits);
    if (error > TOLERANCE)
      mismatches.push(`${expected.case}: ${expected.edit}: off by ${error.toPrecision(2)} (${name})`);
    else worst = Math.max(worst, error);
    counts[error > TOLERANCE ? 'mismatch' : 'same']++;
  }
}
for (const [reason, count] of [...reasons].toSorted(([, a], [, b]) => b - a))
  console.log(`refused by us alone ${count} x ${reason}`);
console.log(mismatches.join('\n'));
console.log(
  Object.entries(counts)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', '),
);
console.log(`same: within ${worst.toExponential(1)}`);
backend.close();
process.exitCode = mismatches.length > 0 ? 1 : 0;
