/**
 * What a model is, before anything is done with it: its record, files, memory, hooks, tokenizer, and how true its numbers are.
 *
 *     npx tsx scripts/inspect-model.ts FOLDER|ID [--backend wasm --json]
 */
import { terminal } from '../cli/command.ts';
import { inspectModelCommand } from '../cli/inspect/main.ts';

process.exitCode = await inspectModelCommand(process.argv.slice(2), terminal);
