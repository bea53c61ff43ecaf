/**
 * The feature lens at its limits: a text of 1,000 words, 20,000 masks, SPEX. Time, memory, and whether the three words that decide are found.
 *
 *     npx tsx bench/feature-lens/scale.ts [--backend tensorflow --words 1000 --masks 22000 --held-out 500]
 */
import * as tf from '@tensorflow/tfjs-core';
import { Command } from 'commander';
import { runCommand, terminal, whole } from '../../cli/command.ts';
import { fromRoot } from '../../cli/package-root.ts';
import { openLedger } from '../../src/ledger.ts';
import { createPromptGame } from '../../src/lens/tokens/prompt-game.ts';
import { TEXT_VALUES } from '../../src/lens/tokens/text-values.ts';
import { createModel, loadModel, tokenizerOf, type Model } from '../../src/model/model.ts';
import { tensorOf } from '../../src/model/weights/parameters.ts';
import { openBackend } from '../../src/open-backend.ts';
import { createRandom } from '../../src/random.ts';
import { solve } from '../../src/solve/solve.ts';
import { topInteractions } from '../../src/spectrum/energy.ts';
import { spex } from '../../src/spex/spex.ts';

interface Flags {
  readonly backend: string;
  readonly words: string;
  readonly masks: string;
  readonly heldOut: string;
  readonly debug?: boolean;
}

const command = new Command('bench-feature-lens-scale')
  .description('Time and peak memory of SPEX on a long text.')
  .option('--backend <name>', 'tensorflow, wasm, ...', 'tensorflow')
  .option('--words <n>', 'players', '1000')
  .option('--masks <n>', 'budget of SPEX, of which its plan takes what it can use', '22000')
  .option('--held-out <n>', 'masks that R² is taken on', '500')
  .option('--debug', 'show stack traces');

/** How much sharper the queries are: three words must be heard among a thousand. */
const SHARPER = 8;
const FILLERS = 'here is a coin anna found hat there tom has cat cup leaf stone'.split(' ');
const DECIDING = ['cord', 'bulb', 'lamp'];

/**
 * models/planted-rules for texts longer than it was trained on: every position is the mean of those it knows, so that it does not
 * depend on them, and its queries are sharper. What decides is still the same three words.
 */
async function stretched(words: number): Promise<Model> {
  const trained = await loadModel(fromRoot('models/planted-rules'));
  const { parameters, config, tokenizer } = trained;
  const sharp = (name: string): boolean => /attn\.[Wb]_Q$/.test(name);
  const longer = tf.tidy(() =>
    Object.fromEntries(
      Object.entries(parameters).map(([name, parameter]) => {
        const tensor = tensorOf(parameter);
        if (name === 'pos_embed.W_pos')
          return [name, tf.tile(tf.mean(tf.slice(tensor, [0, 0], [TRAINED, -1]), 0, true), [words + CUE, 1])];
        return [name, sharp(name) ? tf.mul(tensor, SHARPER) : tf.clone(tensor)];
      }),
    ),
  );
  trained[Symbol.dispose]();
  return createModel({ ...config, nCtx: words + CUE }, longer, { name: 'planted-rules, longer', tokenizer });
}
/** Positions of the texts that it was trained on. */
const TRAINED = 24;
/** BOS, and the cue behind the words. */
const CUE = 3;

process.exitCode = await runCommand<Flags>(command, process.argv.slice(2), terminal, async (flags, { signal }) => {
  const [words, budget, heldOut] = (['words', 'masks', 'heldOut'] as const).map((key) => whole(key, flags[key]));
  const backend = await openBackend(flags.backend);
  const model = await stretched(words);
  const random = createRandom(0, 'words');
  const text = Array.from({ length: words }, () => FILLERS[random.integer(FILLERS.length)]);
  const at = random.subset(words, DECIDING.length);
  at.forEach((place, k) => (text[place] = DECIDING[k]));
  const tokenizer = tokenizerOf(model);
  const idOf = (word: string): number => tokenizer.toSingleToken(word);
  const game = createPromptGame(model, {
    players: text.map((word, i) => ({
      name: `${word} (${i + 1})`,
      place: { kind: 'span', pieces: [{ start: i, end: i + 1 }] },
    })),
    tokens: tokenizer.encode(`${text.join(' ')} answer:`),
    owners: [-1, ...text.keys(), -1, -1],
    standIn: { kind: 'tokens', tokens: Array.from({ length: words + CUE }, () => []) },
    value: TEXT_VALUES.contrast,
    answer: [idOf('yes')],
    against: [idOf('no')],
  });
  try {
    const ledger = openLedger(game);
    const started = performance.now();
    const { solution, heldOut: score } = await solve(ledger, { solver: spex(), budget, heldOut, seed: 0, signal });
    const seconds = (performance.now() - started) / 1000;
    const measuring = ledger.milliseconds / 1000;
    const found = topInteractions(solution.spectrum, 4).map(({ members }) => members.map((i) => text[i]).join(' × '));
    terminal.out(
      `${words} words, ${ledger.measured} masks (${heldOut} of them held out) on ${backend.name}: measured in ${measuring.toFixed(0)} s (${(ledger.measured / measuring).toFixed(0)} rows/s), the rest ${(seconds - measuring).toFixed(1)} s\n` +
        `peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB\n` +
        `R² ${score?.r2.toFixed(3)}, first order ${score?.firstOrder.r2.toFixed(3)}; ${solution.spectrum.terms.length} terms, the largest interactions: ${found.join(', ')}\n`,
    );
  } finally {
    game[Symbol.dispose]();
    model[Symbol.dispose]();
    backend.close();
  }
});
