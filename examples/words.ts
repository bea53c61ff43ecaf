/**
 * Which words of a prompt act together: the cue and its successor in a model that copies.
 *
 *     npx tsx examples/words.ts [page.html]
 */
import { writeFileSync } from 'node:fs';
import { explainPrompt, loadModel, openBackend, renderReport, terminalReport } from '../src/index.ts';

const backend = await openBackend('auto');
const model = await loadModel('models/induction-2l-h2');

export const result = await explainPrompt(model, backend, {
  prompt: 'e n 4 q m s b o d j v 0 q',
  keepText: 'q$', // the question
  answer: ' m',
  against: ' v',
  budget: 400,
  heldOut: 100,
});
console.log(terminalReport(result));
if (process.argv[2] !== undefined) writeFileSync(process.argv[2], renderReport(result));
model[Symbol.dispose]();
backend.close();
