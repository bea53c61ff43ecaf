/** The serve command: runs of a folder as pages in a browser, on this machine alone. */
import { Command } from 'commander';
import { runCommand, whole, type Streams } from '../command.ts';
import { serveRuns } from './server.ts';

const describe = (): Command =>
  new Command('serve')
    .description(
      'List the runs below a folder in a browser, open their pages, and compare two. Listens on 127.0.0.1 alone, until Ctrl-C.',
    )
    .argument('[folder]', 'where runs were written to', 'out')
    .option('--port <n>', 'port; 0: a free one', '7357')
    .option('--debug', 'show stack traces');

interface Flags {
  readonly port: string;
  readonly debug?: boolean;
}

/** Runs the command with `args`; the result is the exit code. */
export const serveCommand = (args: readonly string[], streams: Streams): Promise<number> => {
  const command = describe();
  return runCommand(command, args, streams, async ({ port }: Flags, { signal }) => {
    const folder = command.processedArgs[0] as string;
    const serving = await serveRuns(folder, whole('--port', port));
    streams.out(`the runs in ${folder}: ${serving.url}\n`);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await serving.close();
  });
};
