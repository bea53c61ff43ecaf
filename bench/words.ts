/**
 * Masked prompts per second beside captum's LLMAttribution (FeatureAblation on transformers), and the largest difference of
 * what one token's absence costs: a 64-word prompt, each token replaced by one id in turn, the same rows on both sides.
 *
 *     npx tsx bench/words.ts --model path/to/smollm2 --python path/to/python [--backend wasm] [--rounds 1]
 *
 * The two run one after the other in each round; a ratio is of one round.
 */
import { execFileSync } from 'node:child_process';
import { Command } from 'commander';
import { answerTokens } from '../src/lens/tokens/answers.ts';
import { createPromptGame } from '../src/lens/tokens/prompt-game.ts';
import { TEXT_VALUES } from '../src/lens/tokens/text-values.ts';
import { toPlayers } from '../src/lens/tokens/text-players.ts';
import { masksFromMembers } from '../src/masks.ts';
import { loadModel } from '../src/model/model.ts';
import { openBackend } from '../src/open-backend.ts';

const PROMPT =
  'The film begins in a small town by the sea, where two brothers run a bakery that nobody visits any more. ' +
  'The older one is not kind, the younger one is not brave, and for an hour the story goes nowhere. ' +
  'Then a storm comes, and what was slow turns into something warm and honest. ' +
  'I left the cinema happy. All in all the film was';
const ANSWER = ' good';

interface Reference {
  readonly attribution: readonly number[];
  readonly tokens: readonly number[];
  readonly seconds: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
}

const options = new Command()
  .requiredOption('--model <folder>')
  .requiredOption('--python <path>', 'with captum, torch and transformers')
  .option('--backend <name>', '', 'wasm')
  .option('--rounds <n>', '', '1')
  .parse()
  .opts<{ model: string; python: string; backend: string; rounds: string }>();

const backend = await openBackend(options.backend);
const model = await loadModel(options.model);
const played = toPlayers(model, PROMPT, { players: 'tokens' });
const n = played.players.length;
const all = Array.from({ length: n }, (_, i) => i);
const masks = masksFromMembers(n, [all, ...all.map((gone) => all.filter((i) => i !== gone))]);
const answer = answerTokens(model, played, ANSWER, 'answer');
const id = 0;
const words = PROMPT.split(' ').length;
console.log(`${words} words, ${played.tokens.length} tokens, ${masks.count} rows; ${backend.name} (${backend.device})`);
for (let round = 0; round < Number(options.rounds); round++) {
  const game = createPromptGame(model, {
    ...played,
    standIn: { kind: 'tokens', tokens: played.tokens.map(() => [id]) },
    value: TEXT_VALUES.logprob,
    answer,
    against: [],
  });
  await game.value(masksFromMembers(n, [[]])); // warm
  const start = performance.now();
  const [clean, ...rest] = await game.value(masks);
  const seconds = (performance.now() - start) / 1000;
  game[Symbol.dispose]();
  const asked = JSON.stringify({ prompt: PROMPT, answer, id });
  const printed = execFileSync(options.python, ['bench/words_reference.py', options.model, asked], {
    encoding: 'utf8',
  });
  const theirs = JSON.parse(printed.trim().split('\n').at(-1) as string) as Reference;
  if (theirs.tokens.join() !== played.tokens.join()) throw new Error('the two tokenizers disagree');
  const worst = Math.max(...rest.map((value, k) => Math.abs(clean - value - theirs.attribution[k])));
  const [ours, captum] = [masks.count / seconds, (n + 1) / theirs.seconds];
  console.log(
    `ours ${ours.toFixed(2)} rows/s, captum ${captum.toFixed(2)} rows/s (${theirs.threads} threads), ratio ${(ours / captum).toFixed(2)}; largest difference of a token's value ${worst.toExponential(1)} nats; ${JSON.stringify(theirs.versions)}`,
  );
}
model[Symbol.dispose]();
backend.close();
