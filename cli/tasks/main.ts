/** The tasks command: what there is, and prompts of one for a model's tokenizer. */
import { Command } from 'commander';
import { printableJson } from '../../src/printable.ts';
import { promptsOfTask, taskOf } from '../../src/lens/tasks/task.ts';
import { TASKS } from '../../src/lens/tasks/tasks.ts';
import { loadTokenizer } from '../../src/tokenizer/tokenizer.ts';
import { fromRoot } from '../package-root.ts';
import { runCommand, whole, type Streams } from '../command.ts';
import { writeFile } from '../files.ts';

const describe = (): Command =>
  new Command('tasks')
    .description(
      'List the tasks of the literature that prompts can be made of, or make prompts of one for a tokenizer.',
    )
    .argument('[task]', 'the task to make prompts of')
    .option('--model <folder>', 'folder whose tokenizer cuts the prompts', fromRoot('models/ioi-tiny'))
    .option('--pairs <n>', 'pairs of prompts', '1')
    .option('--seed <n>', 'seed of the words', '0')
    .option('--save <file>', 'write them as a prompts file (JSONL) instead of printing it')
    .option('--debug', 'show stack traces');

interface Flags {
  readonly model: string;
  readonly pairs: string;
  readonly seed: string;
  readonly save?: string;
  readonly debug?: boolean;
}

/** Runs the command with `args`; the result is the exit code. */
export const tasksCommand = (args: readonly string[], streams: Streams): Promise<number> => {
  const command = describe();
  return runCommand(command, args, streams, async (flags: Flags) => {
    const [name] = command.args;
    if (name === undefined) return streams.out(listOf());
    const task = taskOf(name, TASKS);
    const tokenizer = await loadTokenizer(flags.model);
    const prompts = promptsOfTask(task, tokenizer, whole('--pairs', flags.pairs), whole('--seed', flags.seed));
    const lines = prompts.map((prompt) => `${printableJson(JSON.stringify(prompt))}\n`).join('');
    if (flags.save === undefined) return streams.out(lines);
    writeFile('--save', flags.save, lines);
    streams.out(`${prompts.length} prompts of ${name} in ${flags.save}\n`);
  });
};

function listOf(): string {
  const wide = Math.max(...Object.keys(TASKS).map((name) => name.length));
  return Object.values(TASKS)
    .map(({ name, about, source }) => `${name.padEnd(wide)}  ${about}\n${' '.repeat(wide)}  ${source}\n`)
    .join('');
}
