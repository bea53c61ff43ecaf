/**
 * What a model is, before anything is done with it: its record, files, memory, hooks, tokenizer, and how true its numbers are.
 *
 *     npx tsx scripts/inspect-model.ts FOLDER|ID [--backend wasm --json]
 */
import { guardStreams, terminal } from '../cli/command.ts';
import { inspectCommand } from '../cli/inspect/main.ts';

guardStreams();
process.exitCode = await inspectCommand(process.argv.slice(2), terminal);
