/** The options of the command, and what they come to. */
import { cpus } from 'node:os';
import { Command } from 'commander';
import { SHAPES } from '../shapes.ts';
import { closest, fail } from '../../src/errors.ts';
import { whole } from '../../cli/command.ts';
import { parseVariant } from './backends.ts';
import { DESIGNS, type Design, type JobOptions } from './job.ts';
import type { PythonSetting } from './python.ts';
import { WITHOUT, type WaySpec } from './ways.ts';

export interface Flags {
  readonly model: string;
  readonly players: string;
  readonly design: string;
  readonly masks?: string;
  readonly length?: string;
  readonly batchSize?: string;
  readonly loopMasks?: string;
  readonly hookBatch?: string;
  readonly backends: string;
  readonly off: string;
  readonly threads: string;
  readonly rounds: string;
  readonly seconds: string;
  readonly seed: string;
  readonly tolerance: string;
  readonly compare?: string;
  readonly python: string;
  readonly pythonDevice: string;
  readonly pythonThreads: string;
  readonly pythonBatches: string;
  readonly pythonWays: string;
  readonly tf32?: boolean;
  readonly json?: string;
  readonly picture?: string;
  readonly debug?: boolean;
}

export function createCommand(): Command {
  return new Command('bench-ablation')
    .description(
      'Ablated forward passes per second: a loop of hooked runs, hooks on a batch, and the game, on each backend.',
    )
    .option(
      '--model <name>',
      `a bundled model, random weights in the shape of ${Object.keys(SHAPES).join(', ')}, a folder, or a hub id`,
      'ioi-tiny',
    )
    .option('--players <list>', 'parts that the masks switch: heads, mlps, attns, neurons, L0H1, groups', 'heads')
    .option('--design <name>', DESIGNS.join(' | '), 'random')
    .option(
      '--masks <n>',
      'masks of a run (default: 2,048 for a small model, 64 for one above 10 M parameters; leave-one-out: all)',
    )
    .option('--length <n>', "tokens of a random prompt (default: the folder's first prompt, or 16)")
    .option('--batch-size <n>', 'masks of a forward pass of the game (default: what it chooses)')
    .option('--loop-masks <n>', 'masks that the loop does (default: 128, or 8)')
    .option('--hook-batch <n>', 'rows of a batch of the batched hooks (default: 64, or 32)')
    .option(
      '--backends <list>',
      "tensorflow, webgpu, wasm, cpu; wasm:stock (each has it) goes without kernels of ours, wasm:simd without fused multiply-add, tensorflow:simd without the processor's tile unit",
      'wasm',
    )
    .option(
      '--off <list>',
      `measure the engine without a saving too, one after the other: ${Object.keys(WITHOUT).join(', ')}, or all`,
      '',
    )
    .option('--threads <list>', 'measure the engine on so many threads too (wasm, wasm:stock, cpu)', '')
    .option('--rounds <n>', 'rounds', '5')
    .option('--seconds <s>', 'a measurement repeats its masks until it lasted this long', '0.5')
    .option('--seed <n>', 'of weights, prompt and masks', '0')
    .option(
      '--tolerance <x>',
      'largest difference between the ways of one backend, relative to max(1, |value|)',
      '1e-5',
    )
    .option('--compare <twin>', 'python: the same masks through TransformerLens and PyTorch, in the same rounds')
    .option('--python <path>', 'interpreter with torch and transformer-lens', 'python3')
    .option('--python-device <name>', 'cpu or cuda', 'cpu')
    .option('--python-threads <n>', 'threads of PyTorch', String(cpus().length))
    .option('--python-batches <list>', 'batch sizes to choose the fastest from', '16,32,64')
    .option(
      '--python-ways <list>',
      'lens (batched hooks), lens-last (last logits only), torch (no TransformerLens), loop',
      'lens,lens-last,torch',
    )
    .option('--tf32', 'the twin once more with TF32 products (on a GPU)')
    .option('--json <file>', 'write everything measured')
    .option('--picture <file>', 'write the bars as SVG')
    .option('--debug', 'show stack traces');
}

export interface Settings extends JobOptions {
  readonly backends: readonly string[];
  readonly ways: readonly WaySpec[];
  readonly rounds: number;
  readonly tolerance: number;
  readonly twins: readonly PythonSetting[];
  readonly pythonBatches: readonly number[];
  readonly pythonWays: readonly string[];
}

const PYTHON_WAYS = ['lens', 'lens-last', 'torch', 'loop'];
const list = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

/** @throws 'input' naming the option. */
export function settingsOf(flags: Flags): Settings {
  const count = (option: string, text: string): number => {
    const value = whole(option, text);
    if (value < 1) throw fail('input', option, '0 is too few; at least 1 is needed.');
    return value;
  };
  const optional = (option: string, text: string | undefined): number | undefined =>
    text === undefined ? undefined : count(option, text);
  const positive = (option: string, text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= 0)) throw fail('input', option, `"${text}" is not a number >= 0.`);
    return value;
  };
  const known = (option: string, items: readonly string[], names: readonly string[]): readonly string[] => {
    const odd = items.find((item) => !names.includes(item));
    if (odd !== undefined)
      throw fail(
        'input',
        option,
        `"${odd}" is unknown; did you mean ${closest(odd, names, 1)[0]}? There are ${names.join(', ')}.`,
      );
    return items;
  };
  if (flags.compare !== undefined) known('--compare', [flags.compare], ['python']);
  const backends = list(flags.backends);
  if (backends.length === 0) throw fail('input', '--backends', 'names none; at least one is needed.');
  for (const name of backends) parseVariant(name);
  const off = flags.off === 'all' ? Object.keys(WITHOUT) : known('--off', list(flags.off), Object.keys(WITHOUT));
  const twin = {
    python: flags.python,
    device: flags.pythonDevice,
    threads: count('--python-threads', flags.pythonThreads),
  };
  return {
    players: flags.players,
    design: known('--design', [flags.design], DESIGNS)[0] as Design,
    masks: optional('--masks', flags.masks),
    length: optional('--length', flags.length),
    batchSize: optional('--batch-size', flags.batchSize),
    loopMasks: optional('--loop-masks', flags.loopMasks),
    hookBatch: optional('--hook-batch', flags.hookBatch),
    backends: [...new Set(backends)],
    ways: [
      { name: 'loop', kind: 'loop' },
      { name: 'batched hooks', kind: 'hooks' },
      { name: 'engine', kind: 'engine' },
      ...list(flags.threads).map(
        (number): WaySpec => ({
          name: `engine, ${count('--threads', number)} threads`,
          kind: 'engine',
          threads: count('--threads', number),
        }),
      ),
      ...off.map((saving): WaySpec => ({ name: `engine, no ${saving}`, kind: 'engine', off: saving })),
    ],
    rounds: count('--rounds', flags.rounds),
    seconds: positive('--seconds', flags.seconds),
    seed: whole('--seed', flags.seed),
    tolerance: positive('--tolerance', flags.tolerance),
    twins:
      flags.compare === undefined
        ? []
        : [{ ...twin, tf32: false }, ...(flags.tf32 === true ? [{ ...twin, tf32: true }] : [])],
    pythonBatches: list(flags.pythonBatches).map((size) => count('--python-batches', size)),
    pythonWays: known('--python-ways', list(flags.pythonWays), PYTHON_WAYS),
  };
}
