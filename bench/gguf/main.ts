/**
 * A GGUF file here and in transformers: what loading takes, whether the token ids are equal, and how far the logits are.
 *
 *     npx tsx bench/gguf/main.ts --model FILE.gguf --python PYTHON [--backend wasm]
 *
 * PYTHON needs torch, transformers, gguf and accelerate. Errors are of the logits after each text's last token, divided
 * by the largest of them in size; the same for transformers' float32 against its float64, which is what arithmetic in
 * 32 bits costs by itself.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { z } from 'zod';
import { fail } from '../../src/errors.ts';
import { runWithHooks } from '../../src/hooks/run.ts';
import { loadModel, tokenizerOf } from '../../src/model/model.ts';
import { openBackend } from '../../src/open-backend.ts';
import { runCommand, terminal } from '../../cli/command.ts';

const TEXTS = [
  'When Mary and John went to the store, John gave a drink to',
  'The capital of France is',
  "12345 apples\tand  \n pears isn't é 漢字 🙂",
  'def f(x):\n    return x',
];
const TWIN = fileURLToPath(new URL('twin.py', import.meta.url));
const Answers = z.array(
  z.object({ ids: z.array(z.number()), single: z.array(z.number()), double: z.array(z.number()) }),
);

const command = new Command('bench-gguf')
  .description('Loading a GGUF file, and its token ids and logits beside those of transformers.')
  .requiredOption('--model <file>', 'the GGUF file')
  .requiredOption('--python <path>', 'a Python with torch, transformers, gguf and accelerate')
  .option('--backend <name>', 'backend that is loaded onto', 'wasm')
  .option('--debug', 'show stack traces');

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Transformers' reading: ids of the texts, and the last logits in float32 and float64. */
async function answersOf(python: string, model: string): Promise<z.infer<typeof Answers>> {
  const child = spawn(python, ['-W', 'ignore', TWIN, model], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.end(JSON.stringify(TEXTS));
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw fail('input', '--python', `${python} ${TWIN} ended with ${String(code)}; run it to see why.`);
  return Answers.parse(JSON.parse(out));
}

/** max |a - b| / max |b|. */
function distance(a: ArrayLike<number>, b: readonly number[]): number {
  const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return b.reduce((worst, value, i) => Math.max(worst, Math.abs(a[i] - value)), 0) / scale;
}

process.exitCode = await runCommand(
  command,
  process.argv.slice(2),
  terminal,
  async (flags: { model: string; python: string; backend: string; debug?: boolean }) => {
    const backend = await openBackend(flags.backend);
    const before = process.resourceUsage().maxRSS;
    const [started, spent] = [performance.now(), process.cpuUsage()];
    using model = await loadModel(flags.model);
    const { user, system } = process.cpuUsage(spent);
    const added = (process.resourceUsage().maxRSS - before) / 1e3;
    say(
      `${model.name} on ${backend.name}: loaded in ${((performance.now() - started) / 1e3).toFixed(1)} s (${((user + system) / 1e6).toFixed(1)} s of processor time); ${added.toFixed(0)} MB added at the peak, ${(model.parameterCount * 4e-6).toFixed(0)} MB of them weights`,
    );
    say('text                        ids      ours-float64  torch float32-float64  ours-torch float32');
    const answers = await answersOf(flags.python, flags.model);
    for (const [i, { ids, single, double }] of answers.entries()) {
      const own = tokenizerOf(model).encode(TEXTS[i]);
      const logits = runWithHooks(model, own, []);
      const last = (await logits.data()).slice(-model.config.dVocabOut);
      logits.dispose();
      const cells = [distance(last, double), distance(single, double), distance(last, single)];
      const equal = String(own) === String(ids) ? `${ids.length} equal` : 'DIFFER';
      const shown = JSON.stringify(TEXTS[i]).slice(0, 24);
      say(
        `${shown.padEnd(26)}  ${equal.padEnd(8)} ${cells.map((cell) => cell.toExponential(1).padStart(13)).join('      ')}`,
      );
    }
  },
);
