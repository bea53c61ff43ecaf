/**
 * A game of your own: which words of a sentence act together, by a rule that you can read.
 *
 *     npx tsx examples/own-game.ts
 */
import { writeFileSync } from 'node:fs';
import { explain, gameFromFunction, isKept, recordOf, renderReport, terminalReport } from '../src/index.ts';

const words = 'the plot is not great but the music is wonderful'.split(' ');
const names = words.map((word, i) => (words.indexOf(word) === i ? word : `${word} (${i + 1})`));
const mood = { great: 2, wonderful: 3 };

/** The mood of what is left of the sentence: "not" turns "great" round, and does nothing alone. */
export const sentence = gameFromFunction(
  'mood',
  names.map((name) => ({ name })),
  (row, masks) => {
    const has = (word: string): boolean => isKept(masks, row, words.indexOf(word));
    const great = has('great') ? mood.great * (has('not') ? -1 : 1) : 0;
    return great + (has('wonderful') ? mood.wonderful : 0);
  },
);

const explanation = await explain(sentence, { budget: 200, seed: 0 });
export const result = recordOf(explanation, { task: { metric: 'mood', players: 'words' } });
console.log(terminalReport(result));
if (process.argv[2] !== undefined) writeFileSync(process.argv[2], renderReport(result));
