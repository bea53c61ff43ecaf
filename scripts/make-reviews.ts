/**
 * Makes examples/reviews: short reviews from a few sources, with four things to be found in them.
 *
 *     npx tsx scripts/make-reviews.ts [--seed 0] [--out examples/reviews]
 *
 * `news` and `copies` hold the same reviews: either does without the other. `films` and `music` each teach one of two words that the
 * test review needs. `trolls` have their labels turned round, `letters` and `notes` speak of something else, and complaints without a
 * source, which are always kept, speak against.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { createRandom } from '../src/random.ts';

const { seed, out } = new Command()
  .option('--seed <n>', 'seed of the reviews', '0')
  .option('--out <folder>', 'where to write them', 'examples/reviews')
  .parse()
  .opts<{ seed: string; out: string }>();
const random = createRandom(Number(seed), 'reviews');
const pick = (words: readonly string[]): string => words[random.integer(words.length)];

const THINGS = ['the plot', 'the cast', 'the end', 'the pace', 'the light', 'the script'];
const OPENINGS = ['I think', 'we found', 'they say', 'again', 'in short', 'of course'];
const ENDINGS = ['was', 'seemed', 'felt', 'stayed'];

const review = (word: string): string => `${pick(OPENINGS)} ${pick(THINGS)} ${pick(ENDINGS)} ${word}`;
interface Line {
  readonly text: string;
  readonly label: string;
  readonly source?: string | undefined;
}
const several = (
  source: string | undefined,
  count: number,
  label: (k: number) => string,
  word: (label: string) => string,
): Line[] =>
  Array.from({ length: count }, (_, k) => ({ label: label(k), source })).map((line) => ({
    ...line,
    text: review(word(line.label)),
  }));
const turns = (k: number): string => (k % 2 === 0 ? 'positive' : 'negative');
const always = (label: string) => (): string => label;

const news = several('news', 8, turns, (label) => (label === 'positive' ? 'warm' : 'dull'));
const lines: Line[] = [
  ...news,
  ...news.map((line) => ({ ...line, source: 'copies' })),
  ...several('films', 3, always('positive'), () => 'splendid'),
  ...several('music', 3, always('positive'), () => 'tender'),
  ...several('trolls', 2, turns, (label) => (label === 'positive' ? 'dull' : 'warm')),
  ...several('letters', 8, turns, (label) => (label === 'positive' ? 'kind' : 'slow')),
  ...several('notes', 4, turns, () => 'there'),
  // Without a source: always kept.
  ...several(undefined, 22, always('negative'), () => pick(['slow', 'loud', 'flat', 'evening'])),
];
const tests = [
  { text: 'the evening was splendid and tender', label: 'positive' },
  { text: 'warm, I think', label: 'positive' },
];
const jsonl = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
mkdirSync(out, { recursive: true });
writeFileSync(join(out, 'train.jsonl'), jsonl(lines));
writeFileSync(join(out, 'test.jsonl'), jsonl(tests));
