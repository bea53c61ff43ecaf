/**
 * How well first order and auto predict masks they did not see, on texts: R² at α = 1, 2, 4, that is α·n·log2(n) masks.
 *
 *     npx tsx bench/words-r2.ts --model path/to/smollm2 [--held-out 200] [--backend wasm] [--texts 2]
 */
import { Command } from 'commander';
import { openLedger } from '../src/ledger.ts';
import { ABSENCES } from '../src/lens/tokens/absences.ts';
import { answerTokens } from '../src/lens/tokens/answers.ts';
import { createPromptGame } from '../src/lens/tokens/prompt-game.ts';
import { TEXT_VALUES } from '../src/lens/tokens/text-values.ts';
import { toPlayers } from '../src/lens/tokens/text-players.ts';
import { loadModel } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';
import { autoSolver } from '../src/solve/auto.ts';
import { solve } from '../src/solve/solve.ts';

const BEFORE = 'Review: ';
const AFTER = ' Sentiment (positive or negative):';
const TEXTS = [
  'I did not expect to like it, but the ending was not bad at all.',
  'The acting is great if you never listen, and the script is hardly worth the paper.',
  'Nothing about this film is boring; it is funny, warm and short.',
];

const options = new Command()
  .requiredOption('--model <folder>')
  .option('--held-out <masks>', '', '200')
  .option('--backend <name>', '', 'wasm')
  .option('--texts <n>', '', String(TEXTS.length))
  .parse()
  .opts<{ model: string; heldOut: string; backend: string; texts: string }>();

const backend = await openBackend(options.backend);
const model = await loadModel(options.model);
for (const text of TEXTS.slice(0, Number(options.texts))) {
  const whole = BEFORE + text + AFTER;
  const kept = [
    { start: 0, end: BEFORE.length },
    { start: whole.length - AFTER.length, end: whole.length },
  ];
  const played = toPlayers(model, whole, { kept });
  const answer = (word: string): readonly number[] => answerTokens(model, played, word, 'answer');
  const game = createPromptGame(model, {
    ...played,
    standIn: ABSENCES.remove.open({ model, played }),
    value: TEXT_VALUES.contrast,
    answer: answer(' positive'),
    against: answer(' negative'),
  });
  const ledger = openLedger(game);
  const n = played.players.length;
  console.log(`${n} words: ${text}`);
  for (const alpha of [1, 2, 4]) {
    const budget = Math.round(alpha * n * Math.log2(n));
    const { heldOut, solution } = await solve(ledger, {
      solver: autoSolver,
      budget,
      heldOut: Number(options.heldOut),
      seed: 0,
    });
    if (heldOut !== undefined)
      console.log(
        `  α ${alpha} (${budget} masks): first order ${heldOut.firstOrder.r2.toFixed(3)}, ${solution.solver} ${heldOut.r2.toFixed(3)} [${heldOut.low.toFixed(3)}, ${heldOut.high.toFixed(3)}] on ${heldOut.masks} masks`,
      );
  }
  game[Symbol.dispose]();
}
model[Symbol.dispose]();
backend.close();
