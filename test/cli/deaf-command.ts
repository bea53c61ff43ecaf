/** A command that goes on after Ctrl-C, for interrupt.test.ts: it says when it is ready and when it heard. */
import { Command } from 'commander';
import { runCommand, terminal } from '../../cli/command.ts';

process.exitCode = await runCommand(new Command('deaf'), [], terminal, async (_flags, running) => {
  running.signal.addEventListener('abort', () => terminal.out('heard\n'));
  terminal.out('ready\n');
  await new Promise((resolve) => setTimeout(resolve, 60_000));
});
